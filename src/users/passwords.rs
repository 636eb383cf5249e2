//! Passwords as they are kept: Argon2id in PHC strings.

use std::{cell::Cell, time::Duration};

use argon2::{
    Algorithm, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use futures::lock::Mutex;

use crate::{
    Error, Result,
    platform::{self, Secret},
};

/// One of the equally strong choices that OWASP's password storage cheat sheet gives for Argon2id,
/// the one with the least memory: WebAssembly never gives memory back to the browser.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// How many passwords may wait to be hashed, which takes a few seconds for so many.
const WAITING: usize = 64;
/// When somebody who found so many waiting may try again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Hashes passwords one after the other, in the order in which they came: each takes 7 MiB and one
/// core for a while.
#[derive(Default)]
pub(super) struct Passwords {
    turn: Mutex<()>,
    waiting: Cell<usize>,
}

/// Counts as waiting until it is dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Passwords {
    /// The PHC string to keep for `password`.
    ///
    /// # Errors
    /// 429 `M_LIMIT_EXCEEDED` when too many wait.
    pub(super) async fn hash(&self, password: &str) -> Result<String> {
        let salt = Salt::new(&rand::random::<[u8; SALT_BYTES]>()).map_err(Error::internal)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
        let kept = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(Error::internal)?,
            salt: Some(salt),
            hash: Some(self.output(password, &salt, params).await?),
        };
        Ok(kept.to_string())
    }

    /// Whether `password` is the one of the PHC string `hash`. It takes its time without a hash too,
    /// so that the time does not tell who has an account.
    ///
    /// # Errors
    /// 429 `M_LIMIT_EXCEEDED` when too many wait.
    pub(super) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let Some(hash) = hash else {
            self.hash(password).await?;
            return Ok(false);
        };
        // The string names its own parameters, which may be those of an older version.
        let kept = PasswordHash::new(hash).map_err(Error::internal)?;
        let (Some(salt), Some(expected)) = (&kept.salt, &kept.hash) else {
            return Err(Error::internal("a password is kept without its hash"));
        };
        let version = kept.version.map(Version::try_from).transpose().map_err(Error::internal)?;
        if kept.algorithm != Algorithm::Argon2id.ident() || version != Some(Version::V0x13) {
            return Err(Error::internal("a password is kept in an unknown way"));
        }
        let params = Params::try_from(&kept).map_err(Error::internal)?;
        // Compared in constant time.
        Ok(self.output(password, salt, params).await? == *expected)
    }

    async fn output(&self, password: &str, salt: &[u8], params: Params) -> Result<Output> {
        if self.waiting.get() >= WAITING {
            return Err(Error::limit_exceeded(TRY_AGAIN));
        }
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        let _turn = self.turn.lock().await;
        let password = Secret::new(password.as_bytes().to_vec());
        let hash = platform::argon2id(password, salt, params).await.map_err(Error::internal)?;
        Output::new(&hash).map_err(Error::internal)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[test]
    fn a_hash_is_salted_argon2id_and_fits_its_password_only() {
        platform::run(async {
            let passwords = Passwords::default();
            let kept = passwords.hash("correct horse").await.unwrap();
            assert!(kept.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{kept}");
            assert_ne!(kept, passwords.hash("correct horse").await.unwrap());
            assert!(passwords.verify("correct horse", Some(&kept)).await.unwrap());
            assert!(!passwords.verify("incorrect horse", Some(&kept)).await.unwrap());
            assert!(!passwords.verify("correct horse", None).await.unwrap());
        });
    }

    /// Made by the `argon2` crate's own hasher, as versions before did, with other parameters.
    #[test]
    fn a_hash_of_an_older_version_goes_on_to_fit() {
        platform::run(async {
            use argon2::{Argon2, PasswordHasher};

            for length in [16, 32] {
                let params = Params::new(1024, 2, 2, Some(length)).unwrap();
                let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let kept = hasher.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
                let passwords = Passwords::default();
                let kept = Some(kept.to_string());
                assert!(passwords.verify("correct horse", kept.as_deref()).await.unwrap());
                assert!(!passwords.verify("incorrect horse", kept.as_deref()).await.unwrap());
            }
        });
    }

    #[test]
    fn only_so_many_wait_and_who_leaves_does_not_count() {
        platform::run(async {
            let passwords = Passwords::default();
            let held = passwords.turn.lock().await;
            let mut waiting: Vec<_> =
                (0..WAITING).map(|_| Box::pin(passwords.hash("correct horse"))).collect();
            for hash in &mut waiting {
                assert!(futures::poll!(hash).is_pending());
            }
            let refused = passwords.hash("correct horse").await.unwrap_err();
            assert_eq!(refused.status(), 429);
            waiting.truncate(2);
            assert_eq!(passwords.waiting.get(), 2);
            drop(held);
            for kept in join_all(waiting).await {
                assert!(kept.is_ok());
            }
            assert_eq!(passwords.waiting.get(), 0);
        });
    }
}
