//! A restore plan.

use oplogue_engine::restore::{PlannedCollection, PlannedDrop, PlannedOplog, PlannedView, RestorePlan};
use serde::Serialize;

use super::time::{RangeJson, TimeJson};

#[derive(Serialize)]
pub struct PlanJson {
    base: String,
    base_mongodb_version: String,
    base_fcv: String,
    source_replica_set: String,
    target_replica_set: String,
    target_host: String,
    target_mongodb_version: String,
    target_fcv: String,
    /// The state restored: every entry up to and including this one.
    through: TimeJson,
    passed_over: Vec<String>,
    oplog: Vec<OplogJson>,
    collections: Vec<CollectionJson>,
    views: Vec<ViewJson>,
    drops: Vec<DropJson>,
    /// `null`: users and roles are left alone.
    users: Option<u64>,
    roles: Option<u64>,
    read_bytes: u64,
    document_bytes: u64,
    operations: u64,
    writes_after: WritesAfterJson,
    unfinished_transactions: usize,
    seconds_estimate: u64,
    warnings: Vec<String>,
}

impl From<&RestorePlan> for PlanJson {
    fn from(plan: &RestorePlan) -> Self {
        let after = plan.writes_after;
        Self {
            base: plan.base.to_string(),
            base_mongodb_version: plan.base_mongodb_version.clone(),
            base_fcv: plan.base_fcv.clone(),
            source_replica_set: plan.source_replica_set.to_string(),
            target_replica_set: plan.target_replica_set.to_string(),
            target_host: plan.target_host.clone(),
            target_mongodb_version: plan.target_mongodb_version.clone(),
            target_fcv: plan.target_fcv.clone(),
            through: plan.through.into(),
            passed_over: plan.passed_over.clone(),
            oplog: plan.oplog.iter().map(OplogJson::from).collect(),
            collections: plan.collections.iter().map(CollectionJson::from).collect(),
            views: plan.views.iter().map(ViewJson::from).collect(),
            drops: plan.drops.iter().map(DropJson::from).collect(),
            users: plan.users_and_roles.map(|(users, _)| users),
            roles: plan.users_and_roles.map(|(_, roles)| roles),
            read_bytes: plan.read_bytes,
            document_bytes: plan.document_bytes(),
            operations: plan.operations,
            writes_after: WritesAfterJson { counted: after.counted, complete: after.complete, newest: after.newest.into() },
            unfinished_transactions: plan.unfinished_transactions,
            seconds_estimate: plan.seconds_estimate,
            warnings: plan.warnings.clone(),
        }
    }
}

#[derive(Serialize)]
struct OplogJson {
    source: String,
    range: RangeJson,
}

impl From<&PlannedOplog> for OplogJson {
    fn from(oplog: &PlannedOplog) -> Self {
        Self { source: oplog.source.clone(), range: oplog.range.into() }
    }
}

#[derive(Serialize)]
struct CollectionJson {
    namespace: String,
    target: String,
    time_series: bool,
    loaded_from: Option<String>,
    document_bytes: u64,
    documents: u64,
    writes: u64,
    indexes: usize,
    keeps_uuid: bool,
}

impl From<&PlannedCollection> for CollectionJson {
    fn from(collection: &PlannedCollection) -> Self {
        Self {
            namespace: collection.namespace.to_string(),
            target: collection.target.to_string(),
            time_series: collection.time_series,
            loaded_from: collection.loaded_from.as_ref().map(ToString::to_string),
            document_bytes: collection.document_bytes,
            documents: collection.documents,
            writes: collection.writes,
            indexes: collection.indexes,
            keeps_uuid: collection.keeps_uuid,
        }
    }
}

#[derive(Serialize)]
struct ViewJson {
    namespace: String,
    target: String,
}

impl From<&PlannedView> for ViewJson {
    fn from(view: &PlannedView) -> Self {
        Self { namespace: view.namespace.to_string(), target: view.target.to_string() }
    }
}

#[derive(Serialize)]
struct DropJson {
    namespace: String,
    documents: u64,
    bytes: u64,
    replaced: bool,
}

impl From<&PlannedDrop> for DropJson {
    fn from(drop: &PlannedDrop) -> Self {
        Self { namespace: drop.namespace.to_string(), documents: drop.documents, bytes: drop.bytes, replaced: drop.replaced }
    }
}

#[derive(Serialize)]
struct WritesAfterJson {
    counted: u64,
    /// False: at least that many.
    complete: bool,
    newest: TimeJson,
}
