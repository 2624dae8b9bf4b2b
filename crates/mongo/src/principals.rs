//! Users and roles: documents of `admin.system.users` and `admin.system.roles`.
//!
//! A restore never empties these collections. It writes the users and roles it was given over those of the same name, deletes
//! those it was told to delete, and leaves alone whatever it is logged in as, with the roles that user holds. Half-way, every
//! user and role is either as before or as after.

use std::collections::BTreeSet;

use bson::raw::cstr;
use bson::{Document, RawDocument, RawDocumentBuf, doc, rawdoc};
use oplogue_domain::Namespace;

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;

/// Raw documents with their credentials.
#[derive(Clone, Default, PartialEq)]
pub struct Principals {
    /// As in `admin.system.users`; `_id` is `database.name`.
    pub users: Vec<RawDocumentBuf>,
    /// As in `admin.system.roles`; `_id` is `database.name`.
    pub roles: Vec<RawDocumentBuf>,
}

/// Never shows credentials.
impl std::fmt::Debug for Principals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Principals").field("users", &ids(&self.users)).field("roles", &ids(&self.roles)).finish()
    }
}

/// What a merge did: names are `database.name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    pub users_written: usize,
    pub roles_written: usize,
    pub users_deleted: usize,
    pub roles_deleted: usize,
    /// Left alone because this program is logged in as that user, or that user holds that role.
    pub kept: Vec<String>,
}

impl Connection {
    /// All users and roles of the server asked, as a majority has them.
    ///
    /// # Errors
    /// [`MongoError::Unauthorized`] without the role `backup`.
    pub async fn users_and_roles(&self) -> Result<Principals, MongoError> {
        Ok(Principals {
            users: self.read_all(&Namespace::new("admin", "system.users")).await?,
            roles: self.read_all(&Namespace::new("admin", "system.roles")).await?,
        })
    }

    /// All documents of a small collection, as a majority has them; none if it does not exist.
    pub async fn read_all(&self, namespace: &Namespace) -> Result<Vec<RawDocumentBuf>, MongoError> {
        let what = format!("read `{namespace}`");
        let find = |level: &str| doc! { "find": &namespace.collection, "readConcern": { "level": level } };
        match self.collect(&what, &namespace.database, find("majority")).await {
            // ReadConcernMajorityNotEnabled
            Err(error) if error.has_code(&[148]) => self.collect(&what, &namespace.database, find("local")).await,
            result => result,
        }
    }

    /// Writes `given` over the users and roles of the same names, then deletes the users and roles whose `_id` is in `delete_users` and
    /// `delete_roles`. The user this connection is logged in as and the roles that user holds are neither written nor deleted.
    ///
    /// # Errors
    /// At the first that is refused; those before it are done.
    pub async fn merge_principals(
        &self,
        given: &Principals,
        delete_users: &[String],
        delete_roles: &[String],
    ) -> Result<MergeReport, MongoError> {
        let ours = self.own_principals().await?;
        let mut report = MergeReport::default();
        let mut allowed = |collection: &str, documents: &[RawDocumentBuf]| -> Vec<RawDocumentBuf> {
            let (kept, written): (Vec<_>, Vec<_>) =
                documents.iter().partition(|document| id(document).is_some_and(|id| ours.contains(&format!("{collection}/{id}"))));
            report.kept.extend(kept.into_iter().filter_map(|document| id(document)).map(str::to_owned));
            written.into_iter().cloned().collect()
        };
        let given = Principals { roles: allowed("system.roles", &given.roles), users: allowed("system.users", &given.users) };
        // Roles first, so that no user ever holds a role that is not there.
        let direct = async {
            self.write_principals("system.roles", &given.roles).await?;
            self.write_principals("system.users", &given.users).await
        };
        let there = |ids: &[String]| doc! { "_id": { "$in": ids.to_vec() } };
        let count = async |collection: &str, ids: &[String]| -> Result<usize, MongoError> {
            let found = self
                .primary()
                .collect("look for users and roles", "admin", doc! { "find": collection, "filter": there(ids), "projection": { "_id": 1 } })
                .await?;
            Ok(found.iter().filter_map(|found| id(found)).filter(|id| !ours.contains(&format!("{collection}/{id}"))).count())
        };
        report.users_deleted = count("system.users", delete_users).await?;
        report.roles_deleted = count("system.roles", delete_roles).await?;
        match direct.await {
            // Not even `root` may; but it may do this.
            Err(MongoError::Unauthorized { .. }) => self.merge_by_command(&given, delete_users, delete_roles, &ours).await?,
            result => result?,
        }
        report.users_written = given.users.len();
        report.roles_written = given.roles.len();
        self.delete_principals("system.users", delete_users, &ours, &mut report.kept).await?;
        self.delete_principals("system.roles", delete_roles, &ours, &mut report.kept).await?;
        report.kept.sort();
        report.kept.dedup();
        Ok(report)
    }

