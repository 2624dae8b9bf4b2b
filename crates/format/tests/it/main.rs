//! The format against repositories written by the real PBM, and against damage.

mod backup_metadata;
mod codecs;
mod collections;
mod damage;
mod fixtures;
mod records;
mod slices;
mod snapshots;
