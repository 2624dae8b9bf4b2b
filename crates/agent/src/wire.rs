//! From the engine's values to those on the wire, by hand, and back where a request must become one of the engine's.

use anyhow::Context;
use oplogue_api::MomentJson;
use oplogue_api::plan::{Plan, PlannedCollection, PlannedDrop, PlannedOplog, PlannedView, WritesAfter};
use oplogue_api::restores::{ProofJson, RestoreInput, RestoreMoment, RestoreReport};
use oplogue_domain::plan::Moment;
use oplogue_domain::{NamespacePattern, NamespaceSelection, OplogTime, Rename};
use oplogue_engine::failure::Refused;
use oplogue_engine::restore as engine;

pub fn plan(plan: &engine::RestorePlan) -> Plan {
    let after = plan.writes_after;
    Plan {
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
        oplog: plan.oplog.iter().map(oplog).collect(),
        collections: plan.collections.iter().map(collection).collect(),
        views: plan.views.iter().map(view).collect(),
        drops: plan.drops.iter().map(dropped).collect(),
        users: plan.users_and_roles.map(|(users, _)| users),
        roles: plan.users_and_roles.map(|(_, roles)| roles),
        read_bytes: plan.read_bytes,
        document_bytes: plan.document_bytes(),
        operations: plan.operations,
        writes_after: WritesAfter { counted: after.counted, complete: after.complete, newest: after.newest.into() },
        unfinished_transactions: plan.unfinished_transactions,
        seconds_estimate: plan.seconds_estimate,
        warnings: plan.warnings.clone(),
    }
}

fn oplog(oplog: &engine::PlannedOplog) -> PlannedOplog {
    PlannedOplog { source: oplog.source.clone(), range: oplog.range.into() }
}

fn collection(collection: &engine::PlannedCollection) -> PlannedCollection {
    PlannedCollection {
        namespace: collection.namespace.to_string(),
        target: collection.target.to_string(),
        time_series: collection.time_series,
        loaded_from: collection.loaded_from.as_ref().map(ToString::to_string),
        document_bytes: collection.document_bytes,
        documents: collection.documents,
        writes: collection.writes,
        replayed_because: collection.replayed_because.clone(),
        indexes: collection.indexes,
        keeps_uuid: collection.keeps_uuid,
    }
}

fn view(view: &engine::PlannedView) -> PlannedView {
    PlannedView { namespace: view.namespace.to_string(), target: view.target.to_string() }
}

fn dropped(dropped: &engine::PlannedDrop) -> PlannedDrop {
    PlannedDrop { namespace: dropped.namespace.to_string(), documents: dropped.documents, bytes: dropped.bytes, replaced: dropped.replaced }
}

pub fn report(report: &engine::RestoreReport) -> RestoreReport {
    RestoreReport {
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
        seconds: report.steps.iter().map(|(_, seconds)| seconds).sum(),
        proofs: report.proofs.iter().map(proof).collect(),
        notes: report.notes.clone(),
    }
}

fn proof(proof: &engine::Proof) -> ProofJson {
    let missing = proof.indexes_planned.saturating_sub(proof.indexes_found);
    ProofJson {
        namespace: proof.target.to_string(),
        documents: proof.documents,
        indexes: proof.indexes_found,
        problem: (missing > 0).then(|| format!("{missing} of {} indexes are missing", proof.indexes_planned)),
    }
}

/// A moment as it was typed. With `confirmed`, "the latest" is the one that was shown and agreed to.
pub fn moment(moment: &RestoreMoment, confirmed: Option<&MomentJson>) -> anyhow::Result<Moment> {
    let time = |text: &str| text.parse::<OplogTime>().map_err(|error| Refused::new(error.to_string()));
    Ok(match moment {
        RestoreMoment::Backup(name) => Moment::Backup(name.parse().map_err(refused)?),
        RestoreMoment::Time(text) => Moment::At(time(text)?),
        RestoreMoment::Before(text) => Moment::At(time(text)?.predecessor()),
        RestoreMoment::Latest => confirmed.map_or(Moment::Latest, |through| Moment::At(through.time())),
    })
}

/// Empty: everything.
pub fn selection(namespaces: &[String]) -> anyhow::Result<NamespaceSelection> {
    let patterns = namespaces.iter().map(|text| text.parse::<NamespacePattern>().map_err(refused)).collect::<Result<Vec<_>, _>>();
    Ok(NamespaceSelection::from_patterns(patterns.context("read the namespaces")?))
}

pub fn renames(input: &RestoreInput) -> anyhow::Result<Vec<Rename>> {
    let renames = input.renames.iter().map(|text| text.parse::<Rename>().map_err(refused)).collect::<Result<Vec<_>, _>>();
    renames.context("read the renames")
}

fn refused(error: impl std::fmt::Display) -> Refused {
    Refused::new(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_means_what_it_means_on_the_command_line() {
        let confirmed = OplogTime::new(70, 2).into();
        for (typed, expected) in [
            (RestoreMoment::Time("1970-01-01T00:01:40Z".into()), Moment::At(OplogTime::new(100, 0))),
            (RestoreMoment::Time("100,3".into()), Moment::At(OplogTime::new(100, 3))),
            (RestoreMoment::Before("100,3".into()), Moment::At(OplogTime::new(100, 2))),
            (RestoreMoment::Backup("b".into()), Moment::Backup("b".parse().expect("a name"))),
            (RestoreMoment::Latest, Moment::At(OplogTime::new(70, 2))),
        ] {
            assert_eq!(moment(&typed, Some(&confirmed)).expect("valid"), expected, "{typed:?}");
        }
        assert_eq!(moment(&RestoreMoment::Latest, None).expect("valid"), Moment::Latest);
        assert!(moment(&RestoreMoment::Time("tomorrow".into()), None).is_err());
    }
}
