//! Takes a backup of a replica set.
//!
//! In order: a member is chosen; the oplog is read from before the first document, all the time, into a spool; the collections
//! are listed and read, several at once and large ones in parts; users and roles; then a note is written through the primary, and
//! when the member read knows a majority to have it, the oplog up to there closes the backup. Everything is consistent at that last entry.
//!
//! Documents are read without a common snapshot, while clients write: each is some state between the first and the last entry of
//! the backup's oplog, which is then replayed over it. So nothing is held open on the server, however long it takes, and nothing is lost when
//! its connections are: what was away for a while is asked again (`away`), a collection under way begins again, the oplog goes on at its last entry.
//!
//! `.pbm.json` is written last. Whatever ends the work earlier (a failure, a cancel, a panic of a task), the objects written are
//! removed; when even that is impossible, what remains has no metadata and is not a backup.

pub mod away;
pub mod clock;
mod collection;
mod documents;
mod first;
pub mod member;
mod oplog;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use oplogue_domain::{BackupName, NamespaceSelection, OplogRange, OplogTime, ReplicaSetName};
use oplogue_format::compression::Compression;
use oplogue_mongo::Connection;
use oplogue_repository::{BackupFacts, Repository, RepositoryError, SnapshotFacts};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backup::away::again;
use crate::failure::{Cancelled, Refused};
use crate::progress::{Progress, Step, Unit};
use crate::throttle::{Brake, Limits};

/// What to back up, and how.
#[derive(Clone)]
pub struct BackupRequest {
    pub connection: Connection,
    pub repository: Repository,
    /// `None`: the start time in RFC 3339, as PBM names its backups; a second later when that name is taken.
    pub name: Option<BackupName>,
    pub selection: NamespaceSelection,
    /// In a selective backup: users and roles as well, those of the selected databases. Full backups always hold all of them.
    pub users_and_roles: bool,
    pub compression: Compression,
    /// Collections (or parts of large ones) read at once. At least 1.
    pub parallel: usize,
    /// Collections larger than this are read in parts. Bytes of documents, uncompressed.
    pub part_bytes: u64,
    /// How the server is spared while its documents are read.
    pub limits: Limits,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct BackupReport {
    pub name: BackupName,
    pub replica_set: ReplicaSetName,
    /// `host:port` that was read, and why that member.
    pub node: String,
    pub node_reason: String,
    pub oplog: OplogRange,
    /// The moment it restores to.
    pub restores_to: OplogTime,
    pub collections: u64,
    pub documents: u64,
    /// Uncompressed bytes of documents.
    pub document_bytes: u64,
    /// Stored bytes of all objects.
    pub stored_bytes: u64,
    pub oplog_entries: u64,
    pub seconds: f64,
    /// What a person should know: names PBM cannot restore, entries over 16 MiB, …
    pub notes: Vec<String>,
}

/// How long the majority may take to catch up with the end of the dump.
const MAJORITY_LIMIT: Duration = Duration::from_secs(120);

/// Takes the backup. See the module's header for what is left behind when it fails: nothing that looks like a backup.
///
/// # Errors
/// [`Refused`] for a name that is taken and for a selection that matches nothing; [`Cancelled`]; anything else is a failure.
pub async fn run(request: BackupRequest, progress: Arc<dyn Progress>, cancel: CancellationToken) -> anyhow::Result<BackupReport> {
    let started = clock::unix_seconds();
    let (name, claim) = match request.name.clone() {
        Some(name) => (name.clone(), claim_name(&request.repository, &name).await?),
        None => claim_second(&request.repository, started).await?,
    };
    let tasks = TaskTracker::new();
    let working = async {
        tokio::select! {
            outcome = take(&request, &name, started, &progress, &tasks) => outcome,
            never = keep_claim(&request.repository, &name, &claim) => match never {},
        }
    };
    let outcome = cancel.run_until_cancelled(working).await;
    let error = match outcome {
        Some(Ok(report)) => return Ok(report),
        Some(Err(error)) => error,
        None => Cancelled { state: format!("nothing of backup {name} is kept") }.into(),
    };
    // Once it is discarded no collection of it may appear, and above all not the backup itself. Metadata in between is listed by nobody.
    tasks.close();
    tasks.wait().await;
    // The objects of a backup without metadata only take up room: failing to remove them is told, and changes nothing else.
    match request.repository.discard_backup(&name).await {
        Ok(_) => Err(error),
        Err(failed) => Err(error.context(format!(
            "objects of the unfinished backup {name} could not be removed ({failed}); they are harmless, and `{name}/` may be deleted"
        ))),
    }
}

/// A backup that nobody named is named after a second that is at most so much later than its beginning.
const SECONDS_LATER_MAX: u32 = 60;

/// Names the backup after the second in which it began, or after the next that no backup has: several may begin in one.
async fn claim_second(repository: &Repository, started: u32) -> anyhow::Result<(BackupName, String)> {
    let mut second = started;
    loop {
        let name: BackupName = OplogTime::start_of_second(second).rfc3339().parse().context("name the backup after the time")?;
        match claim_name(repository, &name).await {
            Err(error) if error.is::<Refused>() && second < started.saturating_add(SECONDS_LATER_MAX) => second += 1,
            claim => return Ok((name, claim?)),
        }
    }
}

/// The token of the claim.
async fn claim_name(repository: &Repository, name: &BackupName) -> anyhow::Result<String> {
    // Unlike any other's: two processes have different ids, on one machine or another not at the same nanosecond.
    let token = format!("{}-{}", std::process::id(), clock::unix_nanoseconds());
    match repository.claim_name(name, &token).await {
        Ok(()) => Ok(token),
        Err(error @ RepositoryError::NameTaken { .. }) => {
            Err(Refused::new(error.to_string()).advise("choose another name, or delete what is there").into())
        }
        Err(error) => Err(anyhow::Error::new(error).context("look whether the backup's name is free")),
    }
}

/// How often a running backup shows that it is alive. What shows nothing for a day may be swept away as left behind.
const CLAIM_RENEWED_EVERY: Duration = Duration::from_secs(3_600);

/// Renews the claim until it is dropped. A failure changes nothing: many hours are left to succeed in.
async fn keep_claim(repository: &Repository, name: &BackupName, token: &str) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(CLAIM_RENEWED_EVERY).await;
        if let Err(error) = repository.renew_claim(name, token).await {
            tracing::warn!(backup = %name, %error, "the backup's sign of life could not be written");
        }
    }
}

