//! What this agent was asked to do, and what became of it: one file per attempt.
//!
//! An attempt is written down before its work begins and again when it has ended, and only then told to the server. So after a crash each
//! attempt is one of three: never begun (nobody wrote it down), ended with an outcome to tell, or broken off. A few of those that the
//! server has heard of are kept, should it ask again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use jiff::Timestamp;
use oplogue_api::agent::{AttemptId, Outcome, Work};
use oplogue_api::jobs::JobStep;
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;

pub const FOLDER: &str = "attempts";
/// Attempts that are over and heard of. More would only take room.
const KEPT_MAX: usize = 50;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    id: AttemptId,
    state: State,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum State {
    /// Work has begun, or is about to.
    Accepted {
        // Holds the storage's secrets, as does the file.
        work: Box<Work>,
    },
    Ended {
        at: Timestamp,
        ending: Ending,
        /// The server has stopped asking for it.
        acknowledged: bool,
    },
}

/// How an attempt ended, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub outcome: Outcome,
    pub steps: Vec<JobStep>,
}

impl Ending {
    pub fn without_steps(outcome: Outcome) -> Self {
        Self { outcome, steps: Vec::new() }
    }
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<AttemptId, Entry>,
    /// Those whose outcome the server has heard in this run.
    heard: BTreeSet<AttemptId>,
}

/// All of it lies in memory too; files are only read at the start.
pub struct Journal(Mutex<Inner>);

