//! One POST of JSON.

use std::time::Duration;

use reqwest::{Client, Url};
use serde_json::Value;

use crate::DeliveryError;
use crate::notification::{one_line, shortened};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Of an answer that says no, this much is read to tell why.
const ANSWER_BYTES_MAX: usize = 2048;
const TOLD_CHARACTERS_MAX: usize = 200;

pub fn client() -> Result<Client, DeliveryError> {
    // Somebody else may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        // Whoever is given the address of a webhook shall not be able to send us elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("oplogue/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| DeliveryError::Away(format!("set up HTTPS: {}", causes(&error))))
}

pub struct Post<'a> {
    /// What `url` is, in errors: `the webhook`.
    pub what: &'a str,
    pub url: &'a str,
    pub authorization: Option<&'a str>,
    /// Texts that never appear in an error, besides the address and the header.
    pub secrets: &'a [&'a str],
    pub body: Value,
}

pub async fn post(client: &Client, post: Post<'_>) -> Result<(), DeliveryError> {
    let what = post.what;
    let url = parse(what, post.url)?;
    // The address gives access, and so does the part of it that the other side likes to quote.
    let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let paths = [path.as_str(), url.path()].map(|path| if path.len() > 1 { path.to_owned() } else { String::new() });
    let mut request = client.post(url).json(&post.body);
    if let Some(authorization) = post.authorization.filter(|text| !text.is_empty()) {
        let mut value = reqwest::header::HeaderValue::from_str(authorization)
            .map_err(|_| DeliveryError::Settings(format!("the Authorization header of {what} has characters that a header cannot have")))?;
        value.set_sensitive(true);
        request = request.header(reqwest::header::AUTHORIZATION, value);
    }
    let mut answer =
        request.send().await.map_err(|error| DeliveryError::Away(format!("{what} cannot be reached: {}", causes(&error.without_url()))))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ANSWER_BYTES_MAX {
            body.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    let mut text = one_line(String::from_utf8_lossy(&body).trim());
    let hidden = post.secrets.iter().copied().chain([post.url]).chain(post.authorization).chain(paths.iter().map(String::as_str));
    for secret in hidden.filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "(hidden)");
    }
    Err(DeliveryError::Refused { status: status.as_u16(), text: shortened(&text, TOLD_CHARACTERS_MAX) })
}

fn parse(what: &str, url: &str) -> Result<Url, DeliveryError> {
    if url.is_empty() {
        return Err(DeliveryError::Settings(format!("the address of {what} is missing")));
    }
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(DeliveryError::Settings(format!("the address of {what} is not an http:// or https:// URL"))),
    }
}

/// The error and what caused it, outermost first; reqwest's own text alone says little.
fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut last = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        last = inner.to_string();
        cause = inner.source();
    }
    if last.is_empty() { error.to_string() } else { last }
}
