//! The scripted disaster: a replica set under mixed load is backed up and sliced while everything happens to it that can happen; then
//! it is restored, on another server, to each moment that was recorded on the way. Every collection's `dbHash`, options, indexes, users
//! and roles must be what they were.

use std::sync::Arc;

use anyhow::Context;
use bson::doc;
use mongodb::Client;
use oplogue_domain::OplogTime;
use oplogue_engine::progress::Silent;
use oplogue_engine::restore::{self, Replay};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, State, Version, capture, differences};
use tokio_util::sync::CancellationToken;

use crate::load::Load;
use crate::setup::{self, Slicing};
use crate::stage::tiny_fold;
use crate::story::{CHAPTERS, disaster};
use oplogue_domain::plan::Moment;

struct Recorded {
    name: &'static str,
    through: OplogTime,
    state: State,
}

async fn record(name: &'static str, client: &Client, load: Option<&Load>) -> anyhow::Result<Recorded> {
    let held = match load {
        Some(load) => Some(load.hold().await),
        None => None,
    };
    let through = setup::newest_entry(client).await?;
    let state = capture(client).await?;
    drop(held);
    Ok(Recorded { name, through, state })
}

/// Plays the whole story on a set of `members` of `version` and returns to every `step`-th recorded moment.
async fn play(version: Version, members: usize, step: usize) -> anyhow::Result<()> {
    let options = ReplicaSetOptions::default().version(version).set_parameter("ttlMonitorEnabled", false).cache_gb(1.0);
    let source = ReplicaSet::start(options.clone().members(members)).await?;
    let client = source.client().await?;
    let folder = tempfile::tempdir()?;
    let repository = setup::repository(folder.path())?;

    let load = Load::start(&client, version).await?;
    let mut chapters = CHAPTERS.iter().filter(|chapter| chapter.from <= version);
    // The first chapter is under way while the backup is taken.
    let first = chapters.next().context("a story has a first chapter")?;
    (first.play)(client.clone()).await?;
    let base = setup::backup(&source, &repository).await?;
    let slicing = Slicing::start(&source, &repository).await?;
    let mut moments = vec![record("after the backup", &client, Some(&load)).await?];
    for (number, chapter) in chapters.enumerate() {
        (chapter.play)(client.clone()).await?;
        moments.push(record(chapter.name, &client, Some(&load)).await?);
        if number == 4 {
            // A second base in the middle; slicing goes on while it is taken.
            setup::backup(&source, &repository).await?;
        }
    }
    let turns = load.stop().await?;
    moments.push(record("the last good moment", &client, None).await?);
    disaster(&client, version).await?;
    moments.push(record("after the disaster", &client, None).await?);
    slicing.stop_after(moments.last().expect("moments were recorded").through).await?;
    assert!(turns > 50, "the load has hardly run: {turns} turns");
    drop(client);
    drop(source);

    let target = ReplicaSet::start(options).await?;
    let target_client = target.client().await?;
    let temporary = tempfile::tempdir()?;
    let mut restored = 0;
    let mut wrong = Vec::new();
    // Forwards and backwards in time: each restore finds a target full of another moment's data.
    let chosen: Vec<&Recorded> = moments.iter().step_by(step).collect();
    let forwards = chosen.iter().step_by(2);
    let backwards = chosen.iter().skip(1).step_by(2).rev();
    for (number, moment) in forwards.chain(backwards).enumerate() {
        // Every moment is folded, and some are folded with hardly any memory or applied by the server as well.
        let other = if number % 4 == 1 { Some(Replay::OnServer) } else { (number % 4 == 3).then(|| tiny_fold(temporary.path())) };
        for replay in [Some(Replay::default()), other].into_iter().flatten() {
            // Users of a later moment, which an earlier one does not speak of, would rightly be left alone.
            for command in [doc! {"dropAllUsersFromDatabase": 1}, doc! {"dropAllRolesFromDatabase": 1}] {
                target_client.database("shop").run_command(command).await?;
            }
            let mut request = setup::restore_request(&target, &repository, Moment::At(moment.through)).await?;
            request.replay = replay.clone();
            let plan = restore::prepare(request, Arc::new(Silent), CancellationToken::new())
                .await
                .with_context(|| format!("prepare {}", moment.name))?;
            if replay == Replay::default() {
                let all = plan.plan.collections.iter();
                let replayed: Vec<_> = all.filter_map(|one| Some((&one.target, one.replayed_because.as_ref()?))).collect();
                assert!(replayed.is_empty(), "{}: {replayed:?}", moment.name);
            }
            let report = restore::carry_out(plan, Arc::new(Silent), CancellationToken::new())
                .await
                .with_context(|| format!("restore {}", moment.name))?;
            assert!(report.collections > 0, "{}: {report:?}", moment.name);
            let differences = differences(&moment.state, &capture(&target_client).await?);
            if !differences.is_empty() {
                wrong.push(format!("{} ({:?}), base {base}, {replay:?}:\n    {}", moment.name, moment.through, differences.join("\n    ")));
            }
        }
        restored += 1;
    }
    println!("{version}: {restored} of {} moments restored, {turns} turns of load", moments.len());
    assert!(wrong.is_empty(), "restored wrongly:\n{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_moment_of_a_loaded_three_member_set_comes_back_on_6_0() -> anyhow::Result<()> {
    play(Version::V6_0, 3, 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_moments_come_back_on_the_newest_6_0() -> anyhow::Result<()> {
    play(Version::V6_0_27, 1, 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_moments_come_back_on_5_0() -> anyhow::Result<()> {
    play(Version::V5_0, 1, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_moments_come_back_on_4_4() -> anyhow::Result<()> {
    play(Version::V4_4, 1, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_moments_come_back_on_4_2() -> anyhow::Result<()> {
    play(Version::V4_2, 1, 3).await
}
