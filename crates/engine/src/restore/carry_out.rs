//! Does what the plan says, step by step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use oplogue_domain::{BackupName, OplogTime};
use oplogue_fold::Tally;
use oplogue_oplog::{CollectionId, CollectionKind};
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use super::load::Loading;
use super::prepare::PreparedRestore;
use super::principals::{self, TouchedPrincipals};
use super::prove::{Proof, prove};
use super::replay::Replayed;
use super::work::Work;
use super::{clear, load, replay};
use crate::failure::Cancelled;
use crate::progress::{Progress, Step, Unit};
use crate::throttle::Brake;

/// What a restore did.
#[derive(Clone, Debug)]
pub struct RestoreReport {
    pub base: BackupName,
    pub through: OplogTime,
    pub collections: usize,
    pub views: usize,
    /// Inserted.
    pub documents_loaded: u64,
    /// Oplog operations applied, those included that were folded.
    pub operations_applied: u64,
    pub operations_folded: u64,
    /// Documents that were never sent to the server, because they are gone at the moment.
    pub documents_spared: u64,
    pub indexes: usize,
    pub users_written: usize,
    pub roles_written: usize,
    pub dropped: usize,
    /// Each step with the seconds it took.
    pub steps: Vec<(Step, f64)>,
    /// What was found on the target afterwards.
    pub proofs: Vec<Proof>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Measures the steps one after another.
struct Stopwatch {
    steps: Vec<(Step, f64)>,
    begun: Instant,
}

impl Stopwatch {
    fn done(&mut self, step: Step) {
        self.steps.push((step, self.begun.elapsed().as_secs_f64()));
        self.begun = Instant::now();
    }
}

/// Carries a plan out. From the first drop on the target is incomplete until this returns `Ok`; an error or [`Cancelled`] says how far it
/// came. The same restore can simply be run again, and goes on.
pub async fn carry_out(
    mut prepared: PreparedRestore,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
) -> anyhow::Result<RestoreReport> {
    let ways = std::mem::take(&mut prepared.ways.collections);
    let connection = &prepared.request.connection;
    let plan = &prepared.plan;
    let parallel = prepared.request.parallel.max(1);
    let mut watch = Stopwatch { steps: Vec::new(), begun: Instant::now() };
    if cancel.is_cancelled() {
        return Err(super::survey::untouched().into());
    }
    let now = crate::backup::clock::unix_seconds();
    let journal = Journal::open(connection, &prepared.fingerprint, plan.continues.is_some(), now).await?;
    clear::clear(connection, plan, &progress).await.context("clear the target")?;
    watch.done(Step::Clear);

    let brake = Brake::new(prepared.request.limits, progress.clone());
    let loading = Loading {
        connection,
        repository: &prepared.request.repository,
        plan,
        journal: &journal,
        brake: &brake,
        progress: &progress,
        cancel: &cancel,
    };
    let loaded = tokio::select! {
        loaded = load::load(loading, &prepared.work, ways, parallel) => loaded?,
        never = brake.watch(connection) => match never {},
    };
    watch.done(Step::Load);

    let mut touched = TouchedPrincipals::default();
    if prepared.principals {
        principals::stage(connection, &prepared.request.repository, &prepared.contents, &mut touched)
            .await
            .context("stage users and roles")?;
    }
    let replayed: BTreeSet<CollectionId> = loaded.iter().filter(|one| one.replay.is_some()).map(|one| one.id).collect();
    let work: Vec<&Work> = prepared.work.iter().filter(|one| replayed.contains(&one.selected.survivor.id)).collect();
    let mut replayed = Replayed::default();
    if !work.is_empty() || prepared.principals && prepared.ways.principals {
        replayed = replay::replay(&prepared, &work, &mut touched, &progress, &cancel).await.context("apply the oplog")?;
        watch.done(Step::Replay);
    }

    let indexes = build(&prepared, parallel, &progress, &cancel).await?;
    watch.done(Step::Index);

    let mut notes = Vec::new();
    let (mut users_written, mut roles_written) = (0, 0);
    if prepared.principals {
        progress.begin(Step::Principals, Unit::Items, None);
        let merged = principals::merge(connection, &touched).await?;
        (users_written, roles_written) = (merged.users_written, merged.roles_written);
        if !merged.kept.is_empty() {
            notes.push(format!("left as they are, because this program is logged in with them: {}", merged.kept.join(", ")));
        }
        progress.end(Step::Principals);
        watch.done(Step::Principals);
    }
    connection.majority_barrier().await.context("wait until a majority of the members has everything")?;
    let tally = |of: fn(&Tally) -> u64| loaded.iter().map(|one| of(&one.tally)).sum::<u64>();
    let lost_updates = replayed.lost_updates + tally(|tally| tally.lost_updates);
    if lost_updates > 0 {
        notes.push(format!(
            "{lost_updates} updates found no document to update: base and oplog do not fit together, compare the result with care"
        ));
    }
    progress.begin(Step::Prove, Unit::Items, None);
    let proofs = prove(connection, plan).await?;
    progress.end(Step::Prove);
    watch.done(Step::Prove);
    journal.end().await?;
    notes.extend(plan.continues.as_ref().map(ToString::to_string));
    Ok(RestoreReport {
        base: plan.base.clone(),
        through: plan.through,
        collections: prepared.work.len(),
        views: prepared.views.len(),
        documents_loaded: loaded.iter().map(|one| one.documents).sum(),
        operations_applied: replayed.operations + tally(|tally| tally.operations),
        operations_folded: tally(|tally| tally.operations),
        documents_spared: tally(|tally| tally.documents_spared),
        indexes,
        users_written,
        roles_written,
        dropped: plan.drops.len(),
        steps: watch.steps,
        proofs,
        notes,
    })
}

/// Builds all indexes, then the views. Returns how many indexes there are, those on `_id` included.
async fn build(
    prepared: &PreparedRestore,
    parallel: usize,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<usize> {
    let connection = &prepared.request.connection;
    let total = prepared.work.iter().map(|one| one.selected.survivor.indexes.len()).sum();
    progress.begin(Step::Index, Unit::Items, Some(total as u64));
    let builds = prepared.work.iter().map(|one| async move {
        if cancel.is_cancelled() {
            let state = "the target is incomplete: documents are restored, and not all indexes are built. Run the same restore again";
            return Err(Cancelled { state: state.to_owned() }.into());
        }
        build_one(prepared, one).await?;
        progress.advance(Step::Index, one.selected.survivor.indexes.len() as u64);
        anyhow::Ok(())
    });
    futures::stream::iter(builds).buffer_unordered(parallel).try_collect::<Vec<_>>().await?;
    for selected in &prepared.views {
        connection
            .create_view(&selected.target, &selected.view.options)
            .await
            .with_context(|| format!("create view `{}`", selected.target))?;
    }
    progress.end(Step::Index);
    Ok(total)
}

async fn build_one(prepared: &PreparedRestore, one: &Work) -> anyhow::Result<()> {
    let (target, survivor) = (&one.selected.target, &one.selected.survivor);
    let collated = survivor.options.contains_key("collation") && survivor.kind == CollectionKind::Collection;
    let built = prepared.request.connection.build_indexes(target, &survivor.indexes, collated).await;
    built.with_context(|| format!("build the indexes of `{target}`"))
}
