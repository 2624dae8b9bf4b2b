//! Alerts: templates, rules made from them, ways to be told, history, silences.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A backup job's last run failed, retries included, and no later one succeeded.
    BackupFailed,
    /// The newest restorable moment is older than the threshold (seconds).
    RestorePointOld,
    /// Slicing is asked for and nothing was stored for longer than the threshold (seconds).
    SlicingStalled,
    /// There is a gap in a timeline (newer than the threshold in seconds; 0: any).
    Gap,
    /// Slicing may stand still for less than the threshold (seconds).
    OplogWindowShort,
    /// An agent was not heard of for longer than the threshold (seconds).
    AgentDown,
    /// The server or an agent cannot use a location.
    StorageUnreachable,
    /// What was read back was damaged.
    VerifyFailed,
    /// A location grew by more than the threshold (bytes) within a day.
    StorageGrowth,
}

/// A kind of alert, ready to be made a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertTemplate {
    /// `backup_failed`, or the name from an imported file.
    pub name: String,
    pub summary: String,
    pub description: String,
    pub condition: Condition,
    /// What the threshold counts: `seconds`, `bytes`, empty when there is none.
    pub unit: String,
    pub threshold: f64,
    pub threshold_min: f64,
    pub threshold_max: f64,
    pub for_seconds: u32,
    pub severity: Severity,
    pub imported: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
    Critical,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRule {
    pub id: String,
    #[serde(flatten)]
    pub input: AlertRuleInput,
    pub firing: u32,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRuleInput {
    /// Unique.
    pub name: String,
    /// A template's name.
    pub template: String,
    /// `None`: the template's.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// The condition must hold this long; `None`: the template's.
    #[serde(default)]
    #[schema(maximum = 2678400)]
    pub for_seconds: Option<u32>,
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Empty: all.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// Names of services; empty: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// Ids; empty: shown here only.
    #[serde(default)]
    pub contact_points: Vec<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    pub id: String,
    pub rule_id: String,
    pub rule_name: String,
    pub condition: Condition,
    pub severity: Severity,
    pub state: AlertState,
    /// One sentence with the values.
    pub summary: String,
    /// What it is about: a cluster, a service, a location, a job.
    pub subject: String,
    pub cluster: Option<String>,
    pub service: Option<String>,
    /// Where to look: a path of this server.
    pub link: String,
    pub since: Timestamp,
    pub resolved_at: Option<Timestamp>,
    /// A silence covers it: shown, not delivered.
    pub silenced: bool,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The condition holds, not yet for long enough.
    Pending,
    Firing,
    Resolved,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    pub contact_point: String,
    /// `firing` or `resolved`.
    pub what: String,
    pub at: Timestamp,
    /// `None`: delivered.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    Email,
    Webhook,
    Slack,
    Pagerduty,
    Alertmanager,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactPoint {
    pub id: String,
    pub name: String,
    pub kind: ContactKind,
    pub settings: ContactSettings,
    pub has_secret: bool,
    pub created_at: Timestamp,
}

/// What is not secret. Which fields mean something depends on the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactSettings {
    /// email: `host:port` of the SMTP server.
    pub smtp: String,
    /// email: `none`, `starttls` (default) or `tls`.
    pub smtp_security: String,
    pub smtp_user: String,
    pub mail_from: String,
    /// email: addresses.
    pub mail_to: Vec<String>,
    /// alertmanager: the base URL. webhook: see the secret.
    pub url: String,
}

/// Only ever sent towards the server. On a change, `None` keeps what is stored.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactSecrets {
    pub smtp_password: Option<String>,
    /// webhook and slack: the URL is what gives access.
    pub webhook_url: Option<String>,
    /// webhook, alertmanager: `Authorization` header.
    pub authorization: Option<String>,
    /// pagerduty: integration key.
    pub routing_key: Option<String>,
}

impl std::fmt::Debug for ContactSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactSecrets(hidden)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactPointInput {
    pub name: String,
    pub kind: ContactKind,
    #[serde(default)]
    pub settings: ContactSettings,
    #[serde(default)]
    pub secrets: ContactSecrets,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    pub id: String,
    #[serde(flatten)]
    pub input: SilenceInput,
    pub created_by: String,
    pub created_at: Timestamp,
}

/// Alerts it covers are shown and not delivered. An absent filter covers all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceInput {
    #[serde(default)]
    pub rule_id: Option<String>,
    #[serde(default)]
    pub cluster: Option<String>,
    #[serde(default)]
    pub service: Option<String>,
    pub until: Timestamp,
    #[serde(default)]
    pub comment: String,
}

/// YAML in the shape of PMM's alert templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateImport {
    pub yaml: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestDelivery {
    pub ok: bool,
    pub error: Option<String>,
}
