//! Finds the handler of a request by its method and path.

use std::{collections::HashMap, rc::Rc};

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use ruma::{
    api::{IncomingRequest, Metadata, error::ErrorKind, path_builder::PathBuilder},
    serde::JsonObject,
};
use tracing::Instrument;

use super::{
    Authenticate, Body, Incoming,
    endpoint::{Answer, Endpoint, LeftOut, ParsedHandler, parsed},
    headers,
};
use crate::{Error, Homeserver, Result, lengths};

/// The table of endpoints.
pub struct Router {
    paths: matchit::Router<HashMap<Method, Route>>,
    /// The paths as they were registered, so that a second method of a path finds the first.
    building: HashMap<String, HashMap<Method, Route>>,
}

/// What answers requests of one method at one path.
struct Route {
    /// With its variables in braces: what may be told of the requests that it answers.
    path: String,
    handler: Handler,
}

/// Gets requests as they come.
type RawHandler =
    dyn for<'a> Fn(&'a Rc<Homeserver>, http::Request<Body>, Vec<String>) -> Answer<'a>;

#[derive(Clone)]
enum Handler {
    Raw(Rc<RawHandler>),
    Parsed(&'static Endpoint, LeftOut, Rc<ParsedHandler>),
}

impl Router {
    /// A router without endpoints.
    pub(crate) fn new() -> Self {
        Self { paths: matchit::Router::new(), building: HashMap::new() }
    }

    /// Registers a handler under all paths that its request has ever had.
    pub(crate) fn add<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + Copy + 'static,
    {
        let paths = paths(&R::PATH_BUILDER);
        self.add_parsed(&paths, Endpoint::of::<R>(), LeftOut::Nothing, parsed(handler));
    }

    /// Registers a handler as [`Router::add`] does, of requests whose bodies are completed first.
    pub(crate) fn add_completed<R, H>(
        &mut self,
        handler: H,
        complete: fn(&mut JsonObject) -> Result<()>,
    ) where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + Copy + 'static,
    {
        let (paths, left_out) = (paths(&R::PATH_BUILDER), LeftOut::Members(complete));
        self.add_parsed(&paths, Endpoint::of::<R>(), left_out, parsed(handler));
    }

    /// Registers a handler of a state event under its paths without the state key, which is empty
    /// then. spec: client-server §PUT /rooms/{roomId}/state/{eventType}/{stateKey}
    pub(crate) fn add_with_empty_state_key<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate,
        H: AsyncFn(&Homeserver, Incoming<R>) -> Result<R::OutgoingResponse> + Copy + 'static,
    {
        let paths = without_state_key(paths(&R::PATH_BUILDER));
        self.add_parsed(&paths, Endpoint::of::<R>(), LeftOut::StateKey, parsed(handler));
    }

    fn add_parsed(
        &mut self,
        paths: &[&str],
        endpoint: &'static Endpoint,
        left_out: LeftOut,
        handler: Rc<ParsedHandler>,
    ) {
        self.add_all(endpoint.method(), paths, &Handler::Parsed(endpoint, left_out, handler));
    }

    /// Registers a handler that reads the request itself, under all paths of this type of request.
    pub(crate) fn add_raw_for<R: Metadata>(
        &mut self,
        handler: impl for<'a> Fn(&'a Rc<Homeserver>, http::Request<Body>, Vec<String>) -> Answer<'a>
        + 'static,
    ) {
        self.add_all(&R::METHOD, &paths(&R::PATH_BUILDER), &Handler::Raw(Rc::new(handler)));
    }

    /// Registers a handler that reads the request itself: what ruma has no type for, and bodies
    /// that should not be read into memory. `path` has its variables in braces.
    pub(crate) fn add_raw(
        &mut self,
        method: Method,
        path: &str,
        handler: impl for<'a> Fn(&'a Rc<Homeserver>, http::Request<Body>, Vec<String>) -> Answer<'a>
        + 'static,
    ) {
        self.insert(&method, path, &Handler::Raw(Rc::new(handler)));
    }

    fn add_all(&mut self, method: &Method, paths: &[&str], handler: &Handler) {
        for path in paths {
            self.insert(method, path, handler);
        }
    }

    fn insert(&mut self, method: &Method, path: &str, handler: &Handler) {
        // matchit wants one name for a variable at one place; positions are enough here.
        let mut variables = 0;
        let place = path
            .split('/')
            .map(|segment| match variable(segment) {
                Some(_) => {
                    variables += 1;
                    format!("{{{variables}}}")
                }
                None => segment.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("/");
        let route = Route { path: path.to_owned(), handler: handler.clone() };
        self.building.entry(place).or_default().insert(method.clone(), route);
    }

    /// Makes the table of what was registered.
    pub(crate) fn finish(mut self) -> Self {
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
            &Method::HEAD => Method::GET,
            method => method.clone(),
        };
        let route = found.value.get(&method).ok_or_else(|| {
            unrecognized(StatusCode::METHOD_NOT_ALLOWED, "The endpoint has no such method")
        })?;
        let args = found
            .params
            .iter()
            .map(|(_, value)| percent_decode_str(value).decode_utf8().map(Into::into))
            .collect::<Result<Vec<String>, _>>()
            .map_err(|_| Error::invalid_param("The path is not UTF-8"))?;
        let path = &*route.path;
        let span = tracing::info_span!("request", %method, path);
        let answer = route.answer(server, request, args).instrument(span).await;
        let status = answer.as_ref().map_or_else(Error::status, http::Response::status);
        tracing::debug!(status = status.as_u16(), "{method} {path}");
        answer
    }
}

impl Route {
    async fn answer(
        &self,
        server: &Rc<Homeserver>,
        request: http::Request<Body>,
        args: Vec<String>,
    ) -> Result<http::Response<Body>> {
        check_lengths(&self.path, &args)?;
        match &self.handler {
            Handler::Raw(handler) => handler(server, request, args).await,
            Handler::Parsed(endpoint, left_out, handler) => {
                let received = endpoint.receive(server, request, args, *left_out).await?;
                handler(server, received)?.await
            }
        }
    }
}

/// All paths of an endpoint.
fn paths(builder: &impl PathBuilder) -> Vec<&'static str> {
    builder.all_paths().collect()
}

fn without_state_key(paths: Vec<&'static str>) -> Vec<&'static str> {
    paths.into_iter().filter_map(|path| path.strip_suffix("/{state_key}")).collect()
}

/// The name of a variable in a path, if the segment is one.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Refuses what is too long for an id in a path.
fn check_lengths(path: &str, args: &[String]) -> Result<()> {
    // These are told as what they are by whatever they become part of.
    let others = ["event_type", "state_key", "field", "key_name", "filename"];
    for (name, arg) in path.split('/').filter_map(variable).zip(args) {
        if !others.contains(&name) {
            lengths::id(name, arg)?;
        }
    }
    Ok(())
}

fn unrecognized(status: StatusCode, message: &str) -> Error {
    Error::new(status, ErrorKind::Unrecognized, message)
}
