//! What is played to both.

mod consumers;
mod delivery;
mod line;
mod more;
mod newer;
mod odd;
mod streams;

pub use self::{consumers::*, delivery::*, line::*, more::*, newer::*, odd::*, streams::*};
