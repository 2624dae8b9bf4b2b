//! What a person gives to encrypt and decrypt: the content of a key file, or a passphrase.

use std::fmt;

use base64::Engine;

/// A key file holds 32 random bytes, e.g. of `openssl rand -hex 32`.
const KEY_BYTES: usize = 32;
/// Shorter ones are guessed in an afternoon.
const PASSPHRASE_CHARACTERS_MIN: usize = 12;

/// The secret. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum EncryptionKey {
    /// 32 bytes that were drawn at random.
    Bytes([u8; KEY_BYTES]),
    /// Words that a person chose.
    Passphrase(String),
}

/// Why a text cannot be a key. The text is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key file holds 32 bytes as 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one")]
    NotAKey,
    #[error("a passphrase has at least {PASSPHRASE_CHARACTERS_MIN} characters; a key file is better still")]
    TooShort,
}

impl EncryptionKey {
    /// From the content of a key file.
    pub fn from_key_file(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let decoded = hex::decode(text).ok().or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok());
        decoded.and_then(|bytes| bytes.try_into().ok()).map(Self::Bytes).ok_or(KeyError::NotAKey)
    }

    /// From a passphrase, or the content of a file with one; the end of the line is not part of it.
    pub fn from_passphrase(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.chars().count() < PASSPHRASE_CHARACTERS_MIN {
            return Err(KeyError::TooShort);
        }
        Ok(Self::Passphrase(text.to_owned()))
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes(hidden)",
            Self::Passphrase(_) => "Passphrase(hidden)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_32_bytes_and_passphrases_long_enough() {
        let bytes = EncryptionKey::Bytes([0xab; 32]);
        assert_eq!(EncryptionKey::from_key_file(&format!("{}\n", "ab".repeat(32))), Ok(bytes.clone()));
        assert_eq!(EncryptionKey::from_key_file("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="), Ok(bytes));
        for text in ["", "ab", "hunter2", &"ab".repeat(31), &"ab".repeat(33)] {
            assert_eq!(EncryptionKey::from_key_file(text), Err(KeyError::NotAKey));
        }
        assert_eq!(EncryptionKey::from_passphrase("correct horse\r\n"), Ok(EncryptionKey::Passphrase("correct horse".to_owned())));
        assert_eq!(EncryptionKey::from_passphrase("hunter2"), Err(KeyError::TooShort));
        assert!(!format!("{:?}", EncryptionKey::Passphrase("hunter2".to_owned())).contains("hunter2"));
    }
}