/// Everything from choosing a member to `.pbm.json`.
async fn take(
    request: &BackupRequest,
    name: &BackupName,
    started: u32,
    progress: &Arc<dyn Progress>,
    tasks: &TaskTracker,
) -> anyhow::Result<BackupReport> {
    let clock = Instant::now();
    progress.begin(Step::Prepare, Unit::Items, None);
    let replica_set = again("ask the replica set for its members", progress, || request.connection.replica_set()).await?;
    let chosen = again("find a member to read", progress, || member::choose(&request.connection, None)).await?;
    let node = chosen.connection;
    let versions = again("ask for the server's version", progress, || node.versions()).await?;
    let first = again("find where the oplog must begin", progress, || first::first_entry(&node)).await?;
    let mut notes = Vec::new();

    // From here on the oplog is read without a pause, so that it cannot roll over unseen.
    let mut oplog = oplog::Recording::start(node.clone(), first, request.compression, progress.clone())?;
    let mut collections = again("list the collections", progress, || node.list_collections(&request.selection)).await?;
    notes.extend(note_unmatched(&request.selection, &collections)?);
    // What takes longest first: it would otherwise be what everybody waits for at the end.
    collections.sort_by_key(|collection| std::cmp::Reverse(documents::effort(collection.bytes, collection.documents)));
    let mut writer = request.repository.begin_snapshot(name.clone(), replica_set.name.clone(), request.compression);
    let unknown = writer.assign(collections.iter().map(|collection| &collection.spec.namespace));
    progress.end(Step::Prepare);

    let total = collections.iter().map(|collection| collection.bytes).sum();
    progress.begin(Step::Snapshot, Unit::Bytes, Some(total));
    let brake = Arc::new(Brake::new(request.limits, progress.clone()));
    let reading = documents::Reading {
        means: collection::Means { node: node.clone(), brake: brake.clone(), progress: progress.clone(), tasks: tasks.clone() },
        writer: &writer,
        parallel: request.parallel.max(1),
        part_bytes: request.part_bytes,
    };
    let read = tokio::select! {
        read = oplog.unless_it_fails(reading.read_all(collections)) => read?,
        never = brake.watch(&request.connection) => match never {},
    };
    notes.extend(read.notes);
    let mut written = read.collections;
    // Only where there are documents to miss: not of views and empty collections.
    let missed =
        unknown.into_iter().filter(|unknown| written.iter().any(|one| one.namespace == unknown.namespace && one.written.bytes > 0));
    notes.extend(missed.map(|unknown| format!("PBM cannot restore the documents of {}: {}", unknown.namespace, unknown.why)));
    if request.selection.is_everything() || request.users_and_roles {
        let reading = again("read users and roles", progress, || documents::read_principals(&node, &writer, &request.selection));
        let principals = oplog.unless_it_fails(reading).await?;
        written.extend(principals);
    }
    progress.end(Step::Snapshot);

    progress.begin(Step::Oplog, Unit::Entries, None);
    let end = oplog.unless_it_fails(again("mark the end in the oplog", progress, || last_entry(request, &node))).await?;
    let spooled = oplog.finish(end).await?;
    let last = spooled.last;
    notes.extend(spooled.notes);
    progress.end(Step::Oplog);

    progress.begin(Step::Publish, Unit::Items, None);
    let range = OplogRange::new(first, last);
    let facts = SnapshotFacts {
        oplog: range,
        node: chosen.host.clone(),
        server_version: versions.server.to_string(),
        fcv: versions.fcv.clone(),
        is_config_server: replica_set.is_config_server,
    };
    let snapshot = writer.finish(written, spooled.spool, facts).await.context("store oplog and metadata of the snapshot")?;
    let facts = BackupFacts {
        name: name.clone(),
        selection: request.selection.clone(),
        users_and_roles: request.users_and_roles,
        compression: request.compression,
        started,
        finished: clock::unix_seconds(),
        written_by: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let totals = snapshot.totals;
    let snapshots = vec![snapshot];
    let publish = || {
        let (repository, facts, snapshots) = (request.repository.clone(), facts.clone(), snapshots.clone());
        // A storage may finish what nobody waits for any more. So this is never given up half-way: discarding waits for it.
        let publishing = tasks.spawn(async move { repository.finish_backup(&facts, snapshots).await });
        async { publishing.await.context("publish")?.map_err(anyhow::Error::from) }
    };
    again("publish the backup", progress, publish).await?;
    progress.end(Step::Publish);
    Ok(BackupReport {
        name: name.clone(),
        replica_set: replica_set.name,
        node: chosen.host,
        node_reason: chosen.reason,
        oplog: range,
        restores_to: last,
        collections: totals.collections,
        documents: totals.documents,
        document_bytes: totals.document_bytes,
        stored_bytes: totals.stored_bytes,
        oplog_entries: totals.oplog_entries,
        seconds: clock.elapsed().as_secs_f64(),
        notes,
    })
}

/// An entry that a majority has, not before the end of the dump: our note, which makes one exist on an idle replica set. What the
/// majority has beyond it may be a time without an entry (a transaction reserves more times than it writes).
async fn last_entry(request: &BackupRequest, node: &Connection) -> anyhow::Result<OplogTime> {
    let note = request
        .connection
        .append_note("oplogue: end of the documents of a backup")
        .await
        .context("mark the end of the documents in the oplog")?;
    node.wait_for_majority(note, MAJORITY_LIMIT).await.context("wait until a majority has the end of the documents")?;
    Ok(note)
}

/// Refuses a selection that matches nothing at all; tells about each pattern that matches nothing.
fn note_unmatched(selection: &NamespaceSelection, collections: &[oplogue_mongo::ListedCollection]) -> anyhow::Result<Vec<String>> {
    let matched =
        |pattern: &oplogue_domain::NamespacePattern| collections.iter().any(|collection| pattern.matches(&collection.spec.namespace));
    let unmatched: Vec<String> = selection.patterns().iter().filter(|pattern| !matched(pattern)).map(ToString::to_string).collect();
    if !unmatched.is_empty() && unmatched.len() == selection.patterns().len() {
        let reason = format!("nothing in the replica set matches {}", unmatched.join(", "));
        return Err(Refused::new(reason)
            .advise("names are case-sensitive: write `database.collection`, or `database.*` for all of it")
            .into());
    }
    Ok(unmatched.into_iter().map(|pattern| format!("nothing matches {pattern}")).collect())
}
