//! Slicing as the server wishes, and on and on while the server is away.
//!
//! The wish is stored, so that a restart does not interrupt. One task carries it out: it runs the engine's slicer, which waits for the
//! lease of the replica set, so that of all agents that have the wish just one slices. What nobody inside the engine can wait out (a missing
//! right, another history) is tried again from here, with growing pauses: whoever mends it should not have to restart anything.
//!
//! Who slices also joins old short slices into long ones, when it begins and every hour.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use oplogue_api::agent::SlicingWish;
use oplogue_api::services::{OplogFacts, SlicingFacts, SlicingState};
use oplogue_domain::OplogTime;
use oplogue_engine::compact;
use oplogue_engine::failure::Refused;
use oplogue_engine::slice::{SliceEvent, SliceRequest};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::data_dir::DataDir;
use crate::shared::Shared;
use crate::{facts, work};

/// Name of the file that holds the wish. It has the storage's secrets in it.
pub const FILE: &str = "slicing";
/// As on the command line.
const SLICE_BYTES_MAX: u64 = 64 << 20;
/// After an ending that needs a person.
const PAUSE_LONGEST: Duration = Duration::from_secs(60);

/// What is wished, and how it goes.
pub struct SlicingBoard {
    wish: watch::Sender<Option<SlicingWish>>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, PartialEq)]
struct State {
    state: SlicingState,
    /// The end of the newest slice stored, or where slicing went on.
    newest: Option<OplogTime>,
    lag_seconds: Option<u32>,
    headroom_seconds: Option<u32>,
    message: Option<String>,
}

const OFF: State = State { state: SlicingState::Off, newest: None, lag_seconds: None, headroom_seconds: None, message: None };

impl SlicingBoard {
    /// With the wish of an earlier run.
    pub fn open(dir: &DataDir) -> Self {
        let wish = dir.read(FILE).unwrap_or_else(|error| {
            tracing::error!(error = %format!("{error:#}"), "the wish to slice cannot be read; waiting for the server to repeat it");
            None
        });
        Self { wish: watch::Sender::new(wish), state: Mutex::new(OFF) }
    }

    /// Takes the wish on, and stores it when it is another one.
    pub fn heed(&self, dir: &DataDir, wish: Option<&SlicingWish>) {
        if self.wish.borrow().as_ref() == wish {
            return;
        }
        let stored = match wish {
            Some(wish) => dir.write(FILE, wish),
            None => dir.remove(FILE),
        };
        if let Err(error) = stored {
            // It holds for this run all the same, and the server repeats it after the next start.
            tracing::error!(error = %format!("{error:#}"), "the wish to slice could not be stored");
        }
        self.wish.send_replace(wish.cloned());
    }

