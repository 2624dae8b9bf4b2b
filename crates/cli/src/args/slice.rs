//! `oplogue slice`.

use std::time::Duration;

use clap::Args;
use oplogue_domain::OplogTime;
use oplogue_format::compression::Compression;

use super::{ConnectionArgs, StorageArgs, parse_bytes, parse_duration};

/// Keep the oplog of a replica set on the storage, slice by slice
///
/// Runs in the foreground until it is stopped, and then stores what it has. It begins at the end of the newest backup, or where the
/// slices on the storage end. Only one slicer works on a replica set at a time: a second one is refused, or with --wait stands by and
/// takes over when the first falls silent. A stretch that the server had already discarded is recorded as a gap with its reason.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue slice --uri mongodb://db1,db2,db3/?replicaSet=rs0 --storage file:///backups\n  \
    oplogue slice --uri mongodb://db1 --storage file:///backups --span 1m --json")]
pub struct SliceArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub storage: StorageArgs,

    /// A slice ends after this long
    ///
    /// The newest moment that can be restored is at most this old, plus the time of an upload.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub span: Duration,

    /// A slice ends after this many uncompressed bytes, if that comes first
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_bytes)]
    pub slice_size: u64,

    /// How to compress: zstd, s2, lz4, gzip, snappy, none
    #[arg(long, value_name = "METHOD", default_value = "zstd")]
    pub compression: Compression,

    /// How long a slicer that fell silent is waited for before another takes over
    ///
    /// With the default another one slices within ten seconds. A shorter lease gains little, and each renewal (three in the time of the lease) is an
    /// entry in the oplog.
    #[arg(long, value_name = "DURATION", default_value = "7s", value_parser = parse_duration)]
    pub lease: Duration,

    /// While another slicer works, stand by instead of ending
    #[arg(long)]
    pub wait: bool,

    /// Also join old slices into longer ones, at the start and every hour
    ///
    /// As `oplogue compact` does: those of an hour when they are a day old, those of a day when they are thirty days old.
    #[arg(long)]
    pub compact: bool,

    /// Stop by itself once this moment is on the storage
    #[arg(long, value_name = "TIME")]
    pub until: Option<OplogTime>,
}
