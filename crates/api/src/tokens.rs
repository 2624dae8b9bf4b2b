//! Tokens for programs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::users::Role;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// The first characters, to tell tokens apart.
    pub prefix: String,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiTokenInput {
    pub name: String,
    pub role: Role,
    /// `None`: does not expire.
    #[serde(default)]
    #[schema(maximum = 3650)]
    pub valid_days: Option<u32>,
}

/// The only time the token itself is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewApiToken {
    pub token: String,
    pub details: ApiToken,
}
