//! URL and options → an S3 client.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::client::{ClientOptions, StaticCredentialProvider};

use super::build::{check_part_size, client_options, install_tls, retry, trusting_little, unusable};
use super::wire::{Connector, Signing};
use super::{Cloud, S3Place, Service};
use crate::options::{ServerSideEncryption, StorageOptions};

/// Where there is no instance role, nobody answers; that must not take long to find out.
const CREDENTIAL_RETRIES_MAX: usize = 2;

const DEFAULT_REGION: &str = "us-east-1";

impl Cloud {
    /// The client for `place`, or what is wrong with place or options. Contacts nobody.
    pub(crate) fn s3(place: S3Place, options: &StorageOptions) -> Result<Self, String> {
        install_tls();
        check_part_size(options)?;
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
        let (client_options, alone) = client_options(options, endpoint.as_deref())?;

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
            let signing = Signing::S3 { credentials: credentials.clone(), region: region.clone() };
            let connector = Connector { signing, request_timeout: options.request_timeout };
            let builder = builder.with_credentials(credentials).with_retry(retry(options, options.retries_max));
            builder.with_http_connector(connector).build()
        };
        let store = trusting_little(client_options, alone, build)?;

        Ok(Self {
            service: Service::S3,
            store: Arc::new(store),
            bucket: place.bucket,
            endpoint,
            storage_class: options.storage_class.clone(),
            part_bytes: options.part_bytes,
            under_way: super::upload::budget(),
            request_timeout: options.request_timeout,
        })
    }
}

/// `https://host:port/path` → `https://bucket.host:port/path`.
fn virtual_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{bucket}.{rest}"),
        None => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_hosts_put_the_bucket_before_the_host() {
        assert_eq!(virtual_host("https://s3.example.com:9000", "b"), "https://b.s3.example.com:9000");
    }

    fn place() -> S3Place {
        S3Place { bucket: "b".into(), endpoint: Some("http://h".into()), region: None, path_style: None }
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
            (StorageOptions { part_bytes: 5 * 1024 * 1024 - 1, ..key(Some("a"), Some("s")) }, "from 5 MiB"),
            (StorageOptions { ca_file: Some("/no/such/ca.pem".into()), ..key(Some("a"), Some("s")) }, "/no/such/ca.pem"),
            (StorageOptions { ca_pem: Some("no certificate".into()), ..key(Some("a"), Some("s")) }, "no certificate in PEM form"),
        ];
        for (options, expected) in table {
            let reason = Cloud::s3(place(), &options).err().expect("unusable options");
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
