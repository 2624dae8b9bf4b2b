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
    /// How people and agents reach the server, e.g. `https://backup.example.com`. `None`: the address listened on.
    pub public_url: Option<String>,
    /// `None`: `key` in `data_dir`.
    pub key_file: Option<PathBuf>,
    /// How often storages are read again.
    pub refresh: std::time::Duration,
    /// For tests: the clock runs so many times as fast.
    pub clock_rate: f64,
}
