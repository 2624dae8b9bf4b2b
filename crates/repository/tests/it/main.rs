//! Repositories in memory and those that PBM wrote.

mod backups;
mod catalog;
mod pbm;
mod slices;
mod support;
