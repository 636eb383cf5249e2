//! What HTTP gives every API: here one whose requests are signed, target and body included, as
//! those of other servers are.

#[macro_use]
mod support;

use std::{any::TypeId, cell::RefCell};

use http::{Method, Request, Response, StatusCode, header};
use neurite::{
    Error, Result,
    http::{
        Api, Authenticate, Body, Endpoint, Incoming, Router, Routes, Scheme, bodies, json_response,
    },
    platform::Blob,
};
use ruma::api::{
    auth_scheme::{AccessToken, NoAccessToken},
    client::{
        config::set_global_account_data,
        discovery::discover_homeserver::{self, HomeserverInfo},
    },
    error::ErrorKind,
};
use serde_json::{Value, json};

/// What handlers have done.
type Done = RefCell<Vec<String>>;

struct Signed;

/// Whatever a signature covers; the signature of a test is the same text.
fn signature(request: &Request<Body>, body: &[u8]) -> String {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    format!("{} {target} {}", request.method(), String::from_utf8_lossy(body))
}

impl Api for Signed {
    type Services = Done;
    type Sender = Option<String>;

    fn max_body(request: Option<TypeId>) -> u64 {
        if request.is_some() { 64 } else { 16 }
    }

    async fn admit(
        _: &Done,
        endpoint: &Endpoint,
        request: &Request<Body>,
    ) -> Result<Option<String>> {
        if endpoint.scheme == Scheme::Anyone {
            return Ok(None);
        }
        let body = bodies::read(request.body()).await?;
        let signed = signature(request, &body);
        match request.headers().get(header::AUTHORIZATION) {
            Some(given) if given.as_bytes() == signed.as_bytes() => Ok(Some(signed)),
            _ => Err(Error::new(StatusCode::UNAUTHORIZED, ErrorKind::Unauthorized, "not signed")),
        }
    }
}

impl Authenticate<Signed> for AccessToken {
    type Sender = String;
    const SCHEME: Scheme = Scheme::Required;

    fn sender(known: Option<String>) -> Result<String> {
        known.ok_or_else(Error::missing_token)
    }
}

impl Authenticate<Signed> for NoAccessToken {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<String>) -> Result<()> {
        Ok(())
    }
}

async fn put(
    done: &Done,
    request: Incoming<Signed, set_global_account_data::v3::Request>,
) -> Result<set_global_account_data::v3::Response> {
    done.borrow_mut().push(format!("{}: {}", request.event_type, request.auth));
    Ok(set_global_account_data::v3::Response::new())
}

async fn name(
    _: &Done,
    _: Incoming<Signed, discover_homeserver::Request>,
) -> Result<discover_homeserver::Response> {
    Ok(discover_homeserver::Response::new(HomeserverInfo::new("https://b.test".to_owned())))
}

async fn raw(_: &Done, request: Request<Body>, args: Vec<String>) -> Result<Response<Body>> {
    json_response(&json!({ "args": args, "size": request.body().len() }))
}

fn router() -> Router<Done> {
    let mut routes = Routes::<Signed>::default();
    routes.add(put);
    routes.add(name);
    routes.add_raw(Method::POST, "/raw/{one}/{other}", raw);
    routes.add_raw(Method::DELETE, "/all", raw);
    routes.add_raw(Method::DELETE, "/all/{one}", raw);
    routes.add_raw(Method::GET, "/all", raw);
    Router::builder().with(routes).finish().unwrap()
}

