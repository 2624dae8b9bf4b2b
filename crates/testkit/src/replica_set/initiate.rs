//! From running processes to a working set.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bson::{Document, doc};
use mongodb::Client;

use super::{ROOT, ReplicaSet, connect, is_master, process_name};
use crate::folder::tail;
use crate::wait::until;

impl ReplicaSet {
    /// Starts the process of a member; it may not accept connections yet.
    pub(super) fn spawn(&self, member: usize) -> anyhow::Result<()> {
        let name = process_name(member);
        let data = self.folder.path().join(&name);
        std::fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
        let arguments = self.arguments(member);
        self.folder.spawn(&name, &self.mongod.program, &self.mongod.environment, &arguments)
    }

    fn arguments(&self, member: usize) -> Vec<String> {
        let options = &self.options;
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let sockets = options.socket_files.then(|| self.folder.path());
        let mut arguments = common_arguments(&file(&process_name(member)), self.ports[member].number(), options.cache_gb, sockets);
        let mut set = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        set("logpath", self.log_path(member).display().to_string());
        set("replSet", options.name.clone());
        set("oplogSize", options.oplog_mb.to_string());
        if options.auth {
            set("keyFile", file("key"));
        }
        if let Some(certificates) = &self.certificates {
            set("tlsMode", "requireTLS".into());
            set("tlsCertificateKeyFile", certificates.server.display().to_string());
            set("tlsCAFile", certificates.ca.display().to_string());
        }
        if options.test_commands {
            set("setParameter", "enableTestCommands=1".into());
        }
        if options.version.series() >= (5, 0) {
            // A clean shutdown otherwise lets clients drain for 15 s. Older servers do not know the parameter.
            set("setParameter", "shutdownTimeoutMillisForSignaledShutdown=100".into());
        }
        for (name, value) in &options.set_parameters {
            set("setParameter", format!("{name}={value}"));
        }
        if self.certificates.is_some() {
            arguments.push("--tlsAllowConnectionsWithoutCertificates".into());
        }
        arguments.push("--logappend".into());
        arguments
    }

    /// Waits for the processes, makes the set and its root user, and waits until every member works.
    pub(super) async fn initiate(&self) -> anyhow::Result<()> {
        for member in 0..self.options.members {
            self.wait_listening(member).await?;
        }
        let first = connect(&self.uri_of_internal(0)).await?;
        let admin = first.database("admin");
        admin.run_command(doc! {"replSetInitiate": self.configuration()}).await.context("replSetInitiate")?;
        if self.options.members > 1 {
            // An election of its own would only come after the election timeout.
            self.wait_primary_or_elect(Duration::ZERO).await?;
        } else {
            self.wait_primary().await?;
        }
        self.wait_members().await?;
        if self.options.auth {
            let (user, password) = ROOT;
            let create = doc! {"createUser": user, "pwd": password, "roles": ["root"], "writeConcern": {"w": "majority"}};
            admin.run_command(create).await.context("creating the root user")?;
        }
        Ok(())
    }

    /// Waits until the member's port accepts connections, and fails early with its log when the process has ended.
    pub(super) async fn wait_listening(&self, member: usize) -> anyhow::Result<()> {
        let name = process_name(member);
        let address = self.ports[member].address();
        until(&format!("mongod to listen on {address}"), || async {
            if let Some(end) = self.folder.ended(&name) {
                return Ok(Some(Err(end)));
            }
            Ok(tokio::net::TcpStream::connect(&address).await.ok().map(|_| Ok(())))
        })
        .await?
        .map_err(|end| {
            let output = tail(&self.folder.path().join(format!("{name}.out")), 10);
            anyhow::anyhow!("mongod {address} {end}\n{output}\n{}", tail(&self.log_path(member), 15))
        })
    }

    /// Waits until every running member is primary, secondary or arbiter.
    pub async fn wait_members(&self) -> anyhow::Result<()> {
        for (member, client) in self.running_clients().await? {
            until(&format!("member {member} to be primary, secondary or arbiter"), || working(&client)).await?;
        }
        Ok(())
    }

    fn configuration(&self) -> Document {
        let mut members = Vec::new();
        for (member, host) in self.hosts().into_iter().enumerate() {
            let mut entry = doc! {"_id": member as i32, "host": host};
            for (_, settings) in self.options.member_settings.iter().filter(|(m, _)| *m == member) {
                entry.extend(settings.clone());
            }
            members.push(entry);
        }
        doc! {
            "_id": self.name(),
            "members": members,
            "settings": {
                "electionTimeoutMillis": self.options.election_timeout_ms as i32,
                "heartbeatIntervalMillis": 200,
                "heartbeatTimeoutSecs": 2,
            },
        }
    }
}

async fn working(client: &Client) -> anyhow::Result<Option<()>> {
    let answer = is_master(client).await?;
    let is = |field: &str| answer.get_bool(field).unwrap_or(false);
    Ok((is("ismaster") || is("secondary") || is("arbiterOnly")).then_some(()))
}

/// Flags every test server has: loopback, small, quick. Socket files are in the folder given, if one is.
pub(crate) fn common_arguments(data: &str, port: u16, cache_gb: f64, sockets: Option<&Path>) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--dbpath",
        data,
        "--port",
        &port.to_string(),
        "--bind_ip",
        "127.0.0.1",
        "--wiredTigerCacheSizeGB",
        &cache_gb.to_string(),
        // 5 MB instead of 300 MB on disk.
        "--wiredTigerEngineConfigString",
        "log=(prealloc=false,file_max=4MB)",
        "--setParameter",
        "diagnosticDataCollectionEnabled=false",
    ]
    .map(String::from)
    .into();
    match sockets {
        None => arguments.push("--nounixsocket".into()),
        Some(folder) => arguments.extend(["--unixSocketPrefix".into(), folder.display().to_string()]),
    }
    arguments
}
