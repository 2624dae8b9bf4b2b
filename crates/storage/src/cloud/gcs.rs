//! URL and options → a client of Google Cloud Storage (its XML interface, which speaks as S3 does).

use std::sync::Arc;

use object_store::client::{ClientOptions, StaticCredentialProvider};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};

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
                check_key(json)?;
                // Without the environment, whose account would be in the way.
                let builder = GoogleCloudStorageBuilder::new().with_bucket_name(&place.bucket).with_service_account_key(json);
                match &place.endpoint {
                    Some(endpoint) => builder.with_base_url(endpoint),
                    None => builder,
                }
            }
            // Emulators know no accounts. An empty token, since the client asks for one to write all the same; see `wire`.
            None if alone && place.endpoint.is_some() => {
                let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
                builder.with_credentials(Arc::new(nobody)).with_skip_signature(true)
            }
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
            under_way: super::upload::budget(),
            request_timeout: options.request_timeout,
        })
    }
}

/// Errors do not repeat the key, as the client's own would.
fn check_key(json: &str) -> Result<(), String> {
    let Ok(account) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json) else {
        return Err("the service account is not the JSON of a key; give the whole file that Google made".to_owned());
    };
    match ["client_email", "private_key", "private_key_id"].into_iter().find(|field| !account.contains_key(*field)) {
        Some(missing) => Err(format!("the service account has no {missing}; give the JSON of its key, as Google made it")),
        None => Ok(()),
    }
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
