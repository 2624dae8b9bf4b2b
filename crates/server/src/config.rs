//! What the server is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Database, key file and generated certificates lie here.
    pub data_dir: PathBuf,
    /// PEM files; both or none.
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate of our own making; agents are given its fingerprint.
    pub tls_self_signed: bool,
    /// Speak plain HTTP to other machines.
    pub insecure_http: bool,
    /// How people and agents reach the server, e.g. `https://backup.example.com`. `None`: the address listened on.
    pub public_url: Option<String>,
    /// `None`: `key` in `data_dir`.
    pub key_file: Option<PathBuf>,
    /// `/metrics` is told to everybody, without a session or token.
    pub metrics_open: bool,
    /// How often storages are read again.
    pub refresh: std::time::Duration,
    /// For tests: the clock runs so many times as fast.
    pub clock_rate: f64,
}

impl ServerConfig {
    /// For this machine alone, on a free port.
    pub fn local(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: data_dir.into(),
            tls_certificate: None,
            tls_key: None,
            tls_self_signed: false,
            insecure_http: false,
            public_url: None,
            key_file: None,
            metrics_open: false,
            refresh: std::time::Duration::from_secs(10),
            clock_rate: 1.0,
        }
    }

    pub const fn speaks_tls(&self) -> bool {
        self.tls_certificate.is_some() || self.tls_self_signed
    }

    /// People reach the server by TLS, spoken by itself or by a proxy before it.
    pub fn is_secure(&self) -> bool {
        self.speaks_tls() || self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}
