//! The face of the homeserver towards JavaScript.
