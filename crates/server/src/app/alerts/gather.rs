//! What is known now, for the rules to look at: from the database, from what agents said last, and from what was read on the storages. Nothing is contacted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use oplogue_api::backups::BackupMode;
use oplogue_api::locations::Location;
use oplogue_api::schedules::ScheduleInput;
use oplogue_api::services::{AgentState, LocationReach, Service, SlicingState};
use oplogue_domain::OplogTime;
use oplogue_domain::alert::Facts;
use oplogue_domain::alert::facts::{AgentFacts, ClusterFacts, FolderFacts, LocationFacts, ReachFacts, RunFacts, RunState, SlicingFacts};
use oplogue_domain::alert::observe::SCHEDULE_SERIES;
use oplogue_domain::schedule::Schedule;
use rusqlite::{Row, Transaction, params};

use super::super::catalogs::FolderView;
use super::super::schedules::ScheduleRow;
use super::super::stored::instant_at;
use super::known::{Known, damaged};
use super::marks::Marks;
use crate::app::{App, AppError};

/// An agent that found a location closed and was not asked again: after this nothing is known.
const REACH_GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Failed backups on demand are looked at for so long; see `domain::alert::observe`.
const ON_DEMAND_FOR: SignedDuration = SignedDuration::from_hours(8 * 24);
const FAILURES_MAX: u32 = 1_000;
const ERROR_CHARACTERS_MAX: usize = 500;
/// Occurrences looked at for the longest time between two: Monday to Friday, and a weekend.
const RHYTHM_RUNS: usize = 8;
const RHYTHMS_MAX: usize = 10_000;

/// What the database says.
struct Stored {
    known: Known,
    runs: Vec<RunFacts>,
    /// Clusters on which a restore is running.
    restoring: BTreeSet<String>,
    /// When the last restore on a cluster ended.
    restored: BTreeMap<String, Timestamp>,
    marks: Marks,
}

impl App {
    pub(super) fn gather_facts(&self, now: Timestamp) -> Result<Facts, AppError> {
        let services = self.services()?;
        let views = self.folder_views();
        let (locations, folders) = (self.locations()?, self.folder_clusters()?);
        let stored = self.db.read(|tx| read(tx, folders, now))?;
        let marks = stored.marks.updated(&services, &clusters_newest(&stored, &views), &sizes(&views), now);
        if marks != stored.marks {
            self.db.write(|tx| marks.write(tx, &stored.marks, now))?;
        }
        let stored = Stored { marks, ..stored };
        let slicing = slicing(&stored, &services, &views, now);
        Ok(Facts {
            clusters: self.clusters_wanted(&stored, &services, &views, now),
            folders: views.iter().map(|view| folder(&stored, &services, view)).collect(),
            slicing,
            agents: services.iter().map(|service| agent(service, self.started_at, now)).collect(),
            reaches: reaches(&stored, &locations, &services, &views, now),
            locations: locations.iter().map(|location| location_facts(&stored, &services, &views, location, now)).collect(),
            runs: stored.runs,
        })
    }

    fn clusters_wanted(&self, stored: &Stored, services: &[Service], views: &[Arc<FolderView>], now: Timestamp) -> Vec<ClusterFacts> {
        let newest = clusters_newest(stored, views);
        let mut clusters: BTreeMap<&str, ClusterFacts> = BTreeMap::new();
        for wanted in stored.known.enabled() {
            let rhythm_seconds = match wanted.input.mode {
                BackupMode::Pitr => 0,
                BackupMode::Snapshot => self.rhythm_seconds(&wanted.input, now),
            };
            let since = [Some(wanted.updated_at), wanted.slicing_since, stored.restored.get(&wanted.cluster).copied()];
            let since = since.into_iter().flatten().max().unwrap_or(now);
            let known = newest.get(&wanted.cluster).copied();
            let facts = clusters.entry(&wanted.cluster).or_insert_with(|| ClusterFacts {
                name: wanted.cluster.clone(),
                services: services_of(services, &wanted.cluster),
                read: known.is_some(),
                newest: known.flatten().or_else(|| stored.marks.newest(&wanted.cluster).filter(|_| known.is_none())),
                wanted_since: since,
                rhythm_seconds,
                suspended: stored.restoring.contains(&wanted.cluster),
            });
            facts.rhythm_seconds = facts.rhythm_seconds.min(rhythm_seconds);
            facts.wanted_since = facts.wanted_since.max(since);
        }
        clusters.into_values().collect()
    }

