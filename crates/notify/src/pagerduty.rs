//! PagerDuty's Events API v2: one event per alert, its incident closed by the same key.

use oplogue_api::alerts::{ContactSecrets, ContactSettings};
use reqwest::Client;
use serde_json::{Value, json};

use crate::http::{Post, post};
use crate::notification::{shortened, word};
use crate::{DeliveryError, Notification, NotifiedAlert, Status};

pub const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";
/// As their documentation says.
const SUMMARY_CHARACTERS_MAX: usize = 1024;

pub(crate) async fn send(
    client: &Client,
    settings: &ContactSettings,
    secrets: &ContactSecrets,
    notification: &Notification,
) -> Result<(), DeliveryError> {
    let key = secrets.routing_key.as_deref().unwrap_or_default();
    if key.is_empty() {
        return Err(DeliveryError::Settings("the integration key is missing".to_owned()));
    }
    let url = if settings.url.is_empty() { ENDPOINT } else { &settings.url };
    for alert in &notification.alerts {
        let body = event(notification, alert, key);
        post(client, Post { what: "PagerDuty", url, authorization: None, secrets: &[key], body }).await?;
    }
    Ok(())
}

pub fn event(notification: &Notification, alert: &NotifiedAlert, routing_key: &str) -> Value {
    let action = match notification.status {
        Status::Firing => "trigger",
        Status::Resolved => "resolve",
    };
    let url = notification.url(alert);
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": alert.id,
        "client": "Oplogue",
        "client_url": notification.server_url,
        "payload": {
            "summary": shortened(&alert.summary, SUMMARY_CHARACTERS_MAX),
            "source": alert.service.as_deref().or(alert.cluster.as_deref()).unwrap_or(&alert.subject),
            "severity": word(&alert.severity),
            "timestamp": alert.since.to_string(),
            "component": alert.subject,
            "group": alert.cluster,
            "class": word(&alert.condition),
            "custom_details": {"rule": alert.rule},
        },
        "links": [{"href": url, "text": "Open in Oplogue"}],
    })
}
