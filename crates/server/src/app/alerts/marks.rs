//! What was known earlier: the newest moment of each cluster, whether an oplog rolls, sizes of locations.
//!
//! Kept in the database, so that a restart forgets nothing; written only when it differs by something that matters.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use oplogue_api::services::Service;
use oplogue_domain::OplogTime;
use rusqlite::{Row, Transaction, params};

use super::super::stored::instant_at;
use crate::app::AppError;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const SIZES_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// A cluster's newest moment moves every few seconds; to the minute is enough for after a restart.
const NEWEST_EVERY_SECONDS: u32 = 60;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marks {
    newest: BTreeMap<String, OplogTime>,
    /// By service: the oldest entry first seen, and whether it went since.
    oplogs: BTreeMap<String, (OplogTime, bool)>,
    /// By location: of the last day, oldest first; and the last of all.
    sizes: BTreeMap<String, Vec<(Timestamp, u64)>>,
}

impl Marks {
    pub fn read(tx: &Transaction<'_>, now: Timestamp) -> Result<Self, AppError> {
        let time = |row: &Row<'_>, index: usize| Ok::<_, rusqlite::Error>(OplogTime::new(row.get(index)?, row.get(index + 1)?));
        let mut statement = tx.prepare_cached("SELECT cluster, newest_t, newest_i FROM cluster_marks")?;
        let newest = statement.query_map([], |row| Ok((row.get(0)?, time(row, 1)?)))?.collect::<Result<_, _>>()?;
        let mut statement = tx.prepare_cached("SELECT service_id, oldest_t, oldest_i, rolls FROM oplog_marks")?;
        let oplogs = statement.query_map([], |row| Ok((row.get(0)?, (time(row, 1)?, row.get(3)?))))?.collect::<Result<_, _>>()?;
        let from = now.saturating_sub(DAY).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        let mut statement = tx.prepare_cached("SELECT location_id, at, bytes FROM location_sizes WHERE at >= ?1 ORDER BY at")?;
        let rows = statement.query_map([from], |row| Ok((row.get::<_, String>(0)?, instant_at(row, 1)?, row.get::<_, i64>(2)?)))?;
        let mut sizes: BTreeMap<String, Vec<(Timestamp, u64)>> = BTreeMap::new();
        for row in rows {
            let (location_id, at, bytes) = row?;
            sizes.entry(location_id).or_default().push((at, bytes.unsigned_abs()));
        }
        Ok(Self { newest, oplogs, sizes })
    }

    /// As last read, before this server started.
    pub fn newest(&self, cluster: &str) -> Option<OplogTime> {
        self.newest.get(cluster).copied()
    }

    /// The mongod of this service has discarded entries since it is known.
    pub fn rolls(&self, service_id: &str) -> bool {
        self.oplogs.get(service_id).is_some_and(|(_, rolls)| *rolls)
    }

    /// The oldest size of a location within the last day.
    pub fn size_before(&self, location_id: &str, now: Timestamp) -> Option<(Timestamp, u64)> {
        let day_ago = now.saturating_sub(DAY).unwrap_or(Timestamp::UNIX_EPOCH);
        self.sizes.get(location_id)?.iter().find(|(at, _)| *at >= day_ago).copied()
    }

