//! What is played to both.

mod consumers;
mod delivery;
mod more;
mod newer;
mod streams;

pub use self::{consumers::*, delivery::*, more::*, newer::*, streams::*};
