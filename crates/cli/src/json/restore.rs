//! A restore that was carried out: its plan and what came of it.

use oplogue_agent::wire;
use oplogue_api::plan::Plan;
use oplogue_engine::restore::{Proof, RestorePlan, RestoreReport};
use serde::Serialize;

use super::time::TimeJson;

#[derive(Serialize)]
pub struct RestoreJson {
    plan: Plan,
    report: ReportJson,
}

impl RestoreJson {
    pub fn new(plan: &RestorePlan, report: &RestoreReport) -> Self {
        Self { plan: wire::plan(plan), report: report.into() }
    }
}

#[derive(Serialize)]
struct ReportJson {
    base: String,
    through: TimeJson,
    collections: usize,
    views: usize,
    documents_loaded: u64,
    operations_applied: u64,
    operations_folded: u64,
    documents_spared: u64,
    indexes: usize,
    users_written: usize,
    roles_written: usize,
    dropped: usize,
    steps: Vec<StepJson>,
    found: Vec<FoundJson>,
    seconds: f64,
    notes: Vec<String>,
}

impl From<&RestoreReport> for ReportJson {
    fn from(report: &RestoreReport) -> Self {
        Self {
            base: report.base.to_string(),
            through: report.through.into(),
            collections: report.collections,
            views: report.views,
            documents_loaded: report.documents_loaded,
            operations_applied: report.operations_applied,
            operations_folded: report.operations_folded,
            documents_spared: report.documents_spared,
            indexes: report.indexes,
            users_written: report.users_written,
            roles_written: report.roles_written,
            dropped: report.dropped,
            steps: report.steps.iter().map(|(step, seconds)| StepJson { step: step.words(), seconds: *seconds }).collect(),
            found: report.proofs.iter().map(FoundJson::from).collect(),
            seconds: report.steps.iter().map(|(_, seconds)| seconds).sum(),
            notes: report.notes.clone(),
        }
    }
}

#[derive(Serialize)]
struct StepJson {
    step: &'static str,
    seconds: f64,
}

/// What the target holds afterwards.
#[derive(Serialize)]
struct FoundJson {
    namespace: String,
    documents: u64,
    indexes: usize,
}

impl From<&Proof> for FoundJson {
    fn from(proof: &Proof) -> Self {
        Self { namespace: proof.target.to_string(), documents: proof.documents, indexes: proof.indexes_found }
    }
}
