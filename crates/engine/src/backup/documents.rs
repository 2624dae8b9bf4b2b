//! Reading all documents of a replica set into a backup, several collections at once.

use std::sync::Arc;

use anyhow::Context;
use bson::RawDocumentBuf;
use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::{Namespace, NamespaceSelection};
use oplogue_mongo::{Connection, ListedCollection};
use oplogue_oplog::CollectionKind as ListedKind;
use oplogue_repository::{CollectionKind, SnapshotWriter, Written, WrittenCollection, roles_namespace, users_namespace};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::backup::collection::{self, Means, Outcome};

/// How the documents are read.
pub struct Reading<'a> {
    pub means: Means,
    pub writer: &'a SnapshotWriter,
    /// Cursors open at once.
    pub parallel: usize,
    /// Collections larger than this are read in parts.
    pub part_bytes: u64,
}

/// Everything that was read.
pub struct Read {
    pub collections: Vec<WrittenCollection>,
    pub notes: Vec<String>,
}

impl Reading<'_> {
    /// Reads all of them, in the order given as far as there is room. The first failure ends the whole.
    pub async fn read_all(&self, collections: Vec<ListedCollection>) -> anyhow::Result<Read> {
        let cursors = Arc::new(Semaphore::new(self.parallel));
        let total = collections.iter().map(|listed| listed.bytes).sum();
        let reads = collections.into_iter().map(|listed| self.read_one(listed, total, cursors.clone()));
        // Each waits for cursors of its own, so a collection in parts does not hold up the small ones behind it.
        let read: Vec<(WrittenCollection, Vec<String>)> = stream::iter(reads).buffer_unordered(self.parallel).try_collect().await?;
        let (collections, notes): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        Ok(Read { collections, notes: notes.into_iter().flatten().collect() })
    }

    async fn read_one(
        &self,
        listed: ListedCollection,
        total: u64,
        cursors: Arc<Semaphore>,
    ) -> anyhow::Result<(WrittenCollection, Vec<String>)> {
        let namespace = listed.spec.namespace.clone();
        let mut notes = Vec::new();
        let written = if listed.data_namespace().is_some() {
            let object = self.writer.object(&namespace)?;
            let parts = parts(listed.bytes, total, self.parallel, self.part_bytes);
            let (means, one) = (self.means.clone(), listed.clone());
            // A task of its own: as futures of one task all collections would be read by one thread.
            let reading = self.means.tasks.spawn(async move { collection::read(&means, &cursors, &one, object, parts).await });
            let outcome = AbortOnDropHandle::new(reading).await.with_context(|| format!("read {namespace}"))?;
            let Outcome { written, dropped } = outcome.with_context(|| format!("read {namespace}"))?;
            if dropped {
                notes.push(format!("{namespace} was dropped while it was read; the backup's oplog says so, too"));
            }
            written
        } else {
            Written::default()
        };
        Ok((described(listed, written), notes))
    }
}

/// A server takes about as long to read one document as to read so many bytes.
const DOCUMENT_EFFORT: u64 = 512;

/// How long a collection takes to read, compared with others.
pub fn effort(bytes: u64, documents: u64) -> u64 {
    bytes.saturating_add(documents.saturating_mul(DOCUMENT_EFFORT))
}

/// In how many parts a collection of `bytes` is read. A part costs the server more than a part of a collection read whole: ranges of `_id`
/// are not how documents lie on disk. So only what would be read when all else is done is read in parts: a collection larger than the
/// share of one cursor of the whole. Then there are more parts than cursors, so that the last ones are small; not so many that sampling
/// costs more than it gains.
fn parts(bytes: u64, total: u64, parallel: usize, part_bytes: u64) -> usize {
    let share = total / u64::try_from(parallel.max(1)).unwrap_or(u64::MAX);
    if bytes <= share.saturating_add(share / 4) {
        return 1;
    }
    usize::try_from(bytes.div_ceil(part_bytes.max(1))).unwrap_or(usize::MAX).clamp(1, parallel.saturating_mul(8))
}

fn described(listed: ListedCollection, written: Written) -> WrittenCollection {
    let spec = listed.spec;
    let (kind, indexes, bucket_indexes) = match spec.kind {
        ListedKind::Collection => (CollectionKind::Collection, spec.indexes, Vec::new()),
        ListedKind::View => (CollectionKind::View, Vec::new(), Vec::new()),
        ListedKind::TimeSeries => (CollectionKind::TimeSeries, listed.logical_indexes, spec.indexes),
    };
    WrittenCollection {
        namespace: spec.namespace,
        kind,
        uuid: spec.uuid,
        buckets_uuid: spec.buckets_uuid,
        options: spec.options,
        indexes,
        bucket_indexes,
        written,
    }
}

/// Users and roles, under the names PBM looks for. In a selective backup those of the selected databases, as PBM does it: the
/// others may be about data that is not in the backup.
pub async fn read_principals(
    node: &Connection,
    writer: &SnapshotWriter,
    selection: &NamespaceSelection,
) -> anyhow::Result<Vec<WrittenCollection>> {
    let principals = node.users_and_roles().await.context("read users and roles")?;
    let users = write_principals(writer, users_namespace(), principals.users, selection).await?;
    let roles = write_principals(writer, roles_namespace(), principals.roles, selection).await?;
    Ok(vec![users, roles])
}

async fn write_principals(
    writer: &SnapshotWriter,
    namespace: Namespace,
    mut documents: Vec<RawDocumentBuf>,
    selection: &NamespaceSelection,
) -> anyhow::Result<WrittenCollection> {
    documents.retain(|document| document.get_str("db").is_ok_and(|database| is_about(selection, database)));
    let object = writer.object(&namespace)?;
    let mut appender = object.appender();
    appender.write(&documents).await?;
    appender.finish().await?;
    let written = object.finish().await.with_context(|| format!("store {namespace}"))?;
    Ok(WrittenCollection::principals(namespace, written))
}

fn is_about(selection: &NamespaceSelection, database: &str) -> bool {
    use oplogue_domain::NamespacePattern::{Collection, Database};
    selection.is_everything()
        || selection.patterns().iter().any(|pattern| match pattern {
            Database(selected) => selected == database,
            Collection(selected) => selected.database == database,
        })
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn only_a_collection_larger_than_a_cursors_share_is_read_in_parts() {
        const MIB: u64 = 1 << 20;
        // Alone, or much the largest.
        assert_eq!(parts(1_024 * MIB, 1_024 * MIB, 4, 256 * MIB), 4);
        assert_eq!(parts(900 * MIB, 1_024 * MIB, 4, 256 * MIB), 4);
        assert_eq!(parts(100_000 * MIB, 101_000 * MIB, 4, 256 * MIB), 32);
        // One of several of about the same size; small ones; one cursor.
        assert_eq!(parts(300 * MIB, 1_200 * MIB, 4, 256 * MIB), 1);
        assert_eq!(parts(200 * MIB, 200 * MIB, 4, 256 * MIB), 1);
        assert_eq!(parts(1_024 * MIB, 1_024 * MIB, 1, 256 * MIB), 1);
        assert_eq!(parts(0, 0, 4, 256 * MIB), 1);
    }
}
