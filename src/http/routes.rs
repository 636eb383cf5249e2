//! The endpoints of an API, by the paths and methods of their requests.

use std::{any::TypeId, collections::HashMap, marker::PhantomData, rc::Rc};

use http::Method;
use ruma::{
    api::{IncomingRequest, Metadata, path_builder::PathBuilder},
    serde::JsonObject,
};

use super::{
    Api, Authenticate, Body, Endpoint, Incoming, Sent,
    handler::{self, Handler, LeftOut, ParsedHandler, endpoint, parsed, parsed_with_sent, raw},
};
use crate::Result;

/// The endpoints of an API.
pub struct Routes<A: Api> {
    table: Table<A::Services>,
    of: PhantomData<A>,
}

/// By path, with its variables numbered, then by method.
pub(super) type Table<S> = HashMap<String, HashMap<Method, Route<S>>>;

/// What answers requests of one method at one path.
pub(super) struct Route<S> {
    /// With its variables in braces: what may be told of the requests that it answers.
    pub(super) path: String,
    /// The most bytes of their bodies.
    pub(super) max_body: u64,
    /// Whether they may leave out the last variable of a longer path and keep the slash before it.
    pub(super) ends_empty: bool,
    pub(super) handler: Rc<Handler<S>>,
}

impl<A: Api> Default for Routes<A> {
    fn default() -> Self {
        Self { table: Table::new(), of: PhantomData }
    }
}

impl<A: Api> Routes<A> {
    /// Registers a handler under all paths that its request has ever had.
    pub fn add<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate<A>,
        H: AsyncFn(&A::Services, Incoming<A, R>) -> Result<R::OutgoingResponse> + Copy + 'static,
    {
        let paths = paths(&R::PATH_BUILDER);
        self.add_parsed(&paths, endpoint::<A, R>(), LeftOut::Nothing, parsed(handler));
    }

    /// Registers a handler as [`Routes::add`] does, which gets the request as it was sent too and
    /// writes the response: where ruma does not know of everything that they say.
    pub fn add_with_sent<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate<A>,
        H: AsyncFn(&A::Services, Incoming<A, R>, Sent) -> Result<http::Response<Body>>
            + Copy
            + 'static,
    {
        let paths = paths(&R::PATH_BUILDER);
        self.add_parsed(&paths, endpoint::<A, R>(), LeftOut::Nothing, parsed_with_sent(handler));
    }

    /// Registers a handler as [`Routes::add`] does, of requests whose bodies are completed first.
    pub fn add_completed<R, H>(&mut self, handler: H, complete: fn(&mut JsonObject) -> Result<()>)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate<A>,
        H: AsyncFn(&A::Services, Incoming<A, R>) -> Result<R::OutgoingResponse> + Copy + 'static,
    {
        let (paths, left_out) = (paths(&R::PATH_BUILDER), LeftOut::Members(complete));
        self.add_parsed(&paths, endpoint::<A, R>(), left_out, parsed(handler));
    }

    /// Registers a handler of a state event under its paths without the state key, which is empty
    /// then. spec: client-server §PUT /rooms/{roomId}/state/{eventType}/{stateKey}
    pub fn add_with_empty_state_key<R, H>(&mut self, handler: H)
    where
        R: IncomingRequest + 'static,
        R::Authentication: Authenticate<A>,
        H: AsyncFn(&A::Services, Incoming<A, R>) -> Result<R::OutgoingResponse> + Copy + 'static,
    {
        let paths = without_state_key(paths(&R::PATH_BUILDER));
        self.add_parsed(&paths, endpoint::<A, R>(), LeftOut::StateKey, parsed(handler));
    }

    fn add_parsed(
        &mut self,
        paths: &[&str],
        endpoint: &'static Endpoint,
        left_out: LeftOut,
        handler: Rc<ParsedHandler<A>>,
    ) {
        let max_body = A::max_body(Some(endpoint.request));
        let ends_empty = matches!(left_out, LeftOut::StateKey);
        let handler = handler::handler(endpoint, left_out, handler);
        for path in paths {
            self.insert(&endpoint.method, path, max_body, ends_empty, &handler);
        }
    }

    /// Registers a handler that authenticates and reads the request itself, under all paths of this
    /// type of request. The last argument has the variables of its path.
    pub fn add_raw_for<R: Metadata + 'static>(
        &mut self,
        handler: impl AsyncFn(
            &A::Services,
            http::Request<Body>,
            Vec<String>,
        ) -> Result<http::Response<Body>>
        + Copy
        + 'static,
    ) {
        let max_body = A::max_body(Some(TypeId::of::<R>()));
        for path in paths(&R::PATH_BUILDER) {
            self.insert(&R::METHOD, path, max_body, false, &raw(handler));
        }
    }

    /// Registers a handler that authenticates and reads the request itself, for what ruma has no
    /// type for. `path` has its variables in braces.
    pub fn add_raw(
        &mut self,
        method: Method,
        path: &str,
        handler: impl AsyncFn(
            &A::Services,
            http::Request<Body>,
            Vec<String>,
        ) -> Result<http::Response<Body>>
        + Copy
        + 'static,
    ) {
        self.insert(&method, path, A::max_body(None), false, &raw(handler));
    }

    fn insert(
        &mut self,
        method: &Method,
        path: &str,
        max_body: u64,
        ends_empty: bool,
        handler: &Rc<Handler<A::Services>>,
    ) {
        let (path, handler) = (path.to_owned(), handler.clone());
        let key = numbered(&path);
        let route = Route { path, max_body, ends_empty, handler };
        self.table.entry(key).or_default().insert(method.clone(), route);
    }

    /// What was registered.
    pub(super) fn into_table(self) -> Table<A::Services> {
        self.table
    }
}

/// A path by which it is found: the table wants one name for a variable at one place, and positions
/// are enough.
fn numbered(path: &str) -> String {
    let mut variables = 0;
    let number = |segment: &str| match variable(segment) {
        Some(_) => {
            variables += 1;
            format!("{{{variables}}}")
        }
        None => segment.to_owned(),
    };
    path.split('/').map(number).collect::<Vec<_>>().join("/")
}

/// The name of a variable in a path, if the segment is one.
pub(super) fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// All paths of an endpoint.
fn paths(builder: &impl PathBuilder) -> Vec<&'static str> {
    builder.all_paths().collect()
}

fn without_state_key(paths: Vec<&'static str>) -> Vec<&'static str> {
    paths.into_iter().filter_map(|path| path.strip_suffix("/{state_key}")).collect()
}
