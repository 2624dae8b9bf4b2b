//! What was typed about a contact point, and the way to the API's values and back.

use oplogue_api::FieldError;
use oplogue_api::alerts::{ContactKind, ContactPoint, ContactPointInput, ContactSecrets, ContactSettings};
use serde::Deserialize;

use crate::typed::{Reading, lines, optional, word};

/// Every field as typed. Secrets travel one way: a page shows the form again without them.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContactPointForm {
    pub name: String,
    pub kind: String,
    #[serde(rename = "settings.smtp")]
    pub smtp: String,
    #[serde(rename = "settings.smtp_security")]
    pub smtp_security: String,
    #[serde(rename = "settings.smtp_user")]
    pub smtp_user: String,
    #[serde(rename = "settings.mail_from")]
    pub mail_from: String,
    /// One a line.
    #[serde(rename = "settings.mail_to")]
    pub mail_to: String,
    #[serde(rename = "settings.url")]
    pub url: String,
    #[serde(rename = "secrets.smtp_password")]
    pub smtp_password: String,
    #[serde(rename = "secrets.webhook_url")]
    pub webhook_url: String,
    #[serde(rename = "secrets.authorization")]
    pub authorization: String,
    #[serde(rename = "secrets.routing_key")]
    pub routing_key: String,
    /// `save`, or `kind` to show the fields of the chosen kind.
    pub action: String,
}

impl std::fmt::Debug for ContactPointForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContactPointForm({} {}, secrets hidden)", self.kind, self.name)
    }
}

impl ContactPointForm {
    pub fn new() -> Self {
        Self { kind: word(&ContactKind::Email), smtp_security: "starttls".to_owned(), ..Self::default() }
    }

    /// Only the fields are wanted, nothing is to be kept.
    pub fn wants_kind(&self) -> bool {
        self.action == "kind"
    }

    pub fn kind(&self) -> ContactKind {
        serde_json::from_value(serde_json::Value::String(self.kind.clone())).unwrap_or(ContactKind::Email)
    }

    /// Only the fields of the chosen kind go into it.
    pub fn to_input(&self) -> Result<ContactPointInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let input = reading.choice::<ContactKind>("kind", &self.kind).map(|kind| {
            let mail = kind == ContactKind::Email;
            let when = |wanted: bool, typed: &str| if wanted { typed.trim().to_owned() } else { String::new() };
            let secret = |wanted: bool, typed: &str| if wanted { optional(typed) } else { None };
            ContactPointInput {
                name: self.name.trim().to_owned(),
                kind,
                settings: ContactSettings {
                    smtp: when(mail, &self.smtp),
                    smtp_security: when(mail, &self.smtp_security),
                    smtp_user: when(mail, &self.smtp_user),
                    mail_from: when(mail, &self.mail_from),
                    mail_to: if mail { lines(&self.mail_to) } else { Vec::new() },
                    url: when(kind == ContactKind::Alertmanager, &self.url),
                },
                secrets: ContactSecrets {
                    smtp_password: secret(mail, &self.smtp_password),
                    webhook_url: secret(matches!(kind, ContactKind::Webhook | ContactKind::Slack), &self.webhook_url),
                    authorization: secret(matches!(kind, ContactKind::Webhook | ContactKind::Alertmanager), &self.authorization),
                    routing_key: secret(kind == ContactKind::Pagerduty, &self.routing_key),
                },
            }
        });
        reading.done_with(input)
    }

    pub fn from_contact_point(point: &ContactPoint) -> Self {
        let settings = &point.settings;
        Self {
            name: point.name.clone(),
            kind: word(&point.kind),
            smtp: settings.smtp.clone(),
            smtp_security: settings.smtp_security.clone(),
            smtp_user: settings.smtp_user.clone(),
            mail_from: settings.mail_from.clone(),
            mail_to: settings.mail_to.join("\n"),
            url: settings.url.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_of_the_chosen_kind_are_sent() {
        let form = ContactPointForm {
            name: "On call".into(),
            kind: "slack".into(),
            smtp: "mail:25".into(),
            smtp_password: "hunter2".into(),
            webhook_url: "https://hooks.example/T/B".into(),
            ..ContactPointForm::new()
        };
        let input = form.to_input().expect("it is whole");
        assert_eq!(input.settings, ContactSettings::default());
        assert_eq!(input.secrets.smtp_password, None);
        assert_eq!(input.secrets.webhook_url.as_deref(), Some("https://hooks.example/T/B"));
        assert!(!format!("{form:?}").contains("hooks.example"));
    }

    #[test]
    fn a_point_that_is_edited_keeps_its_settings_and_its_stored_secrets() {
        let settings = ContactSettings {
            smtp: "mail.example:587".into(),
            smtp_security: "starttls".into(),
            smtp_user: "oplogue".into(),
            mail_from: "oplogue@example.org".into(),
            mail_to: vec!["a@example.org".into(), "b@example.org".into()],
            url: String::new(),
        };
        let point = ContactPoint {
            id: "contact-1".into(),
            name: "Mail".into(),
            kind: ContactKind::Email,
            settings: settings.clone(),
            has_secret: true,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let input = ContactPointForm::from_contact_point(&point).to_input().expect("it was valid");
        assert_eq!(input.settings, settings);
        assert!(input.secrets == ContactSecrets::default());
    }
}
