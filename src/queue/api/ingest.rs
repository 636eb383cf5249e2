//! What is published to a stream's subjects goes into the stream.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::queue::{Queue, Subscription, stream::Stream};

/// Which subjects are listened to for each stream.
#[derive(Default)]
pub(in crate::queue) struct Ingest {
    listening: RefCell<BTreeMap<String, BTreeMap<String, Subscription>>>,
}

impl Ingest {
    /// Listens to the subjects that the stream has now; the others are left.
    pub(in crate::queue) fn listen(&self, queue: &Queue, stream: &Rc<Stream>) {
        let config = stream.config();
        let mut before = self.listening.borrow_mut().remove(&config.name).unwrap_or_default();
        let now = config.subjects.iter().map(|filter| {
            let subscription = before.remove(filter).unwrap_or_else(|| {
                let stream = Rc::downgrade(stream);
                queue.broker().subscribe(filter, None, move |message| {
                    if let Some(stream) = stream.upgrade() {
                        stream.receive(message);
                    }
                })
            });
            (filter.clone(), subscription)
        });
        let now = now.collect();
        self.listening.borrow_mut().insert(config.name.clone(), now);
    }

    /// Leaves the subjects of a stream that is gone.
    pub(in crate::queue) fn leave(&self, stream: &str) {
        let gone = self.listening.borrow_mut().remove(stream);
        drop(gone);
    }
}
