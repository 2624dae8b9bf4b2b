//! A webhook of anybody's own. The body is documented in docs/alerts.md and only ever gets new fields.

use oplogue_api::alerts::ContactSecrets;
use reqwest::Client;
use serde_json::{Map, Value, json};

use crate::http::{Post, post};
use crate::notification::word;
use crate::{DeliveryError, Notification, NotifiedAlert};

/// The shape of the body. A reader that knows `1` understands every later body that says `1`.
pub const VERSION: &str = "1";

pub(crate) async fn send(client: &Client, secrets: &ContactSecrets, notification: &Notification) -> Result<(), DeliveryError> {
    let url = secrets.webhook_url.as_deref().unwrap_or_default();
    let authorization = secrets.authorization.as_deref();
    post(client, Post { what: "the webhook", url, authorization, secrets: &[], body: body(notification) }).await
}

pub fn body(notification: &Notification) -> Value {
    json!({
        "version": VERSION,
        "status": notification.status.as_str(),
        "receiver": notification.receiver,
        "externalURL": notification.server_url,
        "title": notification.title(),
        "sentAt": notification.at.to_string(),
        "alerts": notification.alerts.iter().map(|alert| one(notification, alert)).collect::<Vec<_>>(),
    })
}

fn one(notification: &Notification, alert: &NotifiedAlert) -> Value {
    json!({
        "status": notification.status.as_str(),
        "fingerprint": alert.id,
        "labels": labels(alert),
        "annotations": {"summary": alert.summary},
        "startsAt": alert.since.to_string(),
        "endsAt": alert.resolved_at.map(|at| at.to_string()),
        "generatorURL": notification.url(alert),
    })
}

/// What tells one alert from another. Only what there is: an empty label is no label.
pub(crate) fn labels(alert: &NotifiedAlert) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            labels.insert(name.to_owned(), Value::from(value));
        }
    };
    put("alertname", &alert.rule);
    put("condition", &word(&alert.condition));
    put("severity", &word(&alert.severity));
    put("subject", &alert.subject);
    put("cluster", alert.cluster.as_deref().unwrap_or_default());
    put("service", alert.service.as_deref().unwrap_or_default());
    labels
}
