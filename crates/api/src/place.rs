//! From a location's settings to its storage: the same on the server and beside each mongod.

use std::time::Duration;

use oplogue_storage::{ProbeReport, ServerSideEncryption, Storage, StorageError, StorageOptions};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::agent::Place;
use crate::locations::{LocationKind, LocationSecrets, LocationSettings};
use crate::services::ProbeStep;

/// What stays as it is in a path.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@').remove(b'+');
/// What stays as it is in a query's value, so that an endpoint can still be read.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The folder of the location, opened. Nothing is contacted yet.
///
/// # Errors
/// When settings or secrets cannot be used.
pub fn storage(place: &Place) -> Result<Storage, StorageError> {
    let options = options(&place.settings, &place.secrets);
    Ok(Storage::open(&url(place.kind, &place.settings), &options)?.within(&place.folder))
}

/// The location as `--storage` takes it. Without secrets.
pub fn url(kind: LocationKind, settings: &LocationSettings) -> String {
    let path = |text: &str| utf8_percent_encode(text.trim_matches('/'), PATH).to_string();
    let (scheme, query) = match kind {
        LocationKind::Local => return format!("file:///{}", path(&settings.path)),
        LocationKind::S3 => {
            let path_style = settings.path_style.map(|style| style.to_string()).unwrap_or_default();
            ("s3", vec![("endpoint", settings.endpoint.clone()), ("region", settings.region.clone()), ("path-style", path_style)])
        }
        LocationKind::Gcs => ("gs", vec![("endpoint", settings.endpoint.clone())]),
        LocationKind::Azure => ("az", vec![("account", settings.account.clone()), ("endpoint", settings.endpoint.clone())]),
    };
    let mut url = format!("{scheme}://{}", utf8_percent_encode(&settings.bucket, PATH));
    if !settings.prefix.trim_matches('/').is_empty() {
        url = format!("{url}/{}", path(&settings.prefix));
    }
    let mut separator = '?';
    for (key, value) in query.into_iter().filter(|(_, value)| !value.is_empty()) {
        url = format!("{url}{separator}{key}={}", utf8_percent_encode(&value, VALUE));
        separator = '&';
    }
    url
}

/// What a probe found, as it is told.
pub fn probe_steps(report: &ProbeReport) -> Vec<ProbeStep> {
    let step = |step: &oplogue_storage::ProbeStep| ProbeStep {
        name: step.name.to_owned(),
        problem: step.outcome.as_ref().err().map(ToString::to_string),
    };
    report.steps.iter().map(step).collect()
}

/// Writes, reads, lists and deletes there: what a test does, wherever it runs. Gives up after `patience`.
///
/// # Errors
/// Why the storage could not even be opened, or did not answer in time.
pub async fn probe(place: &Place, patience: Duration) -> Result<Vec<ProbeStep>, String> {
    let mut options = options(&place.settings, &place.secrets);
    // Somebody waits for the answer: a wrong address is to be told before their patience ends.
    options.retries_max = 1;
    options.connect_timeout = patience / 4;
    options.request_timeout = patience / 2;
    let storage = Storage::open(&url(place.kind, &place.settings), &options).map_err(|error| error.to_string())?.within(&place.folder);
    match tokio::time::timeout(patience, storage.probe()).await {
        Ok(report) => Ok(probe_steps(&report)),
        Err(_) => Err(format!("{} did not answer within {} s", storage.location(), patience.as_secs())),
    }
}

fn options(settings: &LocationSettings, secrets: &LocationSecrets) -> StorageOptions {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let secret = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    StorageOptions {
        access_key: secret(&secrets.access_key),
        secret_key: secret(&secrets.secret_key),
        session_token: secret(&secrets.session_token),
        service_account: secret(&secrets.service_account),
        account_key: secret(&secrets.account_key),
        ca_pem: given(&settings.ca_pem),
        insecure_tls: settings.insecure_tls,
        storage_class: given(&settings.storage_class),
        server_side_encryption: match settings.server_side_encryption.as_str() {
            "AES256" => ServerSideEncryption::S3,
            "aws:kms" => ServerSideEncryption::Kms { key_id: settings.kms_key_id.clone() },
            _ => ServerSideEncryption::None,
        },
        ..StorageOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> LocationSettings {
        LocationSettings { bucket: "shop-backups".into(), ..LocationSettings::default() }
    }

    #[test]
    fn a_url_says_what_people_would_type() {
        let local = LocationSettings { path: "/mnt/back ups/#1".into(), ..LocationSettings::default() };
        assert_eq!(url(LocationKind::Local, &local), "file:///mnt/back%20ups/%231");
        assert_eq!(url(LocationKind::S3, &settings()), "s3://shop-backups");
        let s3 = LocationSettings {
            endpoint: "http://127.0.0.1:9000".into(),
            region: "eu-1".into(),
            prefix: "/mongo db/".into(),
            path_style: Some(true),
            ..settings()
        };
        let expected = "s3://shop-backups/mongo%20db?endpoint=http://127.0.0.1:9000&region=eu-1&path-style=true";
        assert_eq!(url(LocationKind::S3, &s3), expected);
        assert_eq!(url(LocationKind::Gcs, &settings()), "gs://shop-backups");
        let azure = LocationSettings { account: "shopaccount".into(), ..settings() };
        assert_eq!(url(LocationKind::Azure, &azure), "az://shop-backups?account=shopaccount");
    }

    #[test]
    fn every_url_opens() {
        let odd = LocationSettings {
            prefix: "a b/%/ü+?".into(),
            endpoint: "https://[::1]:9000/base?x".trim_end_matches("?x").into(),
            ..settings()
        };
        for (kind, settings) in [
            (LocationKind::S3, odd),
            (LocationKind::Local, LocationSettings { path: "/tmp/%20 x/?y".into(), ..LocationSettings::default() }),
        ] {
            let secrets = LocationSecrets::default();
            let place = Place { location_id: String::new(), kind, settings, secrets, folder: "shop".into() };
            let opened = storage(&place).expect("it opens");
            assert!(opened.location().contains("/shop"), "{opened:?}");
        }
    }
}