    /// How it goes, with what the member says by now.
    pub fn facts(&self, oplog: Option<&OplogFacts>) -> SlicingFacts {
        let state = self.state().clone();
        let now = |of: fn(&OplogFacts, OplogTime) -> u32| Some(of(oplog?, state.newest?));
        let lag = now(|oplog, newest| oplog.majority.time().seconds_since(newest));
        let headroom = now(|oplog, newest| newest.seconds_since(oplog.oldest.time()));
        let ours = matches!(state.state, SlicingState::Slicing | SlicingState::Retrying);
        SlicingFacts {
            state: state.state,
            newest: state.newest.map(Into::into),
            lag_seconds: lag.or(state.lag_seconds).filter(|_| ours),
            headroom_seconds: headroom.or(state.headroom_seconds).filter(|_| ours),
            message: state.message,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the server should hear of it at once.
    fn change(&self, change: impl FnOnce(&mut State)) -> bool {
        let mut state = self.state();
        let before = (state.state, state.message.clone());
        change(&mut state);
        before != (state.state, state.message.clone())
    }

    fn happened(&self, event: &SliceEvent) -> bool {
        self.change(|state| match event {
            SliceEvent::Started { from, .. } => {
                (state.state, state.newest, state.message) = (SlicingState::Slicing, Some(*from), None);
            }
            SliceEvent::Waiting { why } => {
                (state.state, state.message) = (SlicingState::StandingBy, Some(why.clone()));
            }
            SliceEvent::Stored { slice, lag_seconds, window_headroom_seconds, .. } => {
                *state = State {
                    state: SlicingState::Slicing,
                    newest: Some(slice.range.through),
                    lag_seconds: Some(*lag_seconds),
                    headroom_seconds: Some(*window_headroom_seconds),
                    message: None,
                };
            }
            SliceEvent::Gap(gap) => state.message = Some(format!("the oplog {} is lost: {}", gap.range, gap.reason)),
            SliceEvent::HeadroomShort(headroom) => {
                let why = state.message.take().map(|message| format!("{message}; ")).unwrap_or_default();
                state.message = Some(format!("{why}the oplog is getting short: {headroom}"));
            }
            SliceEvent::Retrying { error, .. } => {
                (state.state, state.message) = (SlicingState::Retrying, Some(error.clone()));
            }
            SliceEvent::Stopped { newest } => state.newest = newest.or(state.newest),
        })
    }
}

/// Slices whenever that is wished, until the agent stops.
pub async fn keep(shared: std::sync::Arc<Shared>) {
    let mut wishes = shared.slicing.wish.subscribe();
    let mut failures = 0;
    while !shared.stop.is_cancelled() {
        let Some(wish) = wishes.borrow_and_update().clone() else {
            failures = 0;
            tell(&shared, shared.slicing.change(|state| *state = OFF));
            tokio::select! {
                _ = wishes.changed() => continue,
                () = shared.stop.cancelled() => return,
            }
        };
        let ended = slice_until_another_wish(&shared, &wish, &mut wishes).await;
        let Err(error) = ended else {
            failures = 0;
            continue;
        };
        failures += 1;
        let pause = shared.config.rhythm.retry(failures).max(shared.config.rhythm.retry_first * 5).min(PAUSE_LONGEST);
        let message = work::story(&error);
        tracing::error!(error = message, pause_seconds = pause.as_secs(), "slicing has ended with an error and will be tried again");
        tell(&shared, shared.slicing.change(|state| (state.state, state.message) = (SlicingState::Retrying, Some(message))));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = wishes.changed() => {}
            () = shared.stop.cancelled() => {}
        }
    }
}

/// Runs the slicer. Another wish or the agent's stop ends it cleanly: a last slice, the lease given back.
async fn slice_until_another_wish(
    shared: &std::sync::Arc<Shared>,
    wish: &SlicingWish,
    wishes: &mut watch::Receiver<Option<SlicingWish>>,
) -> anyhow::Result<()> {
    let cancel = shared.stop.child_token();
    let slicing = slice(shared, wish, cancel.clone());
    tokio::pin!(slicing);
    loop {
        tokio::select! {
            ended = &mut slicing => return ended,
            changed = wishes.changed() => {
                let other = changed.is_err() || !wishes.borrow_and_update().as_ref().is_some_and(|now| same(now, wish));
                if other {
                    cancel.cancel();
                    return slicing.await;
                }
            }
        }
    }
}

/// Whose schedule it is does not matter.
fn same(left: &SlicingWish, right: &SlicingWish) -> bool {
    (&left.place, left.span_seconds, &left.compression) == (&right.place, right.span_seconds, &right.compression)
}

async fn slice(shared: &std::sync::Arc<Shared>, wish: &SlicingWish, cancel: CancellationToken) -> anyhow::Result<()> {
    let waiting = "connecting to the replica set".to_owned();
    tell(shared, shared.slicing.change(|state| (state.state, state.message) = (SlicingState::StandingBy, Some(waiting))));
    let repository = work::repository(&wish.place)?;
    let compression = wish.compression.parse().map_err(|error| Refused::new(format!("{error}")))?;
    let connection = match cancel.run_until_cancelled(shared.beside.whole()).await {
        Some(opened) => opened.context("connect to the replica set")?,
        None => return Ok(()),
    };
    let request = SliceRequest {
        connection,
        repository,
        compression,
        span: Duration::from_secs(wish.span_seconds.max(1).into()),
        bytes_max: SLICE_BYTES_MAX,
        holder: holder(),
        lease_ttl: shared.config.rhythm.lease_ttl,
        wait_for_lease: true,
        until: None,
    };
    let teller = shared.clone();
    let on_event = move |event: SliceEvent| {
        log(&event);
        tell(&teller, teller.slicing.happened(&event));
    };
    compact::beside_slicing(request, &on_event, cancel).await
}

fn tell(shared: &Shared, changed: bool) {
    if changed {
        shared.poke();
    }
}

/// Host and process for people, and a random part, because containers share host names and process ids.
fn holder() -> String {
    let mut random = [0; 8];
    // Two slicers of one name would still be told apart by the lease's token.
    let _ = getrandom::fill(&mut random);
    format!("{}:{}:{}", facts::host_name(), std::process::id(), hex::encode(random))
}

fn log(event: &SliceEvent) {
    match event {
        SliceEvent::Started { replica_set, node, from, .. } => tracing::info!(%replica_set, node, %from, "slicing"),
        SliceEvent::Waiting { why } => tracing::info!(why, "slicing waits"),
        // The engine tells of each.
        SliceEvent::Stored { .. } => {}
        SliceEvent::Gap(gap) => tracing::warn!(replica_set = %gap.replica_set, range = %gap.range, reason = %gap.reason, "oplog is lost"),
        SliceEvent::HeadroomShort(headroom) => tracing::warn!(
            lag_seconds = headroom.lag_seconds,
            headroom_seconds = headroom.headroom_seconds,
            window_seconds = headroom.window_seconds,
            "the oplog is getting short: the server will discard what is not stored"
        ),
        SliceEvent::Retrying { error, in_seconds } => tracing::warn!(error, in_seconds, "slicing failed and will be tried again"),
        SliceEvent::Stopped { .. } => tracing::info!("slicing has stopped"),
    }
}
