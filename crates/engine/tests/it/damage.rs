//! What lies on the storage is missing, torn or changed: every kind is refused with the object's name, before anything is touched.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bson::{Document, doc};
use oplogue_domain::plan::Moment;
use oplogue_engine::restore::RestoreRequest;
use oplogue_testkit::State;

use crate::setup;
use crate::stage::{self, Recorded, Stage, copy_folder, fill, only};

struct Archive {
    stage: Stage,
    then: Recorded,
    live: State,
}

async fn archive() -> anyhow::Result<Archive> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    for name in ["people", "things!", "capped ring"] {
        if name == "capped ring" {
            stage::run(&client, "shop", doc! {"create": "capped ring", "capped": true, "size": 1_000_000}).await?;
        }
        fill(&client, "shop", name, name.len() as i64, 2_000).await?;
    }
    stage::run(&client, "shop", doc! {"createUser": "ann", "pwd": "secret", "roles": ["read"]}).await?;
    stage.base().await?;
    // Several slices, each with something in it.
    for round in 1..4 {
        fill(&client, "shop", "people", round * 10_000, 300).await?;
        client.database("shop").collection::<Document>("things!").update_many(doc! {}, doc! {"$inc": {"n": round}}).await?;
        stage.end_slicing().await?;
        stage.slice().await?;
    }
    let then = stage.record().await?;
    client.database("shop").collection::<Document>("people").drop().await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;
    Ok(Archive { stage, then, live })
}

/// Every file below `folder`, relative, sorted, with `/`.
fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The only file whose name has all of `parts`, or the one in the middle of several.
fn file(folder: &Path, parts: &[&str]) -> anyhow::Result<(PathBuf, String)> {
    let found: Vec<String> = files(folder)?.into_iter().filter(|name| parts.iter().all(|part| name.contains(part))).collect();
    let name = found.get(found.len() / 2).with_context(|| format!("no object has {parts:?} in its name"))?;
    Ok((folder.join(name), name.clone()))
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Missing,
    Torn,
    OneByteFlipped,
    Empty,
}

impl Damage {
    fn inflict(self, path: &Path) -> anyhow::Result<()> {
        let mut bytes = std::fs::read(path)?;
        let middle = bytes.len() / 2;
        match self {
            Self::Missing => return Ok(std::fs::remove_file(path)?),
            Self::Torn => bytes.truncate(middle),
            Self::OneByteFlipped => bytes[middle] ^= 0x10,
            Self::Empty => bytes.clear(),
        }
        Ok(std::fs::write(path, bytes)?)
    }
}

impl Archive {
    async fn request(&self, folder: &Path) -> anyhow::Result<RestoreRequest> {
        Ok(RestoreRequest { repository: setup::repository(folder)?, ..self.stage.request(self.then.time).await? })
    }

    async fn refused(&self, folder: &Path, what: &str) -> anyhow::Result<String> {
        let request = self.request(folder).await?;
        stage::refusal(request).await.with_context(|| what.to_owned())
    }
}

