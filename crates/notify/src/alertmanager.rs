//! Prometheus' Alertmanager, its API v2.
//!
//! It forgets an alert that nobody repeats. A firing one is therefore given [`LIFETIME_SECONDS`] to live, and who delivers repeats it every
//! [`REPEAT_SECONDS`]; so it also comes back after Alertmanager lost its memory.

use jiff::SignedDuration;
use oplogue_api::alerts::{ContactSecrets, ContactSettings};
use reqwest::Client;
use serde_json::{Value, json};

use crate::http::{Post, post};
use crate::webhook::labels;
use crate::{DeliveryError, Notification, Status};

pub const LIFETIME_SECONDS: u32 = 300;
pub const REPEAT_SECONDS: u32 = 60;

pub(crate) async fn send(
    client: &Client,
    settings: &ContactSettings,
    secrets: &ContactSecrets,
    notification: &Notification,
) -> Result<(), DeliveryError> {
    if settings.url.is_empty() {
        return Err(DeliveryError::Settings("the address of Alertmanager is missing".to_owned()));
    }
    let url = format!("{}/api/v2/alerts", settings.url.trim_end_matches('/'));
    let authorization = secrets.authorization.as_deref();
    post(client, Post { what: "Alertmanager", url: &url, authorization, secrets: &[], body: body(notification) }).await
}

pub fn body(notification: &Notification) -> Value {
    let until = notification.at.saturating_add(SignedDuration::from_secs(i64::from(LIFETIME_SECONDS))).unwrap_or(notification.at);
    let alerts = notification.alerts.iter().map(|alert| {
        let ends = match notification.status {
            Status::Firing => until,
            Status::Resolved => alert.resolved_at.unwrap_or(notification.at),
        };
        json!({
            "labels": labels(alert),
            "annotations": {"summary": alert.summary},
            "startsAt": alert.since.to_string(),
            "endsAt": ends.to_string(),
            "generatorURL": notification.url(alert),
        })
    });
    Value::from(alerts.collect::<Vec<_>>())
}
