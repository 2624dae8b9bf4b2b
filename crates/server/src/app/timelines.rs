//! What can be restored from a folder, as its storage alone tells.

use oplogue_api::timelines::{BackupMark, GapJson, MomentChoice, ReplicaSetTimeline, Restorable, Timeline, Unreadable};
use oplogue_api::{MomentJson, RangeJson};
use oplogue_domain::plan::choose;
use oplogue_domain::{BackupKind, Choice, Gap, GapReason, Moment, NamespaceSelection, OplogSource, OplogTime, RestorableRange};

use super::backups::{BackupId, Which};
use super::catalogs::FolderView;
use super::stored::{json_at, location_name};
use super::{App, AppError};

/// A repository with a million broken objects must not become an answer of a gigabyte.
const UNREADABLE_MAX: usize = 1000;

impl App {
    /// What is known of the folder just now. One that was not read yet is empty and says so, and is watched from then on.
    ///
    /// # Errors
    /// When there is no such location.
    pub fn timeline(&self, location_id: &str, folder: &str) -> Result<Timeline, AppError> {
        let (location_name, promised_from) = self.db.read(|tx| -> Result<_, AppError> {
            let name = location_name(tx, location_id)?.ok_or_else(|| AppError::not_found("location", location_id))?;
            Ok((name, self.promised_from(tx, location_id, folder)?))
        })?;
        let cluster = self.folder_clusters()?.remove(&(location_id.to_owned(), folder.to_owned()));
        let mut timeline = match self.folder_view(location_id, folder) {
            Some(view) => of_view(&view),
            None => {
                self.watch_folder(location_id, folder);
                Timeline { stale: Some("the storage has not been read yet".to_owned()), ..empty(location_id, folder) }
            }
        };
        timeline.location_name = location_name;
        timeline.cluster = cluster;
        // Nothing is kept that was never there.
        let oldest = timeline.restorable.first().map(|range| range.from.time());
        timeline.promised_from = promised_from.map(|from| oldest.map_or(from, |oldest| from.max(oldest)).into());
        Ok(timeline)
    }

    /// What a restore to `moment` would start from. `moment`: `T,I`, an RFC 3339 time, or `latest`.
    ///
    /// # Errors
    /// When there is no such location, the folder was not read yet, or the moment cannot be understood. A moment that cannot be restored is
    /// an answer, with the nearest ones that can.
    pub fn moment_choice(&self, location_id: &str, folder: &str, moment: &str) -> Result<MomentChoice, AppError> {
        self.location_exists(location_id)?;
        let Some(view) = self.folder_view(location_id, folder).filter(|view| view.read_at().is_some()) else {
            self.watch_folder(location_id, folder);
            return Err(AppError::unavailable("the storage has not been read yet").hint("try again in a moment"));
        };
        let wanted = match moment.trim() {
            "latest" => Moment::Latest,
            text => Moment::At(
                text.parse().map_err(|error: oplogue_domain::time::ParseTimeError| AppError::field("moment", error.to_string()))?,
            ),
        };
        Ok(match choose(&view.catalog, &wanted, &NamespaceSelection::Everything) {
            Ok(choice) => chosen(&view, &choice),
            Err(error) => {
                let nearest = error.nearest();
                let moment = if let Moment::At(time) = wanted { time } else { OplogTime::MIN };
                MomentChoice {
                    moment: moment.into(),
                    base: None,
                    slices: 0,
                    read_bytes: 0,
                    refusal: Some(error.to_string()),
                    nearest_before: nearest.before.map(Into::into),
                    nearest_after: nearest.after.map(Into::into),
                }
            }
        })
    }

    pub(super) fn location_exists(&self, location_id: &str) -> Result<(), AppError> {
        self.db.read(|tx| match location_name(tx, location_id)? {
            Some(_) => Ok(()),
            None => Err(AppError::not_found("location", location_id)),
        })
    }

