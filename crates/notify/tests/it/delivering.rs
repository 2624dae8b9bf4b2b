//! Each kind delivers, and says why when it cannot, without a secret.

use oplogue_api::alerts::{Condition, ContactKind, ContactSecrets, ContactSettings, Severity};
use oplogue_notify::{Courier, Notification, NotifiedAlert, Status};
use oplogue_testkit::{HttpReceiver, MailReceiver};
use serde_json::Value;

pub fn notification(status: Status, count: usize) -> Notification {
    let alert = |index: usize| NotifiedAlert {
        id: format!("alt_{index}"),
        rule: "Backup failed".to_owned(),
        condition: Condition::BackupFailed,
        severity: Severity::Error,
        summary: "The backup nightly of shop failed: write to s3-main: <connection refused>".to_owned(),
        subject: "nightly".to_owned(),
        cluster: Some("shop".to_owned()),
        service: Some("db1".to_owned()),
        link: "/jobs/job_1".to_owned(),
        since: "2026-11-25T03:00:00Z".parse().expect("a time"),
        resolved_at: (status == Status::Resolved).then(|| "2026-11-25T04:00:00Z".parse().expect("a time")),
    };
    Notification {
        status,
        receiver: "on call".to_owned(),
        server_url: "https://backup.example.com".to_owned(),
        at: "2026-11-25T03:00:10Z".parse().expect("a time"),
        alerts: (0..count).map(alert).collect(),
    }
}

fn webhook(url: String) -> ContactSecrets {
    ContactSecrets { webhook_url: Some(url), authorization: Some("Bearer s3cret".to_owned()), ..ContactSecrets::default() }
}

