//! Repositories in memory and those that PBM wrote.

mod backups;
mod catalog;
mod compact;
mod delete;
mod pbm;
mod refresh;
mod slices;
mod support;
