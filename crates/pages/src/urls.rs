//! Every path of the pages, once: the constants are what the server's router takes, the functions fill them in.
//!
//! `{id}` and `{name}` are path parameters. A form is sent to the path of the page that shows it, unless a function says otherwise.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

// Signing in
pub const SIGN_IN: &str = "/sign-in";
/// POST only.
pub const SIGN_OUT: &str = "/sign-out";
/// With `?code=`: the one-time link that the first start prints, or one for a lost password.
pub const FIRST_START: &str = "/first";
// Looking
pub const OVERVIEW: &str = "/";
pub const CLUSTER: &str = "/clusters/{name}";
/// `?location_id&folder&from&to`; without any, a choice.
pub const TIMELINE: &str = "/timeline";
// Backups
pub const BACKUPS: &str = "/backups";
pub const BACKUP_NEW: &str = "/backups/new";
pub const BACKUP: &str = "/backups/{id}";
pub const BACKUP_DELETE: &str = "/backups/{id}/delete";
// Schedules
pub const SCHEDULES: &str = "/schedules";
/// `?copy=ID` begins with another's fields.
pub const SCHEDULE_NEW: &str = "/schedules/new";
pub const SCHEDULE: &str = "/schedules/{id}";
pub const SCHEDULE_EDIT: &str = "/schedules/{id}/edit";
pub const SCHEDULE_DELETE: &str = "/schedules/{id}/delete";
/// POST only; field `enabled`.
pub const SCHEDULE_ENABLED: &str = "/schedules/{id}/enabled";
/// POST only.
pub const SCHEDULE_RUN: &str = "/schedules/{id}/run";
pub const SCHEDULE_RETENTION: &str = "/schedules/{id}/retention";
// Restoring
/// The wizard: its fields are the query.
pub const RESTORE: &str = "/restore";
pub const RESTORES: &str = "/restores";
pub const RESTORE_PLAN: &str = "/restores/plans/{id}";
pub const RESTORE_SHOW: &str = "/restores/{id}";
// Locations
pub const LOCATIONS: &str = "/locations";
pub const LOCATION_NEW: &str = "/locations/new";
pub const LOCATION: &str = "/locations/{id}";
pub const LOCATION_EDIT: &str = "/locations/{id}/edit";
pub const LOCATION_DELETE: &str = "/locations/{id}/delete";
/// POST only.
pub const LOCATION_TEST: &str = "/locations/{id}/test";
// Services
pub const SERVICES: &str = "/services";
pub const SERVICE_ENROL: &str = "/services/enrol";
pub const SERVICE: &str = "/services/{id}";
pub const SERVICE_EDIT: &str = "/services/{id}/edit";
pub const SERVICE_DELETE: &str = "/services/{id}/delete";
// Jobs
pub const JOBS: &str = "/jobs";
pub const JOB: &str = "/jobs/{id}";
/// POST only.
pub const JOB_CANCEL: &str = "/jobs/{id}/cancel";
/// POST only.
pub const JOB_RETRY: &str = "/jobs/{id}/retry";
// Alerts
pub const ALERTS: &str = "/alerts";
pub const ALERT_RULES: &str = "/alerts/rules";
pub const ALERT_RULE_NEW: &str = "/alerts/rules/new";
pub const ALERT_RULE: &str = "/alerts/rules/{id}";
pub const ALERT_RULE_DELETE: &str = "/alerts/rules/{id}/delete";
pub const ALERT_TEMPLATES: &str = "/alerts/templates";
/// POST only.
pub const ALERT_TEMPLATE_DELETE: &str = "/alerts/templates/{name}/delete";
pub const CONTACT_POINTS: &str = "/alerts/contact-points";
pub const CONTACT_POINT_NEW: &str = "/alerts/contact-points/new";
pub const CONTACT_POINT: &str = "/alerts/contact-points/{id}";
pub const CONTACT_POINT_DELETE: &str = "/alerts/contact-points/{id}/delete";
/// POST only.
pub const CONTACT_POINT_TEST: &str = "/alerts/contact-points/{id}/test";
pub const SILENCES: &str = "/alerts/silences";
pub const SILENCE_NEW: &str = "/alerts/silences/new";
/// POST only.
pub const SILENCE_DELETE: &str = "/alerts/silences/{id}/delete";
// Settings
pub const SETTINGS: &str = "/settings";
pub const PASSWORD: &str = "/settings/password";
pub const USERS: &str = "/settings/users";
pub const USER_NEW: &str = "/settings/users/new";
pub const USER: &str = "/settings/users/{id}";
pub const USER_DELETE: &str = "/settings/users/{id}/delete";
pub const TOKENS: &str = "/settings/tokens";
pub const TOKEN_NEW: &str = "/settings/tokens/new";
pub const TOKEN_DELETE: &str = "/settings/tokens/{id}/delete";
pub const AUDIT: &str = "/settings/audit";
// The rest
/// Prometheus text; the REST API's.
pub const METRICS: &str = "/metrics";
/// Files of [`crate::assets`].
pub const ASSET: &str = "/assets/{name}";
/// Debug builds only.
pub const SAMPLES: &str = "/_samples";
/// Debug builds only.
pub const SAMPLE: &str = "/_samples/{page}/{name}";

