//! spec: client-server §User-Interactive Authentication API

use ruma::{
    UserId,
    api::{
        IncomingRequest,
        client::uiaa::{AuthData, AuthFlow, AuthType, UiaaInfo, UserIdentifier},
        error::{ErrorKind, StandardErrorBody},
    },
    serde::JsonObject,
};
use serde::Serialize;
use serde_json::{Value, json, value::to_raw_value};
use sha2::{Digest, Sha256};

use super::{Incoming, Routes, api::ClientApi};
use crate::{
    Error, Result, Services,
    config::Registration,
    http::{Api, Authenticate, Body, Endpoint, Limit, bodies, caller, endpoint, parse, respond},
    users::{Fingerprint, Purpose, Session},
};

/// Registers a handler of requests that may have to pass by this: who goes on with a session need
/// not say again what they asked in it.
pub(super) fn add<R, H>(routes: &mut Routes, handler: H)
where
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate<ClientApi>,
    H: AsyncFn(&Services, Incoming<R>) -> Result<R::OutgoingResponse> + Copy + 'static,
{
    let answer =
        async move |services: &Services, request: http::Request<Body>, args: Vec<String>| {
            let asked = Asked::receive(services, endpoint::<ClientApi, R>(), request).await?;
            match handler(services, asked.parse(&args)?).await {
                Ok(response) => respond(response),
                Err(cause) => Err(asked.keep(services, cause)),
            }
        };
    routes.add_raw_for::<R>(answer);
}

/// A request with all that was asked in its session.
pub(super) struct Asked {
    head: http::Request<()>,
    sender: Option<Session>,
    body: JsonObject,
    sent: Fingerprint,
}

impl Asked {
    /// Lets a request in and reads its body.
    ///
    /// # Errors
    /// As [`Api::admit`]; 400 `M_BAD_JSON` or `M_NOT_JSON` when the body is no object.
    pub(super) async fn receive(
        services: &Services,
        endpoint: &Endpoint,
        request: http::Request<Body>,
    ) -> Result<Self> {
        let sender = ClientApi::admit(services, endpoint, &request).await?;
        let sent = bodies::read(request.body()).await?;
        let head = request.map(|_| ());
        let mut body = bodies::parse(&sent)?;
        if let Some(auth) = body.get_mut("auth").and_then(Value::as_object_mut) {
            identify(auth);
            // Some ask for the flows with an object that says nothing.
            if auth.is_empty() {
                body.remove("auth");
            }
        }
        let sent = Sha256::new()
            .chain_update(head.uri().to_string())
            .chain_update([0])
            .chain_update(&sent)
            .finalize()
            .into();
        let mut asked = Self { head, sender, body, sent };
        let said = asked
            .session()
            .and_then(|session| services.users.parameters(session, asked.sender.as_ref()));
        for (name, value) in said.into_iter().flatten() {
            asked.body.entry(name).or_insert(value);
        }
        Ok(asked)
    }

    /// The session that it goes on with.
    pub(super) fn session(&self) -> Option<&str> {
        self.body.get("auth")?.get("session")?.as_str()
    }

    /// What no other request has, but for the same sent again.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.sent
    }

    /// The request as its handler gets it.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` or `M_INVALID_PARAM`.
    pub(super) fn parse<R>(&self, args: &[String]) -> Result<Incoming<R>>
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate<ClientApi>,
    {
        let body = serde_json::to_vec(&self.body).map_err(Error::internal)?;
        let request = parse(&self.head, &body, args)?;
        let auth = R::Authentication::sender(self.sender.clone())?;
        Ok(Incoming { request, auth, caller: caller(&self.head) })
    }

    /// Keeps what is asked with the session in which the client is told to go on.
    pub(super) fn keep(mut self, services: &Services, cause: Error) -> Error {
        let Error::Uiaa(info) = &cause else { return cause };
        let Some(session) = &info.session else { return cause };
        self.body.remove("auth");
        services.users.keep_parameters(session, &self.body).err().unwrap_or(cause)
    }
}

/// Has a password say whose it is in the way of today: older clients name the user beside it.
fn identify(auth: &mut serde_json::Map<String, Value>) {
    if auth.get("type").is_none_or(|stage| stage != "m.login.password") {
        return;
    }
    if let Some(user) = auth.get("user").filter(|user| user.is_string()).cloned()
        && !auth.contains_key("identifier")
    {
        auth.insert("identifier".to_owned(), json!({ "type": "m.id.user", "user": user }));
    }
}

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
    if let Some(session) = authenticate(services, purpose, flows, auth).await? {
        services.users.end_stages(session);
    }
    Ok(())
}

/// Lets a registration pass; the session, which goes on until the account is there. What is
/// registered may change between the stages: nothing of it is authenticated here, and clients ask
/// for the flows before they ask for a name.
///
/// # Errors
/// 401 with what is missing; 403 `M_FORBIDDEN` when nobody may register.
pub(super) async fn registration<'a>(
    services: &Services,
    auth: Option<&'a AuthData>,
) -> Result<Option<&'a str>> {
    let stage = match services.config.registration {
        Registration::Open => AuthType::Dummy,
        Registration::Token(_) => AuthType::RegistrationToken,
        Registration::Closed => return Err(Error::forbidden("Nobody can register here")),
    };
    let flows = vec![AuthFlow::new(vec![stage])];
    authenticate(services, purpose(None, "register", &())?, flows, auth).await
}

/// Succeeds with the session once all stages of a flow are completed, unless the client did not
/// need any.
async fn authenticate<'a>(
    services: &Services,
    purpose: Purpose,
    flows: Vec<AuthFlow>,
    auth: Option<&'a AuthData>,
) -> Result<Option<&'a str>> {
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
        if known.is_none() {
            users.end_stages(&session);
        }
        return Ok(known);
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