    /// From here on retention lets nothing go: the longest window of the folder's enabled PITR schedules.
    fn promised_from(&self, tx: &rusqlite::Transaction<'_>, location_id: &str, folder: &str) -> Result<Option<OplogTime>, AppError> {
        let sql = "SELECT input FROM schedules WHERE location_id = ?1 AND folder = ?2 AND mode = 'pitr' AND enabled";
        let mut statement = tx.prepare_cached(sql)?;
        let inputs = statement.query_map([location_id, folder], |row| json_at::<oplogue_api::schedules::ScheduleInput>(row, 0))?;
        let mut hours = 0;
        for input in inputs {
            hours = hours.max(input?.retention.window_hours);
        }
        let start = self.clock.now().as_second() - i64::from(hours) * 3600;
        Ok((hours > 0).then(|| OplogTime::start_of_second(u32::try_from(start).unwrap_or(0))))
    }
}

fn empty(location_id: &str, folder: &str) -> Timeline {
    Timeline {
        location_id: location_id.to_owned(),
        location_name: String::new(),
        folder: folder.to_owned(),
        cluster: None,
        restorable: Vec::new(),
        replica_sets: Vec::new(),
        backups: Vec::new(),
        promised_from: None,
        as_of: None,
        stale: None,
        unreadable: Vec::new(),
    }
}

fn of_view(view: &FolderView) -> Timeline {
    let catalog = &view.catalog;
    let replica_set = |timeline: &oplogue_domain::ReplicaSetTimeline| {
        let slices = catalog.slices_of(&timeline.name);
        ReplicaSetTimeline {
            name: timeline.name.to_string(),
            restorable: timeline.restorable.iter().map(restorable).collect(),
            gaps: timeline.gaps.iter().map(gap).collect(),
            unreached: timeline.unusable.iter().map(|range| RangeJson::from(*range)).collect(),
            newest: timeline.newest.map(Into::into),
            slices: slices.len() as u64,
            slice_bytes: slices.iter().map(|slice| slice.bytes).sum(),
        }
    };
    let mark = |backup: &oplogue_domain::Backup| BackupMark {
        id: BackupId::new(&view.location_id, &view.folder, Which::Named(backup.name.to_string())).to_string(),
        name: backup.name.to_string(),
        restores_to: backup.consistent_at().into(),
        usable: backup.problem.is_none() && backup.kind == BackupKind::Logical,
        bytes: backup.bytes,
    };
    let unreadable = catalog.unreadable.iter().take(UNREADABLE_MAX);
    Timeline {
        restorable: view.timeline.cluster.iter().map(restorable).collect(),
        replica_sets: view.timeline.replica_sets.iter().map(replica_set).collect(),
        backups: catalog.backups.iter().map(mark).collect(),
        as_of: view.read_at(),
        stale: view.error.clone(),
        unreadable: unreadable.map(|(object, why)| Unreadable { object: object.clone(), why: why.clone() }).collect(),
        ..empty(&view.location_id, &view.folder)
    }
}

fn restorable(range: &RestorableRange) -> Restorable {
    Restorable {
        from: range.from.into(),
        through: range.through.into(),
        base: range.base.to_string(),
        newer_bases: range.newer_bases.iter().map(ToString::to_string).collect(),
    }
}

fn gap(gap: &Gap) -> GapJson {
    let kind = match gap.reason {
        GapReason::OplogRolledOver => "oplog-rolled-over",
        GapReason::NotSliced => "not-sliced",
        GapReason::Damaged(_) => "damaged",
        GapReason::Deleted => "deleted",
        GapReason::Other(_) => "other",
    };
    GapJson { replica_set: gap.replica_set.to_string(), range: gap.range.into(), kind: kind.to_owned(), reason: gap.reason.to_string() }
}

fn chosen(view: &FolderView, choice: &Choice) -> MomentChoice {
    let (mut slices, mut read_bytes) = (0_u32, 0_u64);
    for piece in choice.parts.iter().flat_map(|part| &part.oplog) {
        // Of other backups only the oplog is read; their metadata does not say how much that is.
        if let OplogSource::Slice(slice) = &piece.source {
            slices = slices.saturating_add(1);
            read_bytes = read_bytes.saturating_add(slice.bytes);
        }
    }
    let base = view.catalog.backup(&choice.base).map_or(0, |backup| backup.bytes);
    let moment = MomentJson::from(choice.through);
    MomentChoice {
        moment,
        base: Some(choice.base.to_string()),
        slices,
        read_bytes: read_bytes.saturating_add(base),
        refusal: None,
        nearest_before: None,
        nearest_after: None,
    }
}
