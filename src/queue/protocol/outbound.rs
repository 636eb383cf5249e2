//! What is sent to a client: gathered, sent at once, and counted until the client has taken it.

use std::{
    cell::{Cell, RefCell},
    io::Write,
};

use crate::queue::broker::CoreMessage;

/// The way to the client.
pub trait Outlet {
    /// Sends some bytes of the protocol; they are valid until this returns.
    fn send(&self, frame: &[u8]);
    /// The connection is closed, for this reason.
    fn closed(&self, reason: &str);
}

/// How much may be pending for a client before its connection is closed: nats-server's
/// `max_pending`.
const MAX_PENDING: u64 = 64 * 1024 * 1024;
/// With how much pending a client is behind, and with how little it has caught up.
const BEHIND: u64 = 16 * 1024 * 1024;
const CAUGHT_UP: u64 = BEHIND / 2;
/// How much of the buffer is kept for what is sent next.
const KEPT: usize = 1024 * 1024;

/// What is sent to one client.
pub(super) struct Outbound {
    outlet: Box<dyn Outlet>,
    gathered: RefCell<Vec<u8>>,
    /// How many bytes were sent, and how many of these the client took.
    sent: Cell<u64>,
    taken: Cell<u64>,
}

impl Outbound {
    pub(super) fn new(outlet: Box<dyn Outlet>) -> Self {
        Self { outlet, gathered: RefCell::default(), sent: Cell::new(0), taken: Cell::new(0) }
    }

    /// A line, without its end.
    pub(super) fn line(&self, parts: &[&[u8]]) {
        let mut gathered = self.gathered.borrow_mut();
        for part in parts {
            gathered.extend_from_slice(part);
        }
        gathered.extend_from_slice(b"\r\n");
    }

    /// A message to a subscription, with headers if the client supports them.
    pub(super) fn message(&self, message: &CoreMessage, sid: &[u8], headers: bool) {
        let CoreMessage { subject, reply, headers: block, payload } = message;
        let block = if headers { &block[..] } else { &[] };
        let mut gathered = self.gathered.borrow_mut();
        let verb: &[u8] = if block.is_empty() { b"MSG " } else { b"HMSG " };
        for part in [verb, subject.as_bytes(), b" ", sid, b" "] {
            gathered.extend_from_slice(part);
        }
        if let Some(reply) = reply {
            gathered.extend_from_slice(reply.as_bytes());
            gathered.push(b' ');
        }
        let size = block.len() + payload.len();
        // Writing to memory does not fail.
        let _ = if block.is_empty() {
            write!(gathered, "{size}\r\n")
        } else {
            write!(gathered, "{} {size}\r\n", block.len())
        };
        gathered.extend_from_slice(block);
        gathered.extend_from_slice(payload);
        gathered.extend_from_slice(b"\r\n");
    }

    /// The client took all up to this many bytes.
    pub(super) fn took(&self, bytes: u64) {
        self.taken.set(bytes.clamp(self.taken.get(), self.sent.get()));
    }

    /// Whether too much is pending for the client.
    pub(super) fn is_full(&self) -> bool {
        self.pending() > MAX_PENDING
    }

    /// Whether the client is behind; `was` says whether it was before.
    pub(super) fn is_behind(&self, was: bool) -> bool {
        self.pending() > if was { CAUGHT_UP } else { BEHIND }
    }

    fn pending(&self) -> u64 {
        self.sent.get() - self.taken.get() + self.gathered.borrow().len() as u64
    }

    /// Sends what was gathered.
    pub(super) fn flush(&self) {
        // Taken out, so that nothing is borrowed while it is sent.
        let mut gathered = self.gathered.take();
        if gathered.is_empty() {
            return;
        }
        self.sent.set(self.sent.get() + gathered.len() as u64);
        self.outlet.send(&gathered);
        gathered.clear();
        gathered.shrink_to(KEPT);
        let mut next = self.gathered.borrow_mut();
        if next.is_empty() {
            *next = gathered;
        }
    }

    /// Sends nothing more.
    pub(super) fn close(&self, reason: &str) {
        self.flush();
        self.outlet.closed(reason);
    }

    /// Forgets what was not sent yet.
    pub(super) fn discard(&self) {
        self.gathered.take();
    }
}
