//! Argon2id, which is made to take its time: never on the thread that everything else runs on,
//! where that can be helped.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// Bytes that are wiped when they are dropped.
pub type Secret = Zeroizing<Vec<u8>>;

/// The hash of a password. The length that `params` names, or else 32 bytes.
///
/// # Errors
/// When Argon2 refuses the salt or the length, or there is not the memory.
pub async fn argon2id(password: Secret, salt: &[u8], params: Params) -> Result<Vec<u8>, String> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        let salt = salt.to_vec();
        let work = tokio::task::spawn_blocking(move || compute(&password, &salt, params));
        work.await.map_err(|cause| cause.to_string())?
    }
    #[cfg(target_arch = "wasm32")]
    {
        use js_sys::Uint8Array;
        use wasm_bindgen::JsCast;

        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let (password_copy, salt_copy) = (Uint8Array::from(&**password), Uint8Array::from(salt));
        let costs = [params.m_cost(), params.t_cost(), params.p_cost(), length as u32];
        let mut input = vec![password_copy.into(), salt_copy.into()];
        input.extend(costs.map(Into::into));
        let made = super::helper::run("argon2id", &input).await;
        if let Some(hash) = made.and_then(|made| made.dyn_into::<Uint8Array>().ok()) {
            return Ok(hash.to_vec());
        }
        compute(&password, salt, params)
    }
}

/// The same, here and now.
///
/// # Errors
/// When Argon2 refuses the salt or the length, or there is not the memory.
pub(crate) fn compute(password: &[u8], salt: &[u8], params: Params) -> Result<Vec<u8>, String> {
    let mut hash = vec![0; params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN)];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, salt, &mut hash)
        .map_err(|cause| cause.to_string())?;
    Ok(hash)
}
