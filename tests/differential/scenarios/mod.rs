//! What is played to both.

#![allow(
    dead_code,
    unused_imports,
    reason = "what is about consumers is played once they are there"
)]

mod consumers;
mod delivery;
mod streams;

pub use self::{consumers::*, delivery::*, streams::*};