/// As PBM leaves a repository: without our records beside it.
fn forget_our_records(folder: &Path) -> anyhow::Result<()> {
    Ok(std::fs::remove_dir_all(folder.join("oplogue"))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_is_refused_by_name_and_nothing_is_touched() -> anyhow::Result<()> {
    let archive = archive().await?;
    let whole = archive.stage.folder.path();
    let objects: &[&[&str]] = &[
        &["base/rs0/shop.people"],
        &["base/rs0/shop.capped"],
        &["base/rs0/admin.pbmRUsers"],
        &["base/rs0/oplog/"],
        &["pbmPitr/rs0/", ".oplog"],
    ];
    for ours in [true, false] {
        for object in objects {
            for damage in [Damage::Missing, Damage::Torn, Damage::OneByteFlipped, Damage::Empty] {
                let copy = copy_folder(whole)?;
                if !ours {
                    forget_our_records(copy.path())?;
                }
                let (path, name) = file(copy.path(), object)?;
                damage.inflict(&path)?;
                let what = format!("{damage:?} {name}, our records: {ours}");
                let told = archive.refused(copy.path(), &what).await?;
                // What is only known from the listing is not known when it is not there: a slice leaves a hole, told by its times.
                let gone = matches!(damage, Damage::Missing | Damage::Empty);
                let known = match name.as_str() {
                    slice if slice.starts_with("pbmPitr/") => gone && told.contains("missing") && told.contains("nearest"),
                    oplog if oplog.contains("/oplog/") => gone && told.contains("base/rs0/oplog/"),
                    _ => false,
                };
                assert!(told.contains(&name) || known, "{what}: {told}");
            }
        }
    }
    archive.stage.must_be(&archive.live).await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_metadata_is_refused_and_what_is_not_needed_may_be_damaged() -> anyhow::Result<()> {
    let archive = archive().await?;
    let whole = archive.stage.folder.path();

    // The documents of another collection under the name of this one: whole, and wrong.
    for ours in [true, false] {
        let copy = copy_folder(whole)?;
        if !ours {
            forget_our_records(copy.path())?;
        }
        let (people, name) = file(copy.path(), &["base/rs0/shop.people"])?;
        std::fs::copy(file(copy.path(), &["base/rs0/shop.things!"])?.0, people)?;
        let told = archive.refused(copy.path(), "another collection's documents").await?;
        assert!(told.contains(&name) || told.contains("shop.people"), "{told}");
    }

    // A wrong checksum in PBM's metadata.
    let copy = copy_folder(whole)?;
    forget_our_records(copy.path())?;
    let path = copy.path().join("base/rs0/metadata.json");
    let mut metadata: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let namespaces = metadata["namespaces"].as_array_mut().context("namespaces")?;
    let people = namespaces.iter_mut().find(|one| one["collection"] == "people").context("shop.people")?;
    people["crc"] = serde_json::json!({"$numberLong": "12345"});
    std::fs::write(&path, serde_json::to_vec(&metadata)?)?;
    let told = archive.refused(copy.path(), "a wrong checksum").await?;
    assert!(told.contains("shop.people"), "{told}");

    // Metadata that is no metadata, or is not there.
    for (object, forget) in [("base/rs0/metadata.json", true), ("oplogue/backups/base/rs0/snapshot.json", false), ("base.pbm.json", false)]
    {
        for text in [Some("{ \"namespaces\": [ {"), None] {
            if text.is_none() && !object.ends_with("metadata.json") {
                continue;
            }
            let copy = copy_folder(whole)?;
            if forget {
                forget_our_records(copy.path())?;
            }
            let path = copy.path().join(object);
            match text {
                Some(text) => std::fs::write(&path, text)?,
                None => std::fs::remove_file(&path)?,
            }
            let told = archive.refused(copy.path(), object).await?;
            assert!(told.contains(object), "{object}: {told}");
        }
    }
    archive.stage.must_be(&archive.live).await?;

    // A damaged collection costs nobody the others.
    let copy = copy_folder(whole)?;
    Damage::OneByteFlipped.inflict(&file(copy.path(), &["base/rs0/shop.people"])?.0)?;
    Damage::Missing.inflict(&file(copy.path(), &["base/rs0/admin.pbmRUsers"])?.0)?;
    let mut request = archive.request(copy.path()).await?;
    request.selection = only(&["shop.things!"])?;
    stage::restore(request).await?;
    archive.stage.must_be(&stage::mix(&archive.live, &archive.then.state, |name| name == "shop.things!")).await?;

    // A moment before the damaged slice, and the backup alone, can still be had.
    let copy = copy_folder(whole)?;
    let (slice, name) = file(copy.path(), &["pbmPitr/rs0/", ".oplog"])?;
    Damage::Torn.inflict(&slice)?;
    assert!(archive.refused(copy.path(), "a torn slice").await?.contains(&name));
    let mut request = archive.request(copy.path()).await?;
    request.moment = Moment::Backup("base".parse()?);
    stage::restore(request).await?;
    Ok(())
}
