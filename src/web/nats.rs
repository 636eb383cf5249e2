//! A NATS client at the other end of a port. The worker's script carries the bytes.

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::queue::protocol::{Connection, Outlet, Server};

/// A NATS client that is served. To be freed once it is closed.
#[wasm_bindgen]
pub struct NatsConnection {
    connection: Connection,
}

#[wasm_bindgen]
impl NatsConnection {
    /// Bytes have come from the client.
    pub fn receive(&self, bytes: Vec<u8>) {
        self.connection.receive(bytes);
    }

    /// The client took all up to this many bytes of what it was sent.
    pub fn took(&self, bytes: f64) {
        // What is no number of bytes becomes one that says less.
        self.connection.took(bytes as u64);
    }

    /// Leaves the client.
    pub fn close(&self, reason: &str) {
        self.connection.close(reason);
    }
}

/// Serves one more client: `send` is called with a Uint8Array that becomes its own, and `closed`
/// with the reason why nothing more is sent.
pub(super) fn connect(server: &Server, send: Function, closed: Function) -> NatsConnection {
    NatsConnection { connection: server.connect(Callbacks { send, closed }) }
}

struct Callbacks {
    send: Function,
    closed: Function,
}

impl Outlet for Callbacks {
    fn send(&self, frame: &[u8]) {
        // The script posts it to a port, which does not throw.
        let _ = self.send.call1(&JsValue::UNDEFINED, &Uint8Array::from(frame));
    }

    fn closed(&self, reason: &str) {
        let _ = self.closed.call1(&JsValue::UNDEFINED, &reason.into());
    }
}
