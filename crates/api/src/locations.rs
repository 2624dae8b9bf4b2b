//! Storage locations.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::services::{LocationReach, ProbeStep};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocationKind {
    /// Amazon S3 and everything that speaks it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A folder, mounted at the same path on every machine.
    Local,
}

/// A place for backups. Its secrets are never given back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    pub id: String,
    /// Unique.
    pub name: String,
    pub description: String,
    pub kind: LocationKind,
    /// For people and for `--storage`: `s3://bucket/prefix?endpoint=…`, without secrets.
    pub url: String,
    pub settings: LocationSettings,
    /// Credentials are stored.
    pub has_secret: bool,
    /// What the server itself and each agent found at their last test.
    pub server_reach: Option<LocationReach>,
    pub schedules: u32,
    pub backups: u32,
    pub stored_bytes: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is not secret. Which fields mean something depends on the kind; the others are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LocationSettings {
    /// local: absolute path.
    pub path: String,
    /// s3: `https://host:port`, empty for Amazon's. gcs, azure: only for emulators and private clouds.
    pub endpoint: String,
    /// s3 and gcs: bucket. azure: container.
    pub bucket: String,
    pub region: String,
    /// A folder inside the bucket that everything lies below.
    pub prefix: String,
    /// s3: `None` is path style whenever there is an endpoint.
    pub path_style: Option<bool>,
    /// s3: storage class of new objects.
    pub storage_class: String,
    /// s3: `AES256` or `aws:kms`.
    pub server_side_encryption: String,
    pub kms_key_id: String,
    /// PEM of certificate authorities to trust besides the system's.
    pub ca_pem: String,
    /// Accept any certificate. Whoever sits in between can read and change everything.
    pub insecure_tls: bool,
    /// azure: storage account.
    pub account: String,
}

/// Adds a location, or replaces all of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocationInput {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub kind: LocationKind,
    #[serde(default)]
    pub settings: LocationSettings,
    #[serde(default)]
    pub secrets: LocationSecrets,
}

/// Only ever sent towards the server. On a change, `None` keeps what is stored.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LocationSecrets {
    /// s3. Without keys, the environment's or the instance's role is used.
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
    pub session_token: Option<String>,
    /// gcs: the JSON of a service account's key.
    pub service_account: Option<String>,
    /// azure: the account's key.
    pub account_key: Option<String>,
}

impl std::fmt::Debug for LocationSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = [&self.access_key, &self.secret_key, &self.session_token, &self.service_account, &self.account_key];
        write!(f, "LocationSecrets({} hidden)", set.iter().filter(|secret| secret.is_some()).count())
    }
}

impl LocationSecrets {
    /// What is set here wins, the rest stays.
    #[must_use]
    pub fn or(self, stored: Self) -> Self {
        let one = |new: Option<String>, old: Option<String>| new.filter(|text| !text.is_empty()).or(old);
        Self {
            access_key: one(self.access_key, stored.access_key),
            secret_key: one(self.secret_key, stored.secret_key),
            session_token: one(self.session_token, stored.session_token),
            service_account: one(self.service_account, stored.service_account),
            account_key: one(self.account_key, stored.account_key),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a test found out by writing, reading, listing and deleting, from the server and from every agent that is online.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LocationTest {
    pub ok: bool,
    pub places: Vec<TestedFrom>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestedFrom {
    /// `server`, or the name of a service.
    pub from: String,
    pub ok: bool,
    pub steps: Vec<ProbeStep>,
    /// Why there are no steps: the agent is offline, did not answer in time.
    pub problem: Option<String>,
}

/// What lies in a location, by folder: also what nobody here made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LocationFolder {
    /// Empty for the location's own top.
    pub folder: String,
    pub backups: u32,
    pub replica_sets: Vec<String>,
    /// A cluster of ours uses it.
    pub cluster: Option<String>,
}
