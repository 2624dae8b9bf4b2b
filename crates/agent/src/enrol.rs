//! Getting a credential: once, with a one-time token.
//!
//! The credential is stored before anything else happens. When the answer is lost on the way, the token is spent and nothing is stored: a
//! new token is needed, and the server shows a service that was never heard of.

use std::path::Path;

use anyhow::Context;
use oplogue_api::agent::{AgentFacts, Enrol};
use oplogue_api::client::{Client, ClientError};
use oplogue_engine::failure::Refused;
use serde::{Deserialize, Serialize};

use crate::beside::Beside;
use crate::config::AgentConfig;
use crate::data_dir::DataDir;
use crate::facts;

const FILE: &str = "identity";

/// Who this agent is.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    pub service_id: String,
    pub service_name: String,
    pub cluster: Option<String>,
    /// The server it enrolled with.
    pub server: String,
    pub(crate) credential: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, {}, credential hidden)", self.service_id, self.service_name)
    }
}

/// Who the agent of this data directory is; `None` when it has not enrolled.
pub fn enrolled_as(data_dir: &Path) -> anyhow::Result<Option<Identity>> {
    if !data_dir.is_dir() {
        return Ok(None);
    }
    stored(&DataDir::open(data_dir)?)
}

/// Makes the data directory one that nobody has enrolled with. What the agent knows of attempts goes too.
pub fn forget(data_dir: &Path) -> anyhow::Result<()> {
    let dir = DataDir::open(data_dir)?;
    dir.remove(FILE)?;
    dir.remove(crate::slicing::FILE)?;
    for name in dir.names(crate::journal::FOLDER)? {
        dir.remove(&format!("{}/{name}", crate::journal::FOLDER))?;
    }
    Ok(())
}

/// An agent enrols once.
///
/// # Errors
/// [`Refused`] when the agent of this data directory has; also when the directory cannot be used at all.
pub fn must_be_new(data_dir: &Path) -> anyhow::Result<()> {
    refuse_second(&DataDir::open(data_dir)?, data_dir)
}

fn refuse_second(dir: &DataDir, data_dir: &Path) -> anyhow::Result<()> {
    let Some(identity) = stored(dir)? else { return Ok(()) };
    let reason =
        format!("the agent of {} is enrolled already, as `{}` with {}", data_dir.display(), identity.service_name, identity.server);
    Err(Refused::new(reason).advise("`oplogue admin remove` takes it out; --data-dir gives another agent its own directory").into())
}

/// Enrols now, and stores what comes back. The member must answer.
///
/// # Errors
/// [`Refused`] when it has enrolled already.
pub async fn enrol_once(config: &AgentConfig) -> anyhow::Result<Identity> {
    let dir = DataDir::open(&config.data_dir)?;
    refuse_second(&dir, &config.data_dir)?;
    let beside = Beside::new(&config.uri)?;
    let facts = facts::gather(&beside, &facts::unknown(&beside)).await.map_err(|(_, error)| error).context("look at the member")?;
    enrol(config, &dir, facts).await
}

pub(crate) fn stored(dir: &DataDir) -> anyhow::Result<Option<Identity>> {
    dir.read(FILE)
}

pub(crate) async fn enrol(config: &AgentConfig, dir: &DataDir, facts: AgentFacts) -> anyhow::Result<Identity> {
    let token = config.token.clone().filter(|token| !token.is_empty()).ok_or_else(|| {
        Refused::new("this agent has no credential yet, and no token to get one with")
            .advise("take a token from the server (Services, Add; or `oplogue admin add mongodb`) and give it with --token")
    })?;
    let client = Client::new(&config.server, &config.trust)?;
    let enrol = Enrol { token, service_name: config.service_name.clone(), cluster: config.cluster.clone(), facts };
    let enrolled = client.enrol(&enrol).await.map_err(|error| told(error).context("enrol with the server"))?;
    let identity = Identity {
        service_id: enrolled.service_id,
        service_name: enrolled.service_name,
        cluster: enrolled.cluster,
        server: client.address().to_owned(),
        credential: enrolled.credential,
    };
    dir.write(FILE, &identity).context("store the credential; the token is spent, take a new one")?;
    tracing::info!(service = identity.service_name, server = identity.server, "enrolled");
    Ok(identity)
}

/// What the server or its certificate refuses is a refusal, with the hint as advice.
pub fn told(error: ClientError) -> anyhow::Error {
    let refused = matches!(error, ClientError::Refused { .. } | ClientError::NotTrusted { .. } | ClientError::Unusable { .. });
    if !refused || error.is_temporary() {
        return error.into();
    }
    let advice = error.hint().map(ToOwned::to_owned);
    anyhow::Error::from(Refused { reason: error.to_string(), advice })
}
