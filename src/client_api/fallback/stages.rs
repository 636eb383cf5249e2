//! A page for each stage of User-Interactive Authentication that is asked for here.
//! spec: client-server §User-Interactive Authentication API: Fallback

use http::{Method, Response, StatusCode};
use ruma::{
    UserId,
    api::{
        client::uiaa::{
            AuthData, AuthType, Dummy, MatrixUserIdentifier, Password, RegistrationToken,
        },
        error::ErrorKind,
    },
};

use super::{
    super::{Routes, uia},
    escaped, page,
};
use crate::{
    Error, Result, Services,
    http::{Body, Limit, bodies, parameter},
    users::Stages,
};

const PATH: &str = "/_matrix/client/v3/auth/{authType}/fallback/web";
/// Where clients of old look for it.
const OLD_PATH: &str = "/_matrix/client/r0/auth/{authType}/fallback/web";

pub(super) fn routes(routes: &mut Routes) {
    for path in [PATH, OLD_PATH] {
        routes.add_raw(Method::GET, path, get_page);
        routes.add_raw(Method::POST, path, complete);
    }
}

/// The stage that a page is asked for.
struct Asked {
    session: String,
    stage: AuthType,
    stages: Stages,
}

impl Asked {
    /// # Errors
    /// 400 `M_MISSING_PARAM` without a session, 404 `M_NOT_FOUND` for one that is not known, 404
    /// `M_UNRECOGNIZED` for a type that it has no need of.
    fn read(services: &Services, request: &http::Request<Body>, args: &[String]) -> Result<Self> {
        let query = request.uri().query().unwrap_or_default();
        let session = parameter(query.as_bytes(), "session")
            .ok_or_else(|| Error::missing_param("The query names no session"))?;
        let stages = services.users.stages(&session).ok_or_else(|| {
            Error::not_found("The session is not known or has ended. Begin again in your client.")
        })?;
        let stage = AuthType::from(args.first().map_or("", String::as_str));
        if !stages.flows.iter().any(|flow| flow.stages.contains(&stage)) {
            return Err(Error::new(
                StatusCode::NOT_FOUND,
                ErrorKind::Unrecognized,
                "The session has no stage of this type",
            ));
        }
        Ok(Self { session, stage, stages })
    }

    /// The page of the stage, with what went wrong before.
    fn page(&self, problem: Option<&str>) -> Result<Response<Body>> {
        if self.stages.completed.contains(&self.stage) {
            let body = "<p role=\"status\">That is done. You can go back to your client.</p>";
            return page("Thank you", body, include_str!("done.js"));
        }
        let (title, fields) = match self.stage {
            AuthType::Password => ("Confirm with your password", self.password_fields()),
            AuthType::RegistrationToken => (
                "Registration token",
                "<label for=\"token\">The token that lets you register here</label>\
                 <input id=\"token\" name=\"token\" autocomplete=\"off\" autocapitalize=\"none\" \
                 spellcheck=\"false\" required autofocus />"
                    .to_owned(),
            ),
            _ => ("Go on", String::new()),
        };
        let problem = problem.map(escaped).unwrap_or_default();
        let body = format!(
            "<form method=\"post\"><p class=\"problem\" role=\"alert\">{problem}</p>{fields}\
             <button>Continue</button></form>"
        );
        page(title, &body, "")
    }

    fn password_fields(&self) -> String {
        let user_id = self.stages.purpose.user_id().map_or("", UserId::as_str);
        format!(
            "<label for=\"user\">Account</label>\
             <input id=\"user\" autocomplete=\"username\" readonly value=\"{}\" />\
             <label for=\"password\">Password</label>\
             <input id=\"password\" name=\"password\" type=\"password\" \
             autocomplete=\"current-password\" required autofocus />",
            escaped(user_id)
        )
    }

    /// What the form of the page says, as a client would.
    fn auth(&self, form: &[u8]) -> Option<AuthData> {
        let field = |name| parameter(form, name).unwrap_or_default();
        Some(match self.stage {
            AuthType::Password => {
                let user_id = self.stages.purpose.user_id()?.to_string();
                let identifier = MatrixUserIdentifier::new(user_id).into();
                AuthData::Password(Password::new(identifier, field("password")))
            }
            AuthType::RegistrationToken => {
                AuthData::RegistrationToken(RegistrationToken::new(field("token")))
            }
            AuthType::Dummy => AuthData::Dummy(Dummy::new()),
            _ => return None,
        })
    }
}

/// `GET` of a page.
async fn get_page(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<Response<Body>> {
    Asked::read(services, &request, &args)?.page(None)
}

/// `POST` of a page's form: completes the stage, or shows the page again.
async fn complete(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<Response<Body>> {
    services.limits.take(Limit::Anonymous, None)?;
    let mut asked = Asked::read(services, &request, &args)?;
    let form = bodies::read(request.body()).await?;
    let Some(auth) = asked.auth(&form) else { return asked.page(None) };
    let stages = &asked.stages;
    match uia::attempt(services, stages.purpose.user_id(), &stages.flows, &auth).await? {
        Ok(()) => {
            services.users.complete_stage(&asked.session, asked.stage.clone());
            asked.stages.completed.push(asked.stage.clone());
            asked.page(None)
        }
        Err((_, problem)) => asked.page(Some(problem)),
    }
}
