//! What jobs have an agent do: the engine's flows, with what comes out of them put into words for the server.

mod compare;

use std::sync::Arc;

use anyhow::Context;
use oplogue_api::MomentJson;
use oplogue_api::agent::{AttemptId, Outcome, Place, Work};
use oplogue_api::plan::Plan;
use oplogue_api::restores::RestoreInput;
use oplogue_engine::backup::{self, BackupRequest};
use oplogue_engine::failure::{Cancelled, Ending, Refused, advice, ending};
use oplogue_engine::progress::Progress;
use oplogue_engine::restore::{self, PreparedRestore, Replay, RestoreRequest};
use oplogue_engine::throttle::Limits;
use oplogue_mongo::{Connection, MongoError};
use oplogue_repository::Repository;
use tokio_util::sync::CancellationToken;

use crate::beside::Beside;
use crate::wire;

/// Collections, or parts of large ones, read or loaded at once. As on the command line.
const PARALLEL: usize = 4;
/// Collections larger than this are read in parts. As on the command line.
const PART_BYTES: u64 = 256 << 20;

/// Works on an attempt to its end, whichever that is. Dropped half-way it leaves what the engine's flows say.
pub async fn carry_out(beside: Arc<Beside>, id: AttemptId, work: Work, progress: Arc<dyn Progress>, cancel: CancellationToken) -> Outcome {
    let done = match work {
        Work::Backup { place, name, compression, namespaces } => {
            back_up(beside, place, name, compression, namespaces, progress, cancel).await
        }
        Work::Plan { place, restore } => {
            let prepared = prepare(beside, place, restore, None, progress, cancel).await;
            prepared.map(|prepared| Outcome::Planned { plan: Box::new(wire::plan(&prepared.plan)) })
        }
        Work::Restore { place, restore, plan } => restore_as_planned(beside, place, restore, plan, id.attempt, progress, cancel).await,
    };
    done.unwrap_or_else(|error| outcome(&error))
}

async fn back_up(
    beside: Arc<Beside>,
    place: Place,
    name: String,
    compression: String,
    namespaces: Vec<String>,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
) -> anyhow::Result<Outcome> {
    let request = BackupRequest {
        name: Some(name.parse().map_err(|error| Refused::new(format!("{error}")))?),
        selection: wire::selection(&namespaces)?,
        users_and_roles: false,
        compression: compression.parse().map_err(|error| Refused::new(format!("{error}")))?,
        repository: repository(&place)?,
        connection: connection(&beside, &cancel).await?,
        parallel: PARALLEL,
        part_bytes: PART_BYTES,
        limits: Limits::default(),
    };
    let report = backup::run(request, progress.clone(), cancel).await?;
    progress.note(&format!("{} was read: {}", report.node, report.node_reason));
    Ok(Outcome::BackedUp {
        bytes: report.stored_bytes,
        documents: report.documents,
        restores_to: report.restores_to.into(),
        notes: report.notes,
    })
}

async fn restore_as_planned(
    beside: Arc<Beside>,
    place: Place,
    input: RestoreInput,
    confirmed: Box<Plan>,
    attempt: u32,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
) -> anyhow::Result<Outcome> {
    let prepared = prepare(beside, place, input, Some(confirmed.through.clone()), progress.clone(), cancel.clone()).await?;
    let differences = compare::differences(&confirmed, &wire::plan(&prepared.plan), attempt);
    if !differences.is_empty() {
        let reason = format!("the restore would not be the one that was confirmed any more: {}", differences.join("; "));
        return Err(Refused::new(reason).advise("nothing was touched; make a new plan, read it, and confirm that one").into());
    }
    let report = restore::carry_out(prepared, progress, cancel).await?;
    Ok(Outcome::Restored { report: Box::new(wire::report(&report)) })
}

async fn prepare(
    beside: Arc<Beside>,
    place: Place,
    input: RestoreInput,
    confirmed: Option<MomentJson>,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
) -> anyhow::Result<PreparedRestore> {
    let moment = wire::moment(&input.moment, confirmed.as_ref())?;
    let (selection, renames) = (wire::selection(&input.namespaces)?, wire::renames(&input)?);
    let repository = repository(&place)?;
    let connection = connection(&beside, &cancel).await?;
    let source = input.source_replica_set.as_ref().filter(|name| !name.is_empty());
    let source = source.map(|name| name.parse().map_err(|error| Refused::new(format!("{error}")))).transpose()?;
    let target = connection.replica_set_name().clone();
    let request = RestoreRequest {
        repository,
        connection,
        moment,
        selection,
        renames,
        users_and_roles: input.users_and_roles,
        replica_set_mapping: source.map(|source| (target, source)).into_iter().collect(),
        parallel: PARALLEL,
        replay: Replay::default(),
        from_scratch: false,
        limits: Limits::default(),
    };
    restore::prepare(request, progress, cancel).await
}

/// The repository in the folder of a location. Nothing is contacted yet.
pub fn repository(place: &Place) -> anyhow::Result<Repository> {
    Ok(Repository::new(oplogue_api::place::storage(place).context("open the storage")?))
}

async fn connection(beside: &Beside, cancel: &CancellationToken) -> anyhow::Result<Connection> {
    match cancel.run_until_cancelled(beside.whole()).await {
        Some(opened) => opened.context("connect to the replica set"),
        None => Err(Cancelled { state: "nothing was begun".to_owned() }.into()),
    }
}

/// How an error is told to the server.
fn outcome(error: &anyhow::Error) -> Outcome {
    let hint = advice(error).map(ToOwned::to_owned);
    match ending(error) {
        Ending::Refused => Outcome::Refused { reason: story(error), hint },
        Ending::Cancelled => Outcome::Cancelled { state: cancelled_state(error) },
        Ending::Failed => Outcome::Failed { error: story(error), hint, retryable: !is_lasting(error) },
    }
}

/// What a cancelled flow says it leaves behind.
fn cancelled_state(error: &anyhow::Error) -> String {
    let cancelled = error.downcast_ref::<Cancelled>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<Cancelled>()));
    cancelled.map_or_else(|| story(error), |cancelled| cancelled.state.clone())
}

/// Only what somebody must change something about. Whatever else went wrong may go well an hour later, and trying costs little.
fn is_lasting(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(
                MongoError::Unauthorized { .. }
                    | MongoError::Unsupported { .. }
                    | MongoError::Standalone { .. }
                    | MongoError::Mongos { .. }
            )
        )
    })
}

/// The chain from the outside in. A cause that the text before it already ends with is not repeated.
pub fn story(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !cause.is_empty() && !text.ends_with(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_is_told_as_what_it_is() {
        let refused = anyhow::Error::from(Refused::new("the name is taken").advise("choose another"));
        assert_eq!(outcome(&refused), Outcome::Refused { reason: "the name is taken".into(), hint: Some("choose another".into()) });
        let cancelled = anyhow::Error::from(Cancelled { state: "nothing is kept".into() }).context("back up");
        assert_eq!(outcome(&cancelled), Outcome::Cancelled { state: "nothing is kept".into() });
        let failed = anyhow::anyhow!("no space left").context("write the oplog");
        assert_eq!(outcome(&failed), Outcome::Failed { error: "write the oplog: no space left".into(), hint: None, retryable: true });
        let forbidden = MongoError::Unauthorized { what: "read".into(), needed: "a role".into(), reason: "no".into() };
        assert!(matches!(outcome(&forbidden.into()), Outcome::Failed { retryable: false, .. }));
    }
}
