//! A server in this process, with somebody of each role.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use oplogue_api::session::FirstStart;
use oplogue_api::tokens::ApiTokenInput;
use oplogue_api::users::Role;
use oplogue_server::app::sessions::SignedIn;
use oplogue_server::app::{Actor, App};
use oplogue_server::config::ServerConfig;
use oplogue_server::http::identity::{By, COOKIE_NAME};
use serde_json::Value;
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery";

pub struct Stage {
    pub app: App,
    router: Router,
    folder: tempfile::TempDir,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Who {
    Nobody,
    /// A person; `csrf`: whether the page's token is sent along.
    Session {
        secret: String,
        csrf: Option<String>,
    },
    /// `Authorization: Bearer …`
    Bearer(String),
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The answer has this status; its JSON, if any.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The whole cookie that was set.
    pub fn cookie(&self) -> Option<&str> {
        self.headers.get("set-cookie")?.to_str().ok()
    }
}

impl Stage {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = ServerConfig::local(folder.path());
        change(&mut config);
        let app = App::open(config).expect("the server opens");
        Self { router: oplogue_server::http::service(app.clone()), app, folder }
    }

    pub fn data_dir(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// `anna`, the first administrator, signed in.
    pub async fn anna(&self) -> Who {
        let code = self.app.first_code().expect("asked").expect("there are no users");
        let input = FirstStart { code, name: "anna".to_owned(), password: PASSWORD.to_owned() };
        session(&self.app.use_link(input, "10.0.0.1").await.expect("the link works"))
    }

    /// A program with this role.
    pub fn token(&self, role: Role) -> Who {
        let name = format!("test {}", role.as_str());
        let input = ApiTokenInput { name, role, valid_days: Some(1) };
        Who::Bearer(self.app.create_token(&Actor::server("test"), &input).expect("a token").token)
    }

    pub async fn ask(&self, who: &Who, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        match who {
            Who::Nobody => {}
            Who::Session { secret, csrf } => {
                request = request.header(COOKIE, format!("theme=dark; {COOKIE_NAME}={secret}"));
                if let Some(csrf) = csrf {
                    request = request.header("x-csrf-token", csrf);
                }
            }
            Who::Bearer(credential) => request = request.header(AUTHORIZATION, format!("Bearer {credential}")),
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).expect("a request")).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.expect("a whole body");
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub async fn get(&self, who: &Who, path: &str) -> Answer {
        self.ask(who, Method::GET, path, None).await
    }

    pub async fn post(&self, who: &Who, path: &str, body: Value) -> Answer {
        self.ask(who, Method::POST, path, Some(&body)).await
    }

    pub async fn put(&self, who: &Who, path: &str, body: Value) -> Answer {
        self.ask(who, Method::PUT, path, Some(&body)).await
    }

    pub async fn delete(&self, who: &Who, path: &str) -> Answer {
        self.ask(who, Method::DELETE, path, None).await
    }
}

pub fn session(signed_in: &SignedIn) -> Who {
    let By::Session { csrf_token, .. } = &signed_in.identity.by else { panic!("not a session") };
    Who::Session { secret: signed_in.secret.clone(), csrf: Some(csrf_token.clone()) }
}

impl Who {
    pub fn without_csrf(&self) -> Self {
        match self {
            Self::Session { secret, .. } => Self::Session { secret: secret.clone(), csrf: None },
            other => other.clone(),
        }
    }
}

impl Stage {
    pub async fn sign_in(&self, name: &str, password: &str) -> Who {
        let input = oplogue_api::session::SignIn { name: name.to_owned(), password: password.to_owned() };
        session(&self.app.sign_in(input, "10.0.0.2").await.expect("name and password are right"))
    }
}
