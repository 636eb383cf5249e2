//! Where a new consumer starts.

use std::{collections::BTreeSet, rc::Rc};

use super::{handle::Consumer, selected::Selected};
use crate::queue::{
    config::{ConsumerConfig, DeliverPolicy, LAST_SEQUENCE},
    error::Result,
    stream::Stream,
};

/// The sequence number that a new consumer starts at, and what it starts with.
pub(super) async fn start_of(
    stream: &Rc<Stream>,
    config: &ConsumerConfig,
) -> Result<(u64, Selected)> {
    let (first, last) = {
        let counts = stream.counts.borrow();
        // The stream is empty, and nothing is in flight.
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
            Some(time) => stream.first_at(time.millis_up()).await?,
            None => first,
        },
        DeliverPolicy::Last => {
            stream.until_visible(last).await;
            let mut newest = 0;
            for filter in filters {
                newest = newest.max(stream.last_of(filter, last).await?);
            }
            if newest == 0 { last + 1 } else { newest }
        }
        DeliverPolicy::LastPerSubject => {
            stream.until_visible(last).await;
            let mut messages = BTreeSet::new();
            for filter in filters {
                let each = stream.last_of_each(filter, 0, last, usize::MAX).await?;
                messages.extend(each.into_iter().flatten().map(|entry| entry.sequence));
            }
            let start = messages.first().map_or(last + 1, |first| *first);
            return Ok((start, Selected::new(last, messages)));
        }
    };
    Ok((start, Selected::default()))
}

impl Consumer {
    /// Counts the messages that are still to be delivered; later ones are counted as they are
    /// published.
    pub(super) async fn recount(&self) -> Result<()> {
        let Self { stream, inner, .. } = self;
        let base = stream.counts.borrow().last;
        let (cursor, delivered) = {
            let state = inner.state.borrow();
            (state.cursor, state.delivered)
        };
        inner.base.set(base);
        inner.state.borrow_mut().matched = delivered;
        // What is in flight now becomes durable or fails before it is counted. The numbers of what
        // fails are given out again, and counted as they are.
        stream.until_visible(base).await;
        let base = base.min(stream.counts.borrow().last);
        inner.base.set(base);
        let selected = inner.selected.borrow().clone();
        let mut count = selected.count_from(cursor);
        let from = cursor.max(selected.end() + 1);
        if from <= base {
            let config = inner.config();
            count += stream.count_of_any(config.filters(), from, base).await?;
        }
        inner.state.borrow_mut().matched += count;
        Ok(())
    }
}
