//! Opens what the options name: a storage, the repository on it, a replica set.

use std::path::Path;

use anyhow::Context;
use oplogue_api::client::{Client, Trust};
use oplogue_engine::failure::{Cancelled, Refused};
use oplogue_mongo::{ConnectOptions, Connection, MongoError};
use oplogue_repository::Repository;
use oplogue_storage::{Beginning, EncryptionKey, ServerSideEncryption, Storage, StorageError, StorageOptions};
use tokio_util::sync::CancellationToken;

use crate::args::{AccessArgs, ConnectionArgs, EncryptionChoice, ReachArgs, ServerArgs, StorageArgs};
use crate::failure::WrongUsage;

/// S3's own limit: smaller parts are refused by it, and only when the upload ends.
const PART_BYTES_MIN: u64 = 5 << 20;
/// S3's own limit too.
const PART_BYTES_MAX: u64 = 5 << 30;

/// The replica set of `--uri`. A server that is not a member of one is refused: nothing can be done with it.
pub async fn connection(args: &ConnectionArgs, cancel: &CancellationToken) -> anyhow::Result<Connection> {
    let options = ConnectOptions::default();
    let Some(opened) = cancel.run_until_cancelled(Connection::open(args.uri(), &options)).await else {
        return Err(Cancelled { state: "nothing was begun".to_owned() }.into());
    };
    opened.map_err(|error| match error {
        MongoError::BadUri { .. } => WrongUsage::new(format!("--uri: {error}")).into(),
        MongoError::Standalone { .. } | MongoError::Mongos { .. } | MongoError::NotInitiated { .. } | MongoError::Unsupported { .. } => {
            Refused::new(error.to_string()).into()
        }
        _ => anyhow::Error::new(error).context("connect to MongoDB"),
    })
}

/// The server that `--server` names, asked in the name of `--api-token`. Nothing is asked yet.
pub fn server(args: &AccessArgs) -> anyhow::Result<Client> {
    let client = Client::new(&args.server.server, &trust(&args.server)?).map_err(|error| WrongUsage::new(format!("--server: {error}")))?;
    Ok(client.with_credential(args.api_token.reveal()))
}

/// How the server proves that it is the right one.
pub fn trust(args: &ServerArgs) -> anyhow::Result<Trust> {
    match (&args.server_ca, args.server_fingerprint) {
        (Some(file), _) => {
            let pem = std::fs::read_to_string(file).with_context(|| format!("--server-ca {}", file.display()))?;
            Ok(Trust::Authority(pem))
        }
        (None, Some(fingerprint)) => Ok(Trust::Pinned(fingerprint)),
        (None, None) => Ok(Trust::System),
    }
}

/// The repository in `--folder` of `--storage`.
pub fn repository(args: &StorageArgs) -> anyhow::Result<Repository> {
    Ok(Repository::new(storage(args)?))
}

/// The folder `--folder` of `--storage`. Nothing is read or written yet.
pub fn storage(args: &StorageArgs) -> anyhow::Result<Storage> {
    let url = args.storage.as_deref().ok_or_else(|| WrongUsage::new("--storage is missing"))?;
    folder_of(url, "--storage", args.folder.as_deref().unwrap_or_default(), "--folder", &args.reach)
}

/// The folder `folder` of the storage `url`; the options they come from are named in errors.
pub fn folder_of(url: &str, url_option: &str, folder: &str, folder_option: &str, reach: &ReachArgs) -> anyhow::Result<Storage> {
    let options = storage_options(reach)?;
    let storage = Storage::open(url, &options).map_err(|error| match error {
        StorageError::BadUrl { .. } => anyhow::Error::new(WrongUsage::new(format!("{url_option}: {error}"))),
        other => anyhow::Error::new(other).context("open the storage"),
    })?;
    check_folder(folder, folder_option)?;
    let storage = storage.within(folder);
    let beginning = if reach.encrypt { Beginning::Allowed } else { Beginning::Never };
    match encryption_key(reach)? {
        Some(key) => Ok(storage.encrypted(key, beginning)),
        None if reach.encrypt => {
            Err(WrongUsage::new("--encrypt needs a key: --key-file, --passphrase-file, or the variable OPLOGUE_PASSPHRASE").into())
        }
        None => Ok(storage),
    }
}

/// The key of an encrypted folder, if one was given.
fn encryption_key(reach: &ReachArgs) -> anyhow::Result<Option<EncryptionKey>> {
    let read = |path: &Path, option: &str| std::fs::read_to_string(path).with_context(|| format!("{option} {}", path.display()));
    let (key, option) = if let Some(path) = &reach.key_file {
        (EncryptionKey::from_key_file(&read(path, "--key-file")?), "--key-file")
    } else if let Some(path) = &reach.passphrase_file {
        (EncryptionKey::from_passphrase(&read(path, "--passphrase-file")?), "--passphrase-file")
    } else if let Some(words) = &reach.passphrase {
        (EncryptionKey::from_passphrase(words.reveal()), "--passphrase")
    } else {
        return Ok(None);
    };
    key.map(Some).map_err(|error| WrongUsage::new(format!("{option}: {error}")).into())
}

