//! The NATS client protocol, over anything that carries bytes both ways: the protocol of a
//! nats-server without accounts, clusters and TLS.
//!
//! What is sent to a client is gathered until the work at hand is done and then goes out at once. A
//! client that doesn't keep up is told so and left.

mod connection;
mod error;
mod info;
mod outbound;
pub mod parser;

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

pub use self::{connection::Connection, error::Error};
pub use super::server::{API_LEVEL, VERSION};
use super::{Broker, Clock, CoreMessage, Queue, Subscription};

/// How large headers and payload of a message may be together: nats-server's default.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// Where what a client is told goes.
pub trait Outlet {
    /// Some bytes of the protocol, to be taken before this returns.
    fn send(&self, frame: &[u8]);
    /// The last: nothing more is sent or received, for this reason.
    fn closed(&self, reason: &str);
}

/// Serves clients of one queue.
pub struct Server {
    shared: Rc<Shared>,
    connections: RefCell<Vec<Weak<connection::Inner>>>,
    _user_info: Subscription,
}

/// What all connections need.
struct Shared {
    broker: Broker,
    clock: Rc<dyn Clock>,
    id: String,
}

impl Server {
    /// A server for clients of `queue`.
    pub fn new(queue: &Queue) -> Self {
        let broker = queue.broker().clone();
        let clock = queue.inner.clock.clone();
        let shared = Rc::new(Shared { broker: broker.clone(), clock, id: info::server_id() });
        let answering = (broker.clone(), Rc::downgrade(&shared));
        let user_info = broker.subscribe(info::USER_INFO, None, move |request| {
            let (broker, shared) = &answering;
            if let (Some(reply), Some(shared)) = (&request.reply, shared.upgrade()) {
                let answer = info::user_info(&shared.id, shared.clock.now());
                broker.publish(&CoreMessage::new(reply, answer));
            }
        });
        Self { shared, connections: RefCell::default(), _user_info: user_info }
    }

    /// Serves one more client; it is sent INFO.
    pub fn connect(&self, outlet: impl Outlet + 'static) -> Connection {
        let connection = Connection::new(self.shared.clone(), Box::new(outlet));
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(connection.downgrade());
        connection
    }

    /// Leaves all clients.
    pub fn shut_down(&self) {
        for connection in self.connections.take() {
            if let Some(connection) = connection.upgrade() {
                connection.close("Server Shutdown");
            }
        }
    }
}
