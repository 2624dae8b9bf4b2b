//! URL and options → a client of Google Cloud Storage (its XML interface, which speaks as S3 does).

use std::sync::Arc;

use object_store::client::ClientOptions;
use object_store::gcp::GoogleCloudStorageBuilder;

use super::build::{check_part_size, client_options, install_tls, retry, trusting_little};
use super::wire::{Connector, Signing};
use super::{Cloud, GcsPlace, Service};
use crate::options::StorageOptions;

impl Cloud {
    /// The client for `place`, or what is wrong with place or options. Contacts nobody.
    pub(crate) fn gcs(place: GcsPlace, options: &StorageOptions) -> Result<Self, String> {
        install_tls();
        check_part_size(options)?;
        let (client_options, alone) = client_options(options, place.endpoint.as_deref())?;
        let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&place.bucket);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        builder = match &options.service_account {
            Some(json) => {
                GoogleCloudStorageBuilder::new().with_bucket_name(&place.bucket).with_service_account_key(with_base(json, &place)?)
            }
            // Emulators know no accounts.
            None if alone && place.endpoint.is_some() => builder.with_skip_signature(true),
            None => builder,
        };
        let build = |client: ClientOptions| {
            let connector = Connector { signing: Signing::None, request_timeout: options.request_timeout };
            let builder = builder.clone().with_client_options(client).with_retry(retry(options, options.retries_max));
            builder.with_http_connector(connector).build()
        };
        let store = trusting_little(client_options, alone, build)?;
        Ok(Self {
            service: Service::Gcs,
            store: Arc::new(store),
            bucket: place.bucket,
            endpoint: place.endpoint,
            storage_class: None,
            part_bytes: options.part_bytes,
            request_timeout: options.request_timeout,
        })
    }
}

/// The key with the place's endpoint in it, which is where the client looks for one first. Errors do not repeat the key.
fn with_base(json: &str, place: &GcsPlace) -> Result<String, String> {
    let account: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(json);
    let Ok(mut account) = account else {
        return Err("the service account is not the JSON of a key; give the whole file that Google made".to_owned());
    };
    if let Some(missing) = ["client_email", "private_key"].into_iter().find(|field| !account.contains_key(*field)) {
        return Err(format!("the service account has no {missing}; give the JSON of its key, as Google made it"));
    }
    account.remove("gcs_base_url");
    if let Some(endpoint) = &place.endpoint {
        account.insert("gcs_base_url".to_owned(), endpoint.clone().into());
    }
    Ok(serde_json::Value::Object(account).to_string())
}

/// Why Google cannot hold `key`.
pub(super) fn problem(key: &str) -> Option<String> {
    if key.contains(['\r', '\n']) {
        return Some("Google allows no line breaks in names".to_owned());
    }
    key.starts_with(".well-known/acme-challenge/").then(|| "Google keeps this folder for itself".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_key_is_told_and_not_repeated() {
        let place = || GcsPlace { bucket: "b".into(), endpoint: None };
        for (json, expected) in [
            ("HIDDEN", "not the JSON"),
            (r#"{"client_email": "HIDDEN"}"#, "no private_key"),
            (r#"{"private_key": "HIDDEN"}"#, "no client_email"),
        ] {
            let options = StorageOptions { service_account: Some(json.into()), ..StorageOptions::default() };
            let reason = Cloud::gcs(place(), &options).err().expect("unusable");
            assert!(reason.contains(expected) && !reason.contains("HIDDEN"), "{reason}");
        }
    }
}
