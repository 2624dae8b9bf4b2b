#[path = "../it/backup.rs"]
mod backup;
#[path = "../it/setup.rs"]
#[allow(dead_code)]
mod setup;
#[path = "../it/slice.rs"]
mod slice;
