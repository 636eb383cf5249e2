//! Finds the handler of a request by its path and method. spec: client-server §API Standards

use std::collections::HashMap;

use http::{Method, StatusCode};
use matchit::Match;
use percent_encoding::percent_decode_str;
use ruma::api::error::ErrorKind;
use tracing::Instrument;

use super::{
    Api, Body, Routes, bodies, headers,
    response::refusal,
    routes::{Route, Table, variable},
};
use crate::{Error, Result, lengths};

/// The table of all endpoints of all APIs.
pub struct Router<S> {
    paths: matchit::Router<Methods<S>>,
}

/// What answers the requests of one path.
type Methods<S> = HashMap<Method, Route<S>>;

/// A router in the making.
pub struct Builder<S> {
    table: Table<S>,
}

impl<S: 'static> Router<S> {
    /// A router without endpoints.
    pub fn builder() -> Builder<S> {
        Builder { table: Table::new() }
    }

    /// Answers a request.
    pub async fn answer(&self, services: &S, request: http::Request<Body>) -> http::Response<Body> {
        match self.dispatch(services, request).await {
            Ok(response) => headers::complete(response),
            Err(error) => refusal(error),
        }
    }

    async fn dispatch(
        &self,
        services: &S,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        if request.method() == Method::OPTIONS {
            return Ok(http::Response::new(Body::empty()));
        }
        let method = match request.method() {
            &Method::HEAD => Method::GET,
            method => method.clone(),
        };
        let found = self.find(&method, request.uri().path())?;
        let route = found.value.get(&method).ok_or_else(|| {
            unrecognized(StatusCode::METHOD_NOT_ALLOWED, "The endpoint has no such method")
        })?;
        let args = found
            .params
            .iter()
            .map(|(_, value)| percent_decode_str(value).decode_utf8().map(Into::into))
            .collect::<Result<Vec<String>, _>>()
            .map_err(|_| Error::invalid_param("The path is not UTF-8"))?;
        // Forms are read with what is no UTF-8 replaced.
        percent_decode_str(request.uri().query().unwrap_or_default())
            .decode_utf8()
            .map_err(|_| Error::invalid_param("The query is not UTF-8"))?;
        let path = &*route.path;
        let span = tracing::info_span!("request", %method, path);
        let answer = route.answer(services, request, args).instrument(span).await;
        let status = answer.as_ref().map_or_else(Error::status, http::Response::status);
        tracing::debug!(status = status.as_u16(), "{method} {path}");
        answer
    }

    /// The endpoints of a path. A trailing slash adds nothing, unless what is missing behind it is
    /// the variable of a longer path: who asks for nothing in particular must not get or delete all.
    fn find<'p>(&self, method: &Method, path: &'p str) -> Result<Match<'_, 'p, &Methods<S>>> {
        let missing = || unrecognized(StatusCode::NOT_FOUND, "There is no such endpoint");
        if let Ok(found) = self.paths.at(path) {
            return Ok(found);
        }
        let shorter = path.strip_suffix('/').ok_or_else(missing)?;
        let found = self.paths.at(shorter).map_err(|_| missing())?;
        let ends_empty = found.value.get(method).is_some_and(|route| route.ends_empty);
        let longer = format!("{path}-");
        let is_cut = self.paths.at(&longer).is_ok_and(|longer| longer.value.contains_key(method));
        if is_cut && !ends_empty { Err(missing()) } else { Ok(found) }
    }
}

impl<S: 'static> Builder<S> {
    /// Adds the endpoints of an API.
    pub fn with<A: Api<Services = S>>(mut self, routes: Routes<A>) -> Self {
        for (path, methods) in routes.into_table() {
            self.table.entry(path).or_default().extend(methods);
        }
        self
    }

    /// The router with what was added.
    ///
    /// # Errors
    /// When two paths can't be told apart.
    pub fn finish(self) -> Result<Router<S>> {
        let mut paths = matchit::Router::new();
        for (path, methods) in self.table {
            paths.insert(path, methods).map_err(Error::internal)?;
        }
        Ok(Router { paths })
    }
}

impl<S> Route<S> {
    async fn answer(
        &self,
        services: &S,
        request: http::Request<Body>,
        args: Vec<String>,
    ) -> Result<http::Response<Body>> {
        bodies::check_size(request.body(), self.max_body)?;
        check_lengths(&self.path, &args)?;
        (self.handler)(services, request, args).await
    }
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