    /// The longest time between two runs.
    fn rhythm_seconds(&self, input: &ScheduleInput, now: Timestamp) -> u32 {
        let key = (input.cron.clone(), input.time_zone.clone());
        let mut rhythms = self.alert_memory.rhythms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rhythms.get(&key) {
            return *known;
        }
        let runs = Schedule::parse(&input.cron, &input.time_zone, None).map(|schedule| schedule.next(now, RHYTHM_RUNS)).unwrap_or_default();
        let longest = runs.windows(2).map(|pair| pair[1].as_second() - pair[0].as_second()).max().unwrap_or(0);
        let longest = u32::try_from(longest).unwrap_or(u32::MAX);
        if rhythms.len() >= RHYTHMS_MAX {
            rhythms.clear();
        }
        rhythms.insert(key, longest);
        longest
    }
}

fn read(tx: &Transaction<'_>, folders: BTreeMap<(String, String), String>, now: Timestamp) -> Result<Stored, AppError> {
    let known = Known::read(tx, folders)?;
    let sql = "SELECT DISTINCT cluster FROM jobs WHERE state IN ('running', 'cancelling', 'waiting_to_retry') AND kind = 'restore' AND cluster IS NOT NULL";
    let restoring = tx.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let sql = "SELECT cluster, max(finished_at) FROM jobs WHERE kind = 'restore' AND cluster IS NOT NULL AND finished_at IS NOT NULL AND started_at IS NOT NULL GROUP BY cluster";
    let restored = tx.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, instant_at(row, 1)?)))?.collect::<Result<_, _>>()?;
    let runs = runs(tx, &known, now)?;
    Ok(Stored { known, runs, restoring, restored, marks: Marks::read(tx, now)? })
}

const RUN_COLUMNS: &str = "id, schedule_id, coalesce(schedule_name, backup_name, title), cluster, coalesce(service_name, ''), created_at, state, coalesce(error, 'no reason was told'), \
                           coalesce(service_id, ''), coalesce(location_id, '')";

/// The last decided run of each schedule; failures on demand, and the backup that made each good.
fn runs(tx: &Transaction<'_>, known: &Known, now: Timestamp) -> Result<Vec<RunFacts>, AppError> {
    let mut runs = Vec::new();
    let of_schedule = format!(
        "SELECT {RUN_COLUMNS} FROM jobs WHERE schedule_id = ?1 AND kind = 'backup' AND state IN ('done', 'failed') ORDER BY seq DESC LIMIT 1"
    );
    let mut statement = tx.prepare_cached(&of_schedule)?;
    for schedule in known.enabled() {
        runs.extend(statement.query_map([&schedule.id], run_from_row)?.collect::<Result<Vec<_>, _>>()?);
    }
    let from = now.saturating_sub(ON_DEMAND_FOR).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
    let failed = format!(
        "SELECT {RUN_COLUMNS} FROM jobs WHERE kind = 'backup' AND state = 'failed' AND schedule_id IS NULL AND created_at >= ?1 ORDER BY seq DESC LIMIT ?2"
    );
    let failed: Vec<RunFacts> =
        tx.prepare_cached(&failed)?.query_map(params![from, FAILURES_MAX], run_from_row)?.collect::<Result<_, _>>()?;
    let made_good =
        format!("SELECT {RUN_COLUMNS} FROM jobs WHERE cluster = ?1 AND kind = 'backup' AND state = 'done' ORDER BY seq DESC LIMIT 1");
    let mut statement = tx.prepare_cached(&made_good)?;
    for cluster in failed.iter().filter_map(|run| run.cluster.as_ref()).collect::<BTreeSet<_>>() {
        runs.extend(statement.query_map([cluster], run_from_row)?.collect::<Result<Vec<_>, _>>()?);
    }
    runs.extend(failed);
    Ok(runs)
}

