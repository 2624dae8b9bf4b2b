//! Keeps secrets of the database unreadable without the key file.
//!
//! XChaCha20-Poly1305 with a random nonce per value. What a secret belongs to is authenticated with it, so that one cannot be moved to
//! another row. The key file is made at the first start (mode 0600) and is not part of the database nor of its copies.

use std::path::Path;

use anyhow::Context;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::ids;

const NONCE_BYTES: usize = 24;

#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(hidden)")
    }
}

impl Vault {
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()) }
    }

    /// Reads the key from `path` (64 hex digits), or makes one there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let bytes = hex::decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                let key = bytes.with_context(|| format!("the key file {} does not hold 64 hex digits", path.display()))?;
                Ok(Self::new(&key))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = ids::random::<32>();
                write_private(path, hex::encode(key).as_bytes()).with_context(|| format!("write the key file {}", path.display()))?;
                Ok(Self::new(&key))
            }
            Err(error) => Err(error).with_context(|| format!("read the key file {}", path.display())),
        }
    }

    /// `belongs_to`: what the secret is of, e.g. `location loc_…`.
    pub fn seal(&self, belongs_to: &str, secret: &[u8]) -> Vec<u8> {
        let nonce = ids::random::<NONCE_BYTES>();
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: belongs_to.as_bytes() });
        let mut out = nonce.to_vec();
        out.extend(sealed.expect("a secret is far shorter than the cipher's limit"));
        out
    }

    /// # Errors
    /// When the key is another than the secret was sealed with, or the bytes were changed or belong to something else.
    pub fn unseal(&self, belongs_to: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let wrong =
            || anyhow::anyhow!("the stored secret of {belongs_to} cannot be decrypted: is the key file the one it was stored with?");
        let (nonce, rest) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(wrong)?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| wrong())?;
        self.cipher.decrypt(&XNonce::from(nonce), Payload { msg: rest, aad: belongs_to.as_bytes() }).map_err(|_| wrong())
    }
}

/// A file that only its owner can read, from its first byte on; whole or not there.
pub fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let aside = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_only_with_its_key_and_for_what_it_belongs_to() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal("location a", b"hunter2");
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(vault.unseal("location a", &sealed).expect("its own"), b"hunter2");
        assert!(vault.unseal("location b", &sealed).is_err());
        assert!(Vault::new(&[8; 32]).unseal("location a", &sealed).is_err());
        let mut changed = sealed.clone();
        changed[30] ^= 1;
        assert!(vault.unseal("location a", &changed).is_err());
        assert!(vault.unseal("location a", &sealed[..10]).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let sealed = Vault::open(&path).expect("makes one").seal("x", b"secret");
        assert_eq!(Vault::open(&path).expect("reads it").unseal("x", &sealed).expect("the same key"), b"secret");
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").expect("write");
        assert!(Vault::open(&path).is_err());
    }
}
