//! Who wants to be told of what. spec: client-server §Push Rules

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use ruma::{OwnedUserId, UserId, events::push_rules::PushRulesEventContent, push::Ruleset};
use serde_json::value::{RawValue, to_raw_value};

use super::{PUSH_RULES, Push};
use crate::{Error, Result};

/// How many users' rules are kept in memory.
const CACHED: usize = 1000;

#[derive(Default)]
pub(super) struct RuleCache {
    rules: RefCell<HashMap<OwnedUserId, Rc<Ruleset>>>,
    /// Grows with every change, so that a read notices that it was overtaken.
    changes: Cell<u64>,
}

/// The rules in a content, with the default rules of this version among them.
fn read(user_id: &UserId, content: Option<&RawValue>) -> Ruleset {
    let default = Ruleset::server_default(user_id);
    let stored = content
        .and_then(|content| serde_json::from_str::<PushRulesEventContent>(content.get()).ok());
    match stored {
        Some(PushRulesEventContent { global: mut rules, .. }) => {
            rules.update_with_server_default(default);
            rules
        }
        None => default,
    }
}

impl Push {
    /// A user's push rules.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn rules(&self, user_id: &UserId) -> Result<Rc<Ruleset>> {
        let cache = &self.inner.rules;
        if let Some(rules) = cache.rules.borrow().get(user_id) {
            return Ok(rules.clone());
        }
        let changes = cache.changes.get();
        let content = self.inner.users.account_data(user_id, None, PUSH_RULES).await?;
        let rules = Rc::new(read(user_id, content.as_deref()));
        if changes == cache.changes.get() {
            let mut cached = cache.rules.borrow_mut();
            if cached.len() >= CACHED {
                cached.clear();
            }
            cached.insert(user_id.to_owned(), rules.clone());
        }
        Ok(rules)
    }

    /// A user's push rules as account data.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn rules_content(&self, user_id: &UserId) -> Result<Box<RawValue>> {
        let rules = self.rules(user_id).await?;
        to_raw_value(&PushRulesEventContent::new((*rules).clone())).map_err(Error::internal)
    }

    /// Changes a user's push rules; their clients learn of it by account data.
    ///
    /// # Errors
    /// Those of `change`; when the store fails.
    pub async fn change_rules(
        &self,
        user_id: &UserId,
        change: impl FnOnce(&mut Ruleset) -> Result<()>,
    ) -> Result<()> {
        let update = |content: Option<&RawValue>| {
            let mut rules = read(user_id, content);
            change(&mut rules)?;
            to_raw_value(&PushRulesEventContent::new(rules)).map_err(Error::internal)
        };
        let changed = self.inner.users.update_account_data(user_id, None, PUSH_RULES, update).await;
        let cache = &self.inner.rules;
        cache.changes.set(cache.changes.get() + 1);
        cache.rules.borrow_mut().remove(user_id);
        changed
    }
}
