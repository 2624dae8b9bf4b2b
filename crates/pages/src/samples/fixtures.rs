//! Values that samples of several pages share: one small company's databases on one afternoon.

mod clusters;
mod restoring;

use jiff::Timestamp;
use oplogue_api::timelines::{BackupMark, GapJson, ReplicaSetTimeline, Restorable, Timeline};
use oplogue_api::{MomentJson, RangeJson};
use oplogue_domain::OplogTime;

pub use self::clusters::{cluster, timeline_choices, unreadable};
pub use self::restoring::{
    compatible_services, moment_choice, moment_refused, plan, plan_job, plan_of_many, restore, restore_input, restores,
};

/// 2026-11-25 14:12:40 UTC.
pub const NOW_SECOND: u32 = 1_795_615_960;

const DAY: u32 = 86_400;

pub fn now() -> Timestamp {
    ago(0)
}

/// So many seconds before now.
pub fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(i64::from(NOW_SECOND) - seconds).expect("a second near the samples' now")
}

/// A moment so many seconds before now, first operation of its second.
pub fn moment(seconds_ago: u32) -> MomentJson {
    OplogTime::new(NOW_SECOND - seconds_ago, 1).into()
}

/// A name at the limit, for looking at what it does to a layout.
pub const LONG_NAME: &str = "production-eu-central-1-customer-orders-and-invoices-archive-with-a-very-long-name-nobody-should-choose";

fn base_timeline(replica_sets: &[&str], restorable: Vec<Restorable>, backups: Vec<BackupMark>) -> Timeline {
    let set = |name: &&str| ReplicaSetTimeline {
        name: (*name).to_owned(),
        restorable: restorable.clone(),
        gaps: Vec::new(),
        unreached: Vec::new(),
        newest: Some(moment(8)),
        slices: 51_840,
        slice_bytes: 14 << 30,
    };
    Timeline {
        location_id: "loc-main".into(),
        location_name: "s3-main".into(),
        folder: "shop".into(),
        cluster: Some("shop".into()),
        replica_sets: replica_sets.iter().map(set).collect(),
        restorable,
        backups,
        promised_from: Some(moment(3 * DAY)),
        as_of: Some(ago(4)),
        stale: None,
        unreadable: Vec::new(),
    }
}

/// A nightly backup, restoring to 03:00 of the night that many days ago.
pub fn backup_mark(days_ago: u32) -> BackupMark {
    let restores_to = OplogTime::new(NOW_SECOND - 40_360 - days_ago * DAY + 48, 3);
    let name = format!("nightly_{}", OplogTime::start_of_second(restores_to.seconds - 48).rfc3339());
    BackupMark {
        id: format!("b{days_ago}bmlnaHRseQ"),
        name,
        restores_to: restores_to.into(),
        usable: true,
        bytes: (86 << 30) + u64::from(days_ago) * (300 << 20),
    }
}

fn restorable(from: MomentJson, through: MomentJson, base: &BackupMark, newer: Vec<String>) -> Restorable {
    Restorable { from, through, base: base.name.clone(), newer_bases: newer }
}

/// A week of nightly backups and unbroken slices, up to a few seconds ago.
pub fn timeline() -> Timeline {
    let backups: Vec<BackupMark> = (0..7).rev().map(backup_mark).collect();
    let newer = backups[1..].iter().map(|backup| backup.name.clone()).collect();
    let range = restorable(backups[0].restores_to.clone(), moment(8), &backups[0], newer);
    base_timeline(&["rs0"], vec![range], backups)
}

/// The same with an hour missing yesterday, a stretch that no backup leads to before, and one backup that cannot be used.
pub fn timeline_with_gap() -> Timeline {
    let mut backups: Vec<BackupMark> = (0..7).rev().map(backup_mark).collect();
    backups[3].usable = false;
    let first = restorable(backups[0].restores_to.clone(), moment(60_000), &backups[0], vec![]);
    let second = restorable(backups[6].restores_to.clone(), moment(8), &backups[6], vec![]);
    let gap = GapJson {
        replica_set: "rs0".into(),
        range: RangeJson { after: moment(60_000), through: moment(55_200) },
        kind: "not-sliced".into(),
        reason: "no slicer held the lease (both agents were offline)".into(),
    };
    let unreached = RangeJson { after: moment(55_200), through: backups[6].restores_to.clone() };
    let mut timeline = base_timeline(&["rs0"], vec![first, second], backups);
    timeline.replica_sets[0].gaps = vec![gap];
    timeline.replica_sets[0].unreached = vec![unreached];
    timeline
}

/// Three replica sets, of which one has a gap that the cluster therefore has too.
pub fn timeline_of_three() -> Timeline {
    let one = timeline_with_gap();
    let whole = timeline();
    let mut all = base_timeline(&["config", "shard-a", "shard-b"], one.restorable.clone(), whole.backups.clone());
    for set in &mut all.replica_sets[..2] {
        set.restorable = whole.restorable.clone();
    }
    all.replica_sets[2] = ReplicaSetTimeline { name: "shard-b".into(), ..one.replica_sets[0].clone() };
    all
}

/// Two backups, no slices.
pub fn timeline_of_snapshots() -> Timeline {
    let backups: Vec<BackupMark> = [3, 1].map(backup_mark).into();
    let points = backups.iter().map(|backup| restorable(backup.restores_to.clone(), backup.restores_to.clone(), backup, vec![])).collect();
    let mut timeline = base_timeline(&["rs0"], points, backups);
    timeline.promised_from = None;
    timeline
}

/// Nothing at all.
pub fn timeline_empty() -> Timeline {
    Timeline { promised_from: None, replica_sets: Vec::new(), ..base_timeline(&[], vec![], vec![]) }
}

/// The storage has not answered for a while.
pub fn timeline_stale() -> Timeline {
    Timeline { as_of: Some(ago(8_040)), stale: Some("list s3-main, folder shop: connection refused (10.0.3.7:9000).".into()), ..timeline() }
}
