//! Copies backups, and the slices that carry them on, from one storage to another.
//!
//! First everything that is at the destination already is compared: what is the same is skipped, what is different ends the copy before anything
//! was written. Then data, records, and last the metadata of each backup; then the slices, each before its record. A copy that was cut off leaves
//! nothing half that is listed; the same command again goes on where it stopped.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::coverage::slices_following;
use oplogue_domain::{Backup, BackupName, Catalog, Gap, Slice};
use oplogue_repository::{CopyItem, Presence, Repository, RepositoryError};
use tokio_util::sync::CancellationToken;

use crate::failure::{Cancelled, Refused};
use crate::progress::{Progress, Step, Unit};

/// What to copy.
#[derive(Clone)]
pub struct CopyRequest {
    pub from: Repository,
    pub to: Repository,
    /// Empty: all that can be restored.
    pub backups: Vec<BackupName>,
    /// Also slices: with all backups all slices, with some those that carry them on.
    pub slices: bool,
    /// Objects copied at once. At least 1.
    pub parallel: usize,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    pub backups: Vec<BackupName>,
    pub slices: u64,
    pub copied_objects: u64,
    pub copied_bytes: u64,
    /// Were there already, with the same content.
    pub skipped_objects: u64,
    /// Backups that cannot be restored, and so were not copied, with the reason.
    pub left_out: Vec<(BackupName, String)>,
}

/// Steps that follow each other, e.g. data and then metadata.
type Steps = Vec<Vec<CopyItem>>;

/// Copies.
///
/// # Errors
/// [`Refused`] when something else is at the destination under the same names, or a backup is not there or cannot be restored: nothing was
/// written then. Damage of an object at the source ends the copy; what was copied before stays, and none of it is listed before it is whole.
pub async fn run(request: CopyRequest, progress: Arc<dyn Progress>, cancel: CancellationToken) -> anyhow::Result<CopyReport> {
    let work = copy(&request, &progress);
    match cancel.run_until_cancelled(work).await {
        Some(outcome) => outcome,
        None => {
            let state = "what was copied so far stays, and nothing that is not whole is listed; the same command goes on".to_owned();
            Err(Cancelled { state }.into())
        }
    }
}

async fn copy(request: &CopyRequest, progress: &Arc<dyn Progress>) -> anyhow::Result<CopyReport> {
    let (from, to) = (&request.from, &request.to);
    progress.begin(Step::Prepare, Unit::Items, None);
    let catalog = from.catalog().await.context("read what lies at the source")?;
    to.refuse_encrypted().await.context("look at the destination")?;
    let mut report = CopyReport::default();
    let backups = chosen(&catalog, request, &mut report)?;
    let (slices, gaps) = if request.slices { followers(&catalog, request, &backups) } else { (Vec::new(), Vec::new()) };
    let mut all: Vec<Steps> = Vec::new();
    for backup in &backups {
        let steps = from.copy_steps(backup).await.with_context(|| format!("read what backup {} consists of", backup.name));
        all.push(steps.map_err(refuse_damage)?);
    }
    let steps_of_slices = stream::iter(&slices).map(|slice| from.copy_steps_of_slice(slice)).buffered(request.parallel.max(1));
    all.extend(steps_of_slices.try_collect::<Vec<_>>().await.context("read what is known of the slices")?);
    for gap in &gaps {
        all.push(vec![vec![from.copy_item_of_gap(gap).await.context("read the records of gaps")?]]);
    }
    progress.end(Step::Prepare);
    refuse_names(to, &all)?;
    let all = without_present(request, all, progress, &mut report).await?;

    let total = all.iter().flatten().flatten().map(|item| item.bytes).sum();
    progress.begin(Step::Copy, Unit::Bytes, Some(total));
    if !backups.is_empty() {
        to.mark_for_pbm().await.context("mark the destination for PBM")?;
    }
    // One backup after the other, so that the first is whole early; slices side by side.
    let (of_backups, of_slices) = all.split_at(backups.len());
    for steps in of_backups {
        copy_steps(request, steps, request.parallel, progress).await?;
    }
    let copies = of_slices.iter().map(|steps| copy_steps(request, steps, 1, progress));
    stream::iter(copies).buffer_unordered(request.parallel.max(1)).try_collect::<Vec<()>>().await?;
    progress.end(Step::Copy);

    report.copied_objects = all.iter().flatten().map(|step| step.len() as u64).sum();
    report.copied_bytes = total;
    report.slices = slices.len() as u64;
    report.backups = backups.iter().map(|backup| backup.name.clone()).collect();
    prove(to, &report).await?;
    Ok(report)
}

