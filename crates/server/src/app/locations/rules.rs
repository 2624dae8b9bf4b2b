//! What a location may look like. Messages are those of PMM where it has one.

use oplogue_api::FieldError;
use oplogue_api::agent::Place;
use oplogue_api::locations::{LocationInput, LocationKind, LocationSecrets, LocationSettings};
use url::Url;

use crate::app::AppError;

pub(super) const NAME_CHARACTERS_MAX: usize = 100;
const DESCRIPTION_CHARACTERS_MAX: usize = 1000;
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Input with blanks trimmed, an endpoint's scheme filled in, fields of other kinds emptied, and `stored` secrets where none are given. Its
/// name is not looked at.
pub(super) fn checked(input: LocationInput, stored: &LocationSecrets) -> Result<LocationInput, AppError> {
    let mut input = tidied(input, stored);
    let mut problems = Vec::new();
    let mut wrong = |field: &str, message: Option<String>| problems.extend(message.map(|message| FieldError::new(field, message)));
    if input.description.chars().count() > DESCRIPTION_CHARACTERS_MAX {
        wrong("description", Some(format!("Must contain at most {DESCRIPTION_CHARACTERS_MAX} characters")));
    }
    let settings = &mut input.settings;
    match input.kind {
        LocationKind::Local => wrong("path", path(&settings.path)),
        LocationKind::S3 => {
            wrong("endpoint", endpoint(&mut settings.endpoint, false));
            wrong("bucket", settings.bucket.is_empty().then(|| "S3 bucketName field is empty.".to_owned()));
            let secrets = &input.secrets;
            let (access, secret) = (secrets.access_key.is_some(), secrets.secret_key.is_some());
            wrong("access_key", (secret && !access).then(|| "S3 accessKey field is empty.".to_owned()));
            wrong("secret_key", (access && !secret).then(|| "S3 secretKey field is empty.".to_owned()));
            let kinds = ["", "AES256", "aws:kms"];
            let encryption = settings.server_side_encryption.as_str();
            wrong(
                "server_side_encryption",
                (!kinds.contains(&encryption)).then(|| format!("Encryption is AES256 or aws:kms, not {encryption:?}.")),
            );
            wrong(
                "kms_key_id",
                (encryption == "aws:kms" && settings.kms_key_id.is_empty()).then(|| "KMS key id field is empty.".to_owned()),
            );
        }
        LocationKind::Gcs => {
            wrong("endpoint", endpoint(&mut settings.endpoint, false));
            wrong("bucket", settings.bucket.is_empty().then(|| "GCS bucket field is empty.".to_owned()));
            let account = input.secrets.service_account.as_deref();
            let broken = account.is_some_and(|json| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json).is_err());
            wrong("service_account", broken.then(|| "This is not the JSON of a service account's key.".to_owned()));
        }
        LocationKind::Azure => {
            // Emulators and private clouds name the account in the path.
            wrong("endpoint", endpoint(&mut settings.endpoint, true));
            wrong("bucket", settings.bucket.is_empty().then(|| "Azure container field is empty.".to_owned()));
            wrong("account", settings.account.is_empty().then(|| "Azure account field is empty.".to_owned()));
        }
    }
    wrong("prefix", prefix(&settings.prefix));
    let texts = [
        ("path", &settings.path),
        ("endpoint", &settings.endpoint),
        ("bucket", &settings.bucket),
        ("region", &settings.region),
        ("ca_pem", &settings.ca_pem),
    ];
    for (field, text) in texts {
        wrong(field, (text.len() > TEXT_BYTES_MAX).then(|| format!("Must contain at most {TEXT_BYTES_MAX} bytes")));
    }
    if problems.is_empty() {
        problems.extend(unusable(&input));
    }
    if problems.is_empty() { Ok(input) } else { Err(AppError::invalid(problems)) }
}

pub(super) fn name(name: &str) -> Result<(), Vec<FieldError>> {
    let message = if name.is_empty() {
        "Location name is empty.".to_owned()
    } else if name.chars().count() > NAME_CHARACTERS_MAX {
        format!("Must contain at most {NAME_CHARACTERS_MAX} characters")
    } else if name.chars().any(char::is_control) {
        "Location name can contain only printable characters.".to_owned()
    } else {
        return Ok(());
    };
    Err(vec![FieldError::new("name", message)])
}

