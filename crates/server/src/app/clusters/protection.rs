//! How well a cluster is protected: decided from what the storages say, never from what agents promise.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oplogue_api::clusters::{Protection, ProtectionState};
use oplogue_domain::{GapReason, OplogRange, OplogTime};

use crate::app::catalogs::FolderView;

/// What a slice takes when nobody chose.
const SLICE_SECONDS: u32 = 10;
/// Newer than this is never late: an upload may take a while, and an idle server writes an entry every 10 s.
const FRESH_SECONDS: u64 = 60;

/// The enabled PITR job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pitr<'a> {
    pub(super) schedule_id: &'a str,
    pub(super) schedule_name: &'a str,
    pub(super) location_id: &'a str,
    pub(super) folder: &'a str,
    pub(super) slice_seconds: Option<u32>,
    /// `None`: its first snapshot has not ended.
    pub(super) slicing_since: Option<Timestamp>,
}

/// The last backup job that was begun.
#[derive(Debug, Clone)]
pub(super) struct LastRun {
    pub(super) at: Option<Timestamp>,
    pub(super) failed: bool,
    pub(super) error: Option<String>,
}

#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// Of the cluster's folders.
    pub(super) views: &'a [Arc<FolderView>],
    pub(super) pitr: Option<Pitr<'a>>,
    pub(super) has_schedule: bool,
    pub(super) last_run: Option<LastRun>,
    pub(super) last_restore_at: Option<Timestamp>,
    /// How often storages are read: knowledge may be that old.
    pub(super) refresh: Duration,
    pub(super) now: Timestamp,
}

pub(super) fn protection(facts: &Facts<'_>) -> Protection {
    let view = decisive(facts);
    let range = view.and_then(|view| {
        let ranges = &view.timeline.cluster;
        Some(OplogRange::new(ranges.first()?.from, ranges.last()?.through))
    });
    let gaps = match (view, range) {
        (Some(view), Some(range)) => gaps(view, range),
        _ => 0,
    };
    let age = range.map(|range| age_seconds(range.through, facts.now));
    let (state, reasons) = judge(facts, view, age, gaps);
    let newest_backup = facts.views.iter().flat_map(|view| &view.catalog.backups).map(|backup| backup.finished.max(backup.started)).max();
    let newest_backup = newest_backup.and_then(|seconds| Timestamp::from_second(seconds.into()).ok());
    Protection {
        state,
        oldest: range.map(|range| range.after.into()),
        newest: range.map(|range| range.through.into()),
        newest_age_seconds: age,
        gaps,
        pitr_schedule_id: facts.pitr.map(|pitr| pitr.schedule_id.to_owned()),
        last_backup_at: facts.last_run.as_ref().and_then(|run| run.at).max(newest_backup),
        last_backup_failed: facts.last_run.as_ref().is_some_and(|run| run.failed),
        last_restore_at: facts.last_restore_at,
        backups: u32::try_from(facts.views.iter().map(|view| view.catalog.backups.len()).sum::<usize>()).unwrap_or(u32::MAX),
        stored_bytes: facts.views.iter().fold(0, |sum, view| sum.saturating_add(view.bytes)),
        reasons,
        as_of: view.and_then(|view| view.read_at()),
    }
}

/// The folder that the answer is about: that of the PITR job, else the one that reaches furthest.
fn decisive<'a>(facts: &'a Facts<'_>) -> Option<&'a FolderView> {
    let of_pitr =
        |view: &&Arc<FolderView>| facts.pitr.is_some_and(|pitr| view.location_id == pitr.location_id && view.folder == pitr.folder);
    let found = facts.views.iter().find(of_pitr);
    found.or_else(|| facts.views.iter().max_by_key(|view| view.timeline.newest())).map(|view| &**view)
}

fn age_seconds(newest: OplogTime, now: Timestamp) -> u32 {
    u32::try_from((now.as_second() - i64::from(newest.seconds)).max(0)).unwrap_or(u32::MAX)
}

/// Holes in what was sliced. Between snapshots there is nothing to be missed, and what retention deleted was meant to go.
fn gaps(view: &FolderView, range: OplogRange) -> u32 {
    let of_one = |timeline: &oplogue_domain::ReplicaSetTimeline| {
        let Some(first) = view.catalog.slices_of(&timeline.name).first().map(|slice| slice.range.after) else { return 0 };
        let matters = |gap: &&oplogue_domain::Gap| {
            gap.reason != GapReason::Deleted && gap.range.after >= first.max(range.after) && gap.range.after < range.through
        };
        timeline.gaps.iter().filter(matters).count()
    };
    u32::try_from(view.timeline.replica_sets.iter().map(of_one).sum::<usize>()).unwrap_or(u32::MAX)
}

