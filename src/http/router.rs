//! Finds the handler of a request by its path and method. spec: client-server §API Standards

use std::collections::HashMap;

use http::{Method, StatusCode};
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
    paths: matchit::Router<HashMap<Method, Route<S>>>,
}

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
        let answer = route.answer(services, request, args).instrument(span).await;
        let status = answer.as_ref().map_or_else(Error::status, http::Response::status);
        tracing::debug!(status = status.as_u16(), "{method} {path}");
        answer
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
