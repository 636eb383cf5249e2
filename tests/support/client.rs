//! A small Matrix client: JSON in, status and JSON out, through the homeserver's one door.
#![allow(dead_code, reason = "each suite uses the part that it needs")]

use std::rc::Rc;

use neurite::{
    Config, Homeserver,
    http::Body,
    store::Store,
    users::{NewAccount, NewDevice},
};
use ruma::server_name;
use serde_json::{Value, json};

/// A homeserver called `neurite.test` over an empty store, without rate limits.
pub async fn server() -> Rc<Homeserver> {
    server_over(super::store().await, |_| {}).await
}

/// A homeserver over `store`, with other options.
pub async fn server_over(store: Store, options: impl FnOnce(&mut Config)) -> Rc<Homeserver> {
    let mut config = Config::new(server_name!("neurite.test").to_owned());
    config.rate_limits = false;
    options(&mut config);
    Homeserver::start(config, store).await.unwrap()
}

/// Somebody who sends requests, logged in or not.
#[derive(Clone)]
pub struct Client {
    pub server: Rc<Homeserver>,
    pub access_token: Option<String>,
    pub user_id: String,
    pub device_id: String,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Client {
    /// Somebody who is not logged in.
    pub fn anonymous(server: &Rc<Homeserver>) -> Self {
        let server = server.clone();
        Self { server, access_token: None, user_id: String::new(), device_id: String::new() }
    }

    /// A new account, with the password `password`.
    pub async fn register(server: &Rc<Homeserver>, username: &str) -> Self {
        let anonymous = Self::anonymous(server);
        let answer = anonymous
            .post(
                "/v3/register",
                json!({
                    "auth": { "type": "m.login.dummy" },
                    "username": username,
                    "password": "password",
                }),
            )
            .await;
        anonymous.logged_in(&answer.ok())
    }

    /// A new account that nobody can log in to again, which takes much less time; or, if there is
    /// one already, another device of it.
    pub async fn fast(server: &Rc<Homeserver>, username: &str) -> Self {
        let (users, device) = (&server.users, NewDevice::default());
        let user_id = users.user_id(username).unwrap();
        let login = match users.account(&user_id).await.unwrap() {
            Some(_) => users.login(&user_id, device).await.unwrap(),
            None => {
                let (username, device) = (Some(username.to_owned()), Some(device));
                let new = NewAccount { username, device, ..NewAccount::default() };
                users.register(new).await.unwrap().1.unwrap()
            }
        };
        Self {
            server: server.clone(),
            access_token: Some(login.access_token),
            user_id: user_id.to_string(),
            device_id: login.device_id.to_string(),
        }
    }

    /// Another device of an account made by [`Client::register`].
    pub async fn login(server: &Rc<Homeserver>, username: &str) -> Self {
        let anonymous = Self::anonymous(server);
        let answer = anonymous.post("/v3/login", password_login(username)).await;
        anonymous.logged_in(&answer.ok())
    }

    /// The client that a login's answer makes of this one.
    pub fn logged_in(&self, login: &Value) -> Self {
        let field = |name: &str| login[name].as_str().unwrap().to_owned();
        Self {
            server: self.server.clone(),
            access_token: Some(field("access_token")),
            user_id: field("user_id"),
            device_id: field("device_id"),
        }
    }

    /// `GET /_matrix/client{path}`
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None).await
    }

    /// `POST /_matrix/client{path}`
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path, Some(body)).await
    }

    /// `PUT /_matrix/client{path}`
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request("PUT", path, Some(body)).await
    }

    /// `DELETE /_matrix/client{path}`
    pub async fn delete(&self, path: &str, body: Option<Value>) -> Answer {
        self.request("DELETE", path, body).await
    }

    /// Any request to a path below `/_matrix/client`.
    pub async fn request(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes());
        self.send(method, &format!("/_matrix/client{path}"), body).await
    }

    /// Any request at all.
    pub async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(token) = &self.access_token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let response = self.server.fetch(request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body.bytes().await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// The body of a login with the password of [`Client::register`].
pub fn password_login(username: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": username },
        "password": "password",
    })
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body.clone()
    }

    /// Asserts that this is an error of that status and code.
    #[track_caller]
    pub fn fails(&self, status: u16, errcode: &str) -> &Self {
        assert_eq!(
            (self.status, self.body["errcode"].as_str()),
            (status, Some(errcode)),
            "{self:?}"
        );
        self
    }
}
