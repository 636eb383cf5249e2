//! Where a new consumer starts.

use std::{collections::BTreeSet, rc::Rc};

use serde::{Deserialize, Serialize};

use super::Inner;
use crate::queue::{
    config::{ConsumerConfig, DeliverPolicy, LAST_SEQUENCE},
    error::Result,
    stream::Stream,
};

/// Of the messages up to `to`, only these; all of those after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::queue) struct Selected {
    to: u64,
    messages: BTreeSet<u64>,
}

impl Selected {
    pub(super) fn has(&self, sequence: u64) -> bool {
        sequence > self.to || self.messages.contains(&sequence)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.to == 0
    }

    /// The next at `from` or later among those that are selected, if the stretch goes so far.
    pub(super) fn next(&self, from: u64) -> Option<u64> {
        (from <= self.to)
            .then(|| self.messages.range(from..).next().copied().unwrap_or(self.to + 1))
    }

    fn count_from(&self, from: u64) -> u64 {
        self.messages.range(from..).count() as u64
    }

    /// The last that is not selected or not alone.
    fn end(&self) -> u64 {
        self.to
    }
}

impl Stream {
    /// The sequence number that a new consumer starts at, and what it starts with.
    pub(super) async fn start_of(
        self: &Rc<Self>,
        config: &ConsumerConfig,
    ) -> Result<(u64, Selected)> {
        let (first, last) = {
            let counts = self.counts.borrow();
            // What was never stored is not waited for.
            let none = counts.messages == 0 && counts.in_flight.is_empty();
            (if none { counts.last + 1 } else { counts.first }, counts.last)
        };
        let everything = [">".to_owned()];
        let filters = match config.filters() {
            [] => &everything[..],
            filters => filters,
        };
        let start = match config.deliver_policy {
            DeliverPolicy::All => first,
            DeliverPolicy::New => last + 1,
            DeliverPolicy::ByStartSequence => {
                config.opt_start_seq.unwrap_or(first).min(LAST_SEQUENCE).max(first)
            }
            DeliverPolicy::ByStartTime => match config.opt_start_time {
                Some(time) => self.first_at(time.millis_up()).await?,
                None => first,
            },
            DeliverPolicy::Last => {
                self.until_visible(last).await;
                let mut newest = 0;
                for filter in filters {
                    newest = newest.max(self.last_of(filter, last).await?);
                }
                if newest == 0 { last + 1 } else { newest }
            }
            DeliverPolicy::LastPerSubject => {
                self.until_visible(last).await;
                let mut messages = BTreeSet::new();
                for filter in filters {
                    let each = self.last_of_each(filter, 0, last, usize::MAX).await?;
                    messages.extend(each.into_iter().flatten().map(|entry| entry.sequence));
                }
                let start = messages.first().map_or(last + 1, |first| *first);
                return Ok((start, Selected { to: last, messages }));
            }
        };
        Ok((start, Selected::default()))
    }

    /// Counts the messages from the consumer's cursor on; later ones are counted as they come.
    pub(in crate::queue) async fn count_for(&self, consumer: &Inner) -> Result<()> {
        let base = self.counts.borrow().last;
        let (cursor, taken) = {
            let deliveries = consumer.deliveries.borrow();
            (deliveries.cursor, deliveries.taken)
        };
        consumer.base.set(base);
        consumer.deliveries.borrow_mut().matched = taken;
        // What is under way now becomes durable or fails before it is counted. The numbers of what
        // fails are given out again, and counted as they are.
        self.until_visible(base).await;
        let base = base.min(self.counts.borrow().last);
        consumer.base.set(base);
        let selected = consumer.selected.borrow().clone();
        let mut count = selected.count_from(cursor);
        let from = cursor.max(selected.end() + 1);
        if from <= base {
            let config = consumer.config();
            count += self.count_of_any(config.filters(), from, base).await?;
        }
        consumer.deliveries.borrow_mut().matched += count;
        Ok(())
    }
}