fn run_from_row(row: &Row<'_>) -> rusqlite::Result<RunFacts> {
    let schedule_id: Option<String> = row.get(1)?;
    let (state, error): (String, String) = (row.get(6)?, row.get(7)?);
    let (service_id, location_id): (String, String) = (row.get(8)?, row.get(9)?);
    Ok(RunFacts {
        job_id: row.get(0)?,
        series: schedule_id.map_or_else(|| format!("once:{service_id}:{location_id}"), |id| format!("{SCHEDULE_SERIES}{id}")),
        name: row.get(2)?,
        cluster: row.get(3)?,
        service: row.get(4)?,
        created_at: instant_at(row, 5)?,
        state: match state.as_str() {
            "done" => RunState::Done,
            "failed" => RunState::Failed(error.chars().take(ERROR_CHARACTERS_MAX).collect()),
            "cancelled" => RunState::Cancelled,
            _ => RunState::NotOver,
        },
    })
}

fn services_of(services: &[Service], cluster: &str) -> Vec<String> {
    services.iter().filter(|service| service.cluster.as_deref() == Some(cluster)).map(|service| service.name.clone()).collect()
}

/// Of each cluster one of whose folders has been read: the newest moment it can be restored to.
fn clusters_newest(stored: &Stored, views: &[Arc<FolderView>]) -> BTreeMap<String, Option<OplogTime>> {
    let mut newest: BTreeMap<String, Option<OplogTime>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.read_at().is_some()) {
        if let Some(cluster) = stored.known.cluster_of(&view.location_id, &view.folder) {
            let known = newest.entry(cluster.to_owned()).or_default();
            *known = (*known).max(view.timeline.newest());
        }
    }
    newest
}

fn slicing(stored: &Stored, services: &[Service], views: &[Arc<FolderView>], now: Timestamp) -> Vec<SlicingFacts> {
    let wanted = stored.known.enabled().filter(|wanted| wanted.input.mode == BackupMode::Pitr);
    let one = |wanted: &ScheduleRow| {
        let since = wanted.slicing_since?;
        let of_it: Vec<&Service> = services
            .iter()
            .filter(|service| {
                service.cluster.as_deref() == Some(&wanted.cluster)
                    && (wanted.replica_set.is_empty() || service.replica_set == wanted.replica_set)
            })
            .collect();
        let on_storage = views
            .iter()
            .filter(|view| stored.known.cluster_of(&view.location_id, &view.folder) == Some(&wanted.cluster))
            .flat_map(|view| &view.timeline.replica_sets)
            .filter(|timeline| wanted.replica_set.is_empty() || timeline.name.to_string() == wanted.replica_set)
            .filter_map(|timeline| timeline.newest_covered)
            .max();
        let said = of_it.iter().filter_map(|service| Some(service.slicing.as_ref()?.newest.as_ref()?.time())).max();
        let retrying = of_it.iter().filter_map(|service| service.slicing.as_ref()).find(|slicing| slicing.state == SlicingState::Retrying);
        Some(SlicingFacts {
            cluster: wanted.cluster.clone(),
            replica_set: wanted.replica_set.clone(),
            services: of_it.iter().map(|service| service.name.clone()).collect(),
            wanted_since: since.max(stored.restored.get(&wanted.cluster).copied().unwrap_or(since)),
            suspended: stored.restoring.contains(&wanted.cluster),
            newest: on_storage.max(said),
            headroom: headroom(stored, &of_it, now),
            message: retrying.and_then(|slicing| slicing.message.clone()),
        })
    };
    wanted.filter_map(one).collect()
}

/// Of the member that has most left: whichever slices, it is enough that one can.
fn headroom(stored: &Stored, members: &[&Service], now: Timestamp) -> Option<(u32, Timestamp)> {
    let of_one = |service: &&Service| {
        let said = service.slicing.as_ref()?.headroom_seconds?;
        // Until the server discards anything, the oplog's age says only how long it has existed.
        let said = if stored.marks.rolls(&service.id) { said } else { u32::MAX };
        Some((said, seen(service, now).unwrap_or(now)))
    };
    let left = |(said, as_of): &(u32, Timestamp)| i64::from(*said) - (now.as_second() - as_of.as_second());
    members.iter().filter_map(of_one).max_by_key(left)
}

/// An agent whose answer is being held back is there now.
fn seen(service: &Service, now: Timestamp) -> Option<Timestamp> {
    if service.agent.state == AgentState::Online { Some(now) } else { service.agent.last_seen }
}

