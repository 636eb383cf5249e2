//! Counting the messages that match filters.

use super::base::Stream;
use crate::{
    queue::{error::Result, subject},
    store::Direction,
};

/// How many messages are counted at once.
const CHUNK: usize = 1024;

impl Stream {
    /// How many messages there are from `from` to `to`, both in, whose subject matches.
    pub(in crate::queue) async fn count_between(
        &self,
        filter: &str,
        from: u64,
        to: u64,
    ) -> Result<u64> {
        let (first, all) = {
            let counts = self.counts.borrow();
            let all = counts.in_flight.is_empty() && to >= counts.last;
            (counts.first, all.then_some(counts.messages))
        };
        if let (">", Some(all), true) = (filter, all, from <= first) {
            return Ok(all);
        }
        let (mut from, mut count) = (from.max(first), 0);
        if subject::is_literal(filter) {
            loop {
                let found = self.of_subject(filter, from, to, Direction::Forward, CHUNK).await?;
                count += found.len() as u64;
                match found.last() {
                    Some((last, _)) => from = last + 1,
                    None => return Ok(count),
                }
            }
        }
        while let Some(message) = self.next_of(filter, from, to).await? {
            count += 1;
            from = message.sequence + 1;
        }
        Ok(count)
    }

    /// How many messages from `from` to `to` match one of the filters; none is everything.
    pub(in crate::queue) async fn count_of_any(
        &self,
        filters: &[String],
        mut from: u64,
        to: u64,
    ) -> Result<u64> {
        let overlaps = |place: usize, one: &String| {
            filters[..place].iter().any(|other| subject::overlap(one, other))
        };
        let mut count = 0;
        if filters.iter().enumerate().any(|(place, one)| overlaps(place, one)) {
            // What two filters match counts once.
            while let Some(message) = self.next_of_any(filters, from, to).await? {
                count += 1;
                from = message.sequence + 1;
            }
            return Ok(count);
        }
        if filters.is_empty() {
            return self.count_between(">", from, to).await;
        }
        for filter in filters {
            count += self.count_between(filter, from, to).await?;
        }
        Ok(count)
    }
}
