//! Values for samples of lists and forms: one small world, told at one moment.
//!
//! A shop with a replica set of three, a cluster whose agents are gone, a service without a cluster label, and one whose every name is as
//! long as it may be.

mod alerts;
mod backups;
mod jobs;
mod people;
mod storage;

use jiff::Timestamp;
use oplogue_api::services::{AgentInfo, AgentState, LocationReach, MemberRole, OplogFacts, ProbeStep, Service, SlicingFacts, SlicingState};
use oplogue_api::{MomentJson, RangeJson};
use oplogue_domain::OplogTime;

pub use self::alerts::{alert_rules, alert_templates, alerts, contact_points, silences};
pub use self::backups::{backup, backups, delete_preview, pitr_row, schedules};
pub use self::jobs::{job_log, jobs, running_job};
pub use self::people::{audit_entries, tokens, users};
pub use self::storage::{location_folders, location_tests, locations, retention_preview};
pub use super::fixtures::{ago, now};

/// So many seconds from now.
pub fn ahead(seconds: i64) -> Timestamp {
    ago(-seconds)
}

/// An oplog moment so many seconds ago.
pub fn moment_ago(seconds: i64) -> MomentJson {
    OplogTime::new(u32::try_from(ago(seconds).as_second()).expect("the samples' world lies between 1970 and 2106"), 2).into()
}

/// From so many seconds ago to so many seconds ago.
pub fn range_ago(after: i64, through: i64) -> RangeJson {
    RangeJson { after: moment_ago(after), through: moment_ago(through) }
}

/// A name as long as names may be.
pub fn long_name(begin: &str) -> String {
    let filler = "a-very-long-name-that-somebody-chose-because-nothing-forbade-it.";
    format!("{begin}{filler}{filler}").chars().take(100).collect()
}

/// What one place found out about one location.
pub fn reach(location_id: &str, location_name: &str, problem: Option<(&str, &str)>) -> LocationReach {
    let steps = ["write", "read", "list", "delete"]
        .map(|name| ProbeStep { name: name.to_owned(), problem: problem.filter(|(step, _)| *step == name).map(|(_, why)| why.to_owned()) });
    LocationReach {
        location_id: location_id.to_owned(),
        location_name: location_name.to_owned(),
        ok: problem.is_none(),
        steps: steps.into(),
        checked_at: ago(95),
    }
}

fn member(number: u32, role: MemberRole) -> Service {
    Service {
        id: format!("svc-shop-{number}"),
        name: format!("shop-{number}"),
        cluster: Some("shop".to_owned()),
        replica_set: "rs0".to_owned(),
        member: format!("db{number}.example.org:27017"),
        role,
        mongodb_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        agent: AgentInfo {
            state: AgentState::Online,
            version: "0.1.0".to_owned(),
            host: format!("db{number}"),
            last_seen: Some(ago(4)),
            enrolled_at: ago(40 * 86_400),
        },
        locations: vec![reach("loc-main", "s3-main", None), reach("loc-nas", "nas", None)],
        oplog: Some(OplogFacts {
            oldest: moment_ago(52 * 3600),
            newest: moment_ago(1),
            majority: moment_ago(1),
            window_seconds: 52 * 3600,
        }),
        slicing: Some(SlicingFacts {
            state: SlicingState::StandingBy,
            newest: None,
            lag_seconds: None,
            headroom_seconds: Some(51 * 3600),
            message: None,
        }),
        problem: None,
        created_at: ago(40 * 86_400),
    }
}

/// Every kind of service, well and unwell.
pub fn services() -> Vec<Service> {
    let mut slicing = member(2, MemberRole::Secondary);
    slicing.slicing = Some(SlicingFacts {
        state: SlicingState::Slicing,
        newest: Some(moment_ago(12)),
        lag_seconds: Some(11),
        headroom_seconds: Some(51 * 3600),
        message: None,
    });
    let mut gone = member(1, MemberRole::Unknown);
    gone.id = "svc-billing-1".to_owned();
    gone.name = "billing-1".to_owned();
    gone.cluster = Some("billing".to_owned());
    gone.replica_set = "billing".to_owned();
    gone.member = "billing1.example.org:27017".to_owned();
    gone.agent = AgentInfo { state: AgentState::Offline, last_seen: Some(ago(5400)), host: "billing1".to_owned(), ..gone.agent };
    gone.locations = vec![reach("loc-main", "s3-main", Some(("write", "AccessDenied: the key may not PutObject in bucket backups")))];
    gone.slicing = Some(SlicingFacts {
        state: SlicingState::Retrying,
        newest: Some(moment_ago(5500)),
        lag_seconds: Some(5400),
        headroom_seconds: Some(900),
        message: Some("store slice rs billing 13:28:20…13:28:30: s3-main answers 403 AccessDenied; tried 41 times".to_owned()),
    });
    gone.problem = Some("connect to billing1.example.org:27017: connection refused".to_owned());
    let mut unlabelled = member(1, MemberRole::Primary);
    unlabelled.id = "svc-loner".to_owned();
    unlabelled.name = "loner".to_owned();
    unlabelled.cluster = None;
    unlabelled.replica_set = "rs7".to_owned();
    unlabelled.member = "10.0.4.17:27017".to_owned();
    unlabelled.slicing = None;
    unlabelled.oplog = None;
    let mut long = member(1, MemberRole::Hidden);
    long.id = "svc-long".to_owned();
    long.name = long_name("service-");
    long.cluster = Some(long_name("cluster-"));
    long.replica_set = long_name("replica-set-");
    long.member = format!("{}.example.org:27017", long_name("host-"));
    vec![member(1, MemberRole::Primary), gone, slicing, member(3, MemberRole::Secondary), unlabelled, long]
}
