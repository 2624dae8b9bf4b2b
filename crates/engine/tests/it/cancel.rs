//! A restore that is stopped says what it leaves, and the same restore again is whole.

use std::sync::Arc;

use bson::{Document, doc};
use oplogue_engine::failure::{Ending, ending};
use oplogue_engine::progress::{Progress, Step, Unit};
use oplogue_engine::restore::{self, Replay, RestoreRequest};
use tokio_util::sync::CancellationToken;

use crate::stage::{self, Stage, fill, measure, run};

/// Cancels when a step begins, or when it first gets on.
struct StopAt {
    step: Step,
    on_advance: bool,
    cancel: CancellationToken,
}

impl Progress for StopAt {
    fn begin(&self, step: Step, _: Unit, _: Option<u64>) {
        if step == self.step && !self.on_advance {
            self.cancel.cancel();
        }
    }

    fn advance(&self, step: Step, _: u64) {
        if step == self.step && self.on_advance {
            self.cancel.cancel();
        }
    }

    fn end(&self, _: Step) {}
    fn note(&self, _: &str) {}
}

async fn stopped_at(request: RestoreRequest, step: Step, on_advance: bool) -> anyhow::Result<String> {
    let cancel = CancellationToken::new();
    let progress: Arc<dyn Progress> = Arc::new(StopAt { step, on_advance, cancel: cancel.clone() });
    let result = match restore::prepare(request, Arc::clone(&progress), cancel.clone()).await {
        Ok(prepared) => restore::carry_out(prepared, progress, cancel).await.map(|_| ()),
        Err(error) => Err(error),
    };
    let error = result.expect_err("it was cancelled");
    assert_eq!(ending(&error), Ending::Cancelled, "{step:?}: {error:#}");
    Ok(format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_restore_says_what_it_leaves_and_can_be_run_again() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    for name in ["people", "things", "places"] {
        fill(&client, "shop", name, 0, 30_000).await?;
        run(&client, "shop", doc! {"createIndexes": name, "indexes": [{"key": {"n": 1}, "name": "n_1"}]}).await?;
    }
    run(&client, "shop", doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "room"}}).await?;
    measure(&client, "shop", "weather", 0, 50).await?;
    run(&client, "shop", doc! {"createUser": "ann", "pwd": "secret", "roles": ["read"]}).await?;
    stage.base().await?;
    client.database("shop").collection::<Document>("people").update_many(doc! {}, doc! {"$inc": {"n": 1}}).await?;
    measure(&client, "shop", "weather", 50, 50).await?;
    let then = stage.record().await?;
    client.database("shop").collection::<Document>("people").drop().await?;
    run(&client, "shop", doc! {"dropUser": "ann"}).await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;

    // While it prepares, and before the first drop: nothing is touched.
    let before_harm =
        [(Step::Prepare, false), (Step::Check, true), (Step::Oplog, false), (Step::Oplog, true), (Step::Fold, false), (Step::Fold, true)];
    for (step, on_advance) in before_harm {
        let told = stopped_at(stage.request(then.time).await?, step, on_advance).await?;
        assert!(told.contains("nothing on the target was touched"), "{step:?}: {told}");
        stage.must_be(&live).await?;
    }
    let cancel = CancellationToken::new();
    let prepared = stage::prepare(stage.request(then.time).await?).await?;
    cancel.cancel();
    let error = restore::carry_out(prepared, Arc::new(oplogue_engine::progress::Silent), cancel).await.expect_err("it was cancelled");
    assert!(ending(&error) == Ending::Cancelled && format!("{error:#}").contains("nothing on the target was touched"), "{error:#}");
    stage.must_be(&live).await?;

    // Half-way: it says so, and the same restore again is whole.
    for (step, on_advance, told) in [
        (Step::Clear, true, "incomplete"),
        (Step::Load, false, "incomplete"),
        (Step::Load, true, "incomplete"),
        (Step::Replay, false, "incomplete"),
        (Step::Replay, true, "incomplete"),
        (Step::Index, false, "incomplete"),
    ] {
        let mut request = stage.request(then.time).await?;
        if step == Step::Replay {
            request.replay = Replay::OnServer;
        }
        let said = stopped_at(request, step, on_advance).await?;
        assert!(said.contains(told) && said.contains("Run the same restore again"), "{step:?}: {said}");
    }
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await?;
    let said = stopped_at(stage.request(then.time).await?, Step::Load, true).await?;
    assert!(said.contains("incomplete"), "{said}");
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}
