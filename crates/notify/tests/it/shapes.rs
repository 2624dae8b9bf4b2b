//! The webhook's body is a promise.

use oplogue_notify::{Status, webhook};
use serde_json::json;

use crate::delivering::notification;

#[test]
fn the_body_of_a_webhook_is_as_documented() {
    assert_eq!(
        webhook::body(&notification(Status::Resolved, 1)),
        json!({
            "version": "1",
            "status": "resolved",
            "receiver": "on call",
            "externalURL": "https://backup.example.com",
            "title": "[RESOLVED] Backup failed: nightly",
            "sentAt": "2026-11-25T03:00:10Z",
            "alerts": [{
                "status": "resolved",
                "fingerprint": "alt_0",
                "labels": {
                    "alertname": "Backup failed",
                    "condition": "backup_failed",
                    "severity": "error",
                    "subject": "nightly",
                    "cluster": "shop",
                    "service": "db1",
                },
                "annotations": {"summary": "The backup nightly of shop failed: write to s3-main: <connection refused>"},
                "startsAt": "2026-11-25T03:00:00Z",
                "endsAt": "2026-11-25T04:00:00Z",
                "generatorURL": "https://backup.example.com/jobs/job_1",
            }],
        })
    );
}
