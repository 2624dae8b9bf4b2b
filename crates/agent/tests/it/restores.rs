//! A plan, and then just that plan.

use bson::{Document, doc};
use oplogue_api::agent::{Outcome, Work};
use oplogue_api::plan::Plan;
use oplogue_api::restores::RestoreMoment;

use crate::stage::{Running, Stage, attempt};

async fn planned(stage: &Stage, job: &str, moment: RestoreMoment) -> anyhow::Result<Plan> {
    let work = Work::Plan { place: stage.place(), restore: stage.restore_input(moment) };
    stage.server.wish(|wishes| wishes.attempts.push(attempt(job, work)));
    match stage.server.outcome(job).await? {
        Outcome::Planned { plan } => Ok(*plan),
        outcome => anyhow::bail!("no plan: {outcome:?}"),
    }
}

async fn restored(stage: &Stage, job: &str, moment: RestoreMoment, plan: Plan) -> anyhow::Result<Outcome> {
    let work = Work::Restore { place: stage.place(), restore: stage.restore_input(moment), plan: Box::new(plan) };
    stage.server.wish(|wishes| wishes.attempts.push(attempt(job, work)));
    stage.server.outcome(job).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_plan_is_carried_out_and_a_changed_one_is_refused_untouched() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    stage.base().await?;
    let orders = stage.client.database("shop").collection::<Document>("orders");
    stage.server.wish(|wishes| wishes.slicing = Some(stage.slicing()));
    stage.sliced_through(stage.write(1).await?).await?;
    stage.server.wish(|wishes| wishes.slicing = None);

    let plan = planned(&stage, "plan", RestoreMoment::Latest).await?;
    assert_eq!((plan.base.as_str(), plan.collections.len(), plan.drops.len()), ("base", 1, 1), "{plan:?}");

    // Meanwhile somebody makes a collection that the restore would drop.
    stage.client.database("crm").collection("people").insert_one(doc! {"_id": 1}).await?;
    let outcome = restored(&stage, "changed", RestoreMoment::Latest, plan.clone()).await?;
    let Outcome::Refused { reason, hint: Some(hint) } = &outcome else { panic!("{outcome:?}") };
    assert!(
        reason.contains("crm.people would be dropped, which nobody agreed to") && hint.contains("nothing was touched"),
        "{reason}; {hint}"
    );
    assert_eq!(stage.client.database("crm").collection::<Document>("people").count_documents(doc! {}).await?, 1);

    stage.client.database("crm").drop().await?;
    orders.delete_many(doc! {}).await?;
    let outcome = restored(&stage, "agreed", RestoreMoment::Latest, plan).await?;
    let Outcome::Restored { report } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(report.proofs.iter().map(|proof| (proof.documents, proof.problem.clone())).collect::<Vec<_>>(), [(501, None)], "{report:?}");
    assert_eq!(orders.count_documents(doc! {}).await?, 501);
    agent.stop().await?;
    Ok(())
}