/// Fills the one parameter of `pattern`: `at(JOB_CANCEL, &job.id)`.
pub fn at(pattern: &str, value: &str) -> String {
    match (pattern.find('{'), pattern.find('}')) {
        (Some(open), Some(close)) => format!("{}{}{}", &pattern[..open], escape(value), &pattern[close + 1..]),
        _ => pattern.to_owned(),
    }
}

pub fn cluster(name: &str) -> String {
    at(CLUSTER, name)
}

pub fn backup(id: &str) -> String {
    at(BACKUP, id)
}

pub fn schedule(id: &str) -> String {
    at(SCHEDULE, id)
}

pub fn location(id: &str) -> String {
    at(LOCATION, id)
}

pub fn service(id: &str) -> String {
    at(SERVICE, id)
}

pub fn job(id: &str) -> String {
    at(JOB, id)
}

pub fn restore(id: &str) -> String {
    at(RESTORE_SHOW, id)
}

pub fn restore_plan(job_id: &str) -> String {
    at(RESTORE_PLAN, job_id)
}

/// A folder's timeline, all of it.
pub fn timeline(location_id: &str, folder: &str) -> String {
    Query::new().with("location_id", location_id).with("folder", folder).on(TIMELINE)
}

/// A sample page in debug builds.
pub fn sample(page: &str, name: &str) -> String {
    format!("{SAMPLES}/{}/{}", escape(page), escape(name))
}

/// `value` for a path segment or a query.
pub fn escape(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// The query of a URL, in order. Lists keep their state (sort, filter, window) in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key`; an empty value takes it away.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        self.0.retain(|(k, _)| k != key);
        if !value.is_empty() {
            self.0.push((key.to_owned(), value));
        }
        self
    }

    #[must_use]
    pub fn without(self, key: &str) -> Self {
        self.with(key, "")
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `path?a=1&b=2`
    pub fn on(&self, path: &str) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_where_they_are_filled_in() {
        assert_eq!(at(JOB_CANCEL, "job_1"), "/jobs/job_1/cancel");
        assert_eq!(cluster("a/b ä"), "/clusters/a%2Fb%20%C3%A4");
        assert_eq!(timeline("loc_1", "shop/eu"), "/timeline?location_id=loc_1&folder=shop%2Feu");
    }

    #[test]
    fn a_query_keeps_its_order_and_forgets_empty_values() {
        let query = Query::new().with("status", "error").with("sort", "name").with("status", "").with("after", "x&y");
        assert_eq!(query.on(BACKUPS), "/backups?sort=name&after=x%26y");
        assert_eq!(query.get("sort"), Some("name"));
    }
}