fn agent(service: &Service, server_started_at: Timestamp, now: Timestamp) -> AgentFacts {
    let heard = seen(service, now).unwrap_or(service.agent.enrolled_at);
    AgentFacts {
        service_id: service.id.clone(),
        service: service.name.clone(),
        cluster: service.cluster.clone(),
        host: service.agent.host.clone(),
        // It cannot call a server that is not running.
        last_seen: heard.max(server_started_at),
    }
}

fn folder(stored: &Stored, services: &[Service], view: &FolderView) -> FolderFacts {
    let cluster = stored.known.cluster_of(&view.location_id, &view.folder);
    let gaps: Vec<_> = view.timeline.replica_sets.iter().flat_map(|timeline| timeline.gaps.iter().cloned()).collect();
    FolderFacts {
        location_id: view.location_id.clone(),
        location: stored.known.location_name(&view.location_id).to_owned(),
        folder: view.folder.clone(),
        cluster: cluster.map(str::to_owned),
        services: cluster.map(|cluster| services_of(services, cluster)).unwrap_or_default(),
        known: view.read_at().is_some(),
        damaged: damaged(view),
        gaps,
    }
}

fn reaches(stored: &Stored, locations: &[Location], services: &[Service], views: &[Arc<FolderView>], now: Timestamp) -> Vec<ReachFacts> {
    let mut reaches = Vec::new();
    for location in locations {
        let fact = |service: Option<&Service>, clusters: BTreeSet<&str>, problem: Option<String>| ReachFacts {
            location_id: location.id.clone(),
            location: location.name.clone(),
            service: service.map(|service| service.name.clone()),
            clusters: clusters.into_iter().map(str::to_owned).collect(),
            problem,
        };
        let of_it: Vec<_> = views.iter().filter(|view| view.location_id == location.id).collect();
        let clusters = of_it.iter().filter_map(|view| stored.known.cluster_of(&location.id, &view.folder)).collect();
        // The server reads its folders all the time; where there are none, there is only the last test.
        let by_test = location.server_reach.as_ref().filter(|_| of_it.is_empty()).and_then(|reach| tested(reach, now));
        let by_reading = (!of_it.is_empty()).then(|| of_it.iter().find_map(|view| view.error.clone()));
        reaches.extend(by_reading.or(by_test).map(|problem| fact(None, clusters, problem)));
        for service in services {
            let found = service.locations.iter().find(|reach| reach.location_id == location.id).and_then(|reach| tested(reach, now));
            reaches.extend(found.map(|problem| fact(Some(service), service.cluster.as_deref().into_iter().collect(), problem)));
        }
    }
    reaches
}

/// What a test found: `Some(None)` when all is well, nothing when it found a problem too long ago.
fn tested(reach: &LocationReach, now: Timestamp) -> Option<Option<String>> {
    if reach.ok {
        return Some(None);
    }
    let step = reach.steps.iter().find_map(|step| Some(format!("{}: {}", step.name, step.problem.as_ref()?)));
    let old = now.duration_since(reach.checked_at) > REACH_GOOD_FOR;
    (!old).then(|| Some(step.unwrap_or_else(|| "it could not be opened".to_owned())))
}

/// Of each location all of whose folders have been read.
fn sizes(views: &[Arc<FolderView>]) -> BTreeMap<String, u64> {
    let mut sizes: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for view in views {
        let size = sizes.entry(view.location_id.clone()).or_insert(Some(0));
        *size = if view.read_at().is_some() { size.map(|size| size.saturating_add(view.bytes)) } else { None };
    }
    sizes.into_iter().filter_map(|(id, size)| Some((id, size?))).collect()
}

fn location_facts(
    stored: &Stored,
    services: &[Service],
    views: &[Arc<FolderView>],
    Location { id, name, .. }: &Location,
    now: Timestamp,
) -> LocationFacts {
    let clusters: BTreeSet<&str> =
        views.iter().filter(|view| view.location_id == *id).filter_map(|view| stored.known.cluster_of(id, &view.folder)).collect();
    LocationFacts {
        location_id: id.clone(),
        location: name.clone(),
        services: clusters.iter().flat_map(|cluster| services_of(services, cluster)).collect(),
        clusters: clusters.into_iter().map(str::to_owned).collect(),
        bytes: sizes(views).get(id).copied(),
        bytes_before: stored.marks.size_before(id, now),
    }
}
