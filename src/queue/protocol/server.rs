//! The server of one queue's clients.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use super::{
    connection::{self, Connection, Shared},
    info,
    outbound::Outlet,
};
use crate::queue::{
    broker::{CoreMessage, Subscription},
    facade::Queue,
};

/// Serves clients of one queue.
pub struct Server {
    shared: Rc<Shared>,
    connections: RefCell<Vec<Weak<connection::Inner>>>,
    _user_info: Subscription,
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

    /// Closes all connections.
    pub fn shut_down(&self) {
        for connection in self.connections.take() {
            if let Some(connection) = connection.upgrade() {
                connection.close("Server Shutdown");
            }
        }
    }
}
