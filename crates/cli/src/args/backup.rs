//! `oplogue backup`.

use std::num::NonZeroU64;

use clap::Args;
use oplogue_domain::{BackupName, NamespacePattern};
use oplogue_format::compression::Compression;

use super::value::parse_rate;
use super::{ConnectionArgs, StorageArgs, parse_bytes};

/// Back up a replica set
///
/// Reads every collection of the replica set while it is in use, and the oplog written meanwhile, which makes the result consistent:
/// it restores to the moment the reading ended. A hidden member is preferred, then a secondary, then the primary. A backup that
/// fails or is cancelled leaves nothing that looks like a backup.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue backup --uri mongodb://db1,db2,db3/?replicaSet=rs0 --storage file:///backups\n  \
    oplogue backup --uri mongodb://db1 --storage s3://backups/shop?region=eu-central-1 --ns shop.orders --ns crm.*")]
pub struct BackupArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub storage: StorageArgs,

    /// Name of the backup
    ///
    /// Without it, the moment of its start, e.g. 2026-11-22T10:00:05Z.
    #[arg(long, value_name = "NAME")]
    pub name: Option<BackupName>,

    /// Back up only this collection or database; may be repeated
    ///
    /// `database.collection` or `database.*`. Such a backup restores what it holds; only a full one starts a timeline.
    #[arg(long, value_name = "NAMESPACE")]
    pub ns: Vec<NamespacePattern>,

    /// With --ns: users and roles as well
    ///
    /// A full backup always holds them.
    #[arg(long, requires = "ns")]
    pub users_and_roles: bool,

    /// How to compress: zstd, s2, lz4, gzip, snappy, none
    #[arg(long, value_name = "METHOD", default_value = "zstd")]
    pub compression: Compression,

    /// How many collections, or parts of large ones, are read at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = super::value::parse_count)]
    pub parallel: usize,

    /// Collections larger than this are read in parts
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_bytes)]
    pub part_size: u64,

    /// At most so many bytes of documents are read per second, e.g. 50MB
    #[arg(long, value_name = "SIZE", value_parser = parse_rate, help_heading = "Sparing the server")]
    pub max_bandwidth: Option<NonZeroU64>,

    /// At most so many documents are read per second
    #[arg(long, value_name = "COUNT", help_heading = "Sparing the server")]
    pub max_documents: Option<NonZeroU64>,

    /// Rest while a secondary is more seconds behind, or the primary holds writes back
    ///
    /// Reading goes on when nobody is half as far behind any more. Progress says when it rests, and why.
    #[arg(long, value_name = "SECONDS", help_heading = "Sparing the server")]
    pub max_lag: Option<u32>,
}
