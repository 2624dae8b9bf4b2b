//! What a replica set and a storage are doing right now.

use anyhow::Context;
use oplogue_domain::{Headroom, MemberState, OplogTime, ReplicaSetName};
use oplogue_mongo::Connection;
use oplogue_repository::Repository;

use crate::slice::LEASE_PURPOSE;

pub struct Status {
    pub replica_set: ReplicaSetName,
    /// host:port, state, hidden/delayed, how far each has replicated.
    pub members: Vec<MemberState>,
    pub server_version: String,
    pub fcv: String,
    pub majority: OplogTime,
    pub oplog_oldest: OplogTime,
    pub oplog_newest: OplogTime,
    /// Who slices, until when the lease holds (unix seconds).
    pub slicer: Option<(String, i64)>,
    pub newest_slice: Option<OplogTime>,
    /// Seconds between the majority time and the newest slice.
    pub lag_seconds: Option<u32>,
    /// Seconds until the server would discard entries not yet sliced, if it went on writing as it has; 0 when it already has.
    pub headroom_seconds: Option<u32>,
    /// What is not stored fills most of the oplog; `None` without slices.
    pub headroom_is_short: Option<bool>,
    /// The newest by the moment it restores to, whatever its state.
    pub last_backup: Option<oplogue_domain::Backup>,
}

/// Asks both. Changes nothing.
pub async fn status(connection: &Connection, repository: &Repository) -> anyhow::Result<Status> {
    let replica_set = connection.replica_set().await.context("ask the replica set for its members")?;
    let versions = connection.versions().await.context("ask for the server's version")?;
    let majority = connection.majority_time().await.context("ask how far a majority of the replica set is")?;
    let window = connection.oplog_window().await.context("ask for the ends of the oplog")?;
    let lease = connection.lease(LEASE_PURPOSE).await.context("look at the slicer's lease")?;
    let catalog = repository.catalog().await.context("read what lies on the storage")?;
    let newest_slice = catalog.newest_slice(&replica_set.name).map(|slice| slice.range.through);
    let headroom = newest_slice.map(|newest| Headroom::of(newest, window.oldest, majority));
    let last_backup = catalog.backups.iter().rev().find(|backup| backup.snapshot(&replica_set.name).is_some()).cloned();
    Ok(Status {
        replica_set: replica_set.name,
        members: replica_set.members,
        server_version: versions.server.to_string(),
        fcv: versions.fcv,
        majority,
        oplog_oldest: window.oldest,
        oplog_newest: window.newest,
        slicer: lease.filter(|lease| lease.is_held).map(|lease| (lease.holder, lease.expires_millis / 1000)),
        newest_slice,
        lag_seconds: headroom.map(|headroom| headroom.lag_seconds),
        headroom_seconds: headroom.map(|headroom| headroom.headroom_seconds),
        headroom_is_short: headroom.map(Headroom::is_short),
        last_backup,
    })
}