fn tidied(input: LocationInput, stored: &LocationSecrets) -> LocationInput {
    let given = input.settings;
    let trim = |text: &str| text.trim().to_owned();
    let settings = match input.kind {
        LocationKind::Local => LocationSettings { path: trim(&given.path), ..LocationSettings::default() },
        kind => {
            let common = LocationSettings {
                endpoint: trim(&given.endpoint),
                bucket: trim(&given.bucket),
                prefix: trim(&given.prefix).trim_end_matches('/').to_owned(),
                ca_pem: given.ca_pem.trim().to_owned(),
                insecure_tls: given.insecure_tls,
                ..LocationSettings::default()
            };
            match kind {
                LocationKind::S3 => LocationSettings {
                    region: trim(&given.region),
                    path_style: given.path_style,
                    storage_class: trim(&given.storage_class),
                    server_side_encryption: trim(&given.server_side_encryption),
                    kms_key_id: trim(&given.kms_key_id),
                    ..common
                },
                LocationKind::Azure => LocationSettings { account: trim(&given.account), ..common },
                LocationKind::Gcs | LocationKind::Local => common,
            }
        }
    };
    let secrets = input.secrets.or(stored.clone());
    let secrets = match input.kind {
        LocationKind::Local => LocationSecrets::default(),
        LocationKind::S3 => LocationSecrets { service_account: None, account_key: None, ..secrets },
        LocationKind::Gcs => LocationSecrets { service_account: secrets.service_account, ..LocationSecrets::default() },
        LocationKind::Azure => LocationSecrets { account_key: secrets.account_key, ..LocationSecrets::default() },
    };
    LocationInput { name: trim(&input.name), description: trim(&input.description), kind: input.kind, settings, secrets }
}

/// Letters of paths, as PMM has them.
fn plain(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.:-/".contains(letter))
}

/// Without `.`, `..` and empty parts.
fn canonical(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let lead = if path.starts_with('/') { "/" } else { "" };
    format!("{lead}{}", parts.join("/"))
}

fn path(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("Path field is empty.".to_owned());
    }
    if !path.starts_with('/') {
        return Some("Folder should be an absolute path (should contain leading slash).".to_owned());
    }
    let canonical = canonical(path);
    if canonical != path {
        return Some(format!("Specified folder in non-canonical format, canonical would be: {canonical:?}."));
    }
    (!plain(path)).then(|| "Filesystem path can contain only dots, colons, slashes, letters, digits, underscores and dashes.".to_owned())
}

fn prefix(prefix: &str) -> Option<String> {
    if prefix.starts_with('/') {
        return Some("Folder should be a relative path (shouldn't contain leading slashes).".to_owned());
    }
    if prefix.split('/').any(|part| part == "..") {
        return Some("Specified folder refers to a parent directory.".to_owned());
    }
    let canonical = canonical(prefix);
    if canonical != prefix {
        return Some(format!("Specified folder in non-canonical format, canonical would be: {canonical:?}."));
    }
    (!plain(prefix)).then(|| "Folder name can contain only dots, colons, slashes, letters, digits, underscores and dashes.".to_owned())
}

