//! Repositories written by the real PBM 2.15, restored to every snapshot and every recorded moment, and compared with the truth that
//! was read from the source database.
//!
//! The project carries a reduced copy. `OPLOGUE_PBM_FIXTURES` names a folder with the complete one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Client;
use oplogue_domain::plan::Moment;
use oplogue_domain::{Namespace, NamespacePattern, OplogTime};
use oplogue_engine::progress::Silent;
use oplogue_engine::restore;
use oplogue_repository::Repository;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, unpack};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::setup;

fn fixtures() -> PathBuf {
    match std::env::var_os("OPLOGUE_PBM_FIXTURES") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm"),
    }
}

fn truth(file: &str) -> anyhow::Result<Value> {
    let path = fixtures().join(file);
    Ok(serde_json::from_slice(&std::fs::read(&path).with_context(|| path.display().to_string())?)?)
}

/// A set like the one the fixtures were made on.
async fn target() -> anyhow::Result<ReplicaSet> {
    ReplicaSet::start(ReplicaSetOptions::default().set_parameter("ttlMonitorEnabled", false).cache_gb(1.0)).await
}

async fn restore(set: &ReplicaSet, repository: &Repository, moment: Moment) -> anyhow::Result<()> {
    let request = setup::restore_request(set, repository, moment).await?;
    let plan = restore::prepare(request, Arc::new(Silent), CancellationToken::new()).await?;
    restore::carry_out(plan, Arc::new(Silent), CancellationToken::new()).await?;
    Ok(())
}

/// SHA-256 of the sorted hex SHA-256 of every raw document: the fixtures' own hash.
async fn docset(client: &Client, database: &str, collection: &str) -> anyhow::Result<(u64, String)> {
    let mut cursor = client.database(database).collection::<bson::RawDocumentBuf>(collection).find(doc! {}).await?;
    let mut hashes = Vec::new();
    while let Some(document) = cursor.try_next().await? {
        hashes.push(hex::encode(Sha256::digest(document.as_bytes())));
    }
    hashes.sort();
    Ok((hashes.len() as u64, hex::encode(Sha256::digest(hashes.join("\n")))))
}

fn sorted_by_name(mut indexes: Vec<Document>) -> Vec<Document> {
    indexes.sort_by_key(|index| index.get_str("name").unwrap_or_default().to_owned());
    indexes
}

fn documents(value: &Value) -> anyhow::Result<Vec<Document>> {
    let Bson::Array(items) = Bson::try_from(value.clone())? else { return Ok(Vec::new()) };
    Ok(items.into_iter().filter_map(|item| item.as_document().cloned()).collect())
}

/// What a PBM backup cannot tell, because PBM does not store it: that an index was hidden when the backup was taken.
fn without_hidden(indexes: Vec<Document>) -> Vec<Document> {
    indexes
        .into_iter()
        .map(|mut index| {
            if index.get_str("name").is_ok_and(|name| name == "name_hidden") {
                index.remove("hidden");
            }
            index
        })
        .collect()
}

/// Compares the whole server with a truth object; returns every difference.
async fn compare(client: &Client, truth: &Value) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let expected = truth["databases"].as_object().context("databases of the truth")?;
    let mut found: Vec<String> = client.list_database_names().await?;
    found.retain(|name| !["admin", "config", "local"].contains(&name.as_str()));
    found.sort();
    let mut names: Vec<String> = expected.keys().cloned().collect();
    names.sort();
    if names != found {
        wrong.push(format!("databases: expected {names:?}, found {found:?}"));
    }
    for (name, database) in expected {
        wrong.extend(compare_database(client, name, database).await?);
    }
    for (kind, collection) in [("users", "system.users"), ("roles", "system.roles")] {
        let expected: Vec<String> =
            truth[kind].as_array().into_iter().flatten().filter_map(|one| one["_id"].as_str().map(str::to_owned)).collect();
        let cursor = client.database("admin").collection::<Document>(collection).find(doc! {}).sort(doc! {"_id": 1}).await?;
        let found: Vec<String> = cursor.map_ok(|one| one.get_str("_id").unwrap_or_default().to_owned()).try_collect().await?;
        // The target keeps what an earlier moment brought and a later one does not speak of; nothing expected may be missing.
        wrong.extend(expected.iter().filter(|id| !found.contains(id)).map(|id| format!("{kind}: {id} is missing")));
    }
    Ok(wrong)
}

async fn compare_database(client: &Client, name: &str, truth: &Value) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let database = client.database(name);
    let mut found: BTreeMap<String, Document> = BTreeMap::new();
    let mut cursor = database.run_cursor_command(doc! {"listCollections": 1}).await?;
    while let Some(info) = cursor.try_next().await? {
        found.insert(info.get_str("name")?.to_owned(), info);
    }
    let hashes = database.run_command(doc! {"dbHash": 1}).await?;
    for (collection, expected) in truth["collections"].as_object().context("collections of the truth")? {
        let at = format!("{name}.{collection}");
        let Some(info) = found.remove(collection) else {
            wrong.push(format!("{at} is missing"));
            continue;
        };
        let options = Bson::try_from(expected["options"].clone())?;
        if info.get("options") != Some(&options) {
            wrong.push(format!("{at}: options {:?}, expected {options:?}", info.get("options")));
        }
        if let Some(hash) = expected["dbhash_md5"].as_str()
            && hashes.get_document("collections")?.get_str(collection).ok() != Some(hash)
        {
            let (count, _) = docset(client, name, collection).await?;
            wrong.push(format!("{at}: the documents differ: {count} found, {} expected", expected["count"]));
        }
        if expected["type"] != "view" {
            let cursor = database.run_cursor_command(doc! {"listIndexes": collection}).await?;
            let indexes = sorted_by_name(cursor.try_collect().await?);
            let wanted = without_hidden(sorted_by_name(documents(&expected["indexes"])?));
            if without_hidden(indexes.clone()) != wanted {
                wrong.push(format!("{at}: indexes {indexes:?}, expected {wanted:?}"));
            }
        }
    }
    found.retain(|collection, _| collection != "system.views");
    wrong.extend(found.keys().map(|collection| format!("{name}.{collection} should not be there")));
    Ok(wrong)
}