fn judge(facts: &Facts<'_>, view: Option<&FolderView>, age: Option<u32>, gaps: u32) -> (ProtectionState, Vec<String>) {
    use ProtectionState as State;
    let unreadable = view.and_then(|view| view.error.as_deref());
    if let (Some(view), Some(error)) = (view, unreadable) {
        let since = match view.read_at() {
            Some(at) => format!("what is shown is as of {at}"),
            None => "it was never read".to_owned(),
        };
        return (State::Unknown, vec![format!("the storage cannot be read, {since}: {error}")]);
    }
    if view.is_none() && (facts.has_schedule || facts.last_run.is_some()) {
        return (State::Unknown, vec!["the storage has not been read yet".to_owned()]);
    }
    let mut reasons = Vec::new();
    if let Some(run) = facts.last_run.as_ref().filter(|run| run.failed) {
        let why = run.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        reasons.push(format!("the last backup failed{why}"));
    }
    let Some(age) = age else {
        reasons.push(match facts.pitr {
            Some(pitr) if pitr.slicing_since.is_none() => format!("the first backup of {} has not ended yet", pitr.schedule_name),
            _ if facts.has_schedule => "no backup that can be restored is on the storage yet".to_owned(),
            _ => "nothing backs it up: create a scheduled backup job".to_owned(),
        });
        return (State::Unprotected, reasons);
    };
    let Some(pitr) = facts.pitr else {
        let state = if reasons.is_empty() { State::SnapshotsOnly } else { State::AtRisk };
        reasons.push("no PITR job is enabled: writes since the last backup would be lost".to_owned());
        return (state, reasons);
    };
    let late_after = late_after_seconds(pitr, facts.refresh);
    if u64::from(age) > late_after {
        reasons.push(format!(
            "the newest moment that can be restored is {age} s old, and {late_after} s is the most that {} allows",
            pitr.schedule_name
        ));
    }
    if gaps > 0 {
        reasons.push(format!("{gaps} {} in the oplog", if gaps == 1 { "gap is" } else { "gaps are" }));
    }
    if reasons.is_empty() { (State::Protected, reasons) } else { (State::AtRisk, reasons) }
}

/// A few slices, the way to the storage, and the time until the storage is read again.
fn late_after_seconds(pitr: Pitr<'_>, refresh: Duration) -> u64 {
    let slice = u64::from(pitr.slice_seconds.unwrap_or(SLICE_SECONDS));
    (4 * slice).max(FRESH_SECONDS) + 2 * refresh.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oplogue_domain::diagram;

    /// The moments of drawings are seconds; now is second 30.
    fn view(drawing: &str, error: Option<&str>) -> Arc<FolderView> {
        let catalog = diagram::catalog(drawing);
        Arc::new(FolderView {
            location_id: "loc".into(),
            folder: "shop".into(),
            timeline: oplogue_domain::timeline(&catalog),
            catalog: Arc::new(catalog),
            as_of: Timestamp::from_second(30).expect("a time"),
            error: error.map(str::to_owned),
            bytes: 1,
        })
    }

    fn pitr() -> Pitr<'static> {
        Pitr {
            schedule_id: "sch",
            schedule_name: "nightly",
            location_id: "loc",
            folder: "shop",
            slice_seconds: Some(1),
            slicing_since: Some(Timestamp::UNIX_EPOCH),
        }
    }

    fn judged(views: &[Arc<FolderView>], pitr: Option<Pitr<'_>>, failed: bool, now: i64) -> Protection {
        protection(&Facts {
            views,
            pitr,
            has_schedule: pitr.is_some(),
            last_run: Some(LastRun { at: None, failed, error: None }),
            last_restore_at: None,
            refresh: Duration::from_secs(5),
            now: Timestamp::from_second(now).expect("a time"),
        })
    }

    #[test]
    fn sliced_and_fresh_is_protected_and_late_is_at_risk() {
        let views = [view("rs0   B==|---|---|", None)];
        let newest = i64::from(views[0].timeline.newest().expect("it can be restored").seconds);
        let protected = judged(&views, Some(pitr()), false, newest + 30);
        assert_eq!((protected.state, protected.newest_age_seconds, protected.reasons.len()), (ProtectionState::Protected, Some(30), 0));
        let late = judged(&views, Some(pitr()), false, newest + 71);
        assert_eq!(late.state, ProtectionState::AtRisk, "{late:?}");
        let failed = judged(&views, Some(pitr()), true, newest);
        assert_eq!(failed.state, ProtectionState::AtRisk);
        assert!(failed.last_backup_failed && failed.reasons[0].contains("failed"), "{failed:?}");
    }

    #[test]
    fn a_gap_in_the_slices_is_a_risk_and_the_time_between_snapshots_is_not() {
        let gap = judged(&[view("rs0   B==|--|   |------------|\n rs0                C==|", None)], Some(pitr()), false, 30);
        assert_eq!((gap.state, gap.gaps), (ProtectionState::AtRisk, 1), "{gap:?}");
        let snapshots = judged(&[view("rs0   B==|     C==|", None)], None, false, 30);
        assert_eq!((snapshots.state, snapshots.gaps, snapshots.backups), (ProtectionState::SnapshotsOnly, 0, 2), "{snapshots:?}");
    }

    #[test]
    fn nothing_on_the_storage_is_unprotected_and_a_storage_that_is_away_is_unknown() {
        assert_eq!(judged(&[view("rs0   |---|", None)], Some(pitr()), false, 30).state, ProtectionState::Unprotected);
        assert_eq!(judged(&[], Some(pitr()), false, 30).state, ProtectionState::Unknown);
        let away = judged(&[view("rs0   B==|---|", Some("no route"))], Some(pitr()), false, 30);
        assert_eq!(away.state, ProtectionState::Unknown);
        assert!(away.newest.is_some() && away.reasons[0].contains("no route"), "what was known is still shown: {away:?}");
        let none = protection(&Facts {
            views: &[],
            pitr: None,
            has_schedule: false,
            last_run: None,
            last_restore_at: None,
            refresh: Duration::ZERO,
            now: Timestamp::UNIX_EPOCH,
        });
        assert_eq!(none.state, ProtectionState::Unprotected);
    }
}
