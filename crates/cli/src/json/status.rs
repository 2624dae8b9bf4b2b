//! What a replica set and its slicing are doing.

use oplogue_domain::MemberState;
use oplogue_engine::status::Status;
use serde::Serialize;

use super::catalog::BackupJson;
use super::time::TimeJson;
use crate::text::status::role;

#[derive(Serialize)]
pub struct StatusJson {
    replica_set: String,
    members: Vec<MemberJson>,
    mongodb_version: String,
    fcv: String,
    majority: TimeJson,
    oplog_oldest: TimeJson,
    oplog_newest: TimeJson,
    slicer: Option<SlicerJson>,
    newest_slice: Option<TimeJson>,
    lag_seconds: Option<u32>,
    headroom_seconds: Option<u32>,
    /// What is not stored fills most of the oplog.
    headroom_is_short: Option<bool>,
    last_backup: Option<BackupJson>,
}

impl From<&Status> for StatusJson {
    fn from(status: &Status) -> Self {
        let slicer = status.slicer.as_ref().map(|(holder, expires)| SlicerJson { holder: holder.clone(), lease_expires: *expires });
        Self {
            replica_set: status.replica_set.to_string(),
            members: status.members.iter().map(MemberJson::from).collect(),
            mongodb_version: status.server_version.clone(),
            fcv: status.fcv.clone(),
            majority: status.majority.into(),
            oplog_oldest: status.oplog_oldest.into(),
            oplog_newest: status.oplog_newest.into(),
            slicer,
            newest_slice: status.newest_slice.map(TimeJson::from),
            lag_seconds: status.lag_seconds,
            headroom_seconds: status.headroom_seconds,
            headroom_is_short: status.headroom_is_short,
            last_backup: status.last_backup.as_ref().map(BackupJson::from),
        }
    }
}

#[derive(Serialize)]
struct MemberJson {
    host: String,
    state: String,
    hidden: bool,
    delay_seconds: u64,
    healthy: bool,
    applied: Option<TimeJson>,
}

impl From<&MemberState> for MemberJson {
    fn from(member: &MemberState) -> Self {
        Self {
            host: member.host.clone(),
            state: role(member).to_owned(),
            hidden: member.hidden,
            delay_seconds: member.delay_seconds,
            healthy: member.healthy,
            applied: member.applied.map(TimeJson::from),
        }
    }
}

#[derive(Serialize)]
struct SlicerJson {
    holder: String,
    /// Unix seconds by the server's clock.
    lease_expires: i64,
}
