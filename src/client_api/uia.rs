//! spec: client-server §User-Interactive Authentication API

use ruma::{
    UserId,
    api::{
        client::uiaa::{AuthData, AuthFlow, AuthType, UiaaInfo, UserIdentifier},
        error::{ErrorKind, StandardErrorBody},
    },
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};

use crate::{
    Error, Result, Services,
    config::Registration,
    http::Limit,
    users::{Purpose, Session},
};

/// What a session authenticates: it can't be used by another sender, for another endpoint, nor for
/// the same endpoint asked for something else.
///
/// # Errors
/// When `asked` can't be written as JSON.
fn purpose(sender: Option<&Session>, endpoint: &str, asked: &impl Serialize) -> Result<Purpose> {
    let asked = serde_json::to_string(asked).map_err(Error::internal)?;
    Ok(Purpose::new(sender, &format!("{endpoint} {asked}")))
}

/// Lets a request of somebody who is logged in pass once they have given their password again.
///
/// # Errors
/// 401 with what is missing; 403 `M_FORBIDDEN` when the session is somebody else's or for another
/// request, or somebody else's password is given.
pub(super) async fn confirm(
    services: &Services,
    sender: &Session,
    endpoint: &str,
    asked: &impl Serialize,
    auth: Option<&AuthData>,
) -> Result<()> {
    if !services.users.has_password(&sender.user_id).await? {
        return Err(Error::forbidden("The account has no password to confirm this with"));
    }
    let purpose = purpose(Some(sender), endpoint, asked)?;
    let flows = vec![AuthFlow::new(vec![AuthType::Password])];
    authenticate(services, purpose, flows, auth).await
}

/// Lets a registration pass. What is registered may change between the stages: nothing of it is
/// authenticated here, and clients ask for the flows before they ask for a name.
///
/// # Errors
/// 401 with what is missing; 403 `M_FORBIDDEN` when nobody may register.
pub(super) async fn registration(services: &Services, auth: Option<&AuthData>) -> Result<()> {
    let stage = match services.config.registration {
        Registration::Open => AuthType::Dummy,
        Registration::Token(_) => AuthType::RegistrationToken,
        Registration::Closed => return Err(Error::forbidden("Nobody can register here")),
    };
    let flows = vec![AuthFlow::new(vec![stage])];
    authenticate(services, purpose(None, "register", &())?, flows, auth).await
}

async fn authenticate(
    services: &Services,
    purpose: Purpose,
    flows: Vec<AuthFlow>,
    auth: Option<&AuthData>,
) -> Result<()> {
    let users = &services.users;
    let named = auth.and_then(AuthData::session);
    let known = match named {
        Some(id) => users.stages_for(id, &purpose)?.map(|_| id),
        None => None,
    };
    let mut failure = match (named, known) {
        (Some(_), None) => Some((ErrorKind::Unknown, "The session is not known")),
        _ => None,
    };
    // Nothing was completed in a session that is gone: what is given now can still be enough.
    let session =
        known.map_or_else(|| users.begin_stages(purpose.clone(), flows.clone()), ToOwned::to_owned);
    if let Some((auth, stage)) = auth.and_then(|auth| Some((auth, auth.auth_type()?))) {
        match attempt(services, purpose.user_id(), &flows, auth).await? {
            Ok(()) => {
                users.complete_stage(&session, stage);
                failure = None;
            }
            Err(cause) => failure = Some(cause),
        }
    }
    let completed = users.stages(&session).map(|stages| stages.completed).unwrap_or_default();
    if flows.iter().any(|flow| flow.stages.iter().all(|stage| completed.contains(stage))) {
        users.end_stages(&session);
        return Ok(());
    }
    let mut info = UiaaInfo::new(flows);
    info.completed = completed;
    info.params = Some(to_raw_value(&serde_json::Map::new()).map_err(Error::internal)?);
    info.session = Some(session);
    info.auth_error =
        failure.map(|(kind, message)| Box::new(StandardErrorBody::new(kind, message.to_owned())));
    Err(Error::Uiaa(Box::new(info)))
}

pub(super) type Attempt = Result<(), (ErrorKind, &'static str)>;

/// Tries one stage; the inner error is told to the client, which may try again.
///
/// # Errors
/// 403 `M_FORBIDDEN` when the password would be that of another than `user_id`.
pub(super) async fn attempt(
    services: &Services,
    user_id: Option<&UserId>,
    flows: &[AuthFlow],
    auth: &AuthData,
) -> Result<Attempt> {
    let wanted = |stage| flows.iter().any(|flow| flow.stages.contains(&stage));
    Ok(match auth {
        AuthData::Dummy(_) if wanted(AuthType::Dummy) => Ok(()),
        AuthData::RegistrationToken(given) if wanted(AuthType::RegistrationToken) => {
            if is_registration_token(services, &given.token) {
                Ok(())
            } else {
                Err((ErrorKind::Unauthorized, "The registration token is not valid"))
            }
        }
        AuthData::Password(given) if wanted(AuthType::Password) => {
            // What else a user can be identified by, is not known here.
            let named = match &given.identifier {
                UserIdentifier::Matrix(named) => services.users.user_id(&named.user),
                _ => None,
            };
            let right = match (user_id, named) {
                (Some(user_id), Some(named)) if named == user_id => {
                    services.limits.take(Limit::Passwords, Some(user_id.as_str()))?;
                    services.users.check_password(user_id, &given.password).await?
                }
                // Whether there is such a user and what their password is, is not looked at.
                (_, Some(_)) => return Err(Error::forbidden("That is somebody else's account")),
                (_, None) => false,
            };
            if right { Ok(()) } else { Err((ErrorKind::Forbidden, "Invalid username or password")) }
        }
        _ => Err((ErrorKind::Unrecognized, "The stage is not part of any flow")),
    })
}

/// Whether a token lets somebody register. The hashes are compared, so that the time tells nothing.
pub(super) fn is_registration_token(services: &Services, token: &str) -> bool {
    match &services.config.registration {
        Registration::Token(valid) => Sha256::digest(valid) == Sha256::digest(token),
        Registration::Open | Registration::Closed => false,
    }
}
