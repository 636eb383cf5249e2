//! What this wasm does in a helper, a worker beside the homeserver's: see `worker/server/helper.ts`.

use argon2::Params;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

use crate::platform::{
    compute_argon2id,
    helper::{self, Helper},
    images::{self, Scaling},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Has the work of a task done elsewhere; rejects when it was not. */
export interface Helping {
  run(task: string, input: unknown[]): Promise<unknown>;
}
"#;

/// Has long work done by `helper` from now on.
#[wasm_bindgen(js_name = setHelper)]
pub fn set_helper(helper: Helper) {
    helper::set(helper);
}

/// Argon2id with `memory` in KiB; the hash has `length` bytes.
#[wasm_bindgen]
pub fn argon2id(
    password: Vec<u8>,
    salt: &[u8],
    memory: u32,
    passes: u32,
    lanes: u32,
    length: usize,
) -> Result<Vec<u8>, JsError> {
    let password = Zeroizing::new(password);
    let params = Params::new(memory, passes, lanes, Some(length));
    let params = params.map_err(|cause| JsError::new(&cause.to_string()))?;
    compute_argon2id(&password, salt, params).map_err(|cause| JsError::new(&cause))
}

/// A picture drawn smaller, or undefined: see [`images::scale`].
#[wasm_bindgen]
pub async fn scale(
    picture: web_sys::Blob,
    width: u32,
    height: u32,
    crop: bool,
) -> Option<web_sys::Blob> {
    let scaling = if crop { Scaling::Crop } else { Scaling::Fit };
    images::draw(&picture, width, height, scaling).await
}
