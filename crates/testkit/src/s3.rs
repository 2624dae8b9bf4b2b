//! A real S3 server: Ceph's RADOS gateway on one monitor and one object store in memory.
//!
//! It checks signatures, sums, part sizes and encryption headers as strictly as the big ones. It takes some 10 s to start, so tests share one:
//! [`S3Server::shared`] uses the server named by `$OPLOGUE_TEST_S3` (`cargo xtask test` starts one and sets it), or starts one for the
//! process. Every test makes a bucket of its own. HTTP and HTTPS (with a test authority's certificate) serve the same buckets.

mod bucket;
mod ceph;

pub(crate) mod signing;

use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub use crate::http::Response;
pub use bucket::S3Bucket;

use crate::folder::ServerFolder;
use crate::ports::Port;

/// The environment variable with the description of a server that runs already; see [`S3Server::description`].
pub const SHARED_VARIABLE: &str = "OPLOGUE_TEST_S3";

/// The id of the one key the server has for SSE-KMS.
pub const KMS_KEY_ID: &str = "k1";

/// A running server; dropping the value that started it ends and removes everything.
#[derive(Debug)]
pub struct S3Server {
    /// `http://127.0.0.1:<port>`.
    pub endpoint: String,
    /// `https://127.0.0.1:<port>`, with a certificate of the authority in `ca_file`.
    pub https_endpoint: String,
    /// PEM file of the authority to trust for `https_endpoint`.
    pub ca_file: PathBuf,
    /// Access key of a user who may make buckets.
    pub access_key: String,
    /// Its secret key.
    pub secret_key: String,
    configuration: PathBuf,
    // `None` for a server that another process started.
    _owned: Option<(ServerFolder, Vec<Port>)>,
}

impl S3Server {
    /// Starts a server. Installs its packages first if they are missing and we are root.
    pub async fn start() -> anyhow::Result<S3Server> {
        ceph::start().await
    }

    /// Installs the server's packages if they are missing and we are root; otherwise the error says what is missing.
    pub async fn prepare() -> anyhow::Result<()> {
        ceph::install_if_missing().await
    }

    /// The server of `$OPLOGUE_TEST_S3`, otherwise one for this process, which ends with the process.
    pub async fn shared() -> anyhow::Result<&'static S3Server> {
        static SHARED: OnceCell<S3Server> = OnceCell::const_new();
        let start = || async {
            match std::env::var(SHARED_VARIABLE) {
                Ok(text) => S3Server::from_description(&text).with_context(|| format!("reading ${SHARED_VARIABLE}")),
                Err(_) => S3Server::start().await,
            }
        };
        SHARED.get_or_try_init(start).await
    }

    /// What another process must have in `$OPLOGUE_TEST_S3` to use this server.
    pub fn description(&self) -> String {
        json!({
            "endpoint": self.endpoint,
            "https_endpoint": self.https_endpoint,
            "ca_file": self.ca_file,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "configuration": self.configuration,
        })
        .to_string()
    }

    /// Reads a [`description`](Self::description).
    pub fn from_description(text: &str) -> anyhow::Result<S3Server> {
        let value: Value = serde_json::from_str(text).context("the description of an S3 server is not JSON")?;
        let field = |name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.map(String::from).with_context(|| format!("the description of an S3 server has no {name:?}"))
        };
        Ok(S3Server {
            endpoint: field("endpoint")?,
            https_endpoint: field("https_endpoint")?,
            ca_file: field("ca_file")?.into(),
            access_key: field("access_key")?,
            secret_key: field("secret_key")?,
            configuration: field("configuration")?.into(),
            _owned: None,
        })
    }

    /// A new, empty bucket with a name nobody used before.
    pub async fn new_bucket(&self) -> anyhow::Result<S3Bucket> {
        let bucket = self.bucket(&format!("test-{}", unique()));
        let made = bucket.request("PUT", None, &[], &[], &[]).await?;
        anyhow::ensure!(made.status == 200, "making bucket {}: {}", bucket.bucket, made.describe());
        Ok(bucket)
    }

    /// A bucket by name, which need not exist.
    pub fn bucket(&self, name: &str) -> S3Bucket {
        S3Bucket {
            endpoint: self.endpoint.clone(),
            https_endpoint: self.https_endpoint.clone(),
            ca_file: self.ca_file.clone(),
            bucket: name.into(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
        }
    }

    /// Makes a further user, who has no rights on the buckets of others. Returns access key and secret key.
    pub async fn new_user(&self) -> anyhow::Result<(String, String)> {
        let name = unique();
        let keys = (format!("AK{name}"), format!("SK{name}"));
        ceph::make_user(&self.configuration, &name, &keys.0, &keys.1).await?;
        Ok(keys)
    }
}

/// A text no other call in any process returns.
pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // A process id comes again one day, so chance is added: the standard library's own hasher seed.
    let chance = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    format!("{chance:016x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
