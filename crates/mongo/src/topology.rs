//! Who the members of a replica set are.

use bson::{Document, doc};
use oplogue_domain::nominate::{MemberRole, MemberState};
use oplogue_domain::{OplogTime, ReplicaSetName};

use crate::command::{Patience, number, oplog_time};
use crate::connect::Connection;
use crate::error::MongoError;

/// A replica set as the member asked sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    pub name: ReplicaSetName,
    /// In the order of the configuration.
    pub members: Vec<MemberState>,
    /// `host:port` of the primary, if there is one.
    pub primary: Option<String>,
    /// `host:port` of the member that answered.
    pub asked: Option<String>,
    /// Members with a vote and data: what a majority write counts.
    pub voting_members: usize,
    /// True on the config servers of a sharded cluster.
    pub is_config_server: bool,
}

impl ReplicaSet {
    pub fn member(&self, host: &str) -> Option<&MemberState> {
        self.members.iter().find(|member| member.host == host)
    }

    /// Seconds `member` is behind the newest member; `None` when unknown.
    pub fn lag_seconds(&self, member: &MemberState) -> Option<u32> {
        let newest = self.members.iter().filter_map(|member| member.applied).max()?;
        Some(newest.seconds_since(member.applied?))
    }
}

impl Connection {
    /// The members with their roles and how far each has replicated.
    ///
    /// # Errors
    /// [`MongoError::Unauthorized`] without the actions `replSetGetStatus` and `replSetGetConfig` (role `clusterMonitor`).
    pub async fn replica_set(&self) -> Result<ReplicaSet, MongoError> {
        let status = self.run_again("read the replica set's status", "admin", doc! { "replSetGetStatus": 1 }, Patience::Short).await?;
        let config =
            self.run_again("read the replica set's configuration", "admin", doc! { "replSetGetConfig": 1 }, Patience::Short).await?;
        read(&status, &config)
    }
}

fn read(status: &Document, config: &Document) -> Result<ReplicaSet, MongoError> {
    const WHAT: &str = "read the replica set's status";
    let config = config.get_document("config").map_err(|error| MongoError::answer(WHAT, error))?;
    let name = config.get_str("_id").map_err(|error| MongoError::answer(WHAT, error))?;
    let documents = |document: &Document, key: &str| -> Vec<Document> {
        document.get_array(key).map(|list| list.iter().filter_map(|item| item.as_document().cloned()).collect()).unwrap_or_default()
    };
    let states = documents(status, "members");
    let configured = documents(config, "members");
    let members: Vec<MemberState> = configured
        .iter()
        .filter_map(|member| {
            let host = member.get_str("host").ok()?.to_owned();
            let state = states.iter().find(|state| state.get_str("name").is_ok_and(|value| value == host));
            Some(read_member(host, member, state))
        })
        .collect();
    let named = |wanted: &dyn Fn(&Document) -> bool| {
        states.iter().find(|state| wanted(state)).and_then(|state| state.get_str("name").ok()).map(str::to_owned)
    };
    Ok(ReplicaSet {
        name: name.parse().map_err(|error| MongoError::answer(WHAT, error))?,
        primary: named(&|state| state.get_str("stateStr").is_ok_and(|value| value == "PRIMARY")),
        asked: named(&|state| state.get_bool("self").unwrap_or(false)),
        voting_members: configured
            .iter()
            .filter(|member| number(member, "votes").unwrap_or(1) > 0 && !member.get_bool("arbiterOnly").unwrap_or(false))
            .count(),
        is_config_server: config.get_bool("configsvr").unwrap_or(false),
        members,
    })
}

fn read_member(host: String, config: &Document, state: Option<&Document>) -> MemberState {
    let role = match state.and_then(|state| state.get_str("stateStr").ok()) {
        Some("PRIMARY") => MemberRole::Primary,
        Some("SECONDARY") => MemberRole::Secondary,
        Some("ARBITER") => MemberRole::Arbiter,
        Some(other) => MemberRole::Other(other.to_owned()),
        None => MemberRole::Other("UNKNOWN".to_owned()),
    };
    // 5.0 renamed the field.
    let delay = number(config, "secondaryDelaySecs").or_else(|| number(config, "slaveDelay")).unwrap_or(0);
    MemberState {
        host,
        role: if config.get_bool("arbiterOnly").unwrap_or(false) { MemberRole::Arbiter } else { role },
        hidden: config.get_bool("hidden").unwrap_or(false),
        delay_seconds: u64::try_from(delay).unwrap_or(0),
        // The member asked has no opinion on its own health; it answered.
        healthy: state.is_some_and(|state| number(state, "health").unwrap_or(1) == 1),
        applied: state.and_then(|state| oplog_time(state.get("optime"))).filter(|time| *time > OplogTime::MIN),
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, doc};

    use super::*;

    fn optime(time: u32) -> Document {
        doc! { "ts": Timestamp { time, increment: u32::from(time > 0) }, "t": 1_i64 }
    }

    #[test]
    fn every_configured_member_is_listed_with_what_is_known_of_it() {
        let status = doc! { "members": [
            { "name": "a:1", "health": 1.0, "stateStr": "PRIMARY", "optime": optime(10), "self": true },
            { "name": "b:1", "health": 1.0, "stateStr": "SECONDARY", "optime": optime(8) },
            { "name": "c:1", "health": 0.0, "stateStr": "(not reachable/healthy)", "optime": optime(0) },
            { "name": "d:1", "health": 1.0, "stateStr": "ARBITER" },
        ] };
        let config = doc! { "config": { "_id": "rs0", "members": [
            { "host": "a:1" }, { "host": "b:1", "hidden": true, "votes": 0, "slaveDelay": 5_i64 }, { "host": "c:1", "secondaryDelaySecs": 3_i64 },
            { "host": "d:1", "arbiterOnly": true }, { "host": "e:1" },
        ] } };
        let set = read(&status, &config).expect("the test's answers are whole");
        assert_eq!((set.primary.as_deref(), set.asked.as_deref(), set.voting_members), (Some("a:1"), Some("a:1"), 3));
        let roles: Vec<_> = set.members.iter().map(|member| member.role.clone()).collect();
        let other = |name: &str| MemberRole::Other(name.to_owned());
        assert_eq!(
            roles,
            [MemberRole::Primary, MemberRole::Secondary, other("(not reachable/healthy)"), MemberRole::Arbiter, other("UNKNOWN")]
        );
        assert_eq!(set.members.iter().map(|member| member.healthy).collect::<Vec<_>>(), [true, true, false, true, false]);
        assert_eq!(set.members.iter().map(|member| member.delay_seconds).collect::<Vec<_>>(), [0, 5, 3, 0, 0]);
        assert_eq!(set.lag_seconds(&set.members[1]), Some(2));
        assert_eq!(set.members[2].applied, None, "a member that is down reports time zero");
    }
}