/// A folder is one or more plain names. `..` and empty names mean something to filesystems and nothing to object stores.
fn check_folder(folder: &str, option: &str) -> Result<(), WrongUsage> {
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.chars().any(char::is_control);
    if folder.is_empty() || folder.split('/').all(plain) {
        Ok(())
    } else {
        Err(WrongUsage::new(format!("{option}: `{folder}` is not a folder's name: write `name` or `name/name`")))
    }
}

fn storage_options(args: &ReachArgs) -> anyhow::Result<StorageOptions> {
    if !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&args.s3_part_size) {
        return Err(WrongUsage::new("--s3-part-size: parts are between 5MiB and 5GiB").into());
    }
    if let Some(path) = &args.s3_ca_file {
        check_readable(path).with_context(|| format!("--s3-ca-file {}", path.display()))?;
    }
    let read =
        |path: &std::path::PathBuf| std::fs::read_to_string(path).with_context(|| format!("--gcs-service-account-file {}", path.display()));
    let service_account = args.gcs_service_account_file.as_ref().map(read).transpose()?;
    let secret = |value: &Option<crate::args::Secret>| value.as_ref().map(|secret| secret.reveal().to_owned());
    Ok(StorageOptions {
        ca_pem: None,
        service_account,
        account_key: secret(&args.azure_account_key),
        access_key: secret(&args.s3_access_key),
        secret_key: secret(&args.s3_secret_key),
        session_token: secret(&args.s3_session_token),
        ca_file: args.s3_ca_file.clone(),
        insecure_tls: args.s3_insecure_tls,
        storage_class: args.s3_storage_class.clone(),
        server_side_encryption: encryption(args)?,
        part_bytes: usize::try_from(args.s3_part_size).context("--s3-part-size")?,
        request_timeout: args.storage_timeout,
        connect_timeout: args.storage_connect_timeout,
        retries_max: args.storage_retries,
        retry_delay_max: args.storage_retry_delay,
    })
}

fn check_readable(path: &Path) -> anyhow::Result<()> {
    std::fs::File::open(path).map(drop).map_err(Into::into)
}

fn encryption(args: &ReachArgs) -> Result<ServerSideEncryption, WrongUsage> {
    if let Some(key) = &args.s3_sse_customer_key {
        let wrong = || WrongUsage::new("--s3-sse-customer-key: this is not 32 bytes in base64 (e.g. from `openssl rand -base64 32`)");
        let bytes = base64_bytes(key.reveal()).ok_or_else(wrong)?;
        return Ok(ServerSideEncryption::Customer { key: bytes.try_into().map_err(|_| wrong())? });
    }
    match (args.s3_sse, &args.s3_sse_kms_key) {
        (None, None) => Ok(ServerSideEncryption::None),
        (Some(EncryptionChoice::S3), None) => Ok(ServerSideEncryption::S3),
        (Some(EncryptionChoice::Kms), Some(key_id)) => Ok(ServerSideEncryption::Kms { key_id: key_id.clone() }),
        (Some(EncryptionChoice::Kms), None) => Err(WrongUsage::new("--s3-sse kms needs --s3-sse-kms-key, the key to use")),
        (_, Some(_)) => Err(WrongUsage::new("--s3-sse-kms-key goes with --s3-sse kms")),
    }
}

fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn opened(words: &[&str]) -> Result<String, String> {
        let cli = Cli::try_parse_from(["oplogue", "list"].iter().chain(words)).map_err(|error| error.to_string())?;
        let Verb::List(args) = cli.verb else { panic!("`list` was parsed as something else") };
        storage(&args.storage).map(|storage| storage.location()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_folder_lies_inside_the_storage() {
        let location = opened(&["--storage", "file:///b", "--folder", "shop/prod"]).expect("valid");
        assert!(location.contains("/b/shop/prod"), "{location}");
    }

    #[test]
    fn wrong_storage_options_are_told_apart_and_keep_secrets() {
        for (words, expected) in [
            (vec!["--storage", "ftp://b"], "--storage"),
            (vec!["--storage", "nonsense"], "--storage"),
            (vec!["--storage", "file:///b", "--folder", "../c"], "--folder"),
            (vec!["--storage", "file:///b", "--folder", "a//c"], "--folder"),
            (vec!["--storage", "s3://b", "--s3-part-size", "1MiB"], "--s3-part-size"),
            (vec!["--storage", "s3://b", "--s3-sse-customer-key", "hunter2"], "--s3-sse-customer-key"),
            (vec!["--storage", "s3://b", "--s3-sse", "kms"], "--s3-sse-kms-key"),
            (vec!["--storage", "s3://b", "--s3-sse-kms-key", "k"], "--s3-sse kms"),
            (vec!["--storage", "s3://b", "--s3-ca-file", "/there/is/no/such/file"], "--s3-ca-file"),
            (vec!["--storage", "file:///b", "--encrypt"], "--key-file"),
            (vec!["--storage", "file:///b", "--passphrase", "hunter2"], "--passphrase"),
            (vec!["--storage", "file:///b", "--key-file", "/there/is/no/such/file"], "--key-file"),
            (vec!["--storage", "file:///b", "--key-file", "Cargo.toml"], "--key-file"),
        ] {
            let error = opened(&words).expect_err(&words.join(" "));
            assert!(error.contains(expected), "{words:?}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
