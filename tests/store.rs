//! The store: one suite, natively on the memory backend and in browsers on IndexedDB too.

#[macro_use]
mod support;

mod store {
    #[macro_use]
    pub mod place;

    mod api;
    mod damage;
    mod faults;
    mod full;
    #[cfg(target_arch = "wasm32")]
    mod indexeddb;
    #[cfg(not(target_arch = "wasm32"))]
    mod model;
    mod recovery;
    mod rows;
}
