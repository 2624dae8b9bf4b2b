//! A PBM configuration, as `pbm config --file` takes it, translated into our options.
//!
//! Only what says where backups lie and how the oplog is sliced is read. A setting that changes where objects lie or how they are
//! encrypted and that we cannot honour is an error, so that nobody reads or writes a different place than they think; tuning of
//! PBM's own machinery is passed over.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{UsageError, Values, file};

pub fn read(path: &Path) -> Result<Values, UsageError> {
    let attempt = format!("read the PBM configuration {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| UsageError::file(format!("{attempt}: {error}")))?;
    let document: Document = file::parse(&text).map_err(|reason| UsageError::file(format!("{attempt}: {reason}")))?;
    translate(document).map_err(|reason| UsageError::file(format!("{attempt}: {reason}")))
}

#[derive(Deserialize)]
struct Document {
    storage: Option<Storage>,
    pitr: Option<Pitr>,
    backup: Option<Backup>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(rename = "type")]
    kind: Option<String>,
    s3: Option<S3>,
    minio: Option<Minio>,
    filesystem: Option<Filesystem>,
}

#[derive(Deserialize)]
struct Pitr {
    #[serde(rename = "oplogSpanMin")]
    oplog_span_minutes: Option<f64>,
    compression: Option<String>,
}

#[derive(Deserialize)]
struct Backup {
    compression: Option<String>,
}

