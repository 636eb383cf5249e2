//! A request on its way to its handler, and the response on its way back.
//!
//! Each of ruma's request types is an endpoint, so what is generic here is compiled more than a
//! hundred times: generic functions do what needs the type, and nothing else.

use std::{any::TypeId, rc::Rc};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::{HeaderValue, Method, header};
use ruma::{
    api::{
        IncomingRequest, OutgoingBody, OutgoingResponse,
        error::{DeserializationError, IntoHttpError},
    },
    serde::JsonObject,
};

use super::{
    Authenticate, Body, Incoming, bodies,
    incoming::{self, Scheme},
    limits::Limit,
};
use crate::{
    Error, Homeserver, Result,
    client_api::{guests, moderation},
    users::Session,
};

/// What a request may leave out that ruma's types need.
#[derive(Clone, Copy)]
pub(crate) enum LeftOut {
    Nothing,
    /// Members of the body: this adds them, or tells what is missing where the specification wants
    /// that to be told.
    Members(fn(&mut JsonObject) -> Result<()>),
    /// The last variable of the path, which is empty then.
    StateKey,
}

/// What comes of a request.
pub(crate) type Answer<'a> = LocalBoxFuture<'a, Result<http::Response<Body>>>;

/// Parses a request and passes it to its handler.
pub(crate) type ParsedHandler = dyn for<'a> Fn(&'a Homeserver, Received) -> Result<Answer<'a>>;

/// What is known of an endpoint without the types of its requests and responses.
pub(crate) struct Endpoint {
    request: TypeId,
    method: Method,
    scheme: Scheme,
}

impl Endpoint {
    /// The endpoint that requests of this type are for.
    pub(crate) fn of<R>() -> &'static Self
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
    {
        const {
            &Self {
                request: TypeId::of::<R>(),
                method: R::METHOD,
                scheme: R::Authentication::SCHEME,
            }
        }
    }

    /// Its method.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Lets a request in, and reads its body.
    pub(crate) async fn receive(
        &self,
        server: &Homeserver,
        request: http::Request<Body>,
        mut args: Vec<String>,
        left_out: LeftOut,
    ) -> Result<Received> {
        let (parts, body) = request.into_parts();
        let head = http::Request::from_parts(parts, ());
        let session = incoming::session(server, &head, self.scheme).await?;
        self.admit(server, session.as_ref())?;
        let mut body = bodies::read_for(self.request, body).await?;
        // What is put somewhere is never nothing: the specification requires the body of each PUT,
        // where many a POST can do without.
        if body.is_empty() && self.method == Method::PUT {
            return Err(Error::not_json("The request has no body"));
        }
        match left_out {
            LeftOut::Nothing => {}
            LeftOut::Members(add) => body = completed(body, add)?,
            LeftOut::StateKey => args.push(String::new()),
        }
        Ok(Received { head, body, args, session })
    }

    /// Keeps out whom an endpoint is not for, and who asks for too much.
    fn admit(&self, server: &Homeserver, sender: Option<&Session>) -> Result<()> {
        if sender.is_some_and(|sender| sender.guest) && !guests::may_use(self.request) {
            return Err(guests::forbidden());
        }
        if sender.is_some_and(|sender| sender.standing.suspended)
            && !moderation::suspended_may_use(self.request)
        {
            return Err(moderation::suspended());
        }
        match sender {
            // What only reads is bounded by how fast the client reads.
            _ if self.method == Method::GET => Ok(()),
            Some(sender) => server.limits.take(Limit::Changes, Some(&sender.user_id)),
            None => server.limits.take(Limit::Anonymous, None),
        }
    }
}

/// The body with what it leaves out; one that is no object stays, for the parser to refuse.
fn completed(body: Bytes, add: fn(&mut JsonObject) -> Result<()>) -> Result<Bytes> {
    let Ok(mut object) = serde_json::from_slice::<JsonObject>(&body) else { return Ok(body) };
    add(&mut object)?;
    Ok(serde_json::to_vec(&object).map_err(Error::internal)?.into())
}

