//! Going on with a restore that was interrupted.
//!
//! A restore notes on the target itself which collections have all their documents, each by a majority write after its last document. Killed at any
//! instant and run again with the same request, it keeps those and makes the others anew. The notes lie on the target, not with the
//! program, because they are about the target: they outlive the machine that ran the restore, are known to whoever runs it next, and cannot be held
//! against another replica set.
//!
//! Two things are never believed. A journal that belongs to another plan (another base, moment, oplog, selection, name) is
//! thrown away. And what a note says of a collection (its UUID, its count of documents) must be so on the target; otherwise the collection is made anew.
//! What is cheap or global is always done again: indexes that are there already cost nothing, views, users and roles little.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use oplogue_domain::Namespace;
use oplogue_mongo::{Connection, ListedCollection, MongoError, Presence, RestoreJournal, RestoredCollection};
use oplogue_oplog::CollectionKind;
use sha2::{Digest, Sha256};

use super::plan::{PlannedContinuation, RestorePlan};
use super::work::Work;

/// Changes when an earlier program's notes must not be believed.
const FORMAT: &str = "oplogue restore 1";

/// What a restore does about the journal it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// There is none, or it is of no use: everything from the start. The text is for a person, when there was one.
    Anew(Option<String>),
    /// Another try of the same plan.
    GoesOn(PlannedContinuation),
}

/// Equal for plans that lead to the same state of the same collections from the same objects.
pub(super) fn fingerprint(plan: &RestorePlan, work: &[Work]) -> String {
    let mut hash = Sha256::new();
    // Debug forms quote every text, so that no two different sequences look alike.
    let mut add = |part: &dyn std::fmt::Debug| hash.update(format!("{part:?}\n"));
    add(&FORMAT);
    add(&(&plan.base, &plan.source_replica_set, plan.through, plan.read_bytes));
    for piece in &plan.oplog {
        add(&(&piece.source, piece.range));
    }
    for planned in &plan.collections {
        add(&(&planned.namespace, &planned.target, planned.time_series, &planned.loaded_from, planned.documents, planned.indexes));
    }
    for one in work {
        let load = one.load.as_ref().map(|load| (load.bytes, load.crc64, load.object.as_ref().map(|object| &object.name)));
        add(&(&one.selected.target, one.selected.survivor.uuid, load));
    }
    for view in &plan.views {
        add(&(&view.namespace, &view.target));
    }
    add(&plan.users_and_roles);
    hex::encode(hash.finalize())
}

/// Decides by the journal that was found and by what lies on the target.
pub(super) fn decide(journal: Option<&RestoreJournal>, fingerprint: &str, plan: &RestorePlan, present: &[ListedCollection]) -> Beginning {
    let Some(journal) = journal else { return Beginning::Anew(None) };
    let begun = journal.begun_seconds;
    if journal.fingerprint != fingerprint {
        return Beginning::Anew(Some(format!(
            "the restore begun on this target at {} has not ended, and was another one: nothing of it is kept",
            time(begun)
        )));
    }
    let there: BTreeMap<&Namespace, Presence> = present.iter().map(|one| (&one.spec.namespace, presence_of(one))).collect();
    let planned: BTreeSet<&Namespace> = plan.collections.iter().map(|planned| &planned.target).collect();
    let holds = |note: &&RestoredCollection| planned.contains(&note.target) && there.get(&note.target) == Some(&note.presence);
    let kept: BTreeSet<Namespace> = journal.done.iter().filter(holds).map(|note| note.target.clone()).collect();
    Beginning::GoesOn(PlannedContinuation { begun: time(begun), changed: journal.done.len() - kept.len(), kept })
}

fn presence_of(one: &ListedCollection) -> Presence {
    let uuid = if one.spec.kind == CollectionKind::TimeSeries { one.spec.buckets_uuid } else { one.spec.uuid };
    Presence { uuid, documents: one.documents }
}

fn time(unix_seconds: i64) -> String {
    jiff::Timestamp::from_second(unix_seconds).map_or_else(|_| "an unknown time".to_owned(), |time| time.to_string())
}

/// The journal of the restore that is being carried out.
pub(super) struct Journal<'a> {
    connection: &'a Connection,
    fingerprint: &'a str,
    /// False when this user may not write it: then an interrupted restore begins anew.
    is_kept: bool,
}

impl<'a> Journal<'a> {
    /// To be called before anything is touched.
    pub(super) async fn open(connection: &'a Connection, fingerprint: &'a str, goes_on: bool, now: u32) -> anyhow::Result<Self> {
        let begun = if goes_on { Ok(()) } else { connection.begin_restore_journal(fingerprint, now.into()).await };
        let is_kept = match begun {
            Ok(()) => true,
            Err(MongoError::Unauthorized { .. }) => {
                tracing::warn!("this user may not write config.oplogueRestores: an interrupted restore would begin anew");
                false
            }
            Err(error) => return Err(anyhow::Error::new(error).context("begin the journal of the restore")),
        };
        Ok(Self { connection, fingerprint, is_kept })
    }

    /// `target` is as it will be, but for its indexes; `data` is where its documents lie.
    pub(super) async fn note(&self, target: &Namespace, data: &Namespace) -> anyhow::Result<()> {
        if !self.is_kept {
            return Ok(());
        }
        let presence = self.connection.presence(data).await.with_context(|| format!("look at `{target}`"))?;
        let presence = presence.with_context(|| format!("`{target}` was loaded and is gone: somebody else has dropped or renamed it"))?;
        let restored = RestoredCollection { target: target.clone(), presence };
        self.connection.note_restored(self.fingerprint, &restored).await.with_context(|| format!("note that `{target}` is loaded"))
    }

    /// Everything is done and proven.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        if self.is_kept {
            self.connection.end_restore_journal().await.context("throw away the journal of the restore")?;
        }
        Ok(())
    }
}
