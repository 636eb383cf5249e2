//! The store: one suite, natively on the memory backend and in browsers on IndexedDB too.

mod support;

mod store {
    mod api;
    mod damage;
    mod faults;
    mod full;
    #[cfg(target_arch = "wasm32")]
    mod indexeddb;
    #[cfg(not(target_arch = "wasm32"))]
    mod model;
    pub mod place;
    mod recovery;
}