/// Fills in a missing scheme; empty is the cloud's own.
fn endpoint(endpoint: &mut String, path_allowed: bool) -> Option<String> {
    if endpoint.is_empty() {
        return None;
    }
    if !endpoint.contains("://") {
        *endpoint = format!("https://{endpoint}");
    }
    let no_host = || Some("No host found in the Endpoint.".to_owned());
    let Ok(url) = Url::parse(endpoint) else { return no_host() };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(format!("Invalid scheme '{}'", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return no_host();
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Some("An endpoint has only scheme, host and port; credentials have fields of their own.".to_owned());
    }
    if !matches!(url.path(), "" | "/") && !path_allowed {
        return Some("Path is not allowed for Endpoint.".to_owned());
    }
    *endpoint = endpoint.trim_end_matches('/').to_owned();
    None
}

/// What the storage itself has against settings that look right.
fn unusable(input: &LocationInput) -> Option<FieldError> {
    let place = Place {
        location_id: String::new(),
        kind: input.kind,
        settings: input.settings.clone(),
        secrets: input.secrets.clone(),
        folder: String::new(),
    };
    let message = oplogue_api::place::storage(&place).err()?.to_string();
    let field = match input.kind {
        _ if message.contains("CA certificates") => "ca_pem",
        LocationKind::Local => "path",
        LocationKind::Gcs if message.contains("service account") => "service_account",
        LocationKind::Azure if message.contains("account key") => "account_key",
        _ => "bucket",
    };
    Some(FieldError::new(field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(path: &str) -> LocationInput {
        let settings = LocationSettings { path: path.to_owned(), ..LocationSettings::default() };
        LocationInput {
            name: "x".into(),
            description: String::new(),
            kind: LocationKind::Local,
            settings,
            secrets: LocationSecrets::default(),
        }
    }

    fn s3(change: impl FnOnce(&mut LocationInput)) -> LocationInput {
        let secrets = LocationSecrets { access_key: Some("A".into()), secret_key: Some("S".into()), ..LocationSecrets::default() };
        let settings = LocationSettings { endpoint: "http://127.0.0.1:9".into(), bucket: "b".into(), ..LocationSettings::default() };
        let mut input = LocationInput { name: "x".into(), description: String::new(), kind: LocationKind::S3, settings, secrets };
        change(&mut input);
        input
    }

    fn problem(input: LocationInput) -> (String, String) {
        let error = checked(input, &LocationSecrets::default()).expect_err("it is wrong");
        (error.fields[0].field.clone(), error.fields[0].message.clone())
    }

    #[test]
    fn each_field_is_told_what_is_wrong_with_it() {
        let table = [
            (local(""), "path", "Path field is empty."),
            (local("backups"), "path", "Folder should be an absolute path (should contain leading slash)."),
            (local("/a/../b"), "path", "Specified folder in non-canonical format, canonical would be: \"/b\"."),
            (local("/a b"), "path", "Filesystem path can contain only dots, colons, slashes, letters, digits, underscores and dashes."),
            (s3(|input| input.settings.bucket.clear()), "bucket", "S3 bucketName field is empty."),
            (s3(|input| input.secrets.access_key = None), "access_key", "S3 accessKey field is empty."),
            (s3(|input| input.secrets.secret_key = None), "secret_key", "S3 secretKey field is empty."),
            (s3(|input| input.settings.endpoint = "ftp://h".into()), "endpoint", "Invalid scheme 'ftp'"),
            (s3(|input| input.settings.endpoint = "http://".into()), "endpoint", "No host found in the Endpoint."),
            (s3(|input| input.settings.endpoint = "http://h/p".into()), "endpoint", "Path is not allowed for Endpoint."),
            (
                s3(|input| input.settings.prefix = "/a".into()),
                "prefix",
                "Folder should be a relative path (shouldn't contain leading slashes).",
            ),
            (s3(|input| input.settings.prefix = "../a".into()), "prefix", "Specified folder refers to a parent directory."),
            (
                s3(|input| input.settings.server_side_encryption = "rot13".into()),
                "server_side_encryption",
                "Encryption is AES256 or aws:kms, not \"rot13\".",
            ),
            (s3(|input| input.settings.server_side_encryption = "aws:kms".into()), "kms_key_id", "KMS key id field is empty."),
        ];
        for (input, field, message) in table {
            assert_eq!(problem(input), (field.to_owned(), message.to_owned()));
        }
        let (field, message) = problem(s3(|input| input.settings.ca_pem = "nonsense".into()));
        assert!(field == "ca_pem" && message.contains("CA certificates"), "{field}: {message}");
    }

    #[test]
    fn what_is_missing_is_filled_in_and_what_belongs_elsewhere_goes() {
        let stored = LocationSecrets { secret_key: Some("OLD".into()), ..LocationSecrets::default() };
        let input = s3(|input| {
            input.settings.endpoint = " s3.example.com/ ".into();
            input.settings.path = "/stray".into();
            input.secrets.secret_key = Some(String::new());
            input.secrets.account_key = Some("stray".into());
        });
        let input = checked(input, &stored).expect("it is right");
        assert_eq!((input.settings.endpoint.as_str(), input.settings.path.as_str()), ("https://s3.example.com", ""));
        assert_eq!((input.secrets.secret_key.as_deref(), input.secrets.account_key), (Some("OLD"), None));
    }
}
