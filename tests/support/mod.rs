//! What the suites share.

#[allow(dead_code, reason = "each suite uses some of it")]
pub mod queue;

#[cfg(feature = "homeserver")]
#[allow(dead_code, reason = "for one suite, and for fuzzing")]
pub mod any_content;
#[cfg(feature = "homeserver")]
pub mod client;
#[cfg(feature = "homeserver")]
#[allow(dead_code, reason = "for the suites that listen to the log")]
pub mod log;
pub mod nats;
pub mod place;

/// A new and empty store.
#[allow(dead_code, reason = "not every suite needs one")]
pub async fn store() -> neurite::store::Store {
    place::Place::new().open().await
}

// In browsers the suites run where the homeserver does.
#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Declares tests that run natively and, with the same body, in browsers.
#[allow(unused_macros, reason = "not every suite has such tests")]
macro_rules! tests {
    ($($(#[$attribute:meta])* async fn $name:ident() $body:block)*) => {$(
        $(#[$attribute])*
        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() $body

        $(#[$attribute])*
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            neurite::platform::run(async move $body)
        }
    )*};
}
