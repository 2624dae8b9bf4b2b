//! How people and agents reach this server, and how an agent knows that it is the right one.

use super::App;

/// Known once the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub url: String,
    /// Of a certificate that nobody has signed: agents need it.
    pub fingerprint: Option<String>,
}

impl App {
    pub fn is_reached(&self, reach: Reach) {
        // Only the first is kept: a server listens once.
        let _ = self.reach.set(reach);
    }

    /// Where agents and people find the server.
    pub fn reachable_at(&self) -> String {
        match self.reach.get() {
            Some(reach) => reach.url.clone(),
            None => crate::serve::url(&self.config, self.config.listen),
        }
    }

    /// What an agent must be told to trust this server, as options of `oplogue agent`; `None` when the system's authorities will do.
    pub fn agent_trust(&self) -> Option<String> {
        let fingerprint = self.reach.get()?.fingerprint.as_ref()?;
        self.config.tls_self_signed.then(|| format!("--server-fingerprint {fingerprint}"))
    }
}
