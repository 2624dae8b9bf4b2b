//! Passwords: what is accepted, and how they are kept.
//!
//! argon2id with its parameters stored in each hash, so that they can be raised later. One costs 50–100 ms of a processor on purpose: it
//! runs beside the requests, and never more than a few at once.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use oplogue_api::FieldError;
use tokio::sync::Semaphore;

use crate::app::AppError;

pub const CHARACTERS_MIN: usize = 12;
/// More is not safer, and hashing it is work that anybody could ask for.
pub const BYTES_MAX: usize = 1024;

/// 32 MiB and three passes: above what OWASP asks for (19 MiB, two passes), measured at about 50 ms on one processor.
const MEMORY_KIB: u32 = 32 * 1024;
const PASSES: u32 = 3;

/// At once, each with its 32 MiB.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Compared with when there is no such user, so that the answer takes as long.
static OF_NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&crate::ids::secret("")).unwrap_or_default());

/// What is wrong with a new password, for the form field `field`.
pub fn problem(field: &str, password: &str, name: &str) -> Option<FieldError> {
    let message = if password.chars().count() < CHARACTERS_MIN {
        format!("a password has at least {CHARACTERS_MIN} characters")
    } else if password.len() > BYTES_MAX {
        format!("a password has at most {BYTES_MAX} bytes")
    } else if password.eq_ignore_ascii_case(name) {
        "a password is not the user's name".to_owned()
    } else {
        return None;
    };
    Some(FieldError::new(field, message))
}

/// The hash to store.
pub async fn hash(password: String) -> Result<String, AppError> {
    in_turn(move || hash_now(&password)).await?
}

/// `stored`: `None` when there is no such user; takes as long and is never right.
pub async fn is_right(password: String, stored: Option<String>) -> Result<bool, AppError> {
    in_turn(move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| OF_NOBODY.clone());
        // A password beyond the limit was never stored.
        let password = if password.len() > BYTES_MAX { "" } else { &password };
        let parsed = PasswordHash::new(&stored).map_err(|error| anyhow::anyhow!("read a stored password hash: {error}"))?;
        let right = argon2()?.verify_password(password.as_bytes(), &parsed).is_ok();
        Ok(right && known)
    })
    .await?
}

/// Beside the requests, a few at a time. When the caller goes away the hash is still finished, and given to nobody.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
    let turn = TURNS.acquire().await.map_err(AppError::internal)?;
    let result = tokio::task::spawn_blocking(work).await.map_err(AppError::internal);
    drop(turn);
    result
}

fn hash_now(password: &str) -> Result<String, AppError> {
    let hash = argon2()?.hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| AppError::internal(anyhow::anyhow!("hash a password: {error}")))
}

fn argon2() -> Result<Argon2<'static>, AppError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| AppError::internal(anyhow::anyhow!("argon2: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let stored = hash("correct horse battery".to_owned()).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=32768,t=3,p=1$"), "{stored}");
        assert!(is_right("correct horse battery".to_owned(), Some(stored.clone())).await.expect("compared"));
        assert!(!is_right("correct horse batterx".to_owned(), Some(stored)).await.expect("compared"));
        assert!(!is_right(String::new(), None).await.expect("compared"));
    }

    #[test]
    fn short_and_obvious_passwords_are_refused() {
        for (password, name, refused) in [
            ("elevenchars", "anna", true),
            ("twelve chars", "anna", false),
            ("zwölf Zeich.", "anna", false),
            ("Administrator", "administrator", true),
        ] {
            assert_eq!(problem("password", password, name).is_some(), refused, "{password}");
        }
        assert!(problem("password", &"x".repeat(2000), "anna").is_some());
    }
}
