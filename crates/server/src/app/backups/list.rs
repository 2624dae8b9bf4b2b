//! All rows, newest first. They are sorted and filtered by what little that needs; only those of one page are made in full.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use oplogue_api::Page;
use oplogue_api::backups::{Backup, BackupStatus};
use oplogue_api::jobs::JobState;
use rusqlite::{OptionalExtension, Transaction, params};

use super::id::Kind;
use super::{BackupFilter, BackupId, Which};
use crate::app::catalogs::FolderView;
use crate::app::jobs::PAGE_MAX;
use crate::app::schedules::ScheduleRow;
use crate::app::stored::{instant_at, maybe_instant_at, word_at};
use crate::app::{App, AppError};

/// What sorting and filtering need of a backup's job.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub job_id: String,
    pub state: JobState,
    pub location_id: String,
    pub folder: String,
    pub name: Option<String>,
    pub cluster: Option<String>,
    pub schedule_id: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A row that is not made yet.
pub(super) enum Source<'a> {
    OnStorage { view: &'a FolderView, backup: &'a oplogue_domain::Backup, made: Option<&'a Made> },
    Made(&'a Made),
    Oplog { view: Option<&'a FolderView>, location_id: &'a str, folder: &'a str, schedule: Option<&'a ScheduleRow> },
}

/// Location, folder, name.
pub(super) type Name = (String, String, String);

/// Everything the rows come from.
pub(super) struct Everything {
    pub views: Vec<Arc<FolderView>>,
    pub made: Vec<Made>,
    pub pitr: Vec<ScheduleRow>,
    pub clusters: BTreeMap<(String, String), String>,
    pub locations: HashMap<String, String>,
    /// What is being deleted, or could not be.
    pub deleting: HashMap<Name, BackupStatus>,
    pub hidden: BTreeSet<Name>,
}

impl App {
    /// Newest first. `after`: the `next` of the page before.
    pub fn backups(&self, filter: &BackupFilter, after: Option<&str>, limit: u32) -> Result<Page<Backup>, AppError> {
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let everything = self.everything()?;
        let mut rows: Vec<(Timestamp, Source<'_>)> =
            everything.sources().filter(|source| everything.fits(source, filter)).map(|source| (source.at(), source)).collect();
        // Newest first; what began in the same second has an order too, or pages would not join.
        rows.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.key().cmp(&other.1.key())));
        let begin = match after {
            None => 0,
            Some(text) => {
                let (at, id) = cursor(text)?;
                rows.partition_point(|row| row.0 > at || (row.0 == at && row.1.key() <= id.key()))
            }
        };
        let page = rows.get(begin..rows.len().min(begin + limit)).unwrap_or_default();
        let next = match page.last() {
            Some((at, source)) if begin + page.len() < rows.len() => Some(format!("{at}~{}", source.id())),
            _ => None,
        };
        let items = page.iter().map(|(_, source)| self.backup_shown(&everything, source)).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    pub fn backup(&self, id: &str) -> Result<Backup, AppError> {
        let wanted = BackupId::parse(id)?;
        let everything = self.everything()?;
        let source = everything.sources().find(|source| source.key() == wanted.key()).ok_or_else(|| AppError::not_found("backup", id))?;
        let mut backup = self.backup_shown(&everything, &source)?;
        if backup.delete_refusal.is_none() {
            let preview = self.preview_delete(id)?;
            backup.delete_refusal = preview.refusal.filter(|_| !preview.may_accept_loss);
        }
        Ok(backup)
    }

    /// Marks backups that were made and were not found when their storage was read since, so that nobody looks at them again.
    pub(in crate::app) fn note_gone_backups(&self) -> Result<(), AppError> {
        let everything = self.everything()?;
        let there: BTreeSet<(&str, &str, &str)> = everything
            .views
            .iter()
            .flat_map(|view| {
                view.catalog.backups.iter().map(|backup| (view.location_id.as_str(), view.folder.as_str(), backup.name.as_str()))
            })
            .collect();
        let is_there = |made: &Made| made.name.as_deref().is_some_and(|name| there.contains(&(&made.location_id, &made.folder, name)));
        let gone: Vec<&Made> = everything.made.iter().filter(|made| !is_there(made) && !everything.is_not_deleted(made)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.db.write(|tx| {
            let mut mark = tx.prepare_cached("UPDATE jobs SET gone = 1 WHERE id = ?1")?;
            for made in gone {
                mark.execute([&made.job_id])?;
            }
            Ok(())
        })
    }

    pub(super) fn everything(&self) -> Result<Everything, AppError> {
        let views = self.folder_views();
        let clusters = self.folder_clusters()?;
        self.db.read(|tx| {
            let mut pitr = ScheduleRow::all(tx)?;
            pitr.retain(|row| row.mode == oplogue_api::backups::BackupMode::Pitr);
            let mut names = tx.prepare_cached("SELECT id, name FROM locations")?;
            let locations = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            let mut hidden = tx.prepare_cached("SELECT location_id, folder, name FROM hidden_backups")?;
            let hidden = hidden.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
            Ok(Everything { views, made: made(tx)?, pitr, clusters, locations, deleting: deleting(tx)?, hidden })
        })
    }
}

impl Everything {
    pub(super) fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let mut by_name: HashMap<(&str, &str, &str), &Made> = HashMap::new();
        for made in &self.made {
            if let Some(name) = &made.name {
                by_name.insert((&made.location_id, &made.folder, name), made);
            }
        }
        let mut on_storage = Vec::new();
        let mut seen = BTreeSet::new();
        for view in &self.views {
            for backup in &view.catalog.backups {
                let made = by_name.get(&(view.location_id.as_str(), view.folder.as_str(), backup.name.as_str())).copied();
                seen.extend(made.map(|made| made.job_id.as_str()));
                on_storage.push(Source::OnStorage { view: view.as_ref(), backup, made });
            }
        }
        let not_there =
            self.made.iter().filter(move |made| !seen.contains(made.job_id.as_str()) && self.is_not_deleted(made)).map(Source::Made);
        on_storage.into_iter().chain(not_there).chain(self.oplogs()).filter(|source| !self.is_hidden(source))
    }

    /// A backup that was made and is not on its storage was deleted since, if the storage was read since.
    fn is_not_deleted(&self, made: &Made) -> bool {
        let view = self.view(&made.location_id, &made.folder);
        let read_since = view.and_then(FolderView::read_at).is_some_and(|read| made.finished_at.is_none_or(|finished| read > finished));
        made.state != JobState::Done || !read_since
    }

    fn oplogs(&self) -> Vec<Source<'_>> {
        let with_slices = self.views.iter().filter(|view| view.catalog.slices.values().any(|slices| !slices.is_empty()));
        let mut places: BTreeSet<(&str, &str)> = with_slices.map(|view| (view.location_id.as_str(), view.folder.as_str())).collect();
        places.extend(
            self.pitr.iter().filter(|schedule| schedule.enabled).map(|schedule| (schedule.location_id.as_str(), schedule.folder.as_str())),
        );
        let source = |(location_id, folder)| {
            let here = |schedule: &&ScheduleRow| schedule.location_id == location_id && schedule.folder == folder;
            let schedule = self.pitr.iter().filter(here).max_by_key(|schedule| schedule.enabled);
            Source::Oplog { view: self.view(location_id, folder), location_id, folder, schedule }
        };
        places.into_iter().map(source).collect()
    }

    pub(super) fn view(&self, location_id: &str, folder: &str) -> Option<&FolderView> {
        self.views.iter().find(|view| view.location_id == location_id && view.folder == folder).map(AsRef::as_ref)
    }

    fn is_hidden(&self, source: &Source<'_>) -> bool {
        if self.hidden.is_empty() {
            return false;
        }
        let (location_id, folder, kind, name) = source.key();
        kind != Kind::Oplog && self.hidden.contains(&(location_id.to_owned(), folder.to_owned(), name.to_owned()))
    }

    pub(super) fn cluster<'a>(&'a self, source: &Source<'a>) -> Option<&'a str> {
        let made = match source {
            Source::OnStorage { made, .. } => *made,
            Source::Made(made) => Some(*made),
            Source::Oplog { schedule, .. } => {
                return schedule.map(|schedule| schedule.cluster.as_str()).or_else(|| self.cluster_of_folder(source));
            }
        };
        made.and_then(|made| made.cluster.as_deref()).or_else(|| self.cluster_of_folder(source))
    }

    fn cluster_of_folder(&self, source: &Source<'_>) -> Option<&str> {
        let (location_id, folder) = source.place();
        self.clusters.get(&(location_id.to_owned(), folder.to_owned())).map(String::as_str)
    }

    pub(super) fn status(&self, source: &Source<'_>) -> BackupStatus {
        let (location_id, folder) = source.place();
        match source {
            Source::OnStorage { backup, .. } => {
                let name = (location_id.to_owned(), folder.to_owned(), backup.name.to_string());
                match self.deleting.get(&name) {
                    Some(status) => *status,
                    None if backup.problem.is_some() => BackupStatus::Invalid,
                    None => BackupStatus::Success,
                }
            }
            Source::Made(made) => match made.state {
                JobState::Queued | JobState::WaitingToRetry => BackupStatus::Pending,
                JobState::Running | JobState::Cancelling => BackupStatus::InProgress,
                JobState::Done => BackupStatus::Success,
                JobState::Failed => BackupStatus::Error,
                JobState::Cancelled => BackupStatus::Cancelled,
            },
            Source::Oplog { view, schedule, .. } => {
                let restorable = view.is_some_and(|view| !view.timeline.cluster.is_empty());
                match (restorable, schedule.is_some_and(|schedule| schedule.enabled)) {
                    (true, _) => BackupStatus::Success,
                    (false, true) => BackupStatus::Pending,
                    (false, false) => BackupStatus::Invalid,
                }
            }
        }
    }

    fn fits(&self, source: &Source<'_>, filter: &BackupFilter) -> bool {
        let schedule = || match source {
            Source::OnStorage { made, .. } => made.and_then(|made| made.schedule_id.as_deref()),
            Source::Made(made) => made.schedule_id.as_deref(),
            Source::Oplog { schedule, .. } => schedule.map(|schedule| schedule.id.as_str()),
        };
        filter.location_id.as_deref().is_none_or(|location| source.place().0 == location)
            && filter.cluster.as_deref().is_none_or(|cluster| self.cluster(source) == Some(cluster))
            && filter.status.is_none_or(|status| self.status(source) == status)
            && filter.schedule_id.as_deref().is_none_or(|id| schedule() == Some(id))
    }
}

