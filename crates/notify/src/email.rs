//! E-mail over SMTP: plain text, one message per notification.

use std::time::Duration;

use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use oplogue_api::alerts::{ContactSecrets, ContactSettings};

use crate::notification::{one_line, shortened, word};
use crate::{DeliveryError, Notification, Status};

const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
const SUBJECT_CHARACTERS_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    None,
    StartTls,
    Tls,
}

impl Security {
    /// Empty means `starttls`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "starttls" => Some(Self::StartTls),
            "none" => Some(Self::None),
            "tls" => Some(Self::Tls),
            _ => None,
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// `host`, `host:port`, `[::1]:port`. Without a port, the usual one.
pub fn server(smtp: &str, security: Security) -> Option<(String, u16)> {
    let (host, port) = match smtp.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (smtp, security.port()),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let fits = !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '_'));
    fits.then(|| (host.to_owned(), port))
}

/// `a@b.example` or `Name <a@b.example>`.
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// A password goes over the network only encrypted.
pub fn may_send_password(host: &str, security: Security) -> bool {
    security != Security::None || matches!(host, "localhost" | "127.0.0.1" | "::1")
}

pub(crate) async fn send(settings: &ContactSettings, secrets: &ContactSecrets, notification: &Notification) -> Result<(), DeliveryError> {
    let transport = transport(settings, secrets)?;
    let message = message(settings, notification)?;
    transport.send(message).await.map(drop).map_err(|error| {
        let text = causes(&error);
        let hidden = secrets.smtp_password.as_deref().filter(|secret| !secret.is_empty());
        let text = hidden.map_or(text.clone(), |secret| text.replace(secret, "(hidden)"));
        let told = format!("the mail server {} did not take the message: {}", settings.smtp, shortened(&one_line(&text), 300));
        // 5xx: it will not take this message later either.
        if error.is_permanent() { DeliveryError::Settings(told) } else { DeliveryError::Away(told) }
    })
}

fn transport(settings: &ContactSettings, secrets: &ContactSecrets) -> Result<AsyncSmtpTransport<Tokio1Executor>, DeliveryError> {
    let wrong = |text: String| DeliveryError::Settings(text);
    let security = Security::parse(&settings.smtp_security)
        .ok_or_else(|| wrong(format!("`{}` is no kind of security for SMTP: none, starttls or tls", settings.smtp_security)))?;
    let (host, port) =
        server(&settings.smtp, security).ok_or_else(|| wrong(format!("`{}` is not HOST:PORT of a mail server", settings.smtp)))?;
    let builder = match security {
        Security::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)),
        Security::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&host),
        Security::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&host),
    };
    let mut builder = builder.map_err(|error| wrong(format!("set up TLS to the mail server {host}: {}", causes(&error))))?;
    builder = builder.port(port).timeout(Some(COMMAND_TIMEOUT));
    if let Some(password) = secrets.smtp_password.as_ref().filter(|password| !password.is_empty()) {
        if !may_send_password(&host, security) {
            return Err(wrong(format!("the password is not sent to {host} without encryption: use starttls or tls")));
        }
        builder = builder.credentials(Credentials::new(settings.smtp_user.clone(), password.clone()));
    }
    Ok(builder.build())
}

fn message(settings: &ContactSettings, notification: &Notification) -> Result<Message, DeliveryError> {
    let mailbox = |what: &str, text: &str| {
        text.parse::<Mailbox>().map_err(|_| DeliveryError::Settings(format!("`{}` is not an e-mail address ({what})", one_line(text))))
    };
    let from = mailbox("from", &settings.mail_from)?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder()
        .from(from)
        .subject(shortened(&one_line(&notification.title()), SUBJECT_CHARACTERS_MAX))
        // The same message sent twice is recognised by it.
        .message_id(Some(message_id(notification, &domain)))
        .header(header::ContentType::TEXT_PLAIN);
    for to in &settings.mail_to {
        builder = builder.to(mailbox("to", to)?);
    }
    builder.body(text(notification)).map_err(|error| DeliveryError::Settings(format!("the message cannot be made: {error}")))
}

fn message_id(notification: &Notification, domain: &str) -> String {
    let first = notification.alerts.first().map_or("none", |alert| alert.id.as_str());
    format!("<{first}.{}.{}@{domain}>", notification.status.as_str(), notification.alerts.len())
}

fn text(notification: &Notification) -> String {
    let mut text = String::new();
    for alert in &notification.alerts {
        text.push_str(&format!("{}\n\n", one_line(&alert.summary)));
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(&format!("{name:<9} {}\n", one_line(value)));
            }
        };
        line("Rule", &alert.rule);
        line("Severity", &word(&alert.severity));
        line("Cluster", alert.cluster.as_deref().unwrap_or_default());
        line("Service", alert.service.as_deref().unwrap_or_default());
        line("Since", &alert.since.to_string());
        if notification.status == Status::Resolved {
            line("Resolved", &alert.resolved_at.map(|at| at.to_string()).unwrap_or_default());
        }
        line("Look at", &notification.url(alert));
        text.push('\n');
    }
    text
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text.push_str(&format!(": {told}"));
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_may_be_named_with_or_without_its_port() {
        for (text, security, expected) in [
            ("mail.example.com:2525", Security::None, Some(("mail.example.com", 2525))),
            ("mail.example.com", Security::StartTls, Some(("mail.example.com", 587))),
            ("mail.example.com", Security::Tls, Some(("mail.example.com", 465))),
            ("[::1]:25", Security::None, Some(("::1", 25))),
            ("[::1]", Security::None, Some(("::1", 25))),
            ("mail.example.com:many", Security::None, None),
            (":25", Security::None, None),
            ("a b:25", Security::None, None),
        ] {
            let expected = expected.map(|(host, port): (&str, u16)| (host.to_owned(), port));
            assert_eq!(server(text, security), expected, "{text}");
        }
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        assert!(!may_send_password("mail.example.com", Security::None));
        assert!(may_send_password("mail.example.com", Security::StartTls));
        assert!(may_send_password("127.0.0.1", Security::None));
    }
}
