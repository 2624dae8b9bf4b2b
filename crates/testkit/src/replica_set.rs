//! A replica set of real `mongod`s.
//!
//! [`ReplicaSet::start`] returns when every member is primary or secondary. One node takes about 2 s, three 4 s. The members keep
//! their ports for the set's life, so a killed member comes back at the same address with its data.

mod initiate;
mod members;
mod options;

use anyhow::Context;
use bson::doc;
use mongodb::Client;
use mongodb::options::ClientOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use initiate::common_arguments;
pub use options::ReplicaSetOptions;

use crate::certificates::Certificates;
use crate::downloads::{self, Mongod};
use crate::fault_proxy::FaultProxy;
use crate::folder::ServerFolder;
use crate::ports::Port;

/// Name and password of the user with the `root` role that exists with `auth`.
pub const ROOT: (&str, &str) = ("root", "oplogue-root");

/// What the keyFile holds; also the password of the internal user `__system`.
const KEY: &str = "b3Bsb2d1ZSB0ZXN0YmVkIGtleSwgbm90IGEgc2VjcmV0";

/// A running replica set; dropping it ends and removes everything.
#[derive(Debug)]
pub struct ReplicaSet {
    options: ReplicaSetOptions,
    mongod: Mongod,
    ports: Vec<Port>,
    certificates: Option<Certificates>,
    /// One before each member, or none at all.
    proxies: Vec<FaultProxy>,
    // After the ports: fields are dropped in this order, and a port may be free a moment before its server is gone at worst.
    folder: ServerFolder,
}

impl ReplicaSet {
    /// Starts a set and waits until all members work. Downloads the binary first if it is not cached.
    pub async fn start(options: ReplicaSetOptions) -> anyhow::Result<ReplicaSet> {
        options.check()?;
        let version = options.version;
        let mongod = tokio::task::spawn_blocking(move || downloads::mongod(version)).await??;
        let folder = ServerFolder::new(&options.name)?;
        let ports = (0..options.members).map(|_| Port::reserve()).collect::<anyhow::Result<Vec<_>>>()?;
        let certificates = options.tls.then(|| Certificates::generate(folder.path())).transpose()?;
        let mut proxies = Vec::new();
        for port in ports.iter().filter(|_| options.proxied) {
            proxies.push(FaultProxy::start(port.address()).await?);
        }
        let set = ReplicaSet { options, mongod, ports, certificates, proxies, folder };
        set.write_key()?;
        for member in 0..set.options.members {
            set.spawn(member)?;
        }
        set.initiate().await.with_context(|| format!("starting replica set {} of mongod {version}", set.options.name))?;
        Ok(set)
    }

    /// What it was started with.
    pub fn options(&self) -> &ReplicaSetOptions {
        &self.options
    }

    /// The set's name, `rs0` by default.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// `127.0.0.1:<port>` of each member, in order, as in the configuration.
    pub fn hosts(&self) -> Vec<String> {
        match self.proxies.as_slice() {
            [] => self.ports.iter().map(Port::address).collect(),
            proxies => proxies.iter().map(|proxy| proxy.address().to_owned()).collect(),
        }
    }

    /// What stands before a member of a set that is `proxied`.
    pub fn proxy(&self, member: usize) -> &FaultProxy {
        self.proxies.get(member).expect("the set was started with `proxied`")
    }

    /// Connection string of the whole set, with the root user and the CA file where they apply.
    pub fn uri(&self) -> String {
        self.uri_with(Some(ROOT), "admin", &self.hosts().join(","), &format!("replicaSet={}", self.name()))
    }

    /// Connection string of one member alone (`directConnection=true`).
    pub fn uri_of(&self, member: usize) -> String {
        self.uri_with(Some(ROOT), "admin", &self.ports[member].address(), "directConnection=true")
    }

    /// Connection string of the set for another user of the `admin` database.
    pub fn uri_as(&self, user: &str, password: &str) -> String {
        let hosts = self.hosts().join(",");
        self.uri_with(Some((&encoded(user), &encoded(password))), "admin", &hosts, &format!("replicaSet={}", self.name()))
    }

    /// Connection string of the set without a user.
    pub fn uri_without_credentials(&self) -> String {
        self.uri_with(None, "", &self.hosts().join(","), &format!("replicaSet={}", self.name()))
    }

    /// As [`uri_of`](Self::uri_of) for the internal user `__system`, who may do everything; without auth, plain.
    pub fn uri_of_internal(&self, member: usize) -> String {
        self.uri_with(Some(("__system", KEY)), "local&authMechanism=SCRAM-SHA-256", &self.ports[member].address(), "directConnection=true")
    }

    /// Certificates, with `tls`.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// The set's temporary folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The log file of a member. It is continued when the member restarts.
    pub fn log_path(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("{}.log", process_name(member)))
    }

    /// The socket file of a member of a set with `socket_files`.
    pub fn socket_file(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("mongodb-{}.sock", self.ports[member].number()))
    }

    /// A new client of the whole set, as root.
    pub async fn client(&self) -> anyhow::Result<Client> {
        connect(&self.uri()).await
    }

    /// A new client of one member, as root.
    pub async fn client_of(&self, member: usize) -> anyhow::Result<Client> {
        connect(&self.uri_of(member)).await
    }

    fn uri_with(&self, user: Option<(&str, &str)>, source: &str, hosts: &str, query: &str) -> String {
        let mut uri = String::from("mongodb://");
        let user = user.filter(|_| self.options.auth);
        if let Some((name, password)) = user {
            uri += &format!("{name}:{password}@");
        }
        uri += &format!("{hosts}/?{query}");
        if user.is_some() {
            uri += &format!("&authSource={source}");
        }
        if let Some(certificates) = &self.certificates {
            uri += &format!("&tls=true&tlsCAFile={}", certificates.ca.display());
        }
        uri
    }

    fn write_key(&self) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join("key");
        std::fs::write(&path, KEY).context("writing the keyFile")?;
        // mongod refuses a key that others may read.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).context("protecting the keyFile")
    }
}

/// A client with patient time limits.
pub async fn connect(uri: &str) -> anyhow::Result<Client> {
    let mut options = ClientOptions::parse(uri).await.with_context(|| format!("reading the URI {uri}"))?;
    options.server_selection_timeout = Some(crate::wait::PATIENCE);
    options.connect_timeout = Some(Duration::from_secs(30));
    options.heartbeat_freq = Some(Duration::from_secs(1));
    Client::with_options(options).context("making a client")
}

/// A user name or password as it must stand in a URI.
fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn process_name(member: usize) -> String {
    format!("node{member}")
}

/// The `isMaster` answer, which every version from 4.2 on gives without login.
async fn is_master(client: &Client) -> anyhow::Result<bson::Document> {
    let admin = client.database("admin");
    let answer = tokio::time::timeout(Duration::from_secs(5), admin.run_command(doc! {"isMaster": 1})).await;
    Ok(answer.context("no answer to isMaster in 5 s")??)
}
