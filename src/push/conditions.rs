//! Which push rules an event matches. spec: client-server §Push Rules
//!
//! Ruma tells this too, with a regular expression for each pattern, which is large and slow.

use std::ops::RangeBounds;

use ruma::{
    RoomId, UInt, UserId,
    push::{
        AnyPushRuleRef, ConditionalPushRule, FlattenedJson, FlattenedJsonValue,
        PredefinedContentRuleId, PredefinedOverrideRuleId, PushCondition,
        PushConditionPowerLevelsCtx,
    },
    serde::Raw,
};
use serde_json::{Value, value::RawValue};

use super::{
    Push,
    glob::{Glob, Text},
};
use crate::{
    Error, Result, json,
    rooms::{Format, Pdu},
};

/// How many bytes a pattern has at most: each is looked for in every event.
const MAX_PATTERN: usize = 1024;

/// An event as rules look at it.
pub(super) struct Matchable {
    json: FlattenedJson,
    body: Option<Text>,
}

/// Whom rules are asked for, and where.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// `None` for everybody.
    pub(super) display_name: Option<&'a str>,
    pub(super) room_id: &'a RoomId,
    pub(super) member_count: UInt,
    /// Without them nobody has the right to notify a room.
    pub(super) power_levels: Option<&'a PushConditionPowerLevelsCtx>,
}

impl Matchable {
    /// `None` for an event that can't be parsed, as older versions took: it notifies nobody.
    pub(super) fn new(pdu: &Pdu) -> Result<Option<Self>> {
        let json = pdu.client_json(Format::Timeline)?;
        // Ruma panics on what it can't parse.
        if let Err(cause) = json::check(json.get().as_bytes(), json::MAX_DEPTH) {
            tracing::warn!("{} notifies nobody: {cause}", pdu.event_id);
            return Ok(None);
        }
        Ok(Some(Self::of(json)))
    }

    fn of(json: Box<RawValue>) -> Self {
        let json = FlattenedJson::from_raw(&Raw::<Value>::from_json(json));
        let body = json.get_str("content.body").map(Text::new);
        Self { json, body }
    }

    /// Whether the event says that it mentions everybody. spec: client-server §User and room mentions
    pub(super) fn mentions_room(&self) -> bool {
        let room = self.json.get(r"content.m\.mentions.room");
        room.and_then(FlattenedJsonValue::as_bool).unwrap_or(false)
    }

    /// Whether a rule applies to the event, which another user has sent.
    pub(super) fn meets(&self, rule: AnyPushRuleRef<'_>, context: &Context<'_>) -> bool {
        rule.enabled()
            && match rule {
                AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => {
                    self.meets_conditions(rule, context)
                }
                AnyPushRuleRef::Content(rule) => {
                    !self.is_superseded(&rule.rule_id)
                        && self.matches("content.body", &rule.pattern, context)
                }
                AnyPushRuleRef::Room(rule) => rule.rule_id == *context.room_id,
                AnyPushRuleRef::Sender(rule) => {
                    self.json.get_str("sender") == Some(rule.rule_id.as_str())
                }
                _ => false,
            }
    }

    fn meets_conditions(&self, rule: &ConditionalPushRule, context: &Context<'_>) -> bool {
        !self.is_superseded(&rule.rule_id)
            && rule.conditions.iter().all(|condition| self.meets_condition(condition, context))
    }

    /// Whether a rule is one of the old ones for mentions, which say nothing of events that tell
    /// whom they mention. spec: client-server §User and room mentions
    #[allow(deprecated, reason = "clients have them")]
    fn is_superseded(&self, rule_id: &str) -> bool {
        let old = [
            PredefinedOverrideRuleId::RoomNotif.as_str(),
            PredefinedOverrideRuleId::ContainsDisplayName.as_str(),
            PredefinedContentRuleId::ContainsUserName.as_str(),
        ];
        old.contains(&rule_id) && self.json.contains_mentions()
    }

    #[allow(deprecated, reason = "clients have them")]
    fn meets_condition(&self, condition: &PushCondition, context: &Context<'_>) -> bool {
        match condition {
            PushCondition::EventMatch(data) => self.matches(&data.key, &data.pattern, context),
            PushCondition::ContainsDisplayName => {
                let named = context.display_name.map(Glob::literal).zip(self.body.as_ref());
                named.is_some_and(|(name, body)| name.matches_words(body))
            }
            PushCondition::RoomMemberCount(data) => data.is.contains(&context.member_count),
            PushCondition::SenderNotificationPermission(data) => {
                let sender = self.json.get_str("sender").map(<&UserId>::try_from);
                let (Some(levels), Some(Ok(sender))) = (context.power_levels, sender) else {
                    return false;
                };
                levels.has_sender_notification_permission(sender, &data.key)
            }
            PushCondition::EventPropertyIs(data) => {
                self.json.get(&data.key).is_some_and(|value| data.value == *value)
            }
            PushCondition::EventPropertyContains(data) => {
                let values = self.json.get(&data.key).and_then(FlattenedJsonValue::as_array);
                values.is_some_and(|values| values.contains(&data.value))
            }
            _ => false,
        }
    }

    /// Whether the event has this at `key`: as words of its body, or as all that is there.
    fn matches(&self, key: &str, pattern: &str, context: &Context<'_>) -> bool {
        if !is_pattern(pattern) {
            return false;
        }
        let pattern = Glob::new(pattern);
        match key {
            "content.body" => self.body.as_ref().is_some_and(|body| pattern.matches_words(body)),
            "room_id" => pattern.matches(&Text::new(context.room_id.as_str())),
            key => self.json.get_str(key).is_some_and(|value| pattern.matches(&Text::new(value))),
        }
    }
}

/// Whether this can be looked for.
fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= MAX_PATTERN
}

impl Push {
    /// 400 `M_INVALID_PARAM` for a rule that looks for what can't be looked for.
    ///
    /// # Errors
    /// When it does.
    pub fn check_rule(rule: AnyPushRuleRef<'_>) -> Result<()> {
        let can_be_met = match rule {
            AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => {
                rule.conditions.iter().all(|condition| match condition {
                    PushCondition::EventMatch(data) => is_pattern(&data.pattern),
                    _ => true,
                })
            }
            AnyPushRuleRef::Content(rule) => is_pattern(&rule.pattern),
            _ => true,
        };
        match can_be_met {
            true => Ok(()),
            false => Err(Error::invalid_param("A pattern has more than 1024 bytes")),
        }
    }
}
