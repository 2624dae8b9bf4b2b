//! `oplogue verify`: everything read back. It needs no database.

use clap::{Args, value_parser};
use oplogue_domain::BackupName;
use oplogue_engine::verify::Sample;

use super::StorageArgs;

/// Read backups and slices back, and tell what is damaged and what can still be restored
///
/// Compares sizes, hashes, checksums, framing and counts with what was recorded, metadata with objects, and follows the oplog from slice to
/// slice. Repositories of Percona Backup for MongoDB are checked as far as their format allows. Nothing is written. Ends with 0 when all is whole
/// and with 1 when anything was found.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue verify --storage file:///backups\n  \
    oplogue verify --storage s3://backups/shop?region=eu-central-1 --sample 5% --json\n  \
    oplogue verify --storage file:///backups --backup 2026-11-22T10:00:05Z")]
pub struct VerifyArgs {
    #[command(flatten)]
    pub storage: StorageArgs,

    /// Only this backup, and no slices; may be repeated
    #[arg(long, value_name = "NAME")]
    pub backup: Vec<BackupName>,

    /// Read only a share (5%) or a number (200) of the objects to their end
    ///
    /// Of the others, presence and size are compared, and of slices their records.
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<Sample>,

    /// Chooses the sample: the same number, the same objects; another one each time unless given
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// Objects read at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = value_parser!(u16).range(1..=64))]
    pub parallel: u16,
}
