//! URL and options → an S3 client.

use std::error::Error;
use std::sync::{Arc, Once};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::client::{Certificate, ClientOptions, StaticCredentialProvider};
use object_store::{BackoffConfig, HeaderValue, RetryConfig};
use std::time::Duration;

use super::wire::Connector;
use super::{S3, S3Place};
use crate::options::{ServerSideEncryption, StorageOptions};

const MIB: usize = 1024 * 1024;
/// S3's own lower limit; above the upper one a writer would take gigabytes of memory, and late parts more than S3 takes.
const PART_BYTES: std::ops::RangeInclusive<usize> = 5 * MIB..=512 * MIB;

const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Whatever the number of retries: requests are signed once, and S3 refuses signatures older than 15 minutes.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Where there is no instance role, nobody answers; that must not take long to find out.
const CREDENTIAL_RETRIES_MAX: usize = 2;

const DEFAULT_REGION: &str = "us-east-1";

impl S3 {
    /// The client for `place`, or what is wrong with place or options. Contacts nobody.
    pub(crate) fn open(place: S3Place, options: &StorageOptions) -> Result<Self, String> {
        install_tls();
        if !PART_BYTES.contains(&options.part_bytes) {
            return Err(format!("the part size is {} bytes; it must be from 5 MiB to 512 MiB", options.part_bytes));
        }
        let environment = AmazonS3Builder::from_env();
        let from_environment = |key| environment.get_config_value(&key).filter(|value| !value.is_empty());
        let endpoint = place
            .endpoint
            .or_else(|| from_environment(AmazonS3ConfigKey::S3Endpoint))
            .or_else(|| from_environment(AmazonS3ConfigKey::Endpoint));
        let region = place
            .region
            .or_else(|| from_environment(AmazonS3ConfigKey::Region))
            .or_else(|| from_environment(AmazonS3ConfigKey::DefaultRegion))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());

        // Certificates for `*.s3.…` do not cover a bucket whose name has a dot.
        let path_style = place.path_style.unwrap_or(endpoint.is_some() || place.bucket.contains('.'));
        let insecure_http = endpoint.as_deref().is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http://"));
        let client_options = client_options(options, insecure_http)?;
        // These need no authority of the system, and small containers have none.
        let alone = insecure_http || options.insecure_tls || options.ca_file.is_some();

        let mut builder = environment
            .with_bucket_name(&place.bucket)
            .with_region(&region)
            .with_virtual_hosted_style_request(!path_style)
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = &endpoint {
            let endpoint = if path_style { endpoint.clone() } else { virtual_host(endpoint, &place.bucket) };
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, &endpoint).with_endpoint(endpoint);
        }
        builder = match (&options.access_key, &options.secret_key) {
            (Some(key_id), Some(secret_key)) => {
                // As a provider, so that a session token of the environment does not get mixed in.
                let credential =
                    AwsCredential { key_id: key_id.clone(), secret_key: secret_key.clone(), token: options.session_token.clone() };
                builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)))
            }
            (None, None) => builder,
            (Some(_), None) => return Err("an access key is given without a secret key".into()),
            (None, Some(_)) => return Err("a secret key is given without an access key".into()),
        };
        builder = match &options.server_side_encryption {
            ServerSideEncryption::None => builder,
            ServerSideEncryption::S3 => {
                let key = "aws_server_side_encryption".parse::<AmazonS3ConfigKey>().map_err(|error| unusable(&error))?;
                builder.with_config(key, "AES256")
            }
            ServerSideEncryption::Kms { key_id } => builder.with_sse_kms_encryption(key_id),
            ServerSideEncryption::Customer { key } => builder.with_ssec_encryption(BASE64_STANDARD.encode(key)),
        };

        let build = |client: ClientOptions| {
            let builder = builder.clone().with_client_options(client);
            // Built twice: the first says where credentials come from, the second signs with them, also what the wire rewrites.
            let credentials = builder.clone().with_retry(retry(options, options.retries_max.min(CREDENTIAL_RETRIES_MAX)));
            let credentials = credentials.build()?.credentials().clone();
            let connector =
                Connector { credentials: credentials.clone(), region: region.clone(), request_timeout: options.request_timeout };
            let builder = builder.with_credentials(credentials).with_retry(retry(options, options.retries_max));
            builder.with_http_connector(connector).build()
        };
        let store = match build(client_options.clone()) {
            Err(_) if alone => build(client_options.with_no_system_certificates(true)),
            built => built,
        };
        let store = store.map_err(|error| unusable(&error))?;

        Ok(Self {
            store: Arc::new(store),
            bucket: place.bucket,
            endpoint,
            storage_class: options.storage_class.clone(),
            part_bytes: options.part_bytes,
            request_timeout: options.request_timeout,
        })
    }
}

/// The error with its causes; "builder error" alone helps nobody.
fn unusable(error: &object_store::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    if text.contains("CA certificates") || text.contains("certificate") {
        return format!("{text}; install the system's CA certificates (package ca-certificates) or give a CA file");
    }
    text
}

fn client_options(options: &StorageOptions, insecure_http: bool) -> Result<ClientOptions, String> {
    let mut client = ClientOptions::new()
        .with_user_agent(HeaderValue::from_static(concat!("oplogue/", env!("CARGO_PKG_VERSION"))))
        .with_allow_http(insecure_http)
        .with_allow_invalid_certificates(options.insecure_tls)
        .with_connect_timeout(options.connect_timeout)
        // Its clock would run from the request to the last byte of the answer, hours later. Ours are in `wire` and `impatient`.
        .with_timeout_disabled();
    if let Some(file) = &options.ca_file {
        let unusable = |error: String| format!("the CA file {} cannot be used: {error}", file.display());
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("it has no certificate in PEM form".into()));
        }
        client = certificates.into_iter().fold(client, ClientOptions::with_root_certificate);
    }
    Ok(client)
}

fn retry(options: &StorageOptions, max_retries: usize) -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: FIRST_RETRY_DELAY.min(options.retry_delay_max), max_backoff: options.retry_delay_max, base: 2.0 };
    RetryConfig { backoff, max_retries, retry_timeout: RETRY_TIMEOUT }
}

/// `https://host:port/path` → `https://bucket.host:port/path`.
fn virtual_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{bucket}.{rest}"),
        None => endpoint.to_owned(),
    }
}

/// Chooses ring for the TLS of this process, unless somebody chose already.
fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that another provider is installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_hosts_put_the_bucket_before_the_host() {
        assert_eq!(virtual_host("https://s3.example.com:9000", "b"), "https://b.s3.example.com:9000");
    }

    fn place() -> S3Place {
        S3Place { bucket: "b".into(), prefix: String::new(), endpoint: Some("http://h".into()), region: None, path_style: None }
    }

    #[test]
    fn unusable_options_are_told_when_opening() {
        let key = |access: Option<&str>, secret: Option<&str>| StorageOptions {
            access_key: access.map(String::from),
            secret_key: secret.map(String::from),
            ..Default::default()
        };
        let table = [
            (key(Some("a"), None), "without a secret key"),
            (key(None, Some("s")), "without an access key"),
            (StorageOptions { part_bytes: 5 * MIB - 1, ..key(Some("a"), Some("s")) }, "from 5 MiB"),
            (StorageOptions { ca_file: Some("/no/such/ca.pem".into()), ..key(Some("a"), Some("s")) }, "/no/such/ca.pem"),
        ];
        for (options, expected) in table {
            let reason = S3::open(place(), &options).err().expect("unusable options");
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
