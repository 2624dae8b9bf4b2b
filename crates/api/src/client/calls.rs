//! The calls that agents and the commands of administrators need, each with its types.

use std::time::Duration;

use super::{Client, ClientError};
use crate::agent::{Enrol, Enrolled, Report, Sync, Wishes};
use crate::services::{Enrolment, EnrolmentRequest, Service};
use crate::session::WhoAmI;

/// Beyond the time the server may hold an answer back.
const SYNC_GRACE: Duration = Duration::from_secs(15);

impl Client {
    /// Exchanges a one-time token for a credential.
    pub async fn enrol(&self, enrol: &Enrol) -> Result<Enrolled, ClientError> {
        self.post(&["agent", "enrol"], enrol).await
    }

    /// Says how things are and hears what is wanted; may be held back for `sync.wait_seconds`.
    pub async fn sync(&self, sync: &Sync) -> Result<Wishes, ClientError> {
        let path = ["agent", "sync"];
        let limit = Duration::from_secs(sync.wait_seconds.into()) + SYNC_GRACE;
        self.answered(reqwest::Method::POST, &path, self.http.post(self.url(&path)).json(sync).timeout(limit)).await
    }

    /// Tells what became of an attempt.
    pub async fn report(&self, job_id: &str, report: &Report) -> Result<(), ClientError> {
        let path = ["agent", "jobs", job_id, "report"];
        self.exchange(reqwest::Method::POST, &path, self.http.post(self.url(&path)).json(report)).await.map(drop)
    }

    pub async fn who_am_i(&self) -> Result<WhoAmI, ClientError> {
        self.get(&["whoami"], &[]).await
    }

    /// Asks for a token with which one agent may enrol. For administrators.
    pub async fn enrolment(&self, request: &EnrolmentRequest) -> Result<Enrolment, ClientError> {
        self.post(&["enrolments"], request).await
    }

    pub async fn services(&self) -> Result<Vec<Service>, ClientError> {
        self.get(&["services"], &[]).await
    }

    /// Forgets a service; its agent's credential is worth nothing from then on. For administrators.
    pub async fn delete_service(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&["services", id], &[]).await
    }
}
