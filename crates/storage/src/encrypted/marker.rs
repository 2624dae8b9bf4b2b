//! `oplogue/encryption.json`: that a folder is encrypted, and with which key. It holds nothing secret, and is lost without harm only where
//! a key file is used: the salt of a passphrase is in it.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use bytes::Bytes;
use serde_json::{Value, json};

use super::key::EncryptionKey;
use super::seal::Cipher;
use crate::Storage;
use crate::error::{Attempt, StorageError};

/// The object's name, within the folder.
pub const MARKER: &str = "oplogue/encryption.json";
/// Said by whoever is about to write it.
const CLAIMS: &str = "oplogue/encryption-claims";
const FORMAT: u64 = 1;
const CIPHER: &str = "XChaCha20-Poly1305, STREAM, 64 KiB";
const SALT_BYTES: usize = 16;
/// A guess costs 64 MiB and some tenths of a second. (Argon2's second recommendation in RFC 9106.)
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// What a marker may ask for: it comes from outside.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;

/// How the key comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    KeyFile,
    Passphrase { salt: Vec<u8>, memory_kib: u32, passes: u32 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    source: Source,
    /// Tells keys apart without telling anything about them.
    key_id: String,
}

/// What the folder says, or `None` when it says nothing.
pub(super) async fn read(around: &Storage) -> Result<Option<Marker>, StorageError> {
    match around.get(MARKER).await {
        Ok(bytes) => Marker::parse(&bytes).map(Some).map_err(|why| wrong(around, format!("{MARKER} cannot be understood: {why}"))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Objects that are not encrypted may not lie beside encrypted ones: nobody would know which are which.
pub(super) async fn refuse_others(around: &Storage) -> Result<(), StorageError> {
    let level = around.level("").await?;
    let ours = around.level("oplogue").await?;
    let other = level.objects.first().map(|object| object.name.clone());
    let kept = ["oplogue/encrypted", CLAIMS];
    let other = other.or_else(|| ours.folders.into_iter().find(|folder| !kept.contains(&folder.as_str())));
    match other {
        Some(other) => {
            let why = format!("unencrypted objects lie there (e.g. `{other}`); encrypt into a folder of its own (--folder)");
            Err(wrong(around, why))
        }
        None => Ok(()),
    }
}

pub(super) fn not_begun(around: &Storage) -> StorageError {
    let why = "nothing there is encrypted yet; check storage and folder, or begin with --encrypt";
    wrong(around, why.to_owned())
}

/// Writes the marker of a folder that has none.
pub(super) async fn begin(around: &Storage, objects: &Storage, key: &EncryptionKey) -> Result<Marker, StorageError> {
    let mut random = [0_u8; SALT_BYTES * 2];
    getrandom::fill(&mut random).map_err(|error| wrong(around, format!("no random numbers could be had: {error}")))?;
    let (salt, token) = random.split_at(SALT_BYTES);
    let source = match key {
        EncryptionKey::Bytes(_) => Source::KeyFile,
        EncryptionKey::Passphrase(_) => {
            if !objects.level("").await?.objects.is_empty() || !objects.folders("").await?.is_empty() {
                return Err(wrong(around, format!("encrypted objects lie there, and {MARKER} is gone: put back a copy of it")));
            }
            Source::Passphrase { salt: salt.to_vec(), memory_kib: MEMORY_KIB, passes: PASSES }
        }
    };
    let claim = format!("{CLAIMS}/{}", hex::encode(token));
    around.put(&claim, Bytes::from_static(b"begins to encrypt\n")).await?;
    let outcome = write_unless_claimed(around, &claim, source, key).await;
    // What is left of it keeps others from beginning, and its name is told to them.
    let deleted = around.delete(&claim).await;
    let marker = outcome?;
    deleted?;
    Ok(marker)
}

async fn write_unless_claimed(around: &Storage, claim: &str, source: Source, key: &EncryptionKey) -> Result<Marker, StorageError> {
    let claims = around.list(CLAIMS).await?;
    if let Some(rival) = claims.iter().find(|found| found.name != claim) {
        let why = format!("somebody else begins to encrypt there; try again (if nobody does, delete `{}`)", rival.name);
        return Err(wrong(around, why));
    }
    if let Some(marker) = read(around).await? {
        return Ok(marker);
    }
    let (_, key_id) = source.derive(key).await.map_err(|why| wrong(around, why))?;
    let marker = Marker { source, key_id };
    around.put(MARKER, marker.to_json().into()).await?;
    Ok(marker)
}

fn wrong(around: &Storage, why: String) -> StorageError {
    let attempt = Attempt::new(&around.location(), "use what is encrypted");
    StorageError::Encryption { at: attempt.because(why) }
}

impl Marker {
    /// The cipher, if `key` is the right one.
    pub(super) async fn cipher(&self, around: &Storage, key: &EncryptionKey) -> Result<Arc<Cipher>, StorageError> {
        let (cipher, key_id) = self.source.derive(key).await.map_err(|why| wrong(around, why))?;
        if key_id != self.key_id {
            let what = if matches!(key, EncryptionKey::Bytes(_)) { "key" } else { "passphrase" };
            return Err(wrong(
                around,
                format!("the {what} is not the one it was encrypted with (that has id {}, this one {key_id})", self.key_id),
            ));
        }
        Ok(Arc::new(cipher))
    }

    fn to_json(&self) -> Vec<u8> {
        let key = match &self.source {
            Source::KeyFile => json!({ "from": "key file" }),
            Source::Passphrase { salt, memory_kib, passes } => {
                json!({ "from": "passphrase", "argon2id": { "salt": hex::encode(salt), "memory_kib": memory_kib, "passes": passes } })
            }
        };
        let about = "Objects below oplogue/encrypted/ can be read by oplogue with their key only. Keep this file: without it a passphrase is worth nothing.";
        let json = json!({ "format": FORMAT, "about": about, "cipher": CIPHER, "key_id": self.key_id, "key": key });
        format!("{json:#}\n").into_bytes()
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match json["format"].as_u64() {
            Some(FORMAT) => {}
            Some(format) => return Err(format!("its format is {format}, and this version of oplogue knows format {FORMAT}")),
            None => return Err("it does not say its format".to_owned()),
        }
        if json["cipher"] != CIPHER {
            return Err("it names another cipher".to_owned());
        }
        let key_id = json["key_id"].as_str().ok_or("it names no key")?.to_owned();
        let source = match json["key"]["from"].as_str() {
            Some("key file") => Source::KeyFile,
            Some("passphrase") => {
                let argon2id = &json["key"]["argon2id"];
                let number = |name: &str, max: u32| {
                    let number =
                        argon2id[name].as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| (1..=max).contains(number));
                    number.ok_or(format!("its `{name}` is not between 1 and {max}"))
                };
                let salt = argon2id["salt"].as_str().and_then(|salt| hex::decode(salt).ok()).filter(|salt| salt.len() == SALT_BYTES);
                Source::Passphrase {
                    salt: salt.ok_or("its salt is not 16 bytes")?,
                    memory_kib: number("memory_kib", MEMORY_KIB_MAX)?,
                    passes: number("passes", PASSES_MAX)?,
                }
            }
            _ => return Err("it does not say where the key comes from".to_owned()),
        };
        Ok(Self { source, key_id })
    }
}

impl Source {
    /// The cipher, and the id of its key.
    async fn derive(&self, key: &EncryptionKey) -> Result<(Cipher, String), String> {
        let master = match (self, key) {
            (Self::KeyFile, EncryptionKey::Bytes(bytes)) => *bytes,
            (Self::Passphrase { salt, memory_kib, passes }, EncryptionKey::Passphrase(words)) => {
                let params = Params::new(*memory_kib, *passes, 1, Some(32)).map_err(|error| error.to_string())?;
                let (salt, words) = (salt.clone(), words.clone());
                super::read::off_the_runtime(true, move || {
                    let mut master = [0; 32];
                    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                    argon2.hash_password_into(words.as_bytes(), &salt, &mut master).map(|()| master).map_err(|error| error.to_string())
                })
                .await?
            }
            (Self::KeyFile, _) => return Err("it was encrypted with a key file, and a passphrase was given".to_owned()),
            (Self::Passphrase { .. }, _) => return Err("it was encrypted with a passphrase, and a key file was given".to_owned()),
        };
        let cipher = Cipher::new(&blake3::derive_key("oplogue 2026-11 encrypted objects", &master));
        let id = blake3::derive_key("oplogue 2026-11 id of the key", &master);
        Ok((cipher, hex::encode(&id[..8])))
    }
}