#[derive(Deserialize)]
struct Filesystem {
    path: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct S3 {
    region: Option<String>,
    endpoint_url: Option<String>,
    endpoint_url_map: Option<IgnoredAny>,
    force_path_style: Option<bool>,
    bucket: Option<String>,
    prefix: Option<String>,
    credentials: Option<Credentials>,
    server_side_encryption: Option<Encryption>,
    upload_part_size: Option<u64>,
    storage_class: Option<String>,
    #[serde(rename = "insecureSkipTLSVerify")]
    insecure_tls: Option<bool>,
    retryer: Option<Retryer>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Minio {
    region: Option<String>,
    endpoint: Option<String>,
    endpoint_map: Option<IgnoredAny>,
    bucket: Option<String>,
    prefix: Option<String>,
    credentials: Option<Credentials>,
    secure: Option<bool>,
    part_size: Option<u64>,
    force_path_style: Option<bool>,
    #[serde(rename = "insecureSkipTLSVerify")]
    insecure_tls: Option<bool>,
    retryer: Option<Retryer>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Credentials {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    signature_ver: Option<String>,
    vault: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Encryption {
    sse_algorithm: Option<String>,
    #[serde(rename = "kmsKeyID")]
    kms_key_id: Option<String>,
    sse_customer_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retryer {
    num_max_retries: Option<u64>,
}

/// Collects options; what is absent or empty in the document stays absent.
#[derive(Default)]
struct Options(Values);

impl Options {
    fn set(&mut self, option: &str, value: Option<impl ToString>) {
        if let Some(text) = value.map(|value| value.to_string()).filter(|text| !text.is_empty()) {
            self.0.insert(option.to_owned(), vec![text]);
        }
    }
}

fn translate(document: Document) -> Result<Values, String> {
    let mut options = Options::default();
    if let Some(storage) = document.storage {
        translate_storage(storage, &mut options)?;
    }
    let pitr = document.pitr.unwrap_or(Pitr { oplog_span_minutes: None, compression: None });
    // 0 means PBM's default there.
    let span = pitr.oplog_span_minutes.filter(|minutes| *minutes > 0.0);
    options.set("span", span.map(|minutes| format!("{}ms", (minutes * 60_000.0).round() as u64)));
    let compression = pitr.compression.or(document.backup.and_then(|backup| backup.compression));
    options.set("compression", compression);
    Ok(options.0)
}

fn translate_storage(storage: Storage, options: &mut Options) -> Result<(), String> {
    match storage.kind.as_deref() {
        Some("filesystem") => {
            let path = storage.filesystem.and_then(|filesystem| filesystem.path).filter(|path| path.starts_with('/'));
            let path = path.ok_or("`storage.filesystem.path` must be an absolute path")?;
            options.set("storage", Some(format!("file://{}", encode(&path, "/"))));
            Ok(())
        }
        Some("s3") => translate_s3(storage.s3.unwrap_or_default(), options),
        Some("minio") => translate_s3(minio_as_s3(storage.minio.unwrap_or_default())?, options),
        Some(other) => Err(format!("storage of type `{other}` is not supported yet (s3, minio and filesystem are)")),
        None => Err("`storage.type` is missing".to_owned()),
    }
}

fn minio_as_s3(minio: Minio) -> Result<S3, String> {
    let endpoint = minio.endpoint.filter(|endpoint| !endpoint.is_empty()).ok_or("`storage.minio.endpoint` is missing")?;
    let scheme = if minio.secure == Some(true) { "https" } else { "http" };
    let endpoint = if endpoint.contains("://") { endpoint } else { format!("{scheme}://{endpoint}") };
    Ok(S3 {
        region: minio.region,
        endpoint_url: Some(endpoint),
        endpoint_url_map: minio.endpoint_map,
        force_path_style: minio.force_path_style,
        bucket: minio.bucket,
        prefix: minio.prefix,
        credentials: minio.credentials,
        upload_part_size: minio.part_size,
        insecure_tls: minio.insecure_tls,
        retryer: minio.retryer,
        ..S3::default()
    })
}

fn translate_s3(s3: S3, options: &mut Options) -> Result<(), String> {
    if s3.endpoint_url_map.is_some() {
        return Err("a map of endpoints by node has no counterpart here: give --storage with the endpoint to use".to_owned());
    }
    let bucket = s3.bucket.filter(|bucket| !bucket.is_empty()).ok_or("the bucket of the storage is missing")?;
    let prefix = s3.prefix.unwrap_or_default();
    let prefix = prefix.trim_matches('/');
    let mut url = format!("s3://{bucket}");
    if !prefix.is_empty() {
        url.push('/');
        url.push_str(&encode(prefix, "/"));
    }
    let mut separator = '?';
    let endpoint = s3.endpoint_url.filter(|endpoint| !endpoint.is_empty());
    // PBM addresses by path unless told otherwise; against Amazon itself both ways reach the same objects.
    let path_style = (endpoint.is_some() || s3.force_path_style == Some(true)).then(|| s3.force_path_style.unwrap_or(true).to_string());
    for (key, value) in [("endpoint", endpoint), ("region", s3.region.filter(|region| !region.is_empty())), ("path-style", path_style)] {
        if let Some(value) = value {
            url.push_str(&format!("{separator}{key}={}", encode(&value, ":/.")));
            separator = '&';
        }
    }
    options.set("storage", Some(url));
    translate_credentials(s3.credentials.unwrap_or_default(), options)?;
    translate_encryption(s3.server_side_encryption, options)?;
    options.set("s3-part-size", s3.upload_part_size);
    options.set("s3-storage-class", s3.storage_class);
    options.set("s3-insecure-tls", s3.insecure_tls);
    options.set("storage-retries", s3.retryer.and_then(|retryer| retryer.num_max_retries));
    Ok(())
}

fn translate_credentials(credentials: Credentials, options: &mut Options) -> Result<(), String> {
    if credentials.vault.is_some() {
        return Err("keys from a vault cannot be fetched: give --s3-access-key and --s3-secret-key".to_owned());
    }
    if credentials.signature_ver.is_some_and(|version| version.eq_ignore_ascii_case("v2")) {
        return Err("requests are signed with version 4 only, and `signature-ver` asks for V2".to_owned());
    }
    options.set("s3-access-key", credentials.access_key_id);
    options.set("s3-secret-key", credentials.secret_access_key);
    options.set("s3-session-token", credentials.session_token);
    Ok(())
}

fn translate_encryption(encryption: Option<Encryption>, options: &mut Options) -> Result<(), String> {
    let Some(encryption) = encryption else { return Ok(()) };
    match encryption.sse_algorithm.as_deref() {
        Some("AES256") => options.set("s3-sse", Some("s3")),
        Some("aws:kms") => {
            options.set("s3-sse", Some("kms"));
            options.set("s3-sse-kms-key", encryption.kms_key_id);
        }
        Some("") | None => {}
        Some(other) => return Err(format!("`sseAlgorithm` is AES256 or aws:kms, not `{other}`")),
    }
    options.set("s3-sse-customer-key", encryption.sse_customer_key);
    Ok(())
}

/// Percent-encodes what has a meaning in a URL, except letters, digits, `-_.~` and `also`.
fn encode(text: &str, also: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "-_.~".contains(character) || (character.is_ascii() && also.contains(character)) {
            encoded.push(character);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str) -> Result<Vec<(String, String)>, String> {
        let document = file::parse(text)?;
        Ok(translate(document)?.into_iter().map(|(key, mut values)| (key, values.remove(0))).collect())
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let options = translated(text).expect(text);
        let options: Vec<_> = options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(options, expected, "{text}");
    }

    #[test]
    fn a_folder_becomes_a_file_url() {
        check("storage:\n  type: filesystem\n  filesystem:\n    path: /data/my backups\n", &[("storage", "file:///data/my%20backups")]);
    }

    #[test]
    fn s3_settings_become_a_url_and_options() {
        check(
            "storage:
  type: s3
  s3:
    region: eu-central-1
    endpointUrl: https://s3.example.com:9000
    bucket: backups
    prefix: /shop/prod/
    credentials: {access-key-id: AK, secret-access-key: SK}
    serverSideEncryption: {sseAlgorithm: 'aws:kms', kmsKeyID: k1}
    uploadPartSize: 10485760
    storageClass: STANDARD_IA
    insecureSkipTLSVerify: true
    retryer: {numMaxRetries: 3, minRetryDelay: 30ms}
    debugLogLevels: Signing
pitr:
  enabled: true
  oplogSpanMin: 0.5
  compression: gzip
backup:
  compression: zstd
",
            &[
                ("compression", "gzip"),
                ("s3-access-key", "AK"),
                ("s3-insecure-tls", "true"),
                ("s3-part-size", "10485760"),
                ("s3-secret-key", "SK"),
                ("s3-sse", "kms"),
                ("s3-sse-kms-key", "k1"),
                ("s3-storage-class", "STANDARD_IA"),
                ("span", "30000ms"),
                ("storage", "s3://backups/shop/prod?endpoint=https://s3.example.com:9000&region=eu-central-1&path-style=true"),
                ("storage-retries", "3"),
            ],
        );
    }

    #[test]
    fn amazon_itself_needs_no_endpoint() {
        check("storage:\n  type: s3\n  s3:\n    bucket: b\n    region: us-west-2\n", &[("storage", "s3://b?region=us-west-2")]);
    }

    #[test]
    fn a_minio_endpoint_gets_its_scheme() {
        check(
            "storage:\n  type: minio\n  minio:\n    endpoint: minio.example.com:9000\n    bucket: b\n    secure: true\n",
            &[("storage", "s3://b?endpoint=https://minio.example.com:9000&path-style=true")],
        );
    }

    #[test]
    fn slicing_settings_may_stand_alone() {
        check("pitr:\n  oplogSpanMin: 10\n", &[("span", "600000ms")]);
        check("pitr:\n  enabled: true\n  oplogSpanMin: 0\n", &[]);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for (text, expected) in [
            ("storage:\n  type: azure\n", "`azure` is not supported"),
            ("storage:\n  s3: {bucket: b}\n", "`storage.type` is missing"),
            ("storage:\n  type: s3\n", "bucket"),
            ("storage:\n  type: minio\n  minio: {bucket: b}\n", "endpoint"),
            ("storage:\n  type: filesystem\n  filesystem: {path: relative}\n", "absolute"),
            ("storage:\n  type: s3\n  s3: {bucket: b, endpointUrlMap: {a: b}}\n", "map of endpoints"),
            ("storage:\n  type: s3\n  s3: {bucket: b, credentials: {vault: {server: s}}}\n", "vault"),
            ("storage:\n  type: s3\n  s3: {bucket: b, serverSideEncryption: {sseAlgorithm: rot13}}\n", "rot13"),
        ] {
            let error = translated(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