/// A request that was let in: what is left to do is to parse it.
pub(crate) struct Received {
    head: http::Request<()>,
    body: Bytes,
    args: Vec<String>,
    session: Option<Session>,
}

impl Received {
    /// The request as its handler gets it.
    fn into_incoming<R>(self) -> Result<Incoming<R>>
    where
        R: IncomingRequest,
        R::Authentication: Authenticate,
    {
        let request = parse(&self.head, &self.body, &self.args)?;
        let caller = incoming::caller(&self.head);
        Ok(Incoming { request, auth: R::Authentication::sender(self.session)?, caller })
    }
}

/// What parses a request of this type, passes it to `handler` and writes the response.
pub(crate) fn parsed<R, H>(handler: H) -> Rc<ParsedHandler>
where
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate,
    H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + Copy + 'static,
{
    Rc::new(move |server, received| {
        let request = received.into_incoming()?;
        Ok(Box::pin(async move { respond(handler(server, request).await?) }))
    })
}

/// Reads a request, with its body as it was sent: for handlers that keep what ruma does not know
/// of it.
pub(crate) async fn read<R>(
    server: &Homeserver,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<(Incoming<R>, Bytes)>
where
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate,
{
    let received = Endpoint::of::<R>().receive(server, request, args, LeftOut::Nothing).await?;
    let body = received.body.clone();
    Ok((received.into_incoming()?, body))
}

/// Keeps out whom the endpoint of this type of request is not for, and who asks for too much.
pub(crate) fn admit<R>(server: &Homeserver, sender: Option<&Session>) -> Result<()>
where
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate,
{
    Endpoint::of::<R>().admit(server, sender)
}

/// Parses a request; what can't be parsed is told as `M_NOT_JSON`, `M_BAD_JSON` or
/// `M_INVALID_PARAM`.
pub(crate) fn parse<R: IncomingRequest>(
    head: &http::Request<()>,
    body: &[u8],
    args: &[String],
) -> Result<R> {
    let (request, args) = to_parse(&R::METHOD, head, body, args);
    R::try_from_http_request_inner(request, &args).map_err(unparsable)
}

/// A request in the form that ruma parses.
fn to_parse<'a>(
    method: &Method,
    head: &http::Request<()>,
    body: &'a [u8],
    args: &'a [String],
) -> (http::Request<&'a [u8]>, Vec<&'a str>) {
    // Clients leave out empty bodies, where the specification says an empty object.
    let body = if body.is_empty() && *method != Method::GET { b"{}" } else { body };
    let mut request = http::Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = head.uri().clone();
    *request.headers_mut() = head.headers().clone();
    (request, args.iter().map(String::as_str).collect())
}

fn unparsable(cause: DeserializationError) -> Error {
    match cause {
        DeserializationError::Json(cause) if cause.is_data() => Error::bad_json(cause),
        DeserializationError::Json(cause) => Error::not_json(cause.to_string()),
        cause => Error::invalid_param(cause.to_string()),
    }
}

/// Writes a response.
pub(crate) fn respond<T: OutgoingResponse>(response: T) -> Result<http::Response<Body>> {
    let (parts, body) = response.try_into_http_response_inner().map_err(unwritable)?.into_parts();
    let content_type = body.content_type();
    let body: Vec<u8> = body.try_into_buf().map_err(|cause| unwritable(cause.into()))?;
    Ok(written(parts, content_type, body))
}

fn written(
    parts: http::response::Parts,
    content_type: Option<HeaderValue>,
    body: Vec<u8>,
) -> http::Response<Body> {
    let mut response = http::Response::from_parts(parts, Body::from(body));
    if let Some(content_type) = content_type {
        response.headers_mut().entry(header::CONTENT_TYPE).or_insert(content_type);
    }
    response
}

fn unwritable(cause: IntoHttpError) -> Error {
    Error::internal(cause)
}
