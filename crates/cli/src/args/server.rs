//! `oplogue server`, and `oplogue admin reset-password`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse_duration;

/// Run the server: web pages, REST API, scheduler, retention, alerts
///
/// It never connects to MongoDB: agents do, and call the server. It reads storages itself. At its first start it prints a link, good
/// for one use, that makes the first administrator. Plain HTTP is for this machine only; for others give a certificate, let the server make
/// one of its own (--tls-self-signed), or put a proxy before it that speaks TLS. A certificate that was renewed is read again on SIGHUP.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue server --data-dir /var/lib/oplogue-server\n  \
    oplogue server --listen 0.0.0.0:8480 --tls-self-signed\n  \
    oplogue server --listen 0.0.0.0:8480 --tls-cert server.pem --tls-key server-key.pem --public-url https://backup.example.com:8480")]
pub struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480", help_heading = "Network")]
    pub listen: SocketAddr,

    /// How people and agents reach the server
    ///
    /// Stands in links and in the commands that pages show. Without it, the address listened on. With https:// here and a proxy on this machine
    /// that speaks TLS, plain HTTP between the two is right.
    #[arg(long, value_name = "URL", value_parser = parse_public_url, help_heading = "Network")]
    pub public_url: Option<String>,

    /// Certificate to show, with those that lead to its authority
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Network")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Network")]
    pub tls_key: Option<PathBuf>,

    /// Make a certificate, and tell its fingerprint to pin
    ///
    /// It is made once and kept in the data directory. Agents are told its fingerprint (--server-fingerprint); browsers warn.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"], help_heading = "Network")]
    pub tls_self_signed: bool,

    /// Speak plain HTTP to other machines, too
    ///
    /// Passwords, tokens and storage keys can then be read by whoever is on the way.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_self_signed"], help_heading = "Network")]
    pub insecure_http: bool,

    /// Where the server keeps its database, key and certificate
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/oplogue-server", help_heading = "Server")]
    pub data_dir: PathBuf,

    /// Where the key lies that secrets in the database are encrypted with
    ///
    /// Made at the first start. Without this option it lies in the data directory; elsewhere, a copy of the data directory tells no secrets.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub key_file: Option<PathBuf>,

    /// Tell /metrics to everybody
    ///
    /// Without it, Prometheus needs a token of a viewer. It tells names of clusters, services, locations and folders, and no secrets.
    #[arg(long, help_heading = "Server")]
    pub metrics_open: bool,

    /// How often storages are read again
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration, help_heading = "Server")]
    pub refresh: Duration,

    /// Let the server's clock run so many times as fast, for tests
    #[arg(long, value_name = "FACTOR", default_value = "1", hide = true, value_parser = parse_clock_rate)]
    pub clock_rate: f64,
}

/// Give a user a new password, by a link that is good for one use
///
/// For the server's own machine, when nobody can sign in: it needs the data directory, not the server, which may run meanwhile. Whoever
/// follows the link within a day chooses the password; all sessions of the user end then.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue admin reset-password anna --data-dir /var/lib/oplogue-server")]
pub struct ResetPasswordArgs {
    /// The user's name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Where the server keeps its database
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/oplogue-server")]
    pub data_dir: PathBuf,

    /// How the server is reached; without it, as it noted itself when it started
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    pub public_url: Option<String>,
}

fn parse_public_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
    if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
        return Err(format!("`{text}` is not the address of a server: write it as https://backup.example.com:8480, without a path"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn parse_clock_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err(format!("`{text}` is not a factor between 0.001 and 100000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_and_host() {
        for (text, expected) in [
            ("https://backup.example.com", Ok("https://backup.example.com")),
            ("https://backup.example.com:8480/", Ok("https://backup.example.com:8480")),
            ("http://[::1]:8480", Ok("http://[::1]:8480")),
            ("backup.example.com", Err(())),
            ("https://", Err(())),
            ("https://host/path", Err(())),
            ("https://user@host", Err(())),
        ] {
            assert_eq!(parse_public_url(text).map_err(|_| ()), expected.map(ToOwned::to_owned), "{text}");
        }
    }
}
