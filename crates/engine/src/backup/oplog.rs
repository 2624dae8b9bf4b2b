//! The oplog of a running backup: read from its first entry on, while documents are read, into a spool.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::{StreamExt, pin_mut};
use oplogue_domain::OplogTime;
use oplogue_format::compression::Compression;
use oplogue_mongo::Connection;
use oplogue_repository::Spool;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backup::away::Away;
use crate::progress::{Progress, Step};

/// How long to wait before looking for new entries.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// PBM's reader takes no larger entry.
const PBM_ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What was recorded.
pub struct Recorded {
    pub spool: Spool,
    /// The last entry: at least the moment asked for.
    pub last: OplogTime,
    pub notes: Vec<String>,
}

/// A running recording. Dropped, it stops and leaves nothing.
pub struct Recording {
    end: watch::Sender<Option<OplogTime>>,
    task: JoinHandle<anyhow::Result<Recorded>>,
}

impl Recording {
    /// Begins to read at the entry at `first`, which must exist.
    pub fn start(node: Connection, first: OplogTime, compression: Compression, progress: Arc<dyn Progress>) -> anyhow::Result<Self> {
        let (end, asked) = watch::channel(None);
        let recorder =
            Recorder { node, spool: Spool::new(compression)?, newest: None, first, entries: 0, oversized: 0, progress, end: asked };
        Ok(Self { end, task: tokio::spawn(recorder.run()) })
    }

    /// Does other work of the backup, and gives it up at once when the recording fails.
    pub async fn unless_it_fails<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            ended = &mut self.task => match ended {
                Ok(Ok(_)) => bail!("the recording of the oplog ended too early"),
                Ok(Err(error)) => Err(error),
                Err(died) => Err(anyhow::Error::new(died).context("record the oplog")),
            },
        }
    }

    /// Reads on until a majority's entry at `least` is there, and ends. It may have read further by itself, up to what a majority had:
    /// the last entry read is where the snapshot's oplog ends.
    pub async fn finish(mut self, least: OplogTime) -> anyhow::Result<Recorded> {
        // The task still listens: otherwise it has ended, and says why below.
        let _ = self.end.send(Some(least));
        (&mut self.task).await.context("record the oplog")?
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Recorder {
    node: Connection,
    spool: Spool,
    first: OplogTime,
    newest: Option<OplogTime>,
    entries: u64,
    oversized: u64,
    progress: Arc<dyn Progress>,
    end: watch::Receiver<Option<OplogTime>>,
}

impl Recorder {
    async fn run(mut self) -> anyhow::Result<Recorded> {
        let mut away = Away::new("read the oplog", &self.progress);
        loop {
            let end = *self.end.borrow_and_update();
            match self.look(end).await {
                Ok(()) => away.is_back(),
                // What was read stays: the next try begins at its last entry, and finds out if anything is missing.
                Err(error) => {
                    away.wait(error).await?;
                    continue;
                }
            }
            if let Some(last) = end {
                return self.close(last);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                changed = self.end.changed() => changed.context("the backup was given up")?,
            }
        }
    }

    /// Reads what is new, up to the end if it is known.
    async fn look(&mut self, end: Option<OplogTime>) -> anyhow::Result<()> {
        let through = match end {
            Some(last) => last,
            None => self.node.majority_time().await.context("ask how far a majority of the replica set is")?,
        };
        if self.newest.is_none_or(|newest| newest < through) { self.read(through).await } else { Ok(()) }
    }

    /// Every read begins with the newest entry known: finding it again proves that none is missing in between.
    async fn read(&mut self, through: OplogTime) -> anyhow::Result<()> {
        let from = self.newest.unwrap_or(self.first);
        let entries = self.node.clone().read_oplog(from, through);
        pin_mut!(entries);
        let mut proven = false;
        while let Some(batch) = entries.next().await {
            let mut batch = batch.context("read the oplog while the backup runs")?;
            if !proven {
                let first = batch.first().map(time).transpose()?;
                if first != Some(from) {
                    bail!(
                        "the oplog of {} no longer has the entry at {from}: it rolled over, or back, while the backup ran",
                        self.node_name()
                    );
                }
                proven = true;
                if self.newest.is_some() {
                    batch.remove(0);
                }
            }
            let Some(last) = batch.last() else { continue };
            self.newest = Some(time(last)?);
            self.oversized += batch.iter().filter(|entry| entry.as_bytes().len() > PBM_ENTRY_BYTES_MAX).count() as u64;
            self.spool.write(&batch).await?;
            self.entries += batch.len() as u64;
        }
        Ok(())
    }

    fn close(self, least: OplogTime) -> anyhow::Result<Recorded> {
        let Some(last) = self.newest.filter(|newest| *newest >= least) else {
            bail!("the oplog of {} has no entry at {least}, which a majority has", self.node_name());
        };
        self.progress.advance(Step::Oplog, self.entries);
        let mut notes = Vec::new();
        if self.oversized > 0 {
            notes.push(format!("{} oplog entries are larger than 16 MiB: PBM cannot replay them", self.oversized));
        }
        Ok(Recorded { spool: self.spool, last, notes })
    }

    fn node_name(&self) -> &str {
        self.node.member_host().unwrap_or("the member read")
    }
}

fn time(entry: &bson::RawDocumentBuf) -> anyhow::Result<OplogTime> {
    let time = entry.get_timestamp("ts").context("an oplog entry without its time `ts`")?;
    Ok(OplogTime::new(time.time, time.increment))
}
