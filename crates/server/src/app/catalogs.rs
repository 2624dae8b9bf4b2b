//! What lies on the storages, kept fresh.

#[derive(Debug, Default)]
pub struct Catalogs {}
