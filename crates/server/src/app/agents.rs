//! What agents say and hear.
//!
//! An agent says how things are ([`App::sync`]) and hears everything that is wanted of it, each time; the answer is held back while there is nothing new.
//! What it said last is in memory. Nothing depends on an answer arriving, or arriving once: an attempt is handed out again until the agent has
//! it, and one that the agent has but nobody wants is cancelled.

mod wishes;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oplogue_api::ErrorCode;
use oplogue_api::agent::{AgentFacts, AttemptId, Sync, Wishes};
use oplogue_api::services::SlicingFacts;
use rusqlite::params;

use super::services::{self, ServiceRow, heard_lately};
use super::stored::json;
use super::{App, AppError};

/// However much the agent asks for.
const WAIT_SECONDS_MAX: u32 = 30;
/// Facts that change all the time are stored so often.
const STORED_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// An agent works on a handful of attempts; more is nonsense.
const ATTEMPTS_MAX: usize = 100;
const TESTS_MAX: usize = 100;

/// What agents said since the server started.
#[derive(Debug, Default)]
pub struct Agents {
    present: Mutex<HashMap<String, Presence>>,
}

/// An agent as it was last heard.
#[derive(Debug, Clone)]
pub struct Presence {
    pub last_seen: Timestamp,
    pub facts: AgentFacts,
    pub slicing: Option<SlicingFacts>,
    pub attempts: Vec<AttemptId>,
    /// So many answers to it are being held back: it is there for certain.
    waiting: u32,
    stored_at: Option<Timestamp>,
}

impl Agents {
    pub fn presence(&self, service_id: &str) -> Option<Presence> {
        lock(&self.present).get(service_id).cloned()
    }

    pub fn is_online(&self, service_id: &str, now: Timestamp) -> bool {
        lock(&self.present).get(service_id).is_some_and(|presence| presence.waiting > 0 || heard_lately(presence.last_seen, now))
    }

    pub(super) fn forget(&self, service_id: &str) {
        lock(&self.present).remove(service_id);
    }
}

/// Nothing under these locks can panic half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One answer that is held back.
struct Waiting<'a> {
    agents: &'a Agents,
    service_id: &'a str,
}

impl<'a> Waiting<'a> {
    fn begin(agents: &'a Agents, service_id: &'a str) -> Self {
        if let Some(presence) = lock(&agents.present).get_mut(service_id) {
            presence.waiting += 1;
        }
        Self { agents, service_id }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(presence) = lock(&self.agents.present).get_mut(self.service_id) {
            presence.waiting = presence.waiting.saturating_sub(1);
        }
    }
}

impl App {
    /// Id and name of the service whose agent has this credential.
    pub fn agent_by_credential(&self, credential: &str) -> Result<Option<(String, String)>, AppError> {
        let found = self.db.read(|tx| services::with_credential(tx, credential))?;
        Ok(found.map(|service| (service.id, service.name)))
    }

    /// Hears how things are beside a mongod, and says what is wanted of its agent: at once when that is something new, else when it becomes so, at
    /// the latest after the time that the agent is ready to wait.
    ///
    /// May be dropped at any await: everything that was heard is kept by then.
    pub async fn sync(&self, service_id: &str, sync: Sync) -> Result<Wishes, AppError> {
        if sync.attempts.len() > ATTEMPTS_MAX || sync.tests.len() > TESTS_MAX {
            return Err(AppError::new(
                ErrorCode::Invalid,
                format!("an agent has at most {ATTEMPTS_MAX} attempts and {TESTS_MAX} tests at a time"),
            ));
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(sync.wait_seconds.min(WAIT_SECONDS_MAX).into());
        let known = sync.attempts.clone();
        let revision = sync.revision;
        self.hear(service_id, sync)?;
        let waiting = Waiting::begin(&self.agents, service_id);
        let mut news = self.wishes.subscribe();
        loop {
            news.borrow_and_update();
            self.end_cancelled_unknown(service_id, &known)?;
            let wishes = self.wishes_for(service_id, &known)?;
            let enough = wishes.revision != revision
                || tokio::select! {
                    changed = tokio::time::timeout_at(deadline, news.changed()) => !matches!(changed, Ok(Ok(()))),
                    () = self.stopping.cancelled() => true,
                };
            if enough {
                drop(waiting);
                self.note_seen(service_id);
                return Ok(wishes);
            }
        }
    }

    fn note_seen(&self, service_id: &str) {
        let now = self.clock.now();
        if let Some(presence) = lock(&self.agents.present).get_mut(service_id) {
            presence.last_seen = now;
        }
    }

    fn hear(&self, service_id: &str, sync: Sync) -> Result<(), AppError> {
        let now = self.clock.now();
        let service = self.db.read(|tx| services::find(tx, service_id))?;
        let before = self.agents.presence(service_id);
        let facts = limited(sync.facts);
        let (stored_facts, stored_at) = match &before {
            Some(before) => (&before.facts, before.stored_at),
            None => (&service.facts, None),
        };
        let stale = stored_at.is_none_or(|at| now.duration_since(at).abs() >= STORED_EVERY);
        let store = stale || !same_but_for_time(stored_facts, &facts);
        if store {
            self.store_facts(&service, &facts, sync.slicing.as_ref(), now)?;
        }
        {
            let mut present = lock(&self.agents.present);
            let waiting = present.get(service_id).map_or(0, |presence| presence.waiting);
            let stored_at = if store { Some(now) } else { stored_at };
            let presence = Presence { last_seen: now, facts, slicing: sync.slicing, attempts: sync.attempts, waiting, stored_at };
            present.insert(service_id.to_owned(), presence);
        }
        self.test_answered(service_id, sync.tests);
        Ok(())
    }

    fn store_facts(
        &self,
        service: &ServiceRow,
        facts: &AgentFacts,
        slicing: Option<&SlicingFacts>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        // A mongod that cannot be asked does not say who it is.
        let replica_set = if facts.replica_set.is_empty() { &service.replica_set } else { &facts.replica_set };
        let member = if facts.member.is_empty() { &service.member } else { &facts.member };
        self.db.write(|tx| {
            tx.prepare_cached("UPDATE services SET facts = ?2, slicing = ?3, last_seen = ?4, replica_set = ?5, member = ?6 WHERE id = ?1")?
                .execute(params![service.id, json(facts), slicing.map(json), now.to_string(), replica_set, member])?;
            Ok::<_, AppError>(())
        })
    }
}

/// Everything that grows has a bound, also what agents say of themselves.
fn limited(mut facts: AgentFacts) -> AgentFacts {
    let cut = |text: &mut String, most: usize| {
        if let Some((at, _)) = text.char_indices().nth(most) {
            text.truncate(at);
        }
    };
    for text in
        [&mut facts.agent_version, &mut facts.host, &mut facts.replica_set, &mut facts.member, &mut facts.mongodb_version, &mut facts.fcv]
    {
        cut(text, 256);
    }
    if let Some(problem) = &mut facts.problem {
        cut(problem, 4000);
    }
    facts
}

fn same_but_for_time(one: &AgentFacts, other: &AgentFacts) -> bool {
    AgentFacts { oplog: None, ..one.clone() } == AgentFacts { oplog: None, ..other.clone() }
}