fn courier() -> Courier {
    Courier::new().expect("a client")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn a_webhook_gets_the_documented_body_and_the_header() {
    let receiver = HttpReceiver::start("204 No Content", "").await;
    let secrets = webhook(format!("http://{}/hook?key=abc", receiver.address));
    let notification = notification(Status::Firing, 2);
    courier().deliver(ContactKind::Webhook, &ContactSettings::default(), &secrets, &notification).await.expect("delivered");
    let got = receiver.got().remove(0);
    assert_eq!(got.path, "/hook?key=abc");
    assert!(got.headers.to_lowercase().contains("authorization: bearer s3cret"), "{}", got.headers);
    let body = json(&got.body);
    assert_eq!(body["alerts"].as_array().map(Vec::len), Some(2));
    assert_eq!(body["alerts"][1]["fingerprint"], "alt_1");
}

#[tokio::test]
async fn errors_say_what_happened_and_hold_no_secret() {
    let refusing = HttpReceiver::start("403 Forbidden", "no such hook /hook/T0P, sent with Bearer s3cret").await;
    let busy = HttpReceiver::start("503 Service Unavailable", "").await;
    let elsewhere = HttpReceiver::start("302 Found", "").await;
    for (url, retryable, part) in [
        (format!("http://{}/hook/T0P", refusing.address), false, "403"),
        (format!("http://{}/hook/T0P", busy.address), true, "503"),
        (format!("http://{}/hook/T0P", elsewhere.address), false, "302"),
        // Nobody listens on port 1.
        ("http://127.0.0.1:1/hook/T0P".to_owned(), true, "cannot be reached"),
        ("ftp://127.0.0.1/hook/T0P".to_owned(), false, "not an http"),
        ("T0P".to_owned(), false, "not an http"),
        (String::new(), false, "is missing"),
    ] {
        let result = courier()
            .deliver(ContactKind::Webhook, &ContactSettings::default(), &webhook(url.clone()), &notification(Status::Firing, 1))
            .await;
        let error = result.expect_err("not delivered");
        let text = format!("{error} {error:?}");
        assert_eq!(error.is_retryable(), retryable, "{url}: {text}");
        assert!(text.contains(part), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
        assert!(!text.contains("hook/T0P"), "{text}");
    }
}

#[tokio::test]
async fn slack_gets_one_text_without_live_markup() {
    let receiver = HttpReceiver::start("200 OK", "ok").await;
    let secrets = ContactSecrets { webhook_url: Some(format!("http://{}/services/T", receiver.address)), ..ContactSecrets::default() };
    courier()
        .deliver(ContactKind::Slack, &ContactSettings::default(), &secrets, &notification(Status::Firing, 1))
        .await
        .expect("delivered");
    let text = json(&receiver.got()[0].body)["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.starts_with("*[FIRING] Backup failed: nightly*\n"), "{text}");
    assert!(text.contains("&lt;connection refused&gt;") && text.contains("<https://backup.example.com/jobs/job_1|Open>"), "{text}");
}

#[tokio::test]
async fn pagerduty_opens_and_closes_an_incident_by_the_alerts_id() {
    let receiver = HttpReceiver::start("202 Accepted", r#"{"status":"success"}"#).await;
    let settings = ContactSettings { url: format!("http://{}/v2/enqueue", receiver.address), ..ContactSettings::default() };
    let secrets = ContactSecrets { routing_key: Some("k3y".to_owned()), ..ContactSecrets::default() };
    for status in [Status::Firing, Status::Resolved] {
        courier().deliver(ContactKind::Pagerduty, &settings, &secrets, &notification(status, 1)).await.expect("delivered");
    }
    let events: Vec<Value> = receiver.got().iter().map(|got| json(&got.body)).collect();
    let actions: Vec<_> = events.iter().map(|event| (event["event_action"].as_str(), event["dedup_key"].as_str())).collect();
    assert_eq!(actions, [(Some("trigger"), Some("alt_0")), (Some("resolve"), Some("alt_0"))]);
    assert_eq!((events[0]["routing_key"].as_str(), events[0]["payload"]["severity"].as_str()), (Some("k3y"), Some("error")));

    let refusing = HttpReceiver::start("400 Bad Request", "key k3y is not known").await;
    let settings = ContactSettings { url: format!("http://{}/", refusing.address), ..ContactSettings::default() };
    let error =
        courier().deliver(ContactKind::Pagerduty, &settings, &secrets, &notification(Status::Firing, 1)).await.expect_err("refused");
    assert_eq!(error.to_string(), "the receiver answered 400: key (hidden) is not known");
}

#[tokio::test]
async fn alertmanager_gets_alerts_that_end() {
    let receiver = HttpReceiver::start("200 OK", "").await;
    let settings = ContactSettings { url: format!("http://{}/", receiver.address), ..ContactSettings::default() };
    for status in [Status::Firing, Status::Resolved] {
        courier()
            .deliver(ContactKind::Alertmanager, &settings, &ContactSecrets::default(), &notification(status, 1))
            .await
            .expect("delivered");
    }
    let got = receiver.got();
    assert!(got.iter().all(|got| got.path == "/api/v2/alerts"));
    let ends: Vec<_> = got.iter().map(|got| json(&got.body)[0]["endsAt"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(ends, ["2026-11-25T03:05:10Z", "2026-11-25T04:00:00Z"]);
    let labels = json(&got[0].body)[0]["labels"].clone();
    assert_eq!(labels["alertname"], "Backup failed");
    assert_eq!(labels["cluster"], "shop");
}

fn mail_settings(address: &str) -> ContactSettings {
    ContactSettings {
        smtp: address.to_owned(),
        smtp_security: "none".to_owned(),
        mail_from: "Oplogue <oplogue@example.com>".to_owned(),
        mail_to: vec!["dba@example.com".to_owned(), "On Call <oncall@example.com>".to_owned()],
        ..ContactSettings::default()
    }
}

#[tokio::test]
async fn a_mail_is_sent_to_everybody_with_a_title_and_the_values() {
    let receiver = MailReceiver::start(None).await;
    let settings = ContactSettings { smtp_user: "oplogue".to_owned(), ..mail_settings(&receiver.address) };
    let secrets = ContactSecrets { smtp_password: Some("pa55".to_owned()), ..ContactSecrets::default() };
    courier().deliver(ContactKind::Email, &settings, &secrets, &notification(Status::Resolved, 1)).await.expect("delivered");
    let mail = receiver.got().remove(0);
    assert!(mail.from.contains("oplogue@example.com") && mail.to.len() == 2 && mail.login.is_some(), "{mail:?}");
    assert!(mail.text.contains("Subject: [RESOLVED] Backup failed: nightly"), "{}", mail.text);
    assert!(mail.text.contains("https://backup.example.com/jobs/job_1"), "{}", mail.text);
    assert!(mail.text.contains("Message-ID: <alt_0.resolved.1@example.com>"), "{}", mail.text);
}

#[tokio::test]
async fn a_mail_server_that_says_no_is_quoted_and_one_that_is_away_is_tried_again() {
    let refusing = MailReceiver::start(Some("550 no such user here")).await;
    let later = MailReceiver::start(Some("451 try again later")).await;
    for (address, retryable, part) in [
        (refusing.address.as_str(), false, "no such user here"),
        (later.address.as_str(), true, "try again later"),
        ("127.0.0.1:1", true, "refused"),
    ] {
        let result = courier()
            .deliver(ContactKind::Email, &mail_settings(address), &ContactSecrets::default(), &notification(Status::Firing, 1))
            .await;
        let error = result.expect_err("not delivered");
        assert_eq!(error.is_retryable(), retryable, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_name_cannot_begin_another_header() {
    let receiver = MailReceiver::start(None).await;
    let mut notification = notification(Status::Firing, 1);
    notification.alerts[0].subject = "x\r\nBcc: everybody@example.com".to_owned();
    courier()
        .deliver(ContactKind::Email, &mail_settings(&receiver.address), &ContactSecrets::default(), &notification)
        .await
        .expect("delivered");
    let mail = receiver.got().remove(0);
    assert!(!mail.text.lines().any(|line| line.starts_with("Bcc:")), "{}", mail.text);
}
