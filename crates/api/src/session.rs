//! Signing in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::users::Role;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    pub name: String,
    pub password: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignIn({}, hidden)", self.name)
    }
}

/// Uses a one-time link: of the first start, or for a lost password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirstStart {
    /// What stands after `code=` in the link.
    pub code: String,
    /// Of the first administrator. A link for a lost password knows its user; the name is then left aside.
    #[serde(default)]
    pub name: String,
    pub password: String,
}

impl std::fmt::Debug for FirstStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FirstStart({}, hidden)", self.name)
    }
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    pub name: String,
    pub role: Role,
    /// `session` or `token`.
    pub by: String,
    pub expires_at: Option<Timestamp>,
    /// session: send it as `X-CSRF-Token` with everything that changes something.
    pub csrf_token: Option<String>,
}

/// What the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerInfo {
    pub version: String,
    pub started_at: Timestamp,
    pub now: Timestamp,
}
