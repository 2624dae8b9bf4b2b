//! `oplogue compact`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use oplogue_domain::compact::Policy;
use oplogue_format::compression::Compression;

use super::{StorageArgs, parse_bytes, parse_duration};

/// Join old short slices into long ones
///
/// The same moments can be restored before, meanwhile and afterwards: a long slice is written, read back and compared before the short ones go,
/// gaps stay what they are, and an interrupted compaction is finished by the next. PBM reads long slices as it reads any; tell it with
/// `pbm config --force-resync`. Agents compact the folders they slice into, and so does `oplogue slice --compact`. It needs no database.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue compact --storage file:///backups --dry-run\n  \
    oplogue compact --storage file:///backups --older-than 30d --into 1d --json")]
pub struct CompactArgs {
    #[command(flatten)]
    pub storage: StorageArgs,

    /// Only slices of hours (or days) that ended at least so long ago
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = parse_age)]
    pub older_than: Duration,

    /// What becomes one slice
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    pub into: Span,

    /// A long slice is not made larger than this, as it is stored
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_bytes)]
    pub slice_size: u64,

    /// How to compress: zstd, s2, lz4, gzip, snappy, none
    ///
    /// Without it, as the newest of the slices that are joined.
    #[arg(long, value_name = "METHOD")]
    pub compression: Option<Compression>,

    /// Tell what would be joined, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Hours and days are those of UTC.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Span {
    /// The slices of one hour
    #[value(name = "1h")]
    Hour,
    /// The slices of one day
    #[value(name = "1d")]
    Day,
}

impl CompactArgs {
    pub fn policy(&self) -> Policy {
        let span_seconds = match self.into {
            Span::Hour => 3_600,
            Span::Day => 86_400,
        };
        let older_than_seconds = u32::try_from(self.older_than.as_secs()).unwrap_or(u32::MAX);
        Policy { older_than_seconds, span_seconds, bytes_max: self.slice_size }
    }
}

/// Not less than an hour: a slice may arrive late, and servers look back only half an hour for what is new.
fn parse_age(text: &str) -> Result<Duration, String> {
    let age = parse_duration(text)?;
    if age < Duration::from_secs(3_600) {
        return Err("slices are left alone for an hour at least, because one may still arrive late".to_owned());
    }
    Ok(age)
}
