//! Passwords as they are kept: Argon2id in PHC strings.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::Error as HashError,
};

use crate::{Error, Result};

/// One of the equally strong choices that OWASP's password storage cheat sheet gives for Argon2id,
/// the one with the least memory: WebAssembly never gives memory back to the browser.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string to keep for `password`.
pub(super) fn hash(password: &str) -> Result<String> {
    let salt: [u8; SALT_BYTES] = rand::random();
    let hash =
        argon2()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(Error::internal)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of the PHC string `hash`. It takes its time without a hash too,
/// so that the time does not tell who has an account.
pub(super) fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    let Some(hash) = hash else {
        self::hash(password)?;
        return Ok(false);
    };
    // The string names its own parameters, which may be those of an older version.
    match argon2()?.verify_password(password.as_bytes(), hash) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(cause) => Err(Error::internal(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_salted_argon2id_and_fits_its_password_only() {
        let kept = hash("correct horse").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{kept}");
        assert_ne!(kept, hash("correct horse").unwrap());
        assert!(verify("correct horse", Some(&kept)).unwrap());
        assert!(!verify("incorrect horse", Some(&kept)).unwrap());
        assert!(!verify("correct horse", None).unwrap());
    }
}
