//! The cookie of a session. Scripts cannot read it; other sites cannot make browsers send it with a change.

use axum::http::HeaderValue;

use super::identity::COOKIE_NAME;
use crate::app::sessions::ABSOLUTE_DAYS;
use crate::config::ServerConfig;

/// `secret` is made of hex digits.
pub fn set(config: &ServerConfig, secret: &str) -> HeaderValue {
    value(config, secret, ABSOLUTE_DAYS * 24 * 60 * 60)
}

pub fn clear(config: &ServerConfig) -> HeaderValue {
    value(config, "", 0)
}

fn value(config: &ServerConfig, secret: &str, max_age_seconds: i64) -> HeaderValue {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    let text = format!("{COOKIE_NAME}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_seconds}{secure}");
    HeaderValue::from_str(&text).expect("hex digits and our own words fit into a header")
}
