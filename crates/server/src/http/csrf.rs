//! A change by session must come from a page of ours.
//!
//! Three locks, any of which is enough: the cookie is `SameSite=Lax`; a browser that says the request comes from elsewhere is refused; and
//! the session's own CSRF token must come along, in the form field `csrf` or the header `X-CSRF-Token`. Requests with a token of a
//! program or an agent's credential need none: no browser adds those by itself.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::BODY_BYTES_MAX;
use super::identity::{By, Identity};
use crate::app::AppError;

/// The form field, and the header for programs.
pub const FIELD: &str = "csrf";
pub const HEADER: &str = "x-csrf-token";

/// Whoever signs in has no session whose token could be sent; an old one does not stand in the way.
const SIGNING_IN: &[&str] = &["/v1/session", "/sign-in", "/first"];

pub async fn guard(request: Request, next: Next) -> Result<Response, AppError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || request.headers().contains_key(AUTHORIZATION) {
        return Ok(next.run(request).await);
    }
    if is_from_elsewhere(request.headers(), request.uri()) {
        return Err(AppError::forbidden("this change was sent by a page of another site, and was not carried out"));
    }
    let Some(By::Session { csrf_token, .. }) = request.extensions().get::<Identity>().map(|identity| identity.by.clone()) else {
        return Ok(next.run(request).await);
    };
    if request.method() == Method::POST && SIGNING_IN.contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    if let Some(sent) = request.headers().get(HEADER) {
        check(sent.as_bytes(), &csrf_token)?;
        return Ok(next.run(request).await);
    }
    if !is_form(request.headers()) {
        return Err(missing());
    }
    let (parts, body) = request.into_parts();
    let bytes =
        to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| AppError::new(oplogue_api::ErrorCode::BadRequest, "the form is too large"))?;
    check(field(&bytes).ok_or_else(missing)?.as_bytes(), &csrf_token)?;
    Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await)
}

fn check(sent: &[u8], expected: &str) -> Result<(), AppError> {
    if bool::from(sent.ct_eq(expected.as_bytes())) { Ok(()) } else { Err(missing()) }
}

fn missing() -> AppError {
    AppError::forbidden("this change did not carry the token of your session, and was not carried out")
        .hint("load the page again and repeat it; programs send X-CSRF-Token as GET /v1/whoami tells it, or use an API token")
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

fn field(form: &Bytes) -> Option<String> {
    url::form_urlencoded::parse(form).find(|(name, _)| name == FIELD).map(|(_, value)| value.into_owned())
}

/// What browsers say of themselves. Other programs say nothing, and have no cookies of somebody else to abuse.
fn is_from_elsewhere(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    // The scheme may differ behind a proxy that speaks TLS; host and port may not.
    let from = origin.split_once("://").map(|(_, authority)| authority);
    let here = text(HOST.as_str()).or_else(|| uri.authority().map(|authority| authority.as_str()));
    from.is_none() || from != here
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(sent: &[(&'static str, &'static str)]) -> bool {
        let headers = sent.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect();
        is_from_elsewhere(&headers, &Uri::from_static("/schedules"))
    }

    #[test]
    fn a_request_of_another_site_is_recognized() {
        for (sent, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://here"), ("host", "here")], true),
            (&[("origin", "https://here:8480"), ("host", "here:8480")], false),
            (&[("origin", "https://here"), ("host", "here:8480")], true),
            (&[("origin", "https://evil.example"), ("host", "here")], true),
            (&[("origin", "null"), ("host", "here")], true),
        ] {
            assert_eq!(elsewhere(sent), expected, "{sent:?}");
        }
    }
}
