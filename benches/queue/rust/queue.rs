//! The queue by its Rust API, with no port and no protocol in between. `npm run bench` builds it into
//! a wasm module of its own, which a worker loads; the measures that a NATS client can take too are
//! named as in `../client/page.js` and do the same.

#![forbid(unsafe_code)]

#[cfg(target_arch = "wasm32")]
mod measures;

/// Measured is IndexedDB: natively there is nothing to do. In a browser the worker calls what it
/// wants.
fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    println!("This runs in a browser: npm run bench -- --row queue");
}