impl Journal {
    /// Reads what earlier runs wrote. Returns the attempts that were broken off, which the caller must end.
    pub fn open(dir: &DataDir) -> anyhow::Result<(Self, Vec<(AttemptId, Work)>)> {
        let mut inner = Inner::default();
        for name in dir.names(FOLDER).context("list the journal of attempts")? {
            let entry = match dir.read::<Entry>(&format!("{FOLDER}/{name}")) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(error) => match unreadable(&name) {
                    Some(entry) => {
                        tracing::error!(error = %format!("{error:#}"), "what was written down about an attempt cannot be read; it counts as broken off");
                        entry
                    }
                    None => continue,
                },
            };
            inner.entries.insert(entry.id.clone(), entry);
        }
        let broken_off = inner.entries.values().filter_map(|entry| match &entry.state {
            State::Accepted { work } => Some((entry.id.clone(), (**work).clone())),
            State::Ended { .. } => None,
        });
        let broken_off = broken_off.collect();
        Ok((Self(Mutex::new(inner)), broken_off))
    }

    pub fn knows(&self, id: &AttemptId) -> bool {
        self.inner().entries.contains_key(id)
    }

    /// From here on the attempt is not begun a second time, whatever happens.
    ///
    /// # Errors
    /// When it cannot be written down: then it must not be begun.
    pub fn accept(&self, dir: &DataDir, id: &AttemptId, work: &Work) -> anyhow::Result<()> {
        let entry = Entry { id: id.clone(), state: State::Accepted { work: Box::new(work.clone()) } };
        dir.write(&file(id), &entry).context("write down an attempt before beginning it")?;
        self.inner().entries.insert(id.clone(), entry);
        Ok(())
    }

    /// What became of it. When that cannot be written, it is still told; only a crash before that would lose it.
    pub fn end(&self, dir: &DataDir, id: &AttemptId, ending: Ending) {
        let entry = Entry { id: id.clone(), state: State::Ended { at: Timestamp::now(), ending, acknowledged: false } };
        if let Err(error) = dir.write(&file(id), &entry) {
            tracing::error!(error = %format!("{error:#}"), job = id.job_id, "the outcome of an attempt could not be written down");
        }
        self.inner().entries.insert(id.clone(), entry);
    }

    pub fn ending(&self, id: &AttemptId) -> Option<Ending> {
        match &self.inner().entries.get(id)?.state {
            State::Ended { ending, .. } => Some(ending.clone()),
            State::Accepted { .. } => None,
        }
    }

    /// The server has answered the report of its outcome.
    pub fn heard(&self, id: &AttemptId) {
        self.inner().heard.insert(id.clone());
    }

    /// Attempts in work, and outcomes that the server still asks for.
    pub fn unacknowledged(&self) -> Vec<AttemptId> {
        let inner = self.inner();
        inner.entries.values().filter(|entry| !is_acknowledged(entry)).map(|entry| entry.id.clone()).collect()
    }

    /// Outcomes that must be told.
    pub fn untold(&self) -> Vec<AttemptId> {
        let inner = self.inner();
        let untold = |entry: &&Entry| matches!(entry.state, State::Ended { acknowledged: false, .. }) && !inner.heard.contains(&entry.id);
        inner.entries.values().filter(untold).map(|entry| entry.id.clone()).collect()
    }

    /// The server asks for an outcome that it has heard already: it shall hear it again.
    pub fn tell_again(&self, id: &AttemptId) {
        let mut inner = self.inner();
        inner.heard.remove(id);
        if let Some(Entry { state: State::Ended { acknowledged, .. }, .. }) = inner.entries.get_mut(id) {
            *acknowledged = false;
        }
    }

    /// What the server has heard and does not ask for any more is done with.
    pub fn acknowledge_all_but(&self, dir: &DataDir, wanted: &BTreeSet<AttemptId>) {
        let mut inner = self.inner();
        let Inner { entries, heard } = &mut *inner;
        for entry in entries.values_mut().filter(|entry| heard.contains(&entry.id) && !wanted.contains(&entry.id)) {
            if let State::Ended { acknowledged: acknowledged @ false, .. } = &mut entry.state {
                *acknowledged = true;
                if let Err(error) = dir.write(&file(&entry.id), &*entry) {
                    tracing::warn!(error = %format!("{error:#}"), "an attempt could not be marked as told; it will be told again");
                }
            }
        }
        forget_oldest(dir, &mut inner);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_acknowledged(entry: &Entry) -> bool {
    matches!(entry.state, State::Ended { acknowledged: true, .. })
}

fn forget_oldest(dir: &DataDir, inner: &mut Inner) {
    let mut done: Vec<(Timestamp, AttemptId)> = inner
        .entries
        .values()
        .filter_map(|entry| match entry.state {
            State::Ended { at, acknowledged: true, .. } => Some((at, entry.id.clone())),
            _ => None,
        })
        .collect();
    done.sort();
    let surplus = done.len().saturating_sub(KEPT_MAX);
    for (_, id) in done.into_iter().take(surplus) {
        if let Err(error) = dir.remove(&file(&id)) {
            tracing::warn!(error = %format!("{error:#}"), "an old attempt could not be removed from the journal");
        }
        inner.entries.remove(&id);
        inner.heard.remove(&id);
    }
}

/// Ids come from the server, and are names of files here: what is odd in them is spelled out, so that two never share a name.
fn file(id: &AttemptId) -> String {
    let plain = id.job_id.len() <= 100
        && !id.job_id.is_empty()
        && id.job_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let name = if plain { id.job_id.clone() } else { format!("={}", hex::encode(&id.job_id)) };
    format!("{FOLDER}/{name}.{}", id.attempt)
}

fn unreadable(name: &str) -> Option<Entry> {
    let (job, attempt) = name.rsplit_once('.')?;
    let job_id = match job.strip_prefix('=') {
        Some(digits) => String::from_utf8(hex::decode(digits).ok()?).ok()?,
        None => job.to_owned(),
    };
    let outcome = Outcome::Failed {
        error: "what the agent had written down about it cannot be read any more, so nobody knows how far it came".to_owned(),
        hint: None,
        retryable: true,
    };
    let state = State::Ended { at: Timestamp::now(), ending: Ending::without_steps(outcome), acknowledged: false };
    Some(Entry { id: AttemptId { job_id, attempt: attempt.parse().ok()? }, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(job: &str) -> AttemptId {
        AttemptId { job_id: job.to_owned(), attempt: 1 }
    }

    fn work() -> Work {
        serde_json::from_value(serde_json::json!({
            "kind": "backup", "name": "b", "compression": "zstd", "namespaces": [],
            "place": {"location_id": "l", "kind": "local", "settings": {"path": "/b"}, "secrets": {}, "folder": "shop"},
        }))
        .expect("work of the test")
    }

    fn cancelled() -> Ending {
        Ending::without_steps(Outcome::Cancelled { state: "nothing".to_owned() })
    }

    fn all_but(ids: &[&str]) -> BTreeSet<AttemptId> {
        ids.iter().map(|job| id(job)).collect()
    }

    #[test]
    fn an_attempt_is_known_after_a_restart_as_broken_off_or_with_its_outcome() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("free");
        let (journal, broken_off) = Journal::open(&dir).expect("empty");
        assert!(broken_off.is_empty());
        journal.accept(&dir, &id("a"), &work()).expect("written");
        journal.accept(&dir, &id("../../b"), &work()).expect("written");
        journal.end(&dir, &id("../../b"), cancelled());

        let (journal, broken_off) = Journal::open(&dir).expect("readable");
        assert_eq!(broken_off.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), [id("a")]);
        assert_eq!(journal.untold(), [id("../../b")]);
        assert_eq!(journal.ending(&id("../../b")), Some(cancelled()));
        assert_eq!(journal.unacknowledged().len(), 2);
    }

    #[test]
    fn an_outcome_is_told_until_the_server_has_heard_it_and_stops_asking() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("free");
        let (journal, _) = Journal::open(&dir).expect("empty");
        journal.accept(&dir, &id("a"), &work()).expect("written");
        journal.end(&dir, &id("a"), cancelled());
        journal.acknowledge_all_but(&dir, &all_but(&[]));
        assert_eq!(journal.untold(), [id("a")], "not asked for, and not heard: an answer may have been older than the outcome");
        journal.heard(&id("a"));
        journal.acknowledge_all_but(&dir, &all_but(&["a"]));
        assert_eq!(journal.unacknowledged(), [id("a")], "heard, and still asked for");
        journal.acknowledge_all_but(&dir, &all_but(&[]));
        assert!(journal.unacknowledged().is_empty() && journal.knows(&id("a")));

        let (journal, _) = Journal::open(&dir).expect("readable");
        assert!(journal.untold().is_empty() && journal.knows(&id("a")), "acknowledged over a restart, and still not begun again");
        journal.tell_again(&id("a"));
        assert_eq!(journal.untold(), [id("a")]);
    }

    #[test]
    fn only_so_many_old_attempts_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("free");
        let (journal, _) = Journal::open(&dir).expect("empty");
        for n in 0..KEPT_MAX + 5 {
            let id = id(&format!("job_{n}"));
            journal.end(&dir, &id, cancelled());
            journal.heard(&id);
        }
        journal.acknowledge_all_but(&dir, &all_but(&[]));
        assert_eq!(dir.names(FOLDER).expect("listed").len(), KEPT_MAX);
        assert!(!journal.knows(&id("job_0")) && journal.knows(&id("job_9")));
    }

    #[test]
    fn what_cannot_be_read_counts_as_broken_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("free");
        let (journal, _) = Journal::open(&dir).expect("empty");
        journal.accept(&dir, &id("a"), &work()).expect("written");
        std::fs::write(folder.path().join("attempts/a.1.json"), "{").expect("written");
        let (journal, _) = Journal::open(&dir).expect("opened all the same");
        assert!(matches!(journal.ending(&id("a")).map(|ending| ending.outcome), Some(Outcome::Failed { retryable: true, .. })));
    }
}
