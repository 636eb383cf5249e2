//! What becomes of a request on its way to a handler, and of the response on its way back.
//!
//! Each of ruma's request types is an endpoint, so what is generic over them is compiled more than
//! a hundred times: generic functions do what needs the type, and nothing else.

use std::{any::TypeId, rc::Rc};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use ruma::{api::IncomingRequest, serde::JsonObject};

use super::{
    Api, Authenticate, Body, Endpoint, Incoming, Sent, bodies,
    request::{caller, parse},
    response::respond,
};
use crate::{Error, Result};

/// What comes of a request.
pub(super) type Answer<'a> = LocalBoxFuture<'a, Result<http::Response<Body>>>;

/// Answers a request as it came; the last argument has the variables of its path.
pub(super) type Handler<S> = dyn for<'a> Fn(&'a S, http::Request<Body>, Vec<String>) -> Answer<'a>;

/// Parses a request that was let in and passes it on.
pub(super) type ParsedHandler<A> =
    dyn for<'a> Fn(&'a <A as Api>::Services, Received<A>) -> Result<Answer<'a>>;

/// What a request may leave out that ruma's types need.
#[derive(Clone, Copy)]
pub(super) enum LeftOut {
    Nothing,
    /// Members of the body: this adds them, or tells what is missing where the specification wants
    /// that to be told.
    Members(fn(&mut JsonObject) -> Result<()>),
    /// The last variable of the path, which is empty then.
    StateKey,
}

/// The endpoint that requests of this type are for.
pub fn endpoint<A, R>() -> &'static Endpoint
where
    A: Api,
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate<A>,
{
    const {
        &Endpoint {
            request: TypeId::of::<R>(),
            method: R::METHOD,
            scheme: R::Authentication::SCHEME,
        }
    }
}

/// The handler of an endpoint, of which only the parsing knows the type of the request.
pub(super) fn handler<A: Api>(
    endpoint: &'static Endpoint,
    left_out: LeftOut,
    parsed: Rc<ParsedHandler<A>>,
) -> Rc<Handler<A::Services>> {
    Rc::new(move |services, request, args| {
        let parsed = parsed.clone();
        Box::pin(async move {
            let received = receive::<A>(endpoint, services, request, args, left_out).await?;
            parsed(services, received)?.await
        })
    })
}

/// Lets a request in, and reads its body.
async fn receive<A: Api>(
    endpoint: &Endpoint,
    services: &A::Services,
    request: http::Request<Body>,
    mut args: Vec<String>,
    left_out: LeftOut,
) -> Result<Received<A>> {
    let sender = A::admit(services, endpoint, &request).await?;
    let mut body = bodies::read(request.body()).await?;
    let head = request.map(|_| ());
    bodies::check_form(&endpoint.method, &body)?;
    match left_out {
        LeftOut::Nothing => {}
        LeftOut::Members(add) => body = completed(&body, add)?,
        LeftOut::StateKey => args.push(String::new()),
    }
    Ok(Received { sent: Sent { head, body }, args, sender })
}

/// The body with what it leaves out.
fn completed(body: &[u8], add: fn(&mut JsonObject) -> Result<()>) -> Result<Bytes> {
    let mut object = bodies::parse(body)?;
    add(&mut object)?;
    Ok(serde_json::to_vec(&object).map_err(Error::internal)?.into())
}

/// A request that was let in: what is left to do is to parse it.
pub(super) struct Received<A: Api> {
    sent: Sent,
    args: Vec<String>,
    sender: A::Sender,
}

impl<A: Api> Received<A> {
    /// The request as its handler gets it.
    fn into_incoming<R>(self) -> Result<(Incoming<A, R>, Sent)>
    where
        R: IncomingRequest,
        R::Authentication: Authenticate<A>,
    {
        let request = parse(&self.sent.head, &self.sent.body, &self.args)?;
        let auth = R::Authentication::sender(self.sender)?;
        Ok((Incoming { request, auth, caller: caller(&self.sent.head) }, self.sent))
    }
}

/// What parses a request of this type, passes it to `handler` and writes the response.
pub(super) fn parsed<A, R, H>(handler: H) -> Rc<ParsedHandler<A>>
where
    A: Api,
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate<A>,
    H: AsyncFn(&A::Services, Incoming<A, R>) -> Result<R::OutgoingResponse> + Copy + 'static,
{
    Rc::new(move |services, received| {
        let (request, _) = received.into_incoming()?;
        Ok(Box::pin(async move { respond(handler(services, request).await?) }))
    })
}

/// The same of a handler that looks at the request as it was sent too, and writes the response.
pub(super) fn parsed_with_sent<A, R, H>(handler: H) -> Rc<ParsedHandler<A>>
where
    A: Api,
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate<A>,
    H: AsyncFn(&A::Services, Incoming<A, R>, Sent) -> Result<http::Response<Body>> + Copy + 'static,
{
    Rc::new(move |services, received| {
        let (request, sent) = received.into_incoming()?;
        Ok(Box::pin(async move { handler(services, request, sent).await }))
    })
}

/// A handler that does all itself.
pub(super) fn raw<S: 'static>(
    handler: impl AsyncFn(&S, http::Request<Body>, Vec<String>) -> Result<http::Response<Body>>
    + Copy
    + 'static,
) -> Rc<Handler<S>> {
    Rc::new(move |services, request, args| {
        Box::pin(async move { handler(services, request, args).await })
    })
}

/// Lets in a request that its handler reads itself, by the type that ruma has for it; the sender.
///
/// # Errors
/// As [`Api::admit`].
pub async fn admit<A, R>(
    services: &A::Services,
    request: &http::Request<Body>,
) -> Result<<R::Authentication as Authenticate<A>>::Sender>
where
    A: Api,
    R: IncomingRequest + 'static,
    R::Authentication: Authenticate<A>,
{
    R::Authentication::sender(A::admit(services, endpoint::<A, R>(), request).await?)
}
