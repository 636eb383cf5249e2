//! Who wants to be told of what. spec: client-server §Push Rules

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use ruma::{
    OwnedUserId, UserId, api::client::push::RuleKind, events::push_rules::PushRulesEventContent,
    push::Ruleset,
};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

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

/// What the id of a room rule begins with in a [`Ruleset`] where the client calls it by an alias:
/// ruma takes ids of rooms alone. No room has such an id, and the rule applies to none, as in other
/// homeservers.
const BY_ALIAS: &str = "!#";

/// The id in a [`Ruleset`] of a rule that clients call `rule_id`.
pub(crate) fn id_in_ruleset(kind: &RuleKind, rule_id: &str) -> String {
    match kind {
        RuleKind::Room if rule_id.starts_with('#') => format!("!{rule_id}"),
        _ => rule_id.to_owned(),
    }
}

/// Renames the room rules of a content.
fn rename_room_rules(content: &mut Value, rename: impl Fn(&str) -> Option<String>) {
    let rules = content.pointer_mut("/global/room").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        if let Some(id) = rule.get_mut("rule_id")
            && let Some(renamed) = id.as_str().and_then(&rename)
        {
            *id = renamed.into();
        }
    }
}

fn parse(content: &RawValue) -> Option<PushRulesEventContent> {
    serde_json::from_str(content.get()).ok().or_else(|| {
        let mut content: Value = serde_json::from_str(content.get()).ok()?;
        rename_room_rules(&mut content, |id| id.starts_with('#').then(|| format!("!{id}")));
        serde_json::from_value(content).ok()
    })
}

/// The content that has these rules.
fn write(rules: Ruleset) -> Result<Box<RawValue>> {
    let by_alias = rules.room.iter().any(|rule| rule.rule_id.as_str().starts_with(BY_ALIAS));
    let content = PushRulesEventContent::new(rules);
    if !by_alias {
        return to_raw_value(&content).map_err(Error::internal);
    }
    let mut content = serde_json::to_value(content).map_err(Error::internal)?;
    let alias = |id: &str| id.strip_prefix('!').filter(|id| id.starts_with('#')).map(str::to_owned);
    rename_room_rules(&mut content, alias);
    to_raw_value(&content).map_err(Error::internal)
}

/// The rules in a content, with the default rules of this version among them.
fn read(user_id: &UserId, content: Option<&RawValue>) -> Ruleset {
    let default = Ruleset::server_default(user_id);
    match content.and_then(parse) {
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
        write((*self.rules(user_id).await?).clone())
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
            write(rules)
        };
        let changed = self.inner.users.update_account_data(user_id, None, PUSH_RULES, update).await;
        let cache = &self.inner.rules;
        cache.changes.set(cache.changes.get() + 1);
        cache.rules.borrow_mut().remove(user_id);
        changed
    }
}