impl Source<'_> {
    pub(super) fn place(&self) -> (&str, &str) {
        match self {
            Self::OnStorage { view, .. } => (&view.location_id, &view.folder),
            Self::Made(made) => (&made.location_id, &made.folder),
            Self::Oplog { location_id, folder, .. } => (location_id, folder),
        }
    }

    pub(super) fn id(&self) -> BackupId {
        let (location_id, folder, kind, name) = self.key();
        let which = match kind {
            Kind::Named => Which::Named(name.to_owned()),
            Kind::Job => Which::Job(name.to_owned()),
            Kind::Oplog => Which::Oplog,
        };
        BackupId::new(location_id, folder, which)
    }

    /// What its id is made of.
    pub(super) fn key(&self) -> (&str, &str, Kind, &str) {
        let (location_id, folder) = self.place();
        let (kind, name) = match self {
            Self::OnStorage { backup, .. } => (Kind::Named, backup.name.as_str()),
            Self::Made(made) => match (&made.name, made.state) {
                // What failed or waits is called by its job: another attempt gives it another name.
                (Some(name), JobState::Done | JobState::Running | JobState::Cancelling) => (Kind::Named, name.as_str()),
                _ => (Kind::Job, made.job_id.as_str()),
            },
            Self::Oplog { .. } => (Kind::Oplog, ""),
        };
        (location_id, folder, kind, name)
    }

    fn at(&self) -> Timestamp {
        match self {
            Self::OnStorage { backup, .. } => instant(backup.started),
            Self::Made(made) => made.created_at,
            // The freshest protection stands on top.
            Self::Oplog { view, schedule, .. } => {
                let newest = view.and_then(|view| view.timeline.replica_sets.iter().filter_map(|one| one.newest_covered).max());
                newest
                    .map(oplogue_domain::OplogTime::timestamp)
                    .or(schedule.map(|schedule| schedule.created_at))
                    .unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }
    }
}