    /// With what is known now; equal when nothing that matters changed.
    pub fn updated(
        &self,
        services: &[Service],
        newest: &BTreeMap<String, Option<OplogTime>>,
        sizes: &BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Self {
        let mut marks = self.clone();
        for (cluster, time) in newest {
            match (time, self.newest.get(cluster)) {
                (Some(time), Some(known)) if *time >= *known && time.seconds_since(*known) < NEWEST_EVERY_SECONDS => {}
                (Some(time), _) => {
                    marks.newest.insert(cluster.clone(), *time);
                }
                (None, _) => {
                    marks.newest.remove(cluster);
                }
            }
        }
        marks.oplogs.retain(|id, _| services.iter().any(|service| service.id == *id));
        for (service, oldest) in services.iter().filter_map(|service| Some((service, service.oplog.as_ref()?.oldest.time()))) {
            let mark = marks.oplogs.entry(service.id.clone()).or_insert((oldest, false));
            // Older than ever seen: another oplog, made anew.
            *mark = if oldest < mark.0 { (oldest, false) } else { (mark.0, mark.1 || oldest > mark.0) };
        }
        for (location_id, bytes) in sizes {
            let known = marks.sizes.entry(location_id.clone()).or_default();
            if known.last().is_none_or(|(at, _)| now.duration_since(*at) >= SIZES_EVERY) {
                known.push((now, *bytes));
            }
        }
        marks
    }

    /// Writes what differs from `before`.
    pub fn write(&self, tx: &Transaction<'_>, before: &Self, now: Timestamp) -> Result<(), AppError> {
        for cluster in before.newest.keys().filter(|cluster| !self.newest.contains_key(*cluster)) {
            tx.prepare_cached("DELETE FROM cluster_marks WHERE cluster = ?1")?.execute([cluster])?;
        }
        for (cluster, time) in self.newest.iter().filter(|(cluster, time)| before.newest.get(*cluster) != Some(time)) {
            tx.prepare_cached("INSERT OR REPLACE INTO cluster_marks (cluster, newest_t, newest_i) VALUES (?1, ?2, ?3)")?
                .execute(params![cluster, time.seconds, time.ordinal])?;
        }
        for id in before.oplogs.keys().filter(|id| !self.oplogs.contains_key(*id)) {
            tx.prepare_cached("DELETE FROM oplog_marks WHERE service_id = ?1")?.execute([id])?;
        }
        for (id, (oldest, rolls)) in self.oplogs.iter().filter(|(id, mark)| before.oplogs.get(*id) != Some(mark)) {
            tx.prepare_cached("INSERT OR REPLACE INTO oplog_marks (service_id, oldest_t, oldest_i, rolls) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id, oldest.seconds, oldest.ordinal, rolls])?;
        }
        for (location_id, sizes) in &self.sizes {
            if let Some((at, bytes)) = sizes.last().filter(|(at, _)| *at == now) {
                tx.prepare_cached("INSERT OR IGNORE INTO location_sizes (location_id, at, bytes) VALUES (?1, ?2, ?3)")?
                    .execute(params![location_id, at.to_string(), i64::try_from(*bytes).unwrap_or(i64::MAX)])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oplogue_api::services::{AgentInfo, AgentState, MemberRole, OplogFacts};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a small number")
    }

    fn service(oldest: u32) -> Service {
        let moment = |second| OplogTime::new(second, 1).into();
        Service {
            id: "svc_1".to_owned(),
            name: "db1".to_owned(),
            cluster: Some("shop".to_owned()),
            replica_set: "rs0".to_owned(),
            member: "h1:27017".to_owned(),
            role: MemberRole::Primary,
            mongodb_version: String::new(),
            fcv: String::new(),
            agent: AgentInfo {
                state: AgentState::Online,
                version: String::new(),
                host: String::new(),
                last_seen: None,
                enrolled_at: at(0),
            },
            locations: Vec::new(),
            oplog: Some(OplogFacts {
                oldest: moment(oldest),
                newest: moment(9_000),
                majority: moment(9_000),
                window_seconds: 9_000 - oldest,
            }),
            slicing: None,
            problem: None,
            created_at: at(0),
        }
    }

    fn newest(second: Option<u32>) -> BTreeMap<String, Option<OplogTime>> {
        BTreeMap::from([("shop".to_owned(), second.map(|second| OplogTime::new(second, 0)))])
    }

    #[test]
    fn an_oplog_rolls_once_its_oldest_entry_is_gone_and_a_new_one_does_not() {
        let mut marks = Marks::default();
        for (oldest, rolls) in [(100, false), (100, false), (150, true), (150, true), (50, false), (50, false), (60, true)] {
            marks = marks.updated(&[service(oldest)], &BTreeMap::new(), &BTreeMap::new(), at(1));
            assert_eq!(marks.rolls("svc_1"), rolls, "{oldest}");
        }
        marks = marks.updated(&[], &BTreeMap::new(), &BTreeMap::new(), at(1));
        assert!(!marks.rolls("svc_1"), "the service is gone");
    }

    #[test]
    fn the_newest_moment_is_noted_by_the_minute_and_forgotten_when_nothing_can_be_restored() {
        let mut marks = Marks::default();
        for (second, noted) in
            [(Some(1000), Some(1000)), (Some(1059), Some(1000)), (Some(1060), Some(1060)), (Some(900), Some(900)), (None, None)]
        {
            marks = marks.updated(&[], &newest(second), &BTreeMap::new(), at(1));
            assert_eq!(marks.newest("shop").map(|time| time.seconds), noted, "{second:?}");
        }
        // Not read: what was known stays.
        let known = marks.updated(&[], &newest(Some(5)), &BTreeMap::new(), at(1));
        assert_eq!(known.updated(&[], &BTreeMap::new(), &BTreeMap::new(), at(2)), known);
    }

    #[test]
    fn sizes_are_noted_once_an_hour_and_the_oldest_of_a_day_counts() {
        let mut marks = Marks::default();
        for hour in 0..30 {
            for half in [0, 1800] {
                let sizes = BTreeMap::from([("loc_1".to_owned(), hour as u64)]);
                marks = marks.updated(&[], &BTreeMap::new(), &sizes, at(hour * 3600 + half));
            }
        }
        assert_eq!(marks.sizes["loc_1"].len(), 30);
        assert_eq!(marks.size_before("loc_1", at(29 * 3600)), Some((at(5 * 3600), 5)));
        assert_eq!(marks.size_before("loc_2", at(0)), None);
    }
}
