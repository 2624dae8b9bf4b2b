//! Backups taken in the middle of everything: while collections are created, dropped, renamed and rewritten, a backup's documents and its
//! list of collections are of different moments each. Its own oplog must straighten that out, from every such base.

use std::sync::Arc;

use anyhow::Context;
use bson::doc;
use mongodb::Client;
use oplogue_domain::plan::Moment;
use oplogue_engine::progress::Silent;
use oplogue_engine::{backup, restore};
use oplogue_format::compression::Compression;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, Version, capture, differences};
use tokio_util::sync::CancellationToken;

use crate::load::Load;
use crate::setup::{self, Slicing};
use crate::story::CHAPTERS;

/// Enough to read that a backup is still at it while several chapters pass.
async fn ballast(client: &Client) -> anyhow::Result<()> {
    for collection in 0..30 {
        // Some do not fit into one batch.
        let text = "ballast ".repeat(if collection % 3 == 0 { 400 } else { 40 });
        let documents = (0..600).map(|n| doc! {"_id": n, "text": &text, "n": n * collection});
        client.database("ballast").collection(&format!("c{collection}")).insert_many(documents).await?;
    }
    Ok(())
}

/// Renames, drops and recreates collections of the ballast as fast as the server lets it.
async fn shuffle(client: Client, stop: CancellationToken) -> anyhow::Result<u64> {
    let (admin, ballast) = (client.database("admin"), client.database("ballast"));
    let mut turn: u64 = 0;
    while !stop.is_cancelled() {
        let (from, to) = (format!("ballast.c{}", turn % 30), format!("ballast.moved{}", turn % 7));
        admin.run_command(doc! {"renameCollection": &from, "to": &to, "dropTarget": true}).await?;
        let fresh = ballast.collection(&format!("c{}", turn % 30));
        fresh.insert_many((0..50).map(|n| doc! {"_id": n, "turn": turn as i64})).await?;
        if turn % 5 == 4 {
            ballast.collection::<bson::Document>(&format!("c{}", (turn + 11) % 30)).drop().await?;
            ballast.collection(&format!("c{}", (turn + 11) % 30)).insert_one(doc! {"_id": "after the drop", "turn": turn as i64}).await?;
        }
        turn += 1;
    }
    Ok(turn)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_taken_in_a_storm_of_ddl_leads_to_the_same_state() -> anyhow::Result<()> {
    let options = ReplicaSetOptions::default().set_parameter("ttlMonitorEnabled", false).cache_gb(1.0);
    let source = ReplicaSet::start(options.clone()).await?;
    let client = source.client().await?;
    ballast(&client).await?;
    let load = Load::start(&client, Version::V6_0).await?;
    let folder = tempfile::tempdir()?;
    let repository = setup::repository(folder.path())?;

    let stop = CancellationToken::new();
    let shuffling = tokio::spawn(shuffle(client.clone(), stop.clone()));
    let telling = {
        let client = client.clone();
        tokio::spawn(async move {
            for chapter in CHAPTERS {
                (chapter.play)(client.clone()).await?;
            }
            anyhow::Ok(())
        })
    };
    let mut bases = Vec::new();
    let mut slicing = None;
    while bases.len() < 3 || !telling.is_finished() && bases.len() < 8 {
        let mut request = setup::backup_request(&source, &repository).await?;
        request.name = Some(format!("storm {}", bases.len()).parse()?);
        request.parallel = 1;
        request.compression = if bases.len() % 2 == 0 { Compression::Zstd } else { Compression::None };
        let report = backup::run(request, Arc::new(Silent), CancellationToken::new()).await.context("back up in the storm")?;
        bases.push(report.name);
        if slicing.is_none() {
            slicing = Some(Slicing::start(&source, &repository).await?);
        }
    }
    telling.await??;
    stop.cancel();
    let shuffled = shuffling.await??;
    let turns = load.stop().await?;
    let through = setup::newest_entry(&client).await?;
    let state = capture(&client).await?;
    slicing.context("slicing began after the first backup")?.stop_after(through).await?;
    drop(client);
    drop(source);
    println!("{} backups during {shuffled} renames and {turns} turns of load", bases.len());
    assert!(shuffled > 10, "the storm was a breeze: {shuffled} renames");

    let target = ReplicaSet::start(options).await?;
    let target_client = target.client().await?;
    while let Some(base) = bases.pop() {
        let request = setup::restore_request(&target, &repository, Moment::At(through)).await?;
        let prepared =
            restore::prepare(request, Arc::new(Silent), CancellationToken::new()).await.with_context(|| format!("prepare from {base}"))?;
        assert_eq!(prepared.plan.base, base, "the newest base that is left is taken");
        let report = restore::carry_out(prepared, Arc::new(Silent), CancellationToken::new())
            .await
            .with_context(|| format!("restore from {base}"))?;
        assert!(report.notes.is_empty(), "{base}: {:?}", report.notes);
        let wrong = differences(&state, &capture(&target_client).await?);
        assert!(wrong.is_empty(), "from {base}:\n    {}", wrong.join("\n    "));
        // The next one has to do without it.
        repository.storage().delete(&format!("{base}.pbm.json")).await?;
    }
    Ok(())
}
