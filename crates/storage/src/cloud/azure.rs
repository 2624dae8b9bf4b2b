//! URL and options → a client of Azure Blob Storage.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::ClientOptions;

use super::build::{check_part_size, client_options, install_tls, retry, trusting_little};
use super::wire::{Connector, Signing};
use super::{AzurePlace, Cloud, Service};
use crate::options::StorageOptions;

/// Azure's limits.
const KEY_CHARACTERS_MAX: usize = 1024;
const COMPONENTS_MAX: usize = 254;

impl Cloud {
    /// The client for `place`, or what is wrong with place or options. Contacts nobody.
    pub(crate) fn azure(place: AzurePlace, options: &StorageOptions) -> Result<Self, String> {
        install_tls();
        check_part_size(options)?;
        let (client_options, alone) = client_options(options, place.endpoint.as_deref())?;
        let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(&place.container);
        let account =
            place.account.or_else(|| builder.get_config_value(&AzureConfigKey::AccountName)).filter(|account| !account.is_empty());
        let Some(account) = account else {
            return Err("the storage account is missing: az://container/prefix?account=NAME, or AZURE_STORAGE_ACCOUNT_NAME".to_owned());
        };
        builder = builder.with_account(account);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        if let Some(key) = &options.account_key {
            if BASE64_STANDARD.decode(key).is_err() {
                return Err("the account key is not base64; give it as Azure shows it".to_owned());
            }
            builder = builder.with_access_key(key);
        }
        let build = |client: ClientOptions| {
            let connector = Connector { signing: Signing::None, request_timeout: options.request_timeout };
            let builder = builder.clone().with_client_options(client).with_retry(retry(options, options.retries_max));
            builder.with_http_connector(connector).build()
        };
        let store = trusting_little(client_options, alone, build)?;
        Ok(Self {
            service: Service::Azure,
            store: Arc::new(store),
            bucket: place.container,
            endpoint: place.endpoint,
            storage_class: None,
            part_bytes: options.part_bytes,
            under_way: super::upload::budget(),
            request_timeout: options.request_timeout,
        })
    }
}

/// Why Azure cannot hold `key` exactly. Requests are signed with the key in them, so nothing is escaped for it.
pub(super) fn problem(key: &str) -> Option<String> {
    let characters = key.chars().count();
    if characters > KEY_CHARACTERS_MAX {
        return Some(format!("with its prefix it has {characters} characters, and Azure allows {KEY_CHARACTERS_MAX}"));
    }
    if key.chars().any(char::is_control) {
        return Some("Azure allows no control characters in names".to_owned());
    }
    if key.contains('\\') {
        return Some("Azure takes a backslash for a slash".to_owned());
    }
    if key.split('/').any(|component| component.ends_with('.')) {
        return Some("Azure drops a dot at the end of a component".to_owned());
    }
    (key.split('/').count() > COMPONENTS_MAX).then(|| format!("Azure allows {COMPONENTS_MAX} components"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_told_and_not_repeated() {
        let place = |account: Option<&str>| AzurePlace { container: "c".into(), account: account.map(String::from), endpoint: None };
        let reason = Cloud::azure(place(None), &StorageOptions::default()).err();
        // Whoever runs the tests may have an account in the environment.
        assert!(reason.is_none_or(|reason| reason.contains("?account=NAME")));
        let options = StorageOptions { account_key: Some("HIDDEN!".into()), ..StorageOptions::default() };
        let reason = Cloud::azure(place(Some("a")), &options).err().expect("unusable");
        assert!(reason.contains("account key is not base64") && !reason.contains("HIDDEN"), "{reason}");
    }
}
