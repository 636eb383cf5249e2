//! What is played to both.

mod consumers;
mod delivery;
mod more;
mod streams;

pub use self::{consumers::*, delivery::*, more::*, streams::*};
