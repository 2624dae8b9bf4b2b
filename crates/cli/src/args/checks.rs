//! `oplogue status` and `oplogue doctor`.

use clap::Args;

use super::{ConnectionArgs, Secret, StorageArgs};

/// Tell what a replica set and its slicing are doing right now
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue status --uri mongodb://db1,db2,db3/?replicaSet=rs0 --storage file:///backups\n  \
    oplogue status --uri mongodb://db1 --storage file:///backups --json")]
pub struct StatusArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub storage: StorageArgs,
}

/// Check everything that a backup or a restore would need
///
/// For --uri, --storage, or both: replica set, privileges (with the commands that grant what is missing), versions, oplog window,
/// clocks, and the storage by really writing, reading, listing and deleting a small object. Each line is ok, attention or danger, with
/// what to do. The exit code is 3 when there is danger.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue doctor --uri mongodb://db1,db2,db3/?replicaSet=rs0 --storage file:///backups\n  \
    oplogue doctor --storage s3://backups/shop?region=eu-central-1")]
pub struct DoctorArgs {
    /// Connection string of the replica set to examine
    #[arg(long, value_name = "URI", help_heading = "Connection")]
    pub uri: Option<Secret>,

    #[command(flatten)]
    pub storage: StorageArgs,
}
