//! Users, tokens and what they did.

use oplogue_api::audit::AuditEntry;
use oplogue_api::tokens::ApiToken;
use oplogue_api::users::{Role, User};

use super::{ago, ahead, long_name};

/// One of each role; one that may not sign in any more.
pub fn users() -> Vec<User> {
    let user = |number: u32, name: &str, role, disabled, seconds: Option<i64>| User {
        id: format!("user-{number}"),
        name: name.to_owned(),
        role,
        disabled,
        created_at: ago(3_000_000),
        last_sign_in: seconds.map(ago),
    };
    vec![
        user(1, "admin", Role::Administrator, false, Some(60)),
        user(2, "anna", Role::Operator, false, Some(90_000)),
        user(3, "viewer", Role::Viewer, false, None),
        user(4, "gone", Role::Operator, true, Some(9_000_000)),
        user(5, &long_name("user-"), Role::Viewer, false, None),
    ]
}

/// Used, unused, about to expire, expired.
pub fn tokens() -> Vec<ApiToken> {
    let token = |number: u32, name: &str, role, expires: Option<jiff::Timestamp>, used: Option<i64>| ApiToken {
        id: format!("token-{number}"),
        name: name.to_owned(),
        role,
        prefix: format!("opl_{number}x7f"),
        created_by: "admin".to_owned(),
        created_at: ago(2_000_000),
        expires_at: expires,
        last_used_at: used.map(ago),
    };
    vec![
        token(1, "ci", Role::Operator, Some(ahead(9_000_000)), Some(300)),
        token(2, "grafana", Role::Viewer, None, Some(14)),
        token(3, "old", Role::Administrator, Some(ago(3600)), None),
        token(4, &long_name("token-"), Role::Viewer, None, None),
    ]
}

/// What worked and what did not.
pub fn audit_entries() -> Vec<AuditEntry> {
    let entry = |id, seconds, actor: &str, action: &str, object: &str, detail: &str, from: &str, ok| AuditEntry {
        id,
        at: ago(seconds),
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        detail: detail.to_owned(),
        from: from.to_owned(),
        ok,
    };
    vec![
        entry(41, 60, "anna", "restore.start", "shop", "restore to 2026-11-25 10:41:07 UTC, everything", "192.0.2.14", true),
        entry(40, 300, "anna", "location.delete", "nas", "refused: it holds 2 backups", "192.0.2.14", false),
        entry(39, 3600, "schedule nightly", "backup.start", "shop", "nightly_2026-11-25T03:00:00Z", "", true),
        entry(
            38,
            9000,
            &long_name("token "),
            "schedule.update",
            &long_name("schedule-"),
            "retention: 7 → 14 backups",
            "2001:db8::17",
            true,
        ),
    ]
}
