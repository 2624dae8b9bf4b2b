//! Makes the text of all metrics from what is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use oplogue_api::alerts::Severity;
use oplogue_api::backups::BackupMode;
use oplogue_api::services::{AgentState, Service};
use oplogue_domain::OplogTime;
use oplogue_notify::notification::word;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rusqlite::Transaction;

use super::table::{self, Metric};
use crate::app::alerts::known::{Known, damaged};
use crate::app::catalogs::FolderView;
use crate::app::{App, AppError};

pub const FOLDERS_MAX: usize = 2_000;

type Labels = Vec<(&'static str, String)>;
type Values = Family<Labels, Gauge<f64, AtomicU64>>;

/// Values by metric.
struct Exposition(BTreeMap<&'static str, Values>);

impl Exposition {
    /// Every metric is told, also when it has no values yet.
    fn new() -> Self {
        Self(table::ALL.iter().map(|metric| (metric.name, Values::default())).collect())
    }

    /// `labels` as many as the metric has, in its order.
    fn set(&self, metric: Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
        if let Some(values) = self.0.get(metric.name) {
            let labels = metric.labels.iter().copied().zip(labels.iter().map(|label| (*label).to_owned())).collect();
            values.get_or_create(&labels).set(value);
        }
    }

    fn text(self) -> Result<String, AppError> {
        let mut registry = Registry::default();
        for metric in table::ALL {
            if let Some(values) = self.0.get(metric.name) {
                // The library adds a full stop of its own.
                registry.register(metric.name, metric.help, values.clone());
            }
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).map_err(AppError::internal)?;
        Ok(text)
    }
}

impl App {
    /// The text that Prometheus reads.
    pub fn metrics(&self) -> Result<String, AppError> {
        let now = self.clock.now();
        let services = self.services()?;
        let (views, folders) = (self.folder_views(), self.folder_clusters()?);
        let exposition = Exposition::new();
        let out = &exposition;
        out.set(table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        out.set(table::START, &[], instant(self.started_at));
        self.db.read(|tx| {
            let known = Known::read(tx, folders)?;
            timelines(out, &known, &views);
            storages(out, &known, &services, &views);
            work(out, tx, &known)?;
            alerts(out, tx)
        })?;
        for (kind, state, count) in self.job_counts()? {
            out.set(table::JOBS, &[&word(&kind), &word(&state)], count as f64);
        }
        for service in &services {
            agent(out, service, now);
        }
        exposition.text()
    }
}

fn timelines(out: &Exposition, known: &Known, views: &[Arc<FolderView>]) {
    out.set(table::FOLDERS_LEFT_OUT, &[], views.len().saturating_sub(FOLDERS_MAX) as f64);
    for view in views.iter().take(FOLDERS_MAX) {
        folder(out, known, view);
    }
}

fn folder(out: &Exposition, known: &Known, view: &FolderView) {
    let cluster = known.cluster_of(&view.location_id, &view.folder).unwrap_or_default();
    let location = known.location_name(&view.location_id);
    let place = [cluster, location, view.folder.as_str()];
    out.set(table::FOLDER_READ, &place, view.read_at().map_or(0.0, instant));
    // What was never read is not zero.
    if view.read_at().is_none() {
        return;
    }
    for timeline in &view.timeline.replica_sets {
        let replica_set = timeline.name.to_string();
        let labels = [cluster, replica_set.as_str(), location, view.folder.as_str()];
        let moment = |metric: Metric, time: Option<OplogTime>| {
            if let Some(time) = time {
                out.set(metric, &labels, f64::from(time.seconds));
            }
        };
        moment(table::NEWEST_RESTORABLE, timeline.newest);
        moment(table::OLDEST_RESTORABLE, timeline.restorable.first().map(|range| range.from));
        moment(table::NEWEST_STORED, timeline.newest_covered);
        out.set(table::GAPS, &labels, timeline.gaps.len() as f64);
        out.set(table::GAP_SECONDS, &labels, timeline.gaps.iter().map(|gap| f64::from(gap.range.seconds())).sum());
        out.set(table::SLICES, &labels, view.catalog.slices_of(&timeline.name).len() as f64);
    }
    out.set(table::STORED_BYTES, &place, view.bytes as f64);
    out.set(table::DAMAGED, &place, damaged(view).len() as f64);
    let usable = view.catalog.backups.iter().filter(|backup| backup.problem.is_none()).count();
    let invalid = view.catalog.backups.len() - usable;
    for (status, count) in [("success", usable), ("invalid", invalid)] {
        out.set(table::ARTIFACTS, &[cluster, location, &view.folder, status], count as f64);
    }
    if let Some(last) =
        view.catalog.backups.iter().filter(|backup| backup.is_base()).max_by_key(|backup| (backup.consistent_at(), backup.started))
    {
        out.set(table::LAST_BACKUP, &place, f64::from(last.consistent_at().seconds));
        out.set(table::LAST_BACKUP_BYTES, &place, last.bytes as f64);
        out.set(table::LAST_BACKUP_DURATION, &place, f64::from(last.finished.saturating_sub(last.started)));
    }
}

fn storages(out: &Exposition, known: &Known, services: &[Service], views: &[Arc<FolderView>]) {
    let mut from_server: BTreeMap<&str, bool> = BTreeMap::new();
    for view in views {
        *from_server.entry(&view.location_id).or_insert(true) &= view.error.is_none();
    }
    for (id, ok) in from_server {
        out.set(table::STORAGE_REACHABLE, &[known.location_name(id), "server"], flag(ok));
    }
    for service in services {
        for reach in &service.locations {
            out.set(table::STORAGE_REACHABLE, &[&reach.location_name, &service.name], flag(reach.ok));
        }
    }
}

fn agent(out: &Exposition, service: &Service, now: Timestamp) {
    let cluster = service.cluster.as_deref().unwrap_or_default();
    let labels = [cluster, service.replica_set.as_str(), service.name.as_str()];
    let online = service.agent.state == AgentState::Online;
    out.set(table::AGENT_ONLINE, &labels, flag(online));
    if let Some(seen) = service.agent.last_seen {
        // While its question is being answered, it is there.
        out.set(table::AGENT_LAST_SEEN, &labels, instant(if online { now } else { seen }));
    }
    let [cluster, replica_set, name] = labels;
    out.set(table::AGENT_INFO, &[cluster, replica_set, name, &service.agent.version, &service.mongodb_version], 1.0);
    out.set(table::MONGOD_REACHABLE, &labels, flag(service.problem.is_none()));
    if let Some(oplog) = &service.oplog {
        out.set(table::OPLOG_WINDOW, &labels, f64::from(oplog.window_seconds));
    }
    if let Some(slicing) = &service.slicing {
        let values = [(table::SLICE_LAG, slicing.lag_seconds), (table::SLICE_HEADROOM, slicing.headroom_seconds)];
        for (metric, value) in values.into_iter().filter_map(|(metric, value)| Some((metric, value?))) {
            out.set(metric, &labels, f64::from(value));
        }
    }
}

fn work(out: &Exposition, tx: &Transaction<'_>, known: &Known) -> Result<(), AppError> {
    for schedule in &known.schedules {
        let labels = [schedule.cluster.as_str(), schedule.name.as_str()];
        let pitr = schedule.mode == BackupMode::Pitr;
        out.set(
            table::SCHEDULE_ENABLED,
            &[&schedule.cluster, &schedule.name, if pitr { "pitr" } else { "snapshot" }],
            flag(schedule.enabled),
        );
        if pitr {
            out.set(table::SLICING_WANTED, &labels, flag(schedule.enabled));
        }
        if let Some(next) = schedule.next_at.filter(|_| schedule.enabled) {
            out.set(table::NEXT_RUN, &labels, instant(next));
        }
        if let Some(run) = known.last_run(tx, &schedule.id)? {
            out.set(table::LAST_RUN_FAILED, &labels, flag(run.failed));
            out.set(table::LAST_RUN, &labels, instant(run.finished_at));
            out.set(table::LAST_RUN_DURATION, &labels, run.seconds);
        }
    }
    for (cluster, location_id, folder, status, count) in known.artifacts_by_jobs(tx)? {
        out.set(table::ARTIFACTS, &[&cluster, known.location_name(&location_id), &folder, status], f64::from(count));
    }
    Ok(())
}

fn alerts(out: &Exposition, tx: &Transaction<'_>) -> Result<(), AppError> {
    for severity in [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical] {
        let word = word(&severity);
        let count: u32 = tx
            .prepare_cached("SELECT count(*) FROM alerts WHERE state = 'firing' AND severity = ?1")?
            .query_row([&word], |row| row.get(0))?;
        out.set(table::ALERTS_FIRING, &[&word], f64::from(count));
    }
    let waiting: u32 = tx
        .prepare_cached("SELECT count(*) FROM alert_deliveries WHERE next_at IS NOT NULL AND state = 'queued'")?
        .query_row([], |row| row.get(0))?;
    out.set(table::DELIVERIES_WAITING, &[], f64::from(waiting));
    let sql = "SELECT name, (SELECT error IS NOT NULL FROM alert_deliveries WHERE contact_point_id = contact_points.id AND attempts + (state = 'delivered') > 0 \
               ORDER BY at DESC LIMIT 1) FROM contact_points";
    let mut statement = tx.prepare_cached(sql)?;
    let points =
        statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<bool>>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    for (name, failed) in points {
        out.set(table::CONTACT_POINT_FAILED, &[&name], flag(failed.unwrap_or(false)));
    }
    Ok(())
}

fn instant(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}
