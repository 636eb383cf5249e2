//! spec: client-server §Push Rules: API

use http::{Method, StatusCode};
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

use super::{Incoming, Routes, api::ClientApi};
use crate::{
    Error, Result, Services, enumerations,
    http::{Body, Sent, admit, bodies, json_response, parse, respond},
    push::{Push, id_in_ruleset},
    users::Session,
};

/// Where they are, in the versions of the API that have them.
const BASES: [&str; 2] = ["/_matrix/client/v3/pushrules", "/_matrix/client/r0/pushrules"];

pub(super) fn routes(routes: &mut Routes) {
    // First, so that what there is takes its place.
    for base in BASES {
        for path in [
            "",
            "/{scope}",
            "/{scope}/{kind}",
            "/{scope}/{kind}/{rule_id}",
            "/{scope}/{kind}/{rule_id}/{attribute}",
            "/global",
            "/global/{kind}",
            "/global/{kind}/{rule_id}/{attribute}",
        ] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                for end in ["", "/"] {
                    routes.add_raw(method.clone(), &format!("{base}{path}{end}"), malformed);
                }
            }
        }
        for end in ["", "/"] {
            routes.add_raw(Method::GET, &format!("{base}/global/{{kind}}{end}"), get_kind);
        }
    }
    routes.add_with_sent(get_all);
    routes.add_with_sent(get_global);
    routes.add_with_sent(get);
    routes.add_raw_for::<set_pushrule::v3::Request>(parse_set);
    routes.add(delete);
    routes.add(get_enabled);
    routes.add(set_enabled);
    routes.add(get_actions);
    routes.add(set_actions);
}

/// Anything else below `/pushrules`: clients expect to be told that they ask for it in a wrong way.
async fn malformed(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    admit::<ClientApi, get_pushrules_all::v3::Request>(services, &request).await?;
    let message = "A push rule has the scope `global`, a kind and an id";
    Err(Error::new(StatusCode::BAD_REQUEST, ErrorKind::Unrecognized, message))
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
    rules.get(kind.clone(), id_in_ruleset(kind, rule_id)).ok_or_else(missing)
}

/// A user's rules, as their account data has them.
async fn content(services: &Services, session: &Session) -> Result<Value> {
    let content = services.push.rules_content(&session.user_id).await?;
    serde_json::from_str(content.get()).map_err(Error::internal)
}

/// Those of a kind.
async fn of_kind(services: &Services, session: &Session, kind: &RuleKind) -> Result<Vec<Value>> {
    enumerations::check("kind", [kind])?;
    match content(services, session).await?["global"][kind.as_str()].take() {
        Value::Array(rules) => Ok(rules),
        // A kind without rules is left out.
        _ => Ok(Vec::new()),
    }
}

/// `GET /_matrix/client/v3/pushrules/`
async fn get_all(
    services: &Services,
    request: Incoming<get_pushrules_all::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    json_response(&content(services, &request.auth).await?)
}

/// `GET /_matrix/client/v3/pushrules/global/`
async fn get_global(
    services: &Services,
    request: Incoming<get_pushrules_global_scope::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    json_response(&content(services, &request.auth).await?["global"])
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/`, which the specification no longer has.
async fn get_kind(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let sender =
        admit::<ClientApi, get_pushrules_global_scope::v3::Request>(services, &request).await?;
    let kind = RuleKind::from(args.first().map_or("", String::as_str));
    json_response(&of_kind(services, &sender, &kind).await?)
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn get(
    services: &Services,
    request: Incoming<get_pushrule::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    let rules = of_kind(services, &request.auth, &request.kind).await?;
    let rule = rules.iter().find(|rule| rule["rule_id"] == *request.rule_id);
    json_response(rule.ok_or_else(missing)?)
}

/// Ruma's type needs conditions, and the id of a room for a rule of one.
async fn parse_set(
    services: &Services,
    request: http::Request<Body>,
    mut args: Vec<String>,
) -> Result<http::Response<Body>> {
    let sender = admit::<ClientApi, set_pushrule::v3::Request>(services, &request).await?;
    let mut body = bodies::object(&request).await?;
    bodies::check_texts(&body, &["pattern"])?;
    // A rule without conditions always matches.
    let conditions = body.entry("conditions").or_insert_with(|| json!([]));
    for condition in conditions.as_array().into_iter().flatten() {
        check_condition(condition)?;
    }
    if let [kind, rule_id] = &mut args[..] {
        *rule_id = id_in_ruleset(&RuleKind::from(kind.as_str()), rule_id);
    }
    let body = serde_json::to_vec(&body).map_err(Error::internal)?;
    respond(set(services, &sender, parse(&request.map(|_| ()), &body, &args)?).await?)
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn set(
    services: &Services,
    sender: &Session,
    request: set_pushrule::v3::Request,
) -> Result<set_pushrule::v3::Response> {
    let set_pushrule::v3::Request { rule, before, after, .. } = request;
    let beside = |rule_id: Option<String>| rule_id.map(|id| id_in_ruleset(&rule.kind(), &id));
    let (before, after) = (beside(before), beside(after));
    services
        .push
        .change_rules(&sender.user_id, |rules| {
            insert(rules, rule, after.as_deref(), before.as_deref())
        })
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
    let rule_id = id_in_ruleset(&request.kind, &request.rule_id);
    services
        .push
        .change_rules(&request.auth.user_id, |rules| {
            rules.remove(request.kind.clone(), &rule_id).map_err(|cause| match cause {
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
    let rule_id = id_in_ruleset(&request.kind, &request.rule_id);
    services
        .push
        .change_rules(&request.auth.user_id, |rules| {
            rules
                .set_enabled(request.kind.clone(), &rule_id, request.enabled)
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
    enumerations::check("kind", [&request.kind])?;
    let rule_id = id_in_ruleset(&request.kind, &request.rule_id);
    let actions = request.actions.clone();
    services
        .push
        .change_rules(&request.auth.user_id, |rules| {
            rules.set_actions(request.kind.clone(), &rule_id, actions).map_err(|_| missing())
        })
        .await?;
    Ok(set_pushrule_actions::v3::Response::new())
}
