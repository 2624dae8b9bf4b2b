//! `oplogue copy`: backups and slices from one storage to another. It needs no database.

use std::path::PathBuf;

use clap::{ArgGroup, Args, value_parser};
use oplogue_domain::BackupName;

use super::ReachArgs;

/// Copy backups, and the slices that carry them on, to another storage
///
/// Objects keep their names, so that the copy is listed and restored like the original, by Percona Backup for MongoDB, too. Each is hashed while it
/// passes, and one that is not what was recorded is not copied. What is at the destination with the same content is skipped, so that a copy
/// that was cut off goes on; what is there with other content is never overwritten.
///
/// Options for storages (keys, timeouts, encryption) are those of both sides, but for a side that has a file of its own.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["backup", "all"])))]
#[command(after_long_help = "Examples:\n  \
    oplogue copy --from file:///backups --to s3://backups/shop?region=eu-central-1 --backup 2026-11-22T10:00:05Z\n  \
    oplogue copy --from file:///backups --to file:///mnt/second --all --with-slices\n  \
    oplogue copy --from file:///backups --to file:///mnt/encrypted --to-options encrypted.yaml --all --with-slices")]
pub struct CopyArgs {
    /// Storage to copy from
    #[arg(long, value_name = "URL")]
    pub from: String,

    /// Folder there
    #[arg(long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    pub from_folder: String,

    /// YAML file with the options of the storage copied from
    ///
    /// Its keys are names of options: s3-access-key, key-file and the like.
    #[arg(long, value_name = "FILE")]
    pub from_options: Option<PathBuf>,

    /// Storage to copy to
    #[arg(long, value_name = "URL")]
    pub to: String,

    /// Folder there
    #[arg(long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    pub to_folder: String,

    /// YAML file with the options of the storage copied to
    #[arg(long, value_name = "FILE")]
    pub to_options: Option<PathBuf>,

    /// Copy this backup; may be repeated
    #[arg(long, value_name = "NAME")]
    pub backup: Vec<BackupName>,

    /// Copy every backup that can be restored
    #[arg(long)]
    pub all: bool,

    /// Copy slices, too: those that carry the backups on, with --all every one
    #[arg(long)]
    pub with_slices: bool,

    /// Objects copied at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = value_parser!(u16).range(1..=64))]
    pub parallel: u16,

    #[command(flatten)]
    pub reach: ReachArgs,
}