pub(super) fn instant(seconds: u32) -> Timestamp {
    Timestamp::from_second(seconds.into()).expect("every u32 is a second that can be told")
}

fn cursor(text: &str) -> Result<(Timestamp, BackupId), AppError> {
    let parsed = text.split_once('~').and_then(|(at, id)| Some((at.parse().ok()?, BackupId::parse(id).ok()?)));
    parsed.ok_or_else(|| AppError::new(oplogue_api::ErrorCode::BadRequest, "`after` is not the `next` of an earlier answer"))
}

fn made(tx: &Transaction<'_>) -> Result<Vec<Made>, AppError> {
    let mut statement = tx.prepare_cached(
        "SELECT id, state, coalesce(location_id, ''), coalesce(folder, ''), backup_name, cluster, schedule_id, created_at, finished_at
         FROM jobs WHERE kind = 'backup' AND gone = 0",
    )?;
    let one = |row: &rusqlite::Row<'_>| {
        Ok(Made {
            job_id: row.get(0)?,
            state: word_at(row, 1)?,
            location_id: row.get(2)?,
            folder: row.get(3)?,
            name: row.get(4)?,
            cluster: row.get(5)?,
            schedule_id: row.get(6)?,
            created_at: instant_at(row, 7)?,
            finished_at: maybe_instant_at(row, 8)?,
        })
    };
    Ok(statement.query_map([], one)?.collect::<Result<_, _>>()?)
}

fn deleting(tx: &Transaction<'_>) -> Result<HashMap<Name, BackupStatus>, AppError> {
    let mut statement = tx.prepare_cached(
        "SELECT location_id, folder, backup_name, state FROM jobs WHERE kind = 'delete' AND state <> 'done' ORDER BY seq",
    )?;
    let mut found = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let status = match word_at::<JobState>(row, 3)? {
            JobState::Failed => BackupStatus::FailedToDelete,
            JobState::Cancelled | JobState::Done => continue,
            _ => BackupStatus::Deleting,
        };
        if let (Some(location), Some(folder), Some(name)) = (row.get(0)?, row.get(1)?, row.get(2)?) {
            found.insert((location, folder, name), status);
        }
    }
    Ok(found)
}

/// The job that made a backup.
pub(super) fn job_of_name(tx: &Transaction<'_>, id: &BackupId, name: &str) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached("SELECT job_id FROM job_names WHERE location_id = ?1 AND folder = ?2 AND name = ?3")?
        .query_row(params![id.location_id, id.folder, name], |row| row.get(0))
        .optional()
}
