//! What a policy would do, before anybody is bound to it.

use std::sync::Arc;
use std::time::Duration;

use oplogue_api::retention::{RetentionItem, RetentionItemKind, RetentionPolicy, RetentionPreview};
use oplogue_api::users::Role;
use oplogue_domain::retention::{SAFE_AGE_SECONDS, Scope, Verdict, Verdicts, lost, retention};
use oplogue_domain::{Catalog, timeline};
use oplogue_repository::Orphan;

use super::{policy_of, scope};
use crate::app::catalogs::FolderView;
use crate::app::schedules::ScheduleRow;
use crate::app::{Actor, App, AppError};

/// Leftovers are found by listing everything; who looks at a preview does not wait longer for them.
const ORPHANS_LIMIT: Duration = Duration::from_millis(100);

impl App {
    /// What `policy` would keep and delete if it were that of the schedule, by what is known of its folder now.
    pub async fn preview_retention(
        &self,
        actor: &Actor,
        schedule_id: &str,
        policy: &RetentionPolicy,
    ) -> Result<RetentionPreview, AppError> {
        actor.must_be(Role::Viewer)?;
        let schedule = self.db.read(|tx| ScheduleRow::find(tx, schedule_id))?;
        let view = self.seen_now(&schedule.location_id, &schedule.folder).await?;
        let scope = self.db.read(|tx| scope::scope_of(tx, &schedule, &view.catalog))?;
        self.preview(&view, policy, &scope).await
    }

    /// What `policy` would keep and delete if it were about every backup of the folder.
    pub async fn preview_folder_retention(
        &self,
        actor: &Actor,
        location_id: &str,
        folder: &str,
        policy: &RetentionPolicy,
    ) -> Result<RetentionPreview, AppError> {
        actor.must_be(Role::Viewer)?;
        let view = self.seen_now(location_id, folder).await?;
        self.preview(&view, policy, &Scope::everything()).await
    }

    async fn seen_now(&self, location_id: &str, folder: &str) -> Result<Arc<FolderView>, AppError> {
        match self.folder_view(location_id, folder).filter(|view| view.read_at().is_some()) {
            Some(view) => Ok(view),
            None => self.refresh_folder(location_id, folder).await,
        }
    }

    async fn preview(&self, view: &FolderView, policy: &RetentionPolicy, scope: &Scope) -> Result<RetentionPreview, AppError> {
        let policy = policy_of(policy);
        let verdicts = retention(&view.catalog, &policy, scope, self.unix_seconds());
        let orphans = match tokio::time::timeout(ORPHANS_LIMIT, self.orphans(&view.location_id, &view.folder)).await {
            // With everything kept, nothing is swept either.
            Ok(Ok(orphans)) if !policy.keeps_everything() => orphans,
            _ => Vec::new(),
        };
        Ok(shown(&view.catalog, &verdicts, &orphans))
    }

    /// What was left behind in a folder and is surely old. Not what a backup that is running now has written.
    pub(super) async fn orphans(&self, location_id: &str, folder: &str) -> Result<Vec<Orphan>, AppError> {
        let repository = self.repository(location_id, folder)?;
        let age = Duration::from_secs(u64::from(SAFE_AGE_SECONDS));
        let found = repository.orphans(self.clock.of_storages(), age).await;
        let mut orphans = found.map_err(|error| AppError::unavailable(error.to_string()))?;
        let running = self.running_backups(location_id, folder)?;
        orphans.retain(|orphan| match &orphan.kind {
            oplogue_repository::OrphanKind::Backup(name) => !running.contains(&name.to_string()),
            _ => true,
        });
        Ok(orphans)
    }

    fn running_backups(&self, location_id: &str, folder: &str) -> Result<Vec<String>, AppError> {
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT backup_name FROM jobs WHERE kind = 'backup' AND state NOT IN ('done', 'failed', 'cancelled')
                 AND location_id = ?1 AND folder = ?2 AND backup_name IS NOT NULL",
            )?;
            Ok(statement.query_map([location_id, folder], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }
}

fn item(kind: RetentionItemKind, name: String, bytes: u64, verdict: &Verdict) -> RetentionItem {
    let reasons = verdict.reasons().iter().map(ToString::to_string).collect();
    RetentionItem { kind, name, replica_set: None, bytes, keep: verdict.is_keep(), reasons }
}

/// Slices that follow each other and share their fate and its reasons are one item: a week has 60,000 of them.
fn shown(catalog: &Catalog, verdicts: &Verdicts<'_>, orphans: &[Orphan]) -> RetentionPreview {
    let backups = verdicts.backups.iter();
    let mut items: Vec<_> =
        backups.map(|judged| item(RetentionItemKind::Backup, judged.item.name.to_string(), judged.item.bytes, &judged.verdict)).collect();
    for run in verdicts.slices.chunk_by(|a, b| a.item.replica_set == b.item.replica_set && a.verdict == b.verdict) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let name = match run.len() {
            1 => first.item.object().into_owned(),
            count => format!("{count} slices, {} … {}", first.item.range.after, last.item.range.through),
        };
        let bytes = run.iter().map(|judged| judged.item.bytes).sum();
        let replica_set = Some(first.item.replica_set.to_string());
        items.push(RetentionItem { replica_set, ..item(RetentionItemKind::Slice, name, bytes, &first.verdict) });
    }
    items.extend(orphans.iter().map(|orphan| RetentionItem {
        kind: RetentionItemKind::Orphan,
        name: orphan.objects.first().map(|object| object.name.clone()).unwrap_or_default(),
        replica_set: None,
        bytes: orphan.bytes(),
        keep: false,
        reasons: vec![orphan.kind.to_string()],
    }));
    let after = verdicts.after(catalog);
    RetentionPreview {
        items,
        lost: lost(catalog, &after).into_iter().map(Into::into).collect(),
        deleted_bytes: verdicts.deleted_bytes().saturating_add(orphans.iter().map(Orphan::bytes).sum()),
        oldest_after: timeline(&after).cluster.first().map(|range| range.from.into()),
    }
}
