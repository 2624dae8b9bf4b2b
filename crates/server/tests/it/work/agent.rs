//! A simulated agent: it speaks the protocol, remembers over its restarts what it has begun, and does no work.

use std::collections::{BTreeMap, BTreeSet};

use oplogue_api::MomentJson;
use oplogue_api::agent::{AgentFacts, Attempt, AttemptId, Enrol, Outcome, Report, ReportLine, Sync, Wishes, Work};
use oplogue_api::jobs::LogLevel;
use oplogue_api::plan::{Plan, WritesAfter};
use oplogue_api::restores::RestoreReport;
use oplogue_api::services::{EnrolmentRequest, MemberRole};
use oplogue_domain::OplogTime;
use oplogue_server::app::{App, AppError};

use super::world::anna;

pub struct Agent {
    pub service_id: String,
    pub credential: String,
    pub facts: AgentFacts,
    /// Every attempt that was ever begun: on its disk.
    pub begun: BTreeSet<AttemptId>,
    /// What it works on, with the number of its next report.
    pub working: BTreeMap<AttemptId, (Work, u64)>,
    /// Attempts that were handed out a second time after they had been begun.
    pub offered_again: u32,
    pub wishes: Option<Wishes>,
    revision: u64,
}

pub fn facts(replica_set: &str, member: &str) -> AgentFacts {
    AgentFacts {
        agent_version: "0.1.0".to_owned(),
        host: "host".to_owned(),
        replica_set: replica_set.to_owned(),
        member: member.to_owned(),
        role: MemberRole::Primary,
        mongodb_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        oplog: None,
        problem: None,
    }
}

pub fn moment(seconds: u32) -> MomentJson {
    OplogTime::new(seconds, 1).into()
}

pub fn backed_up() -> Outcome {
    Outcome::BackedUp { bytes: 1000, documents: 10, restores_to: moment(1_795_600_000), notes: Vec::new() }
}

pub fn failed(error: &str, retryable: bool) -> Outcome {
    Outcome::Failed { error: error.to_owned(), hint: None, retryable }
}

pub fn planned(replica_set: &str) -> Outcome {
    Outcome::Planned { plan: Box::new(plan(replica_set)) }
}

pub fn restored() -> Outcome {
    let report = RestoreReport {
        collections: 1,
        views: 0,
        documents_loaded: 10,
        operations_applied: 5,
        operations_folded: 5,
        documents_spared: 0,
        indexes: 1,
        users_written: 0,
        roles_written: 0,
        dropped: 1,
        seconds: 1.5,
        proofs: Vec::new(),
        notes: Vec::new(),
    };
    Outcome::Restored { report: Box::new(report) }
}

fn plan(replica_set: &str) -> Plan {
    Plan {
        base: "nightly_2026-11-25T03:00:00Z".to_owned(),
        base_mongodb_version: "6.0.5".to_owned(),
        base_fcv: "6.0".to_owned(),
        source_replica_set: replica_set.to_owned(),
        target_replica_set: replica_set.to_owned(),
        target_host: "db1:27017".to_owned(),
        target_mongodb_version: "6.0.5".to_owned(),
        target_fcv: "6.0".to_owned(),
        through: moment(1_795_600_100),
        passed_over: Vec::new(),
        oplog: Vec::new(),
        collections: Vec::new(),
        views: Vec::new(),
        drops: Vec::new(),
        users: None,
        roles: None,
        read_bytes: 1000,
        document_bytes: 1000,
        operations: 5,
        writes_after: WritesAfter { counted: 0, complete: true, newest: moment(1_795_600_200) },
        unfinished_transactions: 0,
        seconds_estimate: 2,
        warnings: Vec::new(),
    }
}

impl Agent {
    pub fn enrol(app: &App, cluster: Option<&str>, member: &str) -> Result<Self, AppError> {
        let request = EnrolmentRequest { cluster: cluster.map(str::to_owned), valid_seconds: None };
        let token = app.create_enrolment(&anna(), &request).expect("a token").token;
        Self::enrol_with(app, &token, None, facts("rs0", member))
    }

    pub fn enrol_with(app: &App, token: &str, cluster: Option<&str>, facts: AgentFacts) -> Result<Self, AppError> {
        let enrol = Enrol { token: token.to_owned(), service_name: None, cluster: cluster.map(str::to_owned), facts: facts.clone() };
        let enrolled = app.enrol(&enrol, "10.0.0.9")?;
        Ok(Self {
            service_id: enrolled.service_id,
            credential: enrolled.credential,
            facts,
            begun: BTreeSet::new(),
            working: BTreeMap::new(),
            offered_again: 0,
            wishes: None,
            revision: 0,
        })
    }

    pub fn question(&self) -> Sync {
        Sync {
            facts: self.facts.clone(),
            slicing: None,
            attempts: self.working.keys().cloned().collect(),
            tests: Vec::new(),
            revision: self.revision,
            wait_seconds: 0,
        }
    }

    /// Asks, and does as it is told.
    pub async fn sync(&mut self, app: &App) -> Wishes {
        let wishes = app.sync(&self.service_id, self.question()).await.expect("an answer");
        self.hear(&wishes);
        wishes
    }

    pub fn hear(&mut self, wishes: &Wishes) {
        self.revision = wishes.revision;
        for Attempt { id, work } in &wishes.attempts {
            if self.begun.insert(id.clone()) {
                self.working.insert(id.clone(), (work.clone(), 1));
            } else if !self.working.contains_key(id) {
                self.offered_again += 1;
            }
        }
        self.wishes = Some(wishes.clone());
    }

    /// The only attempt it works on.
    #[track_caller]
    pub fn attempt(&self) -> AttemptId {
        assert_eq!(self.working.len(), 1, "{:?}", self.working);
        self.working.keys().next().expect("there is one").clone()
    }

    pub fn report(&mut self, app: &App, id: &AttemptId, outcome: Option<Outcome>) -> Report {
        let (_, number) = self.working.get_mut(id).expect("it works on it");
        let line = ReportLine { at: app.clock.now(), level: LogLevel::Info, text: format!("report {number}") };
        let report = Report { attempt: id.attempt, number: *number, steps: Vec::new(), lines: vec![line], outcome };
        *number += 1;
        app.report(&self.service_id, &id.job_id, &report).expect("it is heard");
        if report.outcome.is_some() {
            self.working.remove(id);
        }
        report
    }

    /// Hears what is wanted, and ends all of it with `outcome`.
    pub async fn work(&mut self, app: &App, outcome: impl Fn(&Work) -> Outcome) {
        self.sync(app).await;
        for (id, (work, _)) in self.working.clone() {
            self.report(app, &id, Some(outcome(&work)));
        }
    }

    /// The machine restarts: it says of what it was working on that it was interrupted.
    pub fn restart(&mut self, app: &App) {
        for id in self.working.keys().cloned().collect::<Vec<_>>() {
            self.report(app, &id, Some(failed("interrupted by a restart of the agent", true)));
        }
        self.revision = 0;
    }
}

/// Ends well, whatever it is.
pub fn well(work: &Work) -> Outcome {
    match work {
        Work::Backup { .. } => backed_up(),
        Work::Plan { .. } => planned("rs0"),
        Work::Restore { .. } => restored(),
    }
}
