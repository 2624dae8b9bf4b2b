//! Reads a [`State`] from a server.

use std::collections::BTreeMap;

use anyhow::Context;
use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::{Client, Database};
use sha2::{Digest, Sha256};

use super::{CollectionState, Principal, State, sorted};

const BUCKETS: &str = "system.buckets.";

/// Reads the whole state. Nobody may write meanwhile: it is not one point in time.
pub async fn capture(client: &Client) -> anyhow::Result<State> {
    let mut state = State::default();
    for name in client.list_database_names().await.context("listing the databases")? {
        if name != "local" && name != "config" {
            let database = client.database(&name);
            capture_database(&database, &mut state.collections).await.with_context(|| format!("capturing database {name}"))?;
        }
    }
    let admin = client.database("admin");
    state.users = principals(&admin, "system.users").await?;
    state.roles = principals(&admin, "system.roles").await?;
    Ok(state)
}

async fn capture_database(database: &Database, into: &mut BTreeMap<String, CollectionState>) -> anyhow::Result<()> {
    let listed = list_collections(database).await?;
    let text = |d: &Document, field: &str| d.get_str(field).unwrap_or_default().to_string();
    let uuids: BTreeMap<String, String> = listed.iter().filter_map(|d| Some((text(d, "name"), uuid_of(d)?))).collect();
    let hashes = database.run_command(doc! {"dbHash": 1}).await.context("dbHash")?;
    let hashes = hashes.get_document("collections").cloned().unwrap_or_default();
    for entry in listed {
        let name = text(&entry, "name");
        if !is_users_own(database.name(), &name) {
            continue;
        }
        let kind = text(&entry, "type");
        let options = sorted(entry.get_document("options").cloned().unwrap_or_default());
        let mut state = CollectionState { options, ..CollectionState::default() };
        if kind != "view" {
            state.indexes = indexes(database, &name).await.with_context(|| format!("indexes of {name}"))?;
            state.documents = database.collection::<Document>(&name).count_documents(doc! {}).await?;
        }
        match kind.as_str() {
            "timeseries" => {
                let buckets = format!("{BUCKETS}{name}");
                state.uuid = uuids.get(&buckets).cloned();
                state.hash = Some(hash_documents(database, &name, false).await?);
                state.buckets_hash = Some(hash_documents(database, &buckets, false).await?);
            }
            "view" => {}
            _ => {
                state.uuid = uuids.get(&name).cloned();
                state.hash = match hashes.get_str(&name) {
                    Ok(hash) => Some(hash.to_string()),
                    // e.g. a `system.*` collection that this version's dbHash passes over
                    Err(_) => Some(hash_documents(database, &name, false).await?),
                };
                if state.options.get_bool("capped").unwrap_or(false) {
                    state.natural_order_hash = Some(hash_documents(database, &name, true).await?);
                }
            }
        }
        state.kind = kind;
        into.insert(format!("{}.{name}", database.name()), state);
    }
    Ok(())
}

/// Whether a collection is content, not machinery of the server or of a backup tool.
fn is_users_own(database: &str, name: &str) -> bool {
    let tool = database == "admin" && (name.starts_with("pbm") || name.starts_with("oplogue"));
    !tool && (!name.starts_with("system.") || (name == "system.js" && database != "admin"))
}

async fn list_collections(database: &Database) -> anyhow::Result<Vec<Document>> {
    let cursor = database.run_cursor_command(doc! {"listCollections": 1}).await.context("listCollections")?;
    Ok(cursor.try_collect().await?)
}

async fn indexes(database: &Database, name: &str) -> anyhow::Result<BTreeMap<String, Document>> {
    let cursor = database.run_cursor_command(doc! {"listIndexes": name}).await?;
    let specs: Vec<Document> = cursor.try_collect().await?;
    let named = specs.into_iter().map(|mut spec| {
        spec.remove("ns");
        (spec.get_str("name").unwrap_or_default().to_string(), sorted(spec))
    });
    Ok(named.collect())
}

fn uuid_of(entry: &Document) -> Option<String> {
    match entry.get_document("info").ok()?.get("uuid")? {
        Bson::Binary(binary) => Some(hex::encode(&binary.bytes)),
        _ => None,
    }
}

/// SHA-256 over every document's bytes: in the order found, or in an order that depends on the documents only.
async fn hash_documents(database: &Database, name: &str, natural: bool) -> anyhow::Result<String> {
    let collection = database.collection::<RawDocumentBuf>(name);
    let mut found = collection.find(doc! {}).await.with_context(|| format!("reading {name}"))?;
    let mut hashes: Vec<[u8; 32]> = Vec::new();
    while let Some(document) = found.try_next().await? {
        hashes.push(Sha256::digest(document.as_bytes()).into());
    }
    if !natural {
        hashes.sort_unstable();
    }
    Ok(hex::encode(Sha256::digest(hashes.concat())))
}

async fn principals(admin: &Database, name: &str) -> anyhow::Result<BTreeMap<String, Principal>> {
    let mut found = admin.collection::<Document>(name).find(doc! {}).await.with_context(|| format!("reading admin.{name}"))?;
    let mut all = BTreeMap::new();
    while let Some(mut document) = found.try_next().await? {
        let mut secrets = Document::new();
        for field in ["credentials", "userId"] {
            secrets.extend(document.remove(field).map(|value| (field.to_string(), value)));
        }
        // The server keeps these as sets.
        for field in ["roles", "privileges"] {
            if let Ok(items) = document.get_array_mut(field) {
                items.sort_by_key(ToString::to_string);
            }
        }
        let id = document.get_str("_id").unwrap_or_default().to_string();
        let secret_hash = hex::encode(Sha256::digest(bson::serialize_to_vec(&secrets).context("encoding credentials")?));
        all.insert(id, Principal { document: sorted(document), secret_hash });
    }
    Ok(all)
}
