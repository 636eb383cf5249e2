//! Looking up what the checks of a publish need to know of subjects.

use std::rc::Rc;

use super::{base::Stream, counter::Total, directives::Directives, schedule::ended_schedule};
use crate::{
    queue::{error::Result, subject},
    store::Direction,
};

/// Whether the caller holds the stream's lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Admin {
    Free,
    Held,
}

impl Stream {
    /// Whether something has to be looked up for a publish.
    pub(super) fn is_cold(&self, published: &str, headers: &[u8]) -> bool {
        !self.unknown_subjects(published, headers).is_empty()
    }

    /// Looks up what a publish needs to know of subjects.
    pub(in crate::queue) async fn prepare(
        self: &Rc<Self>,
        published: &str,
        headers: &[u8],
    ) -> Result<()> {
        self.prepare_all(std::iter::once((published, headers)), Admin::Free).await
    }

    /// The same for a caller that holds the stream's lock.
    pub(super) async fn prepare_own(
        self: &Rc<Self>,
        published: &str,
        headers: &[u8],
    ) -> Result<()> {
        self.prepare_all(std::iter::once((published, headers)), Admin::Held).await
    }

    /// Looks up what several publishes need to know.
    pub(in crate::queue) async fn prepare_all<'m>(
        self: &Rc<Self>,
        messages: impl Iterator<Item = (&'m str, &'m [u8])> + Clone,
        admin: Admin,
    ) -> Result<()> {
        let unknown = || {
            let unknown =
                messages.clone().flat_map(|(to, headers)| self.unknown_subjects(to, headers));
            unknown.collect::<Vec<_>>()
        };
        let mut needed = unknown();
        if !needed.is_empty() {
            self.subjects.borrow_mut().make_room();
        }
        // Some may be forgotten while others are looked up.
        while !needed.is_empty() {
            for subject in needed {
                self.look_up(&subject, admin).await?;
            }
            needed = unknown();
        }
        Ok(())
    }

    fn unknown_subjects(&self, published: &str, headers: &[u8]) -> Vec<String> {
        let config = self.config.borrow();
        let own =
            config.limits_subjects() || config.allow_msg_counter || config.republish.is_some();
        if !own && headers.is_empty() {
            return Vec::new();
        }
        let literal = self.stored_subject(published);
        let subjects = self.subjects.borrow();
        let unknown = |subject: &str| match subjects.get(subject) {
            None => true,
            Some(known) => config.allow_msg_counter && known.last() > 0 && known.total().is_none(),
        };
        let mut needed = Vec::new();
        if own && unknown(&literal) {
            needed.push(literal.to_string());
        }
        if let Some(expected) = Directives::read(headers).expects_of(&literal)
            && subject::is_valid(expected)
            && subjects.get(expected).is_none()
        {
            needed.push(expected.to_owned());
        }
        if let Some(scheduler) = ended_schedule(headers).filter(|_| config.allow_msg_schedules)
            && subject::is_literal(scheduler)
            && subjects.get(scheduler).is_none()
        {
            needed.push(scheduler.to_owned());
        }
        needed
    }

    pub(super) async fn look_up(self: &Rc<Self>, filter: &str, admin: Admin) -> Result<()> {
        loop {
            self.subjects.borrow_mut().begin(filter);
            let base = self.counts.borrow().last;
            self.until_visible(base).await;
            if !self.purges.borrow().is_empty() {
                // Purged messages must not be found.
                let _admin = match admin {
                    Admin::Free => Some(self.admin.lock().await),
                    Admin::Held => None,
                };
                self.finish_purges().await?;
            }
            let most = usize::try_from(self.config().max_msgs_per_subject).unwrap_or(0).max(1);
            let (found, complete) = if subject::is_literal(filter) {
                let limit = most.saturating_add(1);
                let mut found =
                    self.of_subject(filter, 0, base, Direction::Backward, limit).await?;
                found.reverse();
                let complete = found.len() < limit;
                (found, complete)
            } else {
                let last = self.last_of(filter, base).await?;
                (Vec::from_iter((last > 0).then_some((last, 0))), last == 0)
            };
            let config = self.config();
            let (mut total, mut schedule) = (None, false);
            if let (true, Some((last, _))) =
                (config.allow_msg_counter || config.allow_msg_schedules, found.last())
            {
                let message = self.load(*last).await?;
                let message = message.as_ref();
                total = message.map(|m| Rc::new(Total::of(&m.headers, &m.payload)));
                schedule = message.is_some_and(|m| Directives::read(&m.headers).is_schedule);
            }
            if self.subjects.borrow_mut().end(filter, found, complete, total) {
                self.subjects.borrow_mut().set_schedule(filter, schedule);
                return Ok(());
            }
        }
    }
}
