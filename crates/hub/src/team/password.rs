//! Passwords: argon2id, away from the threads that answer requests, and a few at a time because each takes 19 MiB.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::clock::Entropy;
use crate::error::{AppError, AppResult};

static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Stands for the hash of addresses that do not exist, so that refusing them is the same work.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| make("nobody's", &[0; 16]).ok());

fn make(password: &str, salt: &[u8]) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password_with_salt(password.as_bytes(), salt)?;
    Ok(hash.to_string())
}

/// The PHC text of a new password.
pub(super) async fn hash(entropy: &Entropy, password: &str) -> AppResult<String> {
    let (password, salt) = (password.to_owned(), entropy.bytes::<16>());
    let permit = AT_ONCE.acquire().await;
    // The permit goes with the work, which runs on when its caller has hung up.
    let made = spawn_blocking(move || {
        let _permit = permit;
        make(&password, &salt)
    })
    .await;
    made.map_err(AppError::internal)?.map_err(|error| AppError::internal(error.to_string()))
}

/// Whether a password fits a stored hash. Without a hash (no such user) it takes as long and is false.
pub(super) async fn verify(stored: Option<String>, password: &str) -> AppResult<bool> {
    let password = password.to_owned();
    let permit = AT_ONCE.acquire().await;
    let fits = spawn_blocking(move || {
        let _permit = permit;
        let exists = stored.is_some();
        let Some(stored) = stored.or_else(|| NOBODY.clone()) else { return false };
        let Ok(hash) = PasswordHash::new(&stored) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && exists
    })
    .await;
    fits.map_err(AppError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let stored = hash(&Entropy::seeded(1), "correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify(Some(stored.clone()), "correct horse").await.unwrap());
        assert!(!verify(Some(stored), "correct horses").await.unwrap());
        assert!(!verify(None, "nobody's").await.unwrap());
    }
}
