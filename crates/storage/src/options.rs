//! How a storage is reached: credentials, TLS, encryption at rest, sizes and patience.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Everything about a storage that is not its URL. Filesystems use none of it.
///
/// `Debug` shows whether a secret is set, never the secret.
#[derive(Clone)]
pub struct StorageOptions {
    /// Access key. With `None`, the `AWS_*` variables of the environment, then web identity, container and instance roles.
    pub access_key: Option<String>,
    /// Secret key; goes with `access_key`.
    pub secret_key: Option<String>,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
    /// PEM file of certificate authorities trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The same as text, from whoever has no file.
    pub ca_pem: Option<String>,
    /// Google Cloud Storage: the JSON of a service account's key. With `None`, `GOOGLE_SERVICE_ACCOUNT` and its kin, then the instance's account.
    pub service_account: Option<String>,
    /// Azure: the storage account's key, in base64 as Azure shows it. With `None`, the `AZURE_*` variables, then the machine's identity.
    pub account_key: Option<String>,
    /// Accept any TLS certificate. Whoever sits in between can then read and change everything.
    pub insecure_tls: bool,
    /// S3 storage class of new objects, e.g. `STANDARD_IA`. `None`: the bucket's default.
    pub storage_class: Option<String>,
    /// Encryption at rest by the server.
    pub server_side_encryption: ServerSideEncryption,
    /// Size of the first 2,000 parts of a multipart upload, 5 to 512 MiB; later ones are larger, up to 16 times. S3 takes 10,000
    /// parts, so an object may have some 60,000 times this size. A writer holds up to four parts in memory.
    pub part_bytes: usize,
    /// How long the server may stay silent: to begin its answer (bodies of requests get extra time), and between two
    /// pieces of an answer's body.
    pub request_timeout: Duration,
    /// How long connecting, TLS included, may take.
    pub connect_timeout: Duration,
    /// How often a failed request is repeated. 0: never.
    pub retries_max: usize,
    /// The longest pause between two tries; the first is 100 ms, each further up to twice as long.
    pub retry_delay_max: Duration,
}

/// Who encrypts objects at rest, and with which key.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum ServerSideEncryption {
    /// Whatever the bucket does by itself.
    #[default]
    None,
    /// SSE-S3: keys of the storage service (AES256).
    S3,
    /// SSE-KMS: a key of the key management service.
    Kms {
        /// Key id, ARN or alias.
        key_id: String,
    },
    /// SSE-C: a key of ours, sent with each request and kept by nobody else. Lose it and the objects are lost.
    Customer {
        /// AES-256 key.
        key: [u8; 32],
    },
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            access_key: None,
            secret_key: None,
            session_token: None,
            ca_file: None,
            ca_pem: None,
            service_account: None,
            account_key: None,
            insecure_tls: false,
            storage_class: None,
            server_side_encryption: ServerSideEncryption::None,
            // Objects up to 970 GiB; a part that must be sent again costs seconds.
            part_bytes: 16 * 1024 * 1024,
            request_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            retries_max: 8,
            retry_delay_max: Duration::from_secs(15),
        }
    }
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "(hidden)");
        f.debug_struct("StorageOptions")
            .field("access_key", &hidden(&self.access_key))
            .field("secret_key", &hidden(&self.secret_key))
            .field("session_token", &hidden(&self.session_token))
            .field("ca_file", &self.ca_file)
            .field("ca_pem", &self.ca_pem.as_ref().map(|pem| pem.len()))
            .field("service_account", &hidden(&self.service_account))
            .field("account_key", &hidden(&self.account_key))
            .field("insecure_tls", &self.insecure_tls)
            .field("storage_class", &self.storage_class)
            .field("server_side_encryption", &self.server_side_encryption)
            .field("part_bytes", &self.part_bytes)
            .field("request_timeout", &self.request_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("retries_max", &self.retries_max)
            .field("retry_delay_max", &self.retry_delay_max)
            .finish()
    }
}

impl fmt::Debug for ServerSideEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::S3 => f.write_str("S3"),
            Self::Kms { key_id } => f.debug_struct("Kms").field("key_id", key_id).finish(),
            Self::Customer { .. } => f.write_str("Customer { key: (hidden) }"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_every_secret() {
        let options = StorageOptions {
            access_key: Some("AKSECRET".into()),
            secret_key: Some("SKSECRET".into()),
            session_token: Some("STSECRET".into()),
            service_account: Some("SASECRET".into()),
            account_key: Some("KYSECRET".into()),
            server_side_encryption: ServerSideEncryption::Customer { key: [173; 32] },
            ..Default::default()
        };
        let shown = format!("{options:?}");
        assert!(!shown.contains("SECRET") && !shown.contains("173"), "{shown}");
        assert!(shown.contains("(hidden)"));
    }
}
