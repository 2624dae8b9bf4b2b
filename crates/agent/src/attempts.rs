//! Beginning, cancelling and ending attempts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use oplogue_api::agent::{Attempt, AttemptId, Outcome, Wishes, Work};
use oplogue_api::jobs::LogLevel;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::journal::Ending;
use crate::progress::Recorder;
use crate::shared::Shared;
use crate::{reporter, work};

/// The server gives an agent one or two at a time. More wait until it asks again.
const RUNNING_MAX: usize = 8;

/// What the agent says of an attempt that it left in the middle.
pub const STOPPED: &str = "the agent was stopped while it worked";

/// Does what the wishes say about attempts: stops, begins, and tells outcomes that are asked for.
pub fn heed(shared: &Arc<Shared>, wishes: &Wishes, telling: &mut BTreeSet<AttemptId>, tasks: &mut JoinSet<Option<AttemptId>>) {
    for id in &wishes.cancel {
        cancel(shared, id);
    }
    for attempt in &wishes.attempts {
        begin_if_new(shared, attempt, tasks);
    }
    // What is to be stopped has ended already, or does so now: only attempts to work on are asked for.
    let wanted: BTreeSet<AttemptId> = wishes.attempts.iter().map(|attempt| attempt.id.clone()).collect();
    for id in
        wanted.iter().filter(|id| shared.journal.ending(id).is_some() && !shared.running().contains_key(*id) && !telling.contains(*id))
    {
        shared.journal.tell_again(id);
    }
    shared.journal.acknowledge_all_but(&shared.dir, &wanted);
    tell_untold(shared, telling, tasks);
}

/// Begins to tell every outcome that nobody is telling yet.
pub fn tell_untold(shared: &Arc<Shared>, telling: &mut BTreeSet<AttemptId>, tasks: &mut JoinSet<Option<AttemptId>>) {
    for id in shared.journal.untold() {
        // What still runs tells by itself.
        if shared.running().contains_key(&id) || !telling.insert(id.clone()) {
            continue;
        }
        let shared = shared.clone();
        tasks.spawn(async move {
            reporter::tell_ending(shared, id.clone()).await;
            Some(id)
        });
    }
}

/// An attempt that never came here was not begun, and shall not be any more.
fn cancel(shared: &Shared, id: &AttemptId) {
    if let Some(token) = shared.running().get(id) {
        token.cancel();
        return;
    }
    if !shared.journal.knows(id) {
        let outcome = Outcome::Cancelled { state: "it was not begun; nothing was touched".to_owned() };
        shared.journal.end(&shared.dir, id, Ending::without_steps(outcome));
    }
}

fn begin_if_new(shared: &Arc<Shared>, attempt: &Attempt, tasks: &mut JoinSet<Option<AttemptId>>) {
    let (id, work) = (attempt.id.clone(), attempt.work.clone());
    if shared.journal.knows(&id) || shared.running().len() >= RUNNING_MAX {
        return;
    }
    if let Err(error) = shared.journal.accept(&shared.dir, &id, &work) {
        let outcome = Outcome::Failed {
            error: work::story(&error),
            hint: Some("make room where the agent keeps its data".to_owned()),
            retryable: true,
        };
        shared.journal.end(&shared.dir, &id, Ending::without_steps(outcome));
        return;
    }
    let cancel = shared.stop.child_token();
    shared.running().insert(id.clone(), cancel.clone());
    tracing::info!(job = id.job_id, attempt = id.attempt, work = kind(&work), "an attempt begins");
    tasks.spawn(run(shared.clone(), id, work, cancel));
}

/// Works and reports side by side. Returns when the outcome is heard, or stands in the journal and the agent stops.
async fn run(shared: Arc<Shared>, id: AttemptId, work: Work, cancel: CancellationToken) -> Option<AttemptId> {
    let recorder = Arc::new(Recorder::new());
    let (ended, ending) = watch::channel(None);
    let working = async {
        let outcome = work_on(&shared, &id, work, &recorder, cancel).await;
        recorder.line(level(&outcome), in_words(&outcome));
        let ending = Ending { outcome, steps: recorder.steps(Instant::now()) };
        shared.journal.end(&shared.dir, &id, ending.clone());
        ended.send_replace(Some(ending));
    };
    let reporting = reporter::tell(shared.clone(), id.clone(), recorder.clone(), ending);
    tokio::join!(working, reporting);
    shared.running().remove(&id);
    shared.poke();
    tracing::info!(job = id.job_id, attempt = id.attempt, "an attempt is over");
    None
}

async fn work_on(shared: &Arc<Shared>, id: &AttemptId, work: Work, recorder: &Arc<Recorder>, cancel: CancellationToken) -> Outcome {
    let (beside, id, progress) = (shared.beside.clone(), id.clone(), recorder.clone());
    // When this is dropped, so is the work.
    let dropped = CancellationToken::new();
    let guard = dropped.clone().drop_guard();
    // A thread of its own: a panic on it is an outcome, not the end of the agent; and the compiler cannot prove of the engine's long
    // futures that they may change threads.
    let runtime = tokio::runtime::Handle::current();
    let working = tokio::task::spawn_blocking(move || {
        runtime.block_on(dropped.run_until_cancelled(work::carry_out(beside, id, work, progress, cancel)))
    });
    let broken = |why: &str| Outcome::Failed {
        error: format!("the work broke off by a mistake of this program: {why}"),
        hint: Some("please report it, with the agent's log".to_owned()),
        retryable: true,
    };
    let outcome = match working.await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => broken("it was dropped"),
        Err(error) => broken(&error.to_string()),
    };
    drop(guard);
    match outcome {
        // Nobody has asked for this; the same may go on elsewhere or later.
        Outcome::Cancelled { state } if shared.stop.is_cancelled() => {
            Outcome::Failed { error: format!("{STOPPED}: {state}"), hint: None, retryable: true }
        }
        outcome => outcome,
    }
}

fn kind(work: &Work) -> &'static str {
    match work {
        Work::Backup { .. } => "backup",
        Work::Plan { .. } => "plan",
        Work::Restore { .. } => "restore",
    }
}

fn level(outcome: &Outcome) -> LogLevel {
    match outcome {
        Outcome::BackedUp { .. } | Outcome::Planned { .. } | Outcome::Restored { .. } => LogLevel::Info,
        Outcome::Cancelled { .. } => LogLevel::Warn,
        Outcome::Refused { .. } | Outcome::Failed { .. } => LogLevel::Error,
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::BackedUp { documents, restores_to, .. } => format!("backed up: {documents} documents, restores to {}", restores_to.at),
        Outcome::Planned { plan } => format!("planned: base {}, through {}", plan.base, plan.through.at),
        Outcome::Restored { report } => {
            format!("restored: {} documents loaded, {} operations applied", report.documents_loaded, report.operations_applied)
        }
        Outcome::Cancelled { state } => format!("cancelled: {state}"),
        Outcome::Refused { reason, .. } => format!("refused: {reason}"),
        Outcome::Failed { error, .. } => format!("failed: {error}"),
    }
}
