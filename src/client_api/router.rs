//! Finds the handler of a request by its method and path.

use std::{collections::HashMap, rc::Rc};

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{LocalBoxFuture, ready},
};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use ruma::{
    api::{
        IncomingRequest, IncomingRequestExt, OutgoingResponseExt,
        error::{DeserializationError, ErrorKind, FromHttpRequestError},
        path_builder::PathBuilder,
    },
    serde::JsonObject,
};

use super::{
    Authenticate, Body, Incoming, bodies, guests, headers, incoming, limits::Limit, moderation,
};
use crate::{
    Error, Homeserver, Result,
    users::{Session, lengths},
};

/// Completes a body where the specification lets members be left out that ruma's types need, or
/// tells what is missing where it wants that to be told.
pub(super) type Complete = fn(&mut JsonObject) -> Result<()>;

type Handler = Rc<
    dyn for<'a> Fn(
        &'a Rc<Homeserver>,
        http::Request<Body>,
        Vec<String>,
    ) -> LocalBoxFuture<'a, Result<http::Response<Body>>>,
>;

/// The table of endpoints.
pub struct Router {
    paths: matchit::Router<HashMap<Method, Handler>>,
    /// The paths as they were registered, so that a second method of a path finds the first.
    building: HashMap<String, HashMap<Method, Handler>>,
}

impl Router {
    /// A router without endpoints.
    pub(super) fn new() -> Self {
        Self { paths: matchit::Router::new(), building: HashMap::new() }
    }

    /// Registers a handler under all paths that its request has ever had.
    pub(super) fn add<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + 'static,
    {
        let handler = Rc::new(handler);
        for path in R::PATH_BUILDER.all_paths() {
            self.add_parsed(path, handler.clone(), |_| {}, None);
        }
    }

    /// Registers a handler as [`Router::add`] does, of requests whose bodies are completed first.
    pub(super) fn add_completed<R, H>(&mut self, handler: H, body: Complete)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + 'static,
    {
        let handler = Rc::new(handler);
        for path in R::PATH_BUILDER.all_paths() {
            self.add_parsed(path, handler.clone(), |_| {}, Some(body));
        }
    }

    /// Registers a handler of a state event under its paths without the state key, which is empty
    /// then. spec: client-server §PUT /rooms/{roomId}/state/{eventType}/{stateKey}
    pub(super) fn add_with_empty_state_key<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + 'static,
    {
        let handler = Rc::new(handler);
        for path in R::PATH_BUILDER.all_paths() {
            if let Some(path) = path.strip_suffix("/{state_key}") {
                self.add_parsed(path, handler.clone(), |args| args.push(String::new()), None);
            }
        }
    }

    fn add_parsed<R, H>(
        &mut self,
        path: &str,
        handler: Rc<H>,
        complete: fn(&mut Vec<String>),
        complete_body: Option<Complete>,
    ) where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + 'static,
    {
        self.add_raw(R::METHOD, path, move |server, request, mut args| {
            let handler = handler.clone();
            async move {
                complete(&mut args);
                let (request, _) = read::<R>(server, request, &args, complete_body).await?;
                let response = handler(server, request).await?;
                let response =
                    response.try_into_http_response::<Vec<u8>>().map_err(Error::internal)?;
                Ok(response.map(Body::from))
            }
            .boxed_local()
        });
    }

