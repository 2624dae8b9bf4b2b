//! A server that has started, and links it gives.

use oplogue_server::Ready;
use serde::Serialize;

#[derive(Serialize)]
pub struct ReadyJson {
    event: &'static str,
    url: String,
    listen: String,
    first_link: Option<String>,
    fingerprint: Option<String>,
}

impl From<&Ready> for ReadyJson {
    fn from(ready: &Ready) -> Self {
        Self {
            event: "ready",
            url: ready.url.clone(),
            listen: ready.addr.to_string(),
            first_link: ready.first_link.clone(),
            fingerprint: ready.fingerprint.clone(),
        }
    }
}

#[derive(Serialize)]
pub struct LinkJson {
    pub link: String,
}
