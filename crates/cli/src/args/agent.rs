//! `oplogue agent`, and how any command reaches the server.

use std::path::PathBuf;

use clap::Args;
use oplogue_api::client::Fingerprint;

use super::Secret;

/// Run the agent of one mongod
///
/// One runs beside each member of a replica set and does what the server wishes: it takes backups, keeps the oplog on the storage, carries
/// out restores. It calls the server, the server never calls it. While the server is away, it goes on with what it does. At its
/// first start it needs a one-time token (from the page Services, or from `oplogue admin add mongodb`); afterwards it has a credential
/// of its own.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue agent --uri mongodb://localhost:27017 --server https://backup.example.com --token TOKEN --cluster shop\n  \
    oplogue agent --uri mongodb://localhost:27017 --server https://backup.example.com --log-level info")]
pub struct AgentArgs {
    #[command(flatten)]
    pub member: MemberArgs,
    #[command(flatten)]
    pub server: ServerArgs,

    /// One-time token to enrol with; not needed once that is done
    #[arg(long, value_name = "TOKEN", help_heading = "Server")]
    pub token: Option<Secret>,
}

/// Which member, and what it is called.
#[derive(Debug, Args)]
pub struct MemberArgs {
    /// Connection string of the mongod beside the agent
    ///
    /// Just that member, as in mongodb://user:password@localhost:27017/?authSource=admin; the others are found from it. A password in it
    /// can be seen in the process list: OPLOGUE_URI or a configuration file keeps it out of there.
    #[arg(long, value_name = "URI", help_heading = "Member")]
    pub uri: Secret,

    /// Label of the cluster that the member belongs to; told when it enrols
    #[arg(long, value_name = "LABEL", help_heading = "Member")]
    pub cluster: Option<String>,

    /// What the member is called on the server; without it, host:port
    #[arg(long, value_name = "NAME", help_heading = "Member")]
    pub service_name: Option<String>,

    /// Where the agent keeps its credential and its journal
    ///
    /// A second agent on the same machine needs its own.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/oplogue-agent", help_heading = "Member")]
    pub data_dir: PathBuf,
}

/// Where the server is, and how it proves that it is the right one.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Address of the server, as in https://backup.example.com:8480
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub server: String,

    /// Trust only authorities of this PEM file, not those of the system
    #[arg(long, value_name = "FILE", conflicts_with = "server_fingerprint", help_heading = "Server")]
    pub server_ca: Option<PathBuf>,

    /// Trust only the certificate with this SHA-256 fingerprint
    ///
    /// 64 hex digits, with or without colons: what a server says that made its own certificate.
    #[arg(long, value_name = "FINGERPRINT", value_parser = clap::value_parser!(Fingerprint), help_heading = "Server")]
    pub server_fingerprint: Option<Fingerprint>,
}