fn chosen<'a>(catalog: &'a Catalog, request: &CopyRequest, report: &mut CopyReport) -> anyhow::Result<Vec<&'a Backup>> {
    let mut backups = Vec::new();
    for name in &request.backups {
        let location = request.from.storage().location();
        let unknown =
            || Refused::new(format!("there is no backup `{name}` in {location}")).advise("`oplogue list` shows those that are there");
        let backup = catalog.backup(name).ok_or_else(unknown)?;
        if let Some(problem) = &backup.problem {
            return Err(Refused::new(format!("backup {name} cannot be restored, and so is not copied: {problem}")).into());
        }
        backups.push(backup);
    }
    if request.backups.is_empty() {
        for backup in &catalog.backups {
            match &backup.problem {
                None => backups.push(backup),
                Some(problem) => report.left_out.push((backup.name.clone(), problem.to_string())),
            }
        }
    }
    Ok(backups)
}

/// The slices to copy, and the gaps between and beside them that are recorded.
fn followers(catalog: &Catalog, request: &CopyRequest, backups: &[&Backup]) -> (Vec<Slice>, Vec<Gap>) {
    if request.backups.is_empty() {
        let gaps = catalog.recorded_gaps.values().flatten().cloned().collect();
        return (catalog.slices.values().flatten().cloned().collect(), gaps);
    }
    let mut seen = BTreeSet::new();
    let followers = backups.iter().flat_map(|backup| slices_following(catalog, backup));
    (followers.filter(|slice| seen.insert(slice.object().into_owned())).collect(), Vec::new())
}

/// Names are copied as they are; a storage that cannot hold one is told before anything is written.
fn refuse_names(to: &Repository, all: &[Steps]) -> Result<(), Refused> {
    match all.iter().flatten().flatten().find(|item| !to.storage().holds(&item.name)) {
        Some(item) => {
            Err(Refused::new(format!("{} cannot hold an object named {:?}; nothing was copied", to.storage().location(), item.name)))
        }
        None => Ok(()),
    }
}

/// Leaves out what is at the destination already.
async fn without_present(
    request: &CopyRequest,
    all: Vec<Steps>,
    progress: &Arc<dyn Progress>,
    report: &mut CopyReport,
) -> anyhow::Result<Vec<Steps>> {
    let items: Vec<CopyItem> = all.iter().flatten().flatten().cloned().collect();
    progress.begin(Step::Compare, Unit::Items, Some(items.len() as u64));
    let looks = items.into_iter().map(|item| async move {
        let presence = request.from.presence(&request.to, &item).await;
        progress.advance(Step::Compare, 1);
        presence.map(|presence| (item.name, presence))
    });
    let found: Vec<_> = stream::iter(looks).buffered(request.parallel.max(1)).try_collect().await.map_err(|error| match error {
        RepositoryError::Different { .. } => anyhow::Error::from(Refused::new(format!("{error}; nothing was copied"))),
        error => anyhow::Error::from(error).context("compare what is at the destination already"),
    })?;
    progress.end(Step::Compare);
    let present: BTreeSet<String> = found.into_iter().filter(|(_, presence)| *presence == Presence::Same).map(|(name, _)| name).collect();
    report.skipped_objects = present.len() as u64;
    let absent = |step: Vec<CopyItem>| step.into_iter().filter(|item| !present.contains(&item.name)).collect::<Vec<_>>();
    Ok(all.into_iter().map(|steps| steps.into_iter().map(absent).collect()).collect())
}

async fn copy_steps(request: &CopyRequest, steps: &Steps, parallel: usize, progress: &Arc<dyn Progress>) -> anyhow::Result<()> {
    for step in steps {
        let copies = step.iter().map(|item| async move {
            let told = |bytes| progress.advance(Step::Copy, bytes);
            let copied = request.from.copy_object(&request.to, item, &told).await;
            copied.with_context(|| format!("copy `{}`", item.name)).map_err(refuse_damage)
        });
        stream::iter(copies).buffer_unordered(parallel.max(1)).try_collect::<Vec<()>>().await?;
    }
    Ok(())
}

/// What to do about an object that is not what was recorded.
fn refuse_damage(error: anyhow::Error) -> anyhow::Error {
    let damaged = error.chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(RepositoryError::Damaged { .. } | RepositoryError::Unreadable { .. } | RepositoryError::Missing { .. })
        )
    });
    if damaged { error.context("the source is damaged: `oplogue verify` tells what can still be restored") } else { error }
}

/// What was copied is listed there, and whole as far as a listing tells.
async fn prove(to: &Repository, report: &CopyReport) -> anyhow::Result<()> {
    let catalog = to.catalog().await.context("list the destination")?;
    for name in &report.backups {
        let backup = catalog.backup(name).with_context(|| format!("backup {name} was copied and is not listed at the destination"))?;
        if let Some(problem) = &backup.problem {
            anyhow::bail!("backup {name} was copied and cannot be restored at the destination: {problem}");
        }
    }
    Ok(())
}
