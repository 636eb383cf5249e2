//! The protocol's parser: it never panics, and however the bytes are cut, they say the same.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use neurite::queue::protocol::{
    Error,
    parser::{Command, Parser},
};

/// Reads what comes in pieces of at most `size` bytes.
fn read(bytes: &[u8], size: usize) -> (Vec<Command>, Option<Error>) {
    let mut parser = Parser::new(1000);
    let mut commands = Vec::new();
    for piece in bytes.chunks(size) {
        parser.feed(Bytes::copy_from_slice(piece));
        loop {
            match parser.next_command() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break,
                Err(error) => return (commands, Some(error)),
            }
        }
    }
    (commands, None)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    assert_eq!(read(bytes, usize::from(*size).max(1)), read(bytes, usize::MAX));
});