    /// Registers a handler that reads the request itself: what ruma has no type for, and bodies
    /// that should not be read into memory. `path` has its variables in braces.
    pub(super) fn add_raw<H>(&mut self, method: Method, path: &str, handler: H)
    where
        H: for<'a> Fn(
                &'a Rc<Homeserver>,
                http::Request<Body>,
                Vec<String>,
            ) -> LocalBoxFuture<'a, Result<http::Response<Body>>>
            + 'static,
    {
        let names: Vec<_> = path.split('/').filter_map(variable).map(str::to_owned).collect();
        let checked: Handler =
            Rc::new(move |server, request, args| match check_lengths(&names, &args) {
                Ok(()) => handler(server, request, args),
                Err(cause) => ready(Err(cause)).boxed_local(),
            });
        // matchit wants one name for a variable at one place; positions are enough here.
        let mut place = 0;
        let path = path
            .split('/')
            .map(|segment| {
                if variable(segment).is_some() {
                    place += 1;
                    format!("{{{place}}}")
                } else {
                    segment.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("/");
        self.building.entry(path).or_default().insert(method, checked);
    }

    /// Makes the table of what was registered.
    pub(super) fn finish(mut self) -> Self {
        for (path, methods) in std::mem::take(&mut self.building) {
            // Registered paths are constants of ruma and of this crate; a clash shows in any test.
            self.paths.insert(path, methods).expect("paths of endpoints do not clash");
        }
        self
    }

    /// Answers a request. spec: client-server §API Standards
    pub(crate) async fn answer(
        &self,
        server: &Rc<Homeserver>,
        request: http::Request<Body>,
    ) -> http::Response<Body> {
        match self.dispatch(server, request).await {
            Ok(response) => headers::complete(response),
            Err(error) => headers::refusal(error),
        }
    }

    async fn dispatch(
        &self,
        server: &Rc<Homeserver>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        if request.method() == Method::OPTIONS {
            return Ok(http::Response::new(Body::empty()));
        }
        let path = request.uri().path();
        // A trailing slash adds nothing: an empty last variable has a path of its own.
        let found = self
            .paths
            .at(path)
            .or_else(|missing| {
                path.strip_suffix('/').map_or(Err(missing), |path| self.paths.at(path))
            })
            .map_err(|_| unrecognized(StatusCode::NOT_FOUND, "There is no such endpoint"))?;
        let method = match request.method() {
            &Method::HEAD => &Method::GET,
            method => method,
        };
        let handler = found.value.get(method).ok_or_else(|| {
            unrecognized(StatusCode::METHOD_NOT_ALLOWED, "The endpoint has no such method")
        })?;
        let args = found
            .params
            .iter()
            .map(|(_, value)| percent_decode_str(value).decode_utf8().map(Into::into))
            .collect::<Result<Vec<String>, _>>()
            .map_err(|_| Error::invalid_param("The path is not UTF-8"))?;
        handler(server, request, args).await
    }
}

/// The name of a variable in a path, if the segment is one.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Refuses what is too long for an id in a path.
fn check_lengths(names: &[String], args: &[String]) -> Result<()> {
    // These are told as what they are by whatever they become part of.
    let others = ["event_type", "state_key", "field", "key_name", "filename"];
    for (name, arg) in names.iter().zip(args) {
        if !others.contains(&&**name) {
            lengths::id(name, arg)?;
        }
    }
    Ok(())
}

/// Keeps out whom an endpoint is not for, and who asks for too much.
pub(super) fn admit<R: IncomingRequest + 'static>(
    server: &Homeserver,
    sender: Option<&Session>,
) -> Result<()> {
    if sender.is_some_and(|sender| sender.guest) && !guests::may_use::<R>() {
        return Err(guests::forbidden());
    }
    if sender.is_some_and(|sender| sender.standing.suspended)
        && !moderation::suspended_may_use::<R>()
    {
        return Err(moderation::suspended());
    }
    match sender {
        // What only reads is bounded by how fast the client reads.
        _ if R::METHOD == Method::GET => Ok(()),
        Some(sender) => server.limits.take(Limit::Changes, Some(&sender.user_id)),
        None => server.limits.take(Limit::Anonymous, None),
    }
}

/// Reads a request, with its body as it was sent: for handlers that keep what ruma does not know
/// of it.
pub(super) async fn read<R>(
    server: &Homeserver,
    request: http::Request<Body>,
    args: &[String],
    complete: Option<Complete>,
) -> Result<(Incoming<R>, Bytes)>
where
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate,
{
    let (parts, body) = request.into_parts();
    let head = http::Request::from_parts(parts, ());
    let auth = R::Authentication::authenticate(server, &head).await?;
    admit::<R>(server, R::Authentication::session(&auth))?;
    let body = bodies::read_for::<R>(body).await?;
    // What is put somewhere is never nothing: the specification requires the body of each PUT, where
    // many a POST can do without.
    if body.is_empty() && R::METHOD == Method::PUT {
        return Err(Error::not_json("The request has no body"));
    }
    let request = match complete {
        Some(complete) => parse::<R>(&head, &completed(body.clone(), complete)?, args)?,
        None => parse::<R>(&head, &body, args)?,
    };
    Ok((Incoming { request, auth, caller: incoming::caller(&head) }, body))
}

fn unrecognized(status: StatusCode, message: &str) -> Error {
    Error::new(status, ErrorKind::Unrecognized, message)
}

/// The body with what it leaves out; one that is no object stays, for the parser to refuse.
fn completed(body: Bytes, complete: Complete) -> Result<Bytes> {
    let Ok(mut object) = serde_json::from_slice::<JsonObject>(&body) else { return Ok(body) };
    complete(&mut object)?;
    Ok(serde_json::to_vec(&object).map_err(Error::internal)?.into())
}

/// Parses a request; what can't be parsed is told as `M_NOT_JSON`, `M_BAD_JSON` or
/// `M_INVALID_PARAM`.
pub(super) fn parse<R: IncomingRequest>(
    head: &http::Request<()>,
    body: &[u8],
    args: &[String],
) -> Result<R> {
    // Clients leave out empty bodies, where the specification says an empty object.
    let body = if body.is_empty() && R::METHOD != Method::GET { b"{}" } else { body };
    let mut request = http::Request::new(body);
    *request.method_mut() = R::METHOD;
    *request.uri_mut() = head.uri().clone();
    *request.headers_mut() = head.headers().clone();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    R::try_from_http_request(request, &args).map_err(|cause| match cause {
        FromHttpRequestError::Deserialization(DeserializationError::Json(cause)) => {
            if cause.is_data() {
                Error::bad_json(cause.to_string())
            } else {
                Error::not_json(cause.to_string())
            }
        }
        cause => Error::invalid_param(cause.to_string()),
    })
}
