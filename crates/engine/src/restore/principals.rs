//! Users and roles: restored beside the real ones first, merged at the end.
//!
//! What the backup does not speak of is never deleted. A user is deleted only when the base or the oplog names it and it does not exist
//! at the moment; the user we are logged in as is left alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use bson::{RawDocument, RawDocumentBuf};
use oplogue_domain::Namespace;
use oplogue_mongo::{Connection, MergeReport, Principals as Given};
use oplogue_oplog::{Principals, Step};
use oplogue_repository::{Repository, SnapshotContents};

const DATABASE: &str = "admin";
const USERS: &str = "oplogueRestoreUsers";
const ROLES: &str = "oplogueRestoreRoles";

/// The collections in which users and roles are brought to the moment. They are left out of every backup and dropped in the end.
pub(super) fn scratch() -> Principals {
    Principals { users: Namespace::new(DATABASE, USERS), roles: Namespace::new(DATABASE, ROLES) }
}

/// Asked for every replayed operation, so it makes no names of its own.
fn is_scratch(namespace: &str) -> bool {
    matches!(namespace.split_once('.'), Some((DATABASE, USERS | ROLES)))
}

/// The `_id`s of users and roles that base or oplog name, by scratch collection.
#[derive(Default)]
pub(super) struct TouchedPrincipals(BTreeMap<String, BTreeSet<String>>);

impl TouchedPrincipals {
    /// Remembers whom a replayed step makes or drops, if it is about a user or role. Whom it only changes may be unknown to the base;
    /// then nothing is known of them at the moment either, and they are left as they are.
    pub(super) fn note(&mut self, step: &Step) {
        let Step::Write(operation) = step else { return };
        let Ok(namespace) = operation.get_str("ns") else { return };
        if !is_scratch(namespace) {
            return;
        }
        if operation.get_str("op").is_ok_and(|op| op == "u") {
            return;
        }
        let id = operation.get_document("o2").or_else(|_| operation.get_document("o")).ok().and_then(id_of);
        self.0.entry(namespace.to_owned()).or_default().extend(id);
    }
}

/// Makes the scratch collections and fills them from the base.
pub(super) async fn stage(
    connection: &Connection,
    repository: &Repository,
    contents: &SnapshotContents,
    touched: &mut TouchedPrincipals,
) -> anyhow::Result<()> {
    let scratch = scratch();
    for (namespace, object) in [(&scratch.users, &contents.users), (&scratch.roles, &contents.roles)] {
        connection.drop_namespace(namespace).await?;
        connection.create_collection(namespace, &bson::Document::new(), None, None).await?;
        let Some(object) = object.as_ref().and_then(|collection| collection.object.as_ref()) else { continue };
        let mut stream = repository.read_documents(object);
        while let Some(batch) = stream.next_batch().await? {
            connection.insert_batch(namespace, &batch).await?;
            touched.0.entry(namespace.to_string()).or_default().extend(batch.iter().filter_map(|document| id_of(document)));
        }
    }
    Ok(())
}

/// `database.name`, the `_id` of every user and role.
fn id_of(document: &RawDocument) -> Option<String> {
    document.get_str("_id").ok().map(str::to_owned)
}

/// Merges what the scratch collections hold into the real ones and drops them.
pub(super) async fn merge(connection: &Connection, touched: &TouchedPrincipals) -> anyhow::Result<MergeReport> {
    let scratch = scratch();
    // They are read as a majority has them, which may still lag behind what was just applied.
    connection.majority_barrier().await.context("wait until a majority has the restored users and roles")?;
    let given = Given {
        users: connection.read_all(&scratch.users).await.context("read the restored users")?,
        roles: connection.read_all(&scratch.roles).await.context("read the restored roles")?,
    };
    let gone = |namespace: &Namespace, present: &[RawDocumentBuf]| {
        let present: BTreeSet<&str> = present.iter().filter_map(|one| one.get_str("_id").ok()).collect();
        let known = touched.0.get(&namespace.to_string()).into_iter().flatten();
        known.filter(|id| !present.contains(id.as_str())).cloned().collect::<Vec<_>>()
    };
    let (users_gone, roles_gone) = (gone(&scratch.users, &given.users), gone(&scratch.roles, &given.roles));
    let report = connection.merge_principals(&given, &users_gone, &roles_gone).await.context("write users and roles")?;
    for namespace in [&scratch.users, &scratch.roles] {
        connection.drop_namespace(namespace).await?;
    }
    Ok(report)
}