    /// The way mongorestore takes: two scratch collections and a command that makes users and roles equal to them, in place, one by one.
    /// So the scratch collections hold everybody who is to stay, too. They hold credentials and go at once, also after an error. A user
    /// made by somebody else during these milliseconds is lost.
    async fn merge_by_command(
        &self,
        given: &Principals,
        delete_users: &[String],
        delete_roles: &[String],
        ours: &BTreeSet<String>,
    ) -> Result<(), MongoError> {
        const WHAT: &str = "merge users and roles";
        let scratch_users = Namespace::new("admin", "oplogueScratchUsers");
        let scratch_roles = Namespace::new("admin", "oplogueScratchRoles");
        let merge = async {
            for (scratch, collection, documents, deleted) in
                [(&scratch_users, "system.users", &given.users, delete_users), (&scratch_roles, "system.roles", &given.roles, delete_roles)]
            {
                let mut all = self.primary().collect(WHAT, "admin", doc! { "find": collection }).await?;
                all.retain(|document| {
                    let Some(id) = id(document) else { return true };
                    let is_ours = ours.contains(&format!("{collection}/{id}"));
                    is_ours
                        || !(deleted.iter().any(|deleted| deleted == id)
                            || documents.iter().any(|given| given.get_str("_id").is_ok_and(|given| given == id)))
                });
                all.extend(documents.iter().cloned());
                self.drop_namespace(scratch).await?;
                self.create_collection(scratch, &Document::new(), None, None).await?;
                self.insert_batch(scratch, &all).await?;
            }
            let command = doc! {
                "_mergeAuthzCollections": 1,
                "tempUsersCollection": scratch_users.to_string(),
                "tempRolesCollection": scratch_roles.to_string(),
                "drop": true,
                "db": "",
                "writeConcern": self.majority(),
            };
            self.primary().run_again(WHAT, "admin", command, Patience::Batch).await
        };
        let merged = merge.await;
        for scratch in [&scratch_users, &scratch_roles] {
            self.drop_namespace(scratch).await?;
        }
        merged.map(|_| ())
    }

    async fn write_principals(&self, collection: &str, documents: &[RawDocumentBuf]) -> Result<(), MongoError> {
        for document in documents {
            let Some(id) = id(document) else { continue };
            let mut update = rawdoc! { "q": { "_id": id } };
            update.append(cstr!("u"), document.clone());
            update.append(cstr!("upsert"), true);
            let command = rawdoc! { "update": collection, "updates": [update] };
            self.primary().run(&format!("write `{id}` into admin.{collection}"), "admin", command, Patience::Short).await?;
        }
        Ok(())
    }

    async fn delete_principals(
        &self,
        collection: &str,
        ids: &[String],
        ours: &BTreeSet<String>,
        kept: &mut Vec<String>,
    ) -> Result<(), MongoError> {
        for id in ids {
            if ours.contains(&format!("{collection}/{id}")) {
                kept.push(id.clone());
                continue;
            }
            let command = doc! { "delete": collection, "deletes": [{ "q": { "_id": id }, "limit": 1 }] };
            let what = format!("delete `{id}` from admin.{collection}");
            match self.primary().run_again(&what, "admin", command, Patience::Short).await {
                Err(MongoError::Unauthorized { .. }) => self.drop_by_command(&what, collection, id).await?,
                reply => drop(reply?),
            }
        }
        Ok(())
    }

    async fn drop_by_command(&self, what: &str, collection: &str, id: &str) -> Result<(), MongoError> {
        let Some((database, name)) = id.split_once('.') else {
            return Ok(());
        };
        let command = if collection == "system.users" {
            doc! { "dropUser": name }
        } else {
            doc! { "dropRole": name }
        };
        match self.primary().run_again(what, database, command, Patience::Short).await {
            // UserNotFound, RoleNotFound
            Err(error) if error.has_code(&[11, 31]) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    /// `system.users/database.name` of who is logged in, and `system.roles/…` of what they hold, also by inheritance.
    async fn own_principals(&self) -> Result<BTreeSet<String>, MongoError> {
        const WHAT: &str = "ask who is logged in";
        let reply = self.primary().run_again(WHAT, "admin", doc! { "connectionStatus": 1 }, Patience::Short).await?;
        let info = reply.get_document("authInfo").map_err(|error| MongoError::answer(WHAT, error))?;
        let mut ours = BTreeSet::new();
        for (key, name, collection) in [("authenticatedUsers", "user", "system.users"), ("authenticatedUserRoles", "role", "system.roles")]
        {
            for entry in info.get_array(key).into_iter().flatten().filter_map(|entry| entry.as_document()) {
                ours.extend(qualified(entry, name).map(|id| format!("{collection}/{id}")));
            }
        }
        Ok(ours)
    }
}

fn qualified(entry: &Document, name: &str) -> Option<String> {
    Some(format!("{}.{}", entry.get_str("db").ok()?, entry.get_str(name).ok()?))
}

fn id(document: &RawDocument) -> Option<&str> {
    document.get_str("_id").ok()
}

fn ids(documents: &[RawDocumentBuf]) -> Vec<&str> {
    documents.iter().filter_map(|document| id(document)).collect()
}
