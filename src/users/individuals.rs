//! Those whose account data decides what they are notified of. All others have the push rules that
//! everybody has by default and ignore nobody, so that what an event means for them is worked out
//! once for all. Who once was among them stays, which does no harm.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use ruma::{OwnedUserId, RoomId, UserId};

use super::{Users, accounts::ACCOUNTS, ignored::IGNORED_USERS};
use crate::{
    Result,
    store::{Batch, Erasure, Nothing, Rows, Table},
};

/// User → nothing.
pub(super) const INDIVIDUALS: Rows<(OwnedUserId,), Nothing> =
    Rows::new(Table::Individuals, Erasure::Removed);

/// The type of the account data that holds a user's push rules. They are there for everyone, though
/// stored only once they were changed.
pub const PUSH_RULES: &str = "m.push_rules";

/// In memory, once somebody asked.
#[derive(Default)]
pub(super) struct Individuals {
    known: RefCell<Option<Rc<BTreeSet<OwnedUserId>>>>,
    /// Grows with every change, so that a read notices that it was overtaken.
    changes: Cell<u64>,
}

fn decides(room_id: Option<&RoomId>, event_type: &str) -> bool {
    room_id.is_none() && [PUSH_RULES, IGNORED_USERS].contains(&event_type)
}

impl Users {
    /// All of them.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn individuals(&self) -> Result<Rc<BTreeSet<OwnedUserId>>> {
        let individuals = &self.inner.individuals;
        loop {
            if let Some(known) = &*individuals.known.borrow() {
                return Ok(known.clone());
            }
            let changes = individuals.changes.get();
            let known = INDIVIDUALS.scan(()).keys(&self.inner.store).await?;
            let known = Rc::new(known.into_iter().map(|(user_id,)| user_id).collect());
            if changes == individuals.changes.get() {
                individuals.known.replace(Some(known));
            }
        }
    }

    /// Notes with the batch that sets a user's account data if they are one of them.
    pub(super) fn note_individual(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
    ) {
        if decides(room_id, event_type) {
            self.put_individual(batch, user_id.to_owned());
        }
    }

    /// Notes those of a database of a version that did not.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn find_individuals(&self, batch: &mut Batch) -> Result<()> {
        for (user_id,) in ACCOUNTS.scan(()).keys(&self.inner.store).await? {
            for event_type in [PUSH_RULES, IGNORED_USERS] {
                if self.account_data(&user_id, None, event_type).await?.is_some() {
                    self.put_individual(batch, user_id.clone());
                }
            }
        }
        Ok(())
    }

    fn put_individual(&self, batch: &mut Batch, user_id: OwnedUserId) {
        INDIVIDUALS.put(batch, (&user_id,));
        let users = self.clone();
        batch.on_durable(move || {
            let individuals = &users.inner.individuals;
            individuals.changes.set(individuals.changes.get() + 1);
            if let Some(known) = individuals.known.borrow_mut().as_mut() {
                Rc::make_mut(known).insert(user_id);
            }
        });
    }
}
