//! Slack's incoming webhooks, and what understands them (Mattermost, Rocket.Chat).

use oplogue_api::alerts::ContactSecrets;
use reqwest::Client;
use serde_json::{Value, json};

use crate::http::{Post, post};
use crate::notification::{shortened, word};
use crate::{DeliveryError, Notification};

/// Slack refuses longer texts at 40,000; this is what people read.
const TEXT_CHARACTERS_MAX: usize = 3_500;

pub(crate) async fn send(client: &Client, secrets: &ContactSecrets, notification: &Notification) -> Result<(), DeliveryError> {
    let url = secrets.webhook_url.as_deref().unwrap_or_default();
    post(client, Post { what: "Slack's webhook", url, authorization: None, secrets: &[], body: body(notification) }).await
}

pub fn body(notification: &Notification) -> Value {
    let mut text = format!("*{}*", escaped(&notification.title()));
    for alert in &notification.alerts {
        let url = notification.url(alert);
        text.push_str(&format!("\n• {}: {} <{}|Open>", word(&alert.severity), escaped(&alert.summary), escaped(&url)));
    }
    json!({"text": shortened(&text, TEXT_CHARACTERS_MAX)})
}

/// The three characters that Slack's markup reserves; without it a name could mention everybody.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