async fn answer(router: &Router<Done>, done: &Done, request: Request<Body>) -> (u16, Value) {
    let response = router.answer(done, request).await;
    let status = response.status().as_u16();
    let body = response.body().bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn request(method: Method, target: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(target).body(body.into()).unwrap()
}

fn sign(mut request: Request<Body>, signature: &str) -> Request<Body> {
    request.headers_mut().insert(header::AUTHORIZATION, signature.parse().unwrap());
    request
}

const PUT: &str = "/_matrix/client/v3/user/@a:b.test/account_data";

tests! {
    async fn authentication_gets_the_target_byte_for_byte_and_the_whole_body() {
        let (router, done) = (router(), Done::default());
        let body = br#"{ "b" : 1.0 , "a":"~" }"#;
        for target in ["a.b", "a%2Fb", "%61.b", "a.b?", "a.b?b=%7e&a=+&b=~&", "a.b/"] {
            let target = format!("{PUT}/{target}");
            let signed = format!("PUT {target} {}", std::str::from_utf8(body).unwrap());
            for body in [Body::from(body.to_vec()), Body::Blob(Blob::new(body.to_vec().into()))] {
                let request = request(Method::PUT, &target, body);
                let (status, told) = answer(&router, &done, sign(request, &signed)).await;
                assert_eq!((status, told), (200, json!({})), "{target}");
                let done = done.take();
                assert!(done.len() == 1 && done[0].ends_with(&signed), "{done:?}");
            }
        }
        for (target, signed) in [("a.b", "PUT other {}"), ("a.b?", "a.b"), ("a%2fb", "a%2Fb")] {
            let request = request(Method::PUT, &format!("{PUT}/{target}"), b"{}".to_vec());
            let signed = format!("PUT {PUT}/{signed} {{}}");
            let (status, told) = answer(&router, &done, sign(request, &signed)).await;
            assert_eq!((status, &told["errcode"]), (401, &json!("M_UNAUTHORIZED")), "{target}");
        }
        assert_eq!(done.take(), [""; 0]);
    }

    async fn a_body_that_is_too_large_is_not_even_authenticated() {
        let (router, done) = (router(), Done::default());
        let target = format!("{PUT}/a.b");
        for (size, expected) in [(64, (401, "M_UNAUTHORIZED")), (65, (413, "M_TOO_LARGE"))] {
            let (status, told) = answer(&router, &done, request(Method::PUT, &target, vec![b'1'; size])).await;
            assert_eq!((status, told["errcode"].as_str().unwrap()), expected);
        }
        let (status, told) = answer(&router, &done, request(Method::POST, "/raw/a/b%20c", vec![b'1'; 16])).await;
        assert_eq!((status, told), (200, json!({ "args": ["a", "b c"], "size": 16 })));
        let (status, told) = answer(&router, &done, request(Method::POST, "/raw/a/b", vec![b'1'; 17])).await;
        assert_eq!((status, &told["errcode"]), (413, &json!("M_TOO_LARGE")));
    }

    async fn a_body_is_one_object_of_what_every_reader_takes() {
        let (router, done) = (router(), Done::default());
        let target = format!("{PUT}/a.b");
        for (body, expected) in [
            (&b""[..], "M_NOT_JSON"),
            (b"[]", "M_BAD_JSON"),
            (b" null", "M_BAD_JSON"),
            (b"{", "M_NOT_JSON"),
            (b"[", "M_NOT_JSON"),
            (b"{}{}", "M_NOT_JSON"),
            (b"{\"a\":{\"\xff\":1}}", "M_NOT_JSON"),
            (br#"{"a":["\ud800"]}"#, "M_BAD_JSON"),
        ] {
            let signed = format!("PUT {target} {}", String::from_utf8_lossy(body));
            let signed = sign(request(Method::PUT, &target, body.to_vec()), &signed);
            let (status, told) = answer(&router, &done, signed).await;
            assert_eq!((status, &told["errcode"]), (400, &json!(expected)), "{}", body.escape_ascii());
        }
        assert_eq!(done.take(), [""; 0]);
    }

    async fn what_is_not_there_is_unrecognized() {
        let (router, done) = (router(), Done::default());
        let name = "/.well-known/matrix/client";
        for (method, target, expected) in [
            (Method::GET, name, 200),
            (Method::HEAD, name, 200),
            (Method::GET, "/.well-known/matrix/client/", 200),
            (Method::OPTIONS, "/nowhere", 200),
            (Method::POST, name, 405),
            (Method::GET, "/raw/a/b", 405),
            (Method::GET, "/raw/a", 404),
            (Method::GET, "/.well-known/matrix/client//", 404),
            (Method::GET, "/", 404),
        ] {
            let (status, told) = answer(&router, &done, request(method, target, vec![])).await;
            assert_eq!(status, expected, "{target}");
            if status > 400 {
                assert_eq!(told["errcode"], "M_UNRECOGNIZED", "{target}");
            }
        }
        // The id of one is missing: that must not be taken for all.
        for (method, target, expected) in [
            (Method::DELETE, "/all", 200),
            (Method::DELETE, "/all/", 404),
            (Method::DELETE, "/all/a", 200),
            (Method::DELETE, "/all/a/", 200),
            (Method::GET, "/all/", 200),
            (Method::GET, "/all?a=%c3%a9", 200),
            (Method::GET, "/all?a=%ff", 400),
        ] {
            let (status, _) = answer(&router, &done, request(method, target, vec![])).await;
            assert_eq!(status, expected, "{target}");
        }
        let long = format!("/raw/a/{}", "x".repeat(256));
        assert_eq!(answer(&router, &done, request(Method::POST, &long, vec![])).await.0, 400);
    }
}
