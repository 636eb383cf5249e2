//! The helper in a browser: a worker beside this one that does what would hold this thread for
//! long. It has the same wasm, and does by name what `web::helper` has.

use std::cell::RefCell;

use js_sys::Array;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `Helping` of `worker/server/helper.ts`.
    #[derive(Clone)]
    #[wasm_bindgen(typescript_type = "Helping")]
    pub type Helper;

    #[wasm_bindgen(method, catch)]
    async fn run(this: &Helper, task: &str, input: Array) -> Result<JsValue, JsValue>;
}

thread_local! {
    static HELPER: RefCell<Option<Helper>> = const { RefCell::new(None) };
}

/// Who helps from now on.
pub fn set(helper: Helper) {
    HELPER.set(Some(helper));
}

/// What the helper makes of `input`; `None` when it was not done, and is to be done here. Bytes are
/// handed over.
pub(super) async fn run(task: &str, input: &[JsValue]) -> Option<JsValue> {
    let helper = HELPER.with_borrow(Clone::clone)?;
    helper.run(task, input.iter().collect()).await.ok()
}
