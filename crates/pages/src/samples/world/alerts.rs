//! Alerts and everything they are made from.

use oplogue_api::alerts::{
    Alert, AlertRule, AlertRuleInput, AlertState, AlertTemplate, Condition, ContactKind, ContactPoint, ContactSettings, Delivery, Severity,
    Silence, SilenceInput,
};

use super::{ago, ahead, long_name};

/// Firing, pending, silenced and resolved.
pub fn alerts() -> Vec<Alert> {
    let firing = Alert {
        id: "alert-9".to_owned(),
        rule_id: "rule-1".to_owned(),
        rule_name: "A backup failed".to_owned(),
        condition: Condition::BackupFailed,
        severity: Severity::Critical,
        state: AlertState::Firing,
        summary: "The backup job hourly of billing failed at 09:14 UTC after 3 tries: 403 AccessDenied".to_owned(),
        subject: "schedule hourly".to_owned(),
        cluster: Some("billing".to_owned()),
        service: Some("billing-1".to_owned()),
        link: "/jobs/job-102".to_owned(),
        since: ago(6600),
        resolved_at: None,
        silenced: false,
        deliveries: vec![
            Delivery { contact_point: "On call".to_owned(), what: "firing".to_owned(), at: ago(6595), error: None },
            Delivery {
                contact_point: "Mail".to_owned(),
                what: "firing".to_owned(),
                at: ago(6590),
                error: Some("connect to mail.example.org:587: timed out".to_owned()),
            },
        ],
    };
    let pending = Alert {
        id: "alert-10".to_owned(),
        rule_name: "The restore point is old".to_owned(),
        condition: Condition::RestorePointOld,
        severity: Severity::Warning,
        state: AlertState::Pending,
        summary: "The newest restorable moment of archive is 17 m old; 15 m is the limit".to_owned(),
        subject: "cluster archive".to_owned(),
        cluster: Some("archive".to_owned()),
        service: None,
        link: "/clusters/archive".to_owned(),
        since: ago(40),
        deliveries: Vec::new(),
        ..firing.clone()
    };
    let silenced = Alert {
        id: "alert-8".to_owned(),
        rule_name: "An agent is down".to_owned(),
        condition: Condition::AgentDown,
        severity: Severity::Error,
        summary: format!("The agent of {} was not heard of for 1 h 30 m", long_name("service-")),
        subject: long_name("service-"),
        silenced: true,
        deliveries: Vec::new(),
        ..firing.clone()
    };
    let resolved = Alert {
        id: "alert-7".to_owned(),
        state: AlertState::Resolved,
        severity: Severity::Info,
        since: ago(90_000),
        resolved_at: Some(ago(86_000)),
        ..firing.clone()
    };
    vec![firing, pending, silenced, resolved]
}

/// What rules can be made from.
pub fn alert_templates() -> Vec<AlertTemplate> {
    let failed = AlertTemplate {
        name: "backup_failed".to_owned(),
        summary: "Backup failed".to_owned(),
        description: "A backup job's last run failed, retries included, and no later one succeeded.".to_owned(),
        condition: Condition::BackupFailed,
        unit: String::new(),
        threshold: 0.0,
        threshold_min: 0.0,
        threshold_max: 0.0,
        for_seconds: 0,
        severity: Severity::Critical,
        imported: false,
    };
    let old = AlertTemplate {
        name: "restore_point_old".to_owned(),
        summary: "Restore point old".to_owned(),
        description: "The newest restorable moment is older than the threshold.".to_owned(),
        condition: Condition::RestorePointOld,
        unit: "seconds".to_owned(),
        threshold: 900.0,
        threshold_min: 30.0,
        threshold_max: 604_800.0,
        for_seconds: 60,
        severity: Severity::Error,
        imported: false,
    };
    let growth = AlertTemplate {
        name: "storage_growth".to_owned(),
        summary: "Storage grows fast".to_owned(),
        description: "A location grew by more than the threshold within a day.".to_owned(),
        condition: Condition::StorageGrowth,
        unit: "bytes".to_owned(),
        threshold: 107_374_182_400.0,
        threshold_min: 1.0,
        threshold_max: 1e18,
        severity: Severity::Info,
        imported: true,
        ..failed.clone()
    };
    vec![failed, old, growth]
}

/// One that fires, one that is off.
pub fn alert_rules() -> Vec<AlertRule> {
    let input = AlertRuleInput {
        name: "A backup failed".to_owned(),
        template: "backup_failed".to_owned(),
        threshold: None,
        for_seconds: None,
        severity: None,
        clusters: Vec::new(),
        services: Vec::new(),
        contact_points: vec!["contact-1".to_owned()],
        enabled: true,
    };
    let narrow = AlertRuleInput {
        name: long_name("The restore point of the most important clusters is old "),
        template: "restore_point_old".to_owned(),
        threshold: Some(300.0),
        for_seconds: Some(120),
        severity: Some(Severity::Critical),
        clusters: vec!["shop".to_owned(), "billing".to_owned()],
        services: vec!["shop-1".to_owned()],
        contact_points: Vec::new(),
        enabled: false,
    };
    vec![
        AlertRule { id: "rule-1".to_owned(), input, firing: 1, created_at: ago(900_000) },
        AlertRule { id: "rule-2".to_owned(), input: narrow, firing: 0, created_at: ago(900_000) },
    ]
}

/// One of each kind.
pub fn contact_points() -> Vec<ContactPoint> {
    let mail = ContactSettings {
        smtp: "mail.example.org:587".to_owned(),
        smtp_security: "starttls".to_owned(),
        smtp_user: "oplogue".to_owned(),
        mail_from: "oplogue@example.org".to_owned(),
        mail_to: vec!["dba@example.org".to_owned(), "oncall@example.org".to_owned()],
        url: String::new(),
    };
    let alertmanager = ContactSettings { url: "https://alertmanager.example.org".to_owned(), ..ContactSettings::default() };
    let point = |number: u32, name: &str, kind, settings, has_secret| ContactPoint {
        id: format!("contact-{number}"),
        name: name.to_owned(),
        kind,
        settings,
        has_secret,
        created_at: ago(900_000),
    };
    vec![
        point(1, "Mail", ContactKind::Email, mail, true),
        point(2, "On call", ContactKind::Pagerduty, ContactSettings::default(), true),
        point(3, "#databases", ContactKind::Slack, ContactSettings::default(), true),
        point(4, "Ticket system", ContactKind::Webhook, ContactSettings::default(), true),
        point(5, "Alertmanager", ContactKind::Alertmanager, alertmanager, false),
    ]
}

/// One now, one that covers everything.
pub fn silences() -> Vec<Silence> {
    let input = SilenceInput {
        rule_id: Some("rule-1".to_owned()),
        cluster: Some("billing".to_owned()),
        service: None,
        until: ahead(7200),
        comment: "Storage is being moved; see the change calendar.".to_owned(),
    };
    let all = SilenceInput { rule_id: None, cluster: None, service: None, until: ahead(600), comment: String::new() };
    vec![
        Silence { id: "silence-1".to_owned(), input, created_by: "anna".to_owned(), created_at: ago(300) },
        Silence { id: "silence-2".to_owned(), input: all, created_by: "token ci".to_owned(), created_at: ago(30) },
    ]
}
