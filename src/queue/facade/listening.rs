//! The subscriptions of streams to their subjects.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::queue::{broker::Subscription, stream::Stream};

/// The subscriptions, by the stream's name and the subject.
#[derive(Default)]
pub(super) struct Listening {
    subscriptions: RefCell<BTreeMap<String, BTreeMap<String, Subscription>>>,
}

impl Listening {
    /// Subscribes a stream to the subjects that it has now, unless it is the program's own.
    pub(super) fn follow(&self, stream: &Rc<Stream>) {
        if stream.is_reserved() {
            return self.leave(&stream.name);
        }
        let config = stream.config();
        let mut before = self.subscriptions.borrow_mut().remove(&config.name).unwrap_or_default();
        let now = config.subjects.iter().map(|filter| {
            let subscription = before.remove(filter).unwrap_or_else(|| {
                let weak = Rc::downgrade(stream);
                stream.broker.subscribe(filter, None, move |message| {
                    if let Some(stream) = weak.upgrade() {
                        stream.receive(message);
                    }
                })
            });
            (filter.clone(), subscription)
        });
        let now = now.collect();
        self.subscriptions.borrow_mut().insert(config.name.clone(), now);
    }

    /// Ends the subscriptions of a stream.
    pub(super) fn leave(&self, stream: &str) {
        let ended = self.subscriptions.borrow_mut().remove(stream);
        drop(ended);
    }
}
