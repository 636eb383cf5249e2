//! What is played to both.

mod consumers;
mod delivery;
mod streams;

pub use self::{consumers::*, delivery::*, streams::*};