async fn compare_collections(client: &Client, expected: &Value) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (namespace, truth) in expected.as_object().context("collections of the truth")? {
        let (database, collection) = namespace.split_once('.').context("a namespace has a dot")?;
        let (count, hash) = docset(client, database, collection).await?;
        if Some(count) != truth["count"].as_u64() || Some(hash.as_str()) != truth["docset_sha256"].as_str() {
            wrong.push(format!("{namespace}: {count} documents, {} expected", truth["count"]));
        }
    }
    Ok(wrong)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_snapshot_of_pbm_comes_back_whatever_its_compression() -> anyhow::Result<()> {
    let truth = truth("snapshots.truth.json")?;
    let folder = unpack(fixtures().join("storage-snapshots.tar"))?;
    let repository = setup::repository(&folder.path().join("snapshots"))?;
    let mut failures = Vec::new();
    let snapshots = truth["snapshots"].as_array().context("snapshots")?;
    let set = target().await?;
    let client = set.client().await?;
    for snapshot in snapshots {
        let name = snapshot["name"].as_str().context("name")?;
        if snapshot["kind"] == "selective" {
            for database in client.list_database_names().await? {
                if !["admin", "config", "local"].contains(&database.as_str()) {
                    client.database(&database).drop().await?;
                }
            }
        }
        restore(&set, &repository, Moment::Backup(name.parse()?)).await.with_context(|| format!("restore {name}"))?;
        let truths = &truth["truths"][snapshot["truth"].as_str().unwrap_or("S2")];
        let wrong = match snapshot["kind"].as_str() {
            Some("quiet") => compare(&client, &kept(&truths["truth"], &snapshot["left_out"])?).await?,
            Some("live") => compare_collections(&client, &truths["collections"]).await?,
            _ => compare(&client, &selected(&truths["truth"], &snapshot["nss"])?).await?,
        };
        failures.extend(wrong.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    println!("{} snapshots restored", snapshots.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// The truth without what the reduced fixtures leave out.
fn kept(truth: &Value, left_out: &Value) -> anyhow::Result<Value> {
    let left_out: Vec<&str> = left_out.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    filtered(truth, |namespace| !left_out.contains(&namespace.to_string().as_str()))
}

/// The truth of what a selective backup holds.
fn selected(truth: &Value, patterns: &Value) -> anyhow::Result<Value> {
    let patterns = patterns.as_array().context("nss")?.iter();
    let patterns: Vec<NamespacePattern> =
        patterns.map(|one| Ok(one.as_str().context("a pattern is text")?.parse()?)).collect::<anyhow::Result<_>>()?;
    let mut truth = filtered(truth, |namespace| patterns.iter().any(|pattern| pattern.matches(namespace)))?;
    truth["users"] = Value::Null;
    truth["roles"] = Value::Null;
    Ok(truth)
}

fn filtered(truth: &Value, keep: impl Fn(&Namespace) -> bool) -> anyhow::Result<Value> {
    let mut truth = truth.clone();
    let databases = truth["databases"].as_object_mut().context("databases")?;
    for (name, database) in databases.iter_mut() {
        let collections = database["collections"].as_object_mut().context("collections")?;
        collections.retain(|collection, _| keep(&Namespace::new(name.clone(), collection.clone())));
    }
    databases.retain(|_, database| database["collections"].as_object().is_some_and(|collections| !collections.is_empty()));
    Ok(truth)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_moment_of_pbms_slices_comes_back() -> anyhow::Result<()> {
    let truth = truth("pitr.truth.json")?;
    let folder = unpack(fixtures().join("storage-pitr.tar"))?;
    let repository = setup::repository(&folder.path().join("pitr"))?;
    let set = target().await?;
    let client = set.client().await?;
    let mut failures = Vec::new();
    let points = truth["points"].as_array().context("points")?;
    for point in points {
        let name = point["name"].as_str().context("name")?;
        let part = |key: &str| point["restore_ts"][key].as_u64().and_then(|value| u32::try_from(value).ok()).context("restore_ts");
        let moment = Moment::At(OplogTime::new(part("t")?, part("i")?));
        restore(&set, &repository, moment).await.with_context(|| format!("restore to {name}"))?;
        let wrong = if point["kind"] == "exact" {
            compare_collections(&client, &point["collections"]).await?
        } else {
            compare(&client, &point["truth"]).await?
        };
        failures.extend(wrong.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    println!("{} moments restored", points.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
