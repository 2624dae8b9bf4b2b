//! Ways to deliver an alert: e-mail, webhook, Slack, PagerDuty, Alertmanager.
//!
//! [`Courier::deliver`] tries once and says what became of it; who calls it keeps the notification until it is delivered. Delivering one twice does no harm:
//! each alert carries an id by which every kind of receiver recognises it. Addresses of webhooks, keys and passwords give access, so they never stand in
//! an error.

pub mod alertmanager;
pub mod email;
pub mod error;
mod http;
pub mod notification;
pub mod pagerduty;
pub mod slack;
pub mod webhook;

use std::time::Duration;

use oplogue_api::alerts::{ContactKind, ContactSecrets, ContactSettings};

pub use error::DeliveryError;
pub use notification::{Notification, NotifiedAlert, Status};

/// A whole delivery, whatever the other side does.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Cheap to clone; keeps connections.
#[derive(Debug, Clone)]
pub struct Courier {
    http: reqwest::Client,
}

impl Courier {
    /// # Errors
    /// When the system's certificate authorities cannot be read.
    pub fn new() -> Result<Self, DeliveryError> {
        http::client().map(|http| Self { http })
    }

    /// Tries once. Dropped in the middle, it may or may not have been delivered.
    ///
    /// # Errors
    /// [`DeliveryError::is_retryable`] says whether the same may work later.
    pub async fn deliver(
        &self,
        kind: ContactKind,
        settings: &ContactSettings,
        secrets: &ContactSecrets,
        notification: &Notification,
    ) -> Result<(), DeliveryError> {
        let work = async {
            match kind {
                ContactKind::Email => email::send(settings, secrets, notification).await,
                ContactKind::Webhook => webhook::send(&self.http, secrets, notification).await,
                ContactKind::Slack => slack::send(&self.http, secrets, notification).await,
                ContactKind::Pagerduty => pagerduty::send(&self.http, settings, secrets, notification).await,
                ContactKind::Alertmanager => alertmanager::send(&self.http, settings, secrets, notification).await,
            }
        };
        let limit = DELIVERY_TIMEOUT;
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(DeliveryError::Away(format!("no answer within {} s", limit.as_secs()))))
    }
}
