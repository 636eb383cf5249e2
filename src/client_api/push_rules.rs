//! spec: client-server §Push Rules: API

use http::StatusCode;
use ruma::{
    api::{
        client::push::{
            RuleKind, delete_pushrule, get_pushrule, get_pushrule_actions, get_pushrule_enabled,
            get_pushrules_all, get_pushrules_global_scope, set_pushrule, set_pushrule_actions,
            set_pushrule_enabled,
        },
        error::ErrorKind,
    },
    push::{AnyPushRuleRef, InsertPushRuleError, NewPushRule, RemovePushRuleError, Ruleset},
};
use serde_json::{Value, json};

use super::{Incoming, Routes};
use crate::{Error, Result, Services, enumerations, http::bodies, push::Push};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_all);
    routes.add(get_global);
    routes.add(get);
    routes.add_completed(set, |body| {
        // A rule without conditions always matches.
        let conditions = body.entry("conditions").or_insert_with(|| json!([]));
        for condition in conditions.as_array().into_iter().flatten() {
            check_condition(condition)?;
        }
        bodies::check_texts(body, &["pattern"])
    });
    routes.add(delete);
    routes.add(get_enabled);
    routes.add(set_enabled);
    routes.add(get_actions);
    routes.add(set_actions);
}

/// What a condition may say, whatever its kind makes of it. spec: client-server §Push Rules: API
fn check_condition(condition: &Value) -> Result<()> {
    let Value::Object(condition) = condition else { return Ok(()) };
    bodies::check_texts(condition, &["is", "key", "pattern"])?;
    let is_simple = |value: &Value| match value {
        Value::Number(number) => number.is_i64(),
        value => value.is_string() || value.is_boolean() || value.is_null(),
    };
    match condition.get("value").is_none_or(is_simple) {
        true => Ok(()),
        false => Err(Error::bad_json("A value is a string, an integer, a boolean or null")),
    }
}

fn missing() -> Error {
    Error::not_found("There is no such push rule")
}

fn find<'a>(rules: &'a Ruleset, kind: &RuleKind, rule_id: &str) -> Result<AnyPushRuleRef<'a>> {
    enumerations::check("kind", [kind])?;
    rules.get(kind.clone(), rule_id).ok_or_else(missing)
}

/// `GET /_matrix/client/v3/pushrules/`
async fn get_all(
    services: &Services,
    request: Incoming<get_pushrules_all::v3::Request>,
) -> Result<get_pushrules_all::v3::Response> {
    let rules = services.push.rules(&request.auth.user_id).await?;
    Ok(get_pushrules_all::v3::Response::new((*rules).clone()))
}

/// `GET /_matrix/client/v3/pushrules/global/`
async fn get_global(
    services: &Services,
    request: Incoming<get_pushrules_global_scope::v3::Request>,
) -> Result<get_pushrules_global_scope::v3::Response> {
    let rules = services.push.rules(&request.auth.user_id).await?;
    Ok(get_pushrules_global_scope::v3::Response::new((*rules).clone()))
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn get(
    services: &Services,
    request: Incoming<get_pushrule::v3::Request>,
) -> Result<get_pushrule::v3::Response> {
    let rules = services.push.rules(&request.auth.user_id).await?;
    let rule = find(&rules, &request.kind, &request.rule_id)?;
    Ok(get_pushrule::v3::Response::new(rule.into()))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn set(
    services: &Services,
    request: Incoming<set_pushrule::v3::Request>,
) -> Result<set_pushrule::v3::Response> {
    let user_id = &request.auth.user_id;
    let set_pushrule::v3::Request { rule, before, after, .. } = request.request;
    services
        .push
        .change_rules(user_id, |rules| insert(rules, rule, after.as_deref(), before.as_deref()))
        .await?;
    Ok(set_pushrule::v3::Response::new())
}

/// Adds a rule, or puts it in the place of the one with its id; with `after` or `before` where these
/// say.
fn insert(
    rules: &mut Ruleset,
    rule: NewPushRule,
    after: Option<&str>,
    before: Option<&str>,
) -> Result<()> {
    let (kind, id) = (rule.kind(), rule.rule_id().to_owned());
    if [after, before].contains(&Some(&id)) {
        return Err(Error::invalid_param("A rule has no place relative to itself"));
    }
    let moved = rules
        .get(kind.clone(), &id)
        .filter(|present| (after.is_some() || before.is_some()) && !present.is_server_default());
    let enabled = moved.map(|present| present.enabled());
    if enabled.is_some() {
        // Places are counted without the rule that moves.
        rules.remove(kind.clone(), &id).map_err(Error::internal)?;
    }
    rules.insert(rule, after, before).map_err(|cause| match cause {
        InsertPushRuleError::UnknownRuleId | InsertPushRuleError::BeforeHigherThanAfter => {
            Error::new(StatusCode::BAD_REQUEST, ErrorKind::Unknown, cause.to_string())
        }
        cause => Error::invalid_param(cause.to_string()),
    })?;
    Push::check_rule(find(rules, &kind, &id)?)?;
    match enabled {
        Some(enabled) => rules.set_enabled(kind, &id, enabled).map_err(Error::internal),
        None => Ok(()),
    }
}

/// `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn delete(
    services: &Services,
    request: Incoming<delete_pushrule::v3::Request>,
) -> Result<delete_pushrule::v3::Response> {
    enumerations::check("kind", [&request.kind])?;
    services
        .push
        .change_rules(&request.auth.user_id, |rules| {
            rules.remove(request.kind.clone(), &request.rule_id).map_err(|cause| match cause {
                RemovePushRuleError::NotFound => missing(),
                cause => Error::invalid_param(cause.to_string()),
            })
        })
        .await?;
    Ok(delete_pushrule::v3::Response::new())
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
async fn get_enabled(
    services: &Services,
    request: Incoming<get_pushrule_enabled::v3::Request>,
) -> Result<get_pushrule_enabled::v3::Response> {
    let rules = services.push.rules(&request.auth.user_id).await?;
    let rule = find(&rules, &request.kind, &request.rule_id)?;
    Ok(get_pushrule_enabled::v3::Response::new(rule.enabled()))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
async fn set_enabled(
    services: &Services,
    request: Incoming<set_pushrule_enabled::v3::Request>,
) -> Result<set_pushrule_enabled::v3::Response> {
    enumerations::check("kind", [&request.kind])?;
    services
        .push
        .change_rules(&request.auth.user_id, |rules| {
            rules
                .set_enabled(request.kind.clone(), &request.rule_id, request.enabled)
                .map_err(|_| missing())
        })
        .await?;
    Ok(set_pushrule_enabled::v3::Response::new())
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
async fn get_actions(
    services: &Services,
    request: Incoming<get_pushrule_actions::v3::Request>,
) -> Result<get_pushrule_actions::v3::Response> {
    let rules = services.push.rules(&request.auth.user_id).await?;
    let rule = find(&rules, &request.kind, &request.rule_id)?;
    Ok(get_pushrule_actions::v3::Response::new(rule.actions().to_vec()))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
async fn set_actions(
    services: &Services,
    request: Incoming<set_pushrule_actions::v3::Request>,
) -> Result<set_pushrule_actions::v3::Response> {
    let actions = request.actions.clone();
    enumerations::check("kind", [&request.kind])?;
    services
        .push
        .change_rules(&request.auth.user_id, |rules| {
            rules
                .set_actions(request.kind.clone(), &request.rule_id, actions)
                .map_err(|_| missing())
        })
        .await?;
    Ok(set_pushrule_actions::v3::Response::new())
}
