//! What all clients have in common: TLS, patience, sizes.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

use object_store::client::{Certificate, ClientOptions};
use object_store::{BackoffConfig, HeaderValue, RetryConfig};

use crate::options::StorageOptions;

const MIB: usize = 1024 * 1024;
/// S3's own lower limit; above the upper one a writer would take gigabytes of memory, and late parts more than S3 takes.
const PART_BYTES: std::ops::RangeInclusive<usize> = 5 * MIB..=512 * MIB;

const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Whatever the number of retries: requests are signed once, and S3 refuses signatures older than 15 minutes.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// The error with its causes; "builder error" alone helps nobody.
pub(super) fn unusable(error: &object_store::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    if text.contains("CA certificates") || text.contains("certificate") {
        return format!("{text}; install the system's CA certificates (package ca-certificates) or give a CA file");
    }
    text
}

/// The options, and whether they can do without the system's authorities.
pub(super) fn client_options(options: &StorageOptions, endpoint: Option<&str>) -> Result<(ClientOptions, bool), String> {
    let insecure_http = endpoint.is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http://"));
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
        client = trusting(client, &pem).map_err(unusable)?;
    }
    if let Some(pem) = &options.ca_pem {
        client = trusting(client, pem.as_bytes()).map_err(|error| format!("the CA certificates given cannot be used: {error}"))?;
    }
    let alone = insecure_http || options.insecure_tls || options.ca_file.is_some() || options.ca_pem.is_some();
    Ok((client, alone))
}

/// Builds a client; without the system's authorities where those are not there (small containers) and not needed.
pub(super) fn trusting_little<T>(
    client_options: ClientOptions,
    alone: bool,
    build: impl Fn(ClientOptions) -> object_store::Result<T>,
) -> Result<T, String> {
    let built = match build(client_options.clone()) {
        Err(_) if alone => build(client_options.with_no_system_certificates(true)),
        built => built,
    };
    built.map_err(|error| unusable(&error))
}

pub(super) fn check_part_size(options: &StorageOptions) -> Result<(), String> {
    if PART_BYTES.contains(&options.part_bytes) {
        return Ok(());
    }
    Err(format!("the part size is {} bytes; it must be from 5 MiB to 512 MiB", options.part_bytes))
}

/// The client with every authority in `pem` trusted.
fn trusting(client: ClientOptions, pem: &[u8]) -> Result<ClientOptions, String> {
    let certificates = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in PEM form".into());
    }
    Ok(certificates.into_iter().fold(client, ClientOptions::with_root_certificate))
}

pub(super) fn retry(options: &StorageOptions, max_retries: usize) -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: FIRST_RETRY_DELAY.min(options.retry_delay_max), max_backoff: options.retry_delay_max, base: 2.0 };
    RetryConfig { backoff, max_retries, retry_timeout: RETRY_TIMEOUT }
}

/// Chooses ring for the TLS of this process, unless somebody chose already.
pub(super) fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that another provider is installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
