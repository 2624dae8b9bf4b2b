//! A member that was just added to the server.

use std::path::Path;

use oplogue_agent::Identity;
use serde::Serialize;

#[derive(Serialize)]
pub struct AddedJson {
    service_id: String,
    service_name: String,
    cluster: Option<String>,
    server: String,
    data_dir: String,
}

impl AddedJson {
    pub fn new(identity: &Identity, data_dir: &Path) -> Self {
        Self {
            service_id: identity.service_id.clone(),
            service_name: identity.service_name.clone(),
            cluster: identity.cluster.clone(),
            server: identity.server.clone(),
            data_dir: data_dir.display().to_string(),
        }
    }
}
