//! What a user may do, against what a backup or a restore needs.

use std::fmt;

use bson::{Bson, Document, doc};

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Backups and slicing.
    Backup,
    Restore,
}

impl Purpose {
    /// Name of the role that the printed commands create.
    pub fn role(self) -> &'static str {
        match self {
            Self::Backup => "oplogueBackup",
            Self::Restore => "oplogueRestore",
        }
    }
}

/// What a privilege is about, as the server writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Cluster,
    /// Empty words stand for any, but not for `system.*`, and an empty database not for `local` and `config`.
    Collection(&'static str, &'static str),
    /// All bucket collections.
    Buckets,
}

/// Actions that are needed on one resource and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    resource: Resource,
    /// The server's words.
    pub actions: Vec<&'static str>,
    /// What they are needed for.
    pub reason: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = match self.resource {
            Resource::Cluster => "the cluster".to_owned(),
            Resource::Collection("", "") => "all databases".to_owned(),
            Resource::Collection(database, "") => format!("the database {database}"),
            Resource::Collection("", name) => format!("{name} of all databases"),
            Resource::Collection(database, name) => format!("{database}.{name}"),
            Resource::Buckets => "the buckets of all time series".to_owned(),
        };
        write!(f, "{} on {resource}, to {}", self.actions.join(", "), self.reason)
    }
}

/// The outcome of a look at privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivilegeReport {
    /// `name@database`; `None` when nobody is logged in.
    pub user: Option<String>,
    /// False when the server lets everybody do everything.
    pub access_control: bool,
    pub missing: Vec<Missing>,
    /// Commands for the shell that would grant what is missing, in order. Empty when nothing is, or when nobody is logged in.
    pub commands: Vec<String>,
}

struct Need {
    resource: Resource,
    actions: &'static [&'static str],
    reason: &'static str,
}

const fn need(resource: Resource, actions: &'static [&'static str], reason: &'static str) -> Need {
    Need { resource, actions, reason }
}

use Resource::{Buckets, Cluster, Collection};

const BACKUP: [Need; 12] = [
    need(Cluster, &["listDatabases"], "list the databases"),
    need(Cluster, &["replSetGetStatus", "replSetGetConfig", "getParameter"], "know the members and their versions"),
    need(Cluster, &["appendOplogNote"], "keep the oplog of an idle replica set moving"),
    need(Cluster, &["useUUID"], "read collections whatever they are renamed to"),
    need(Collection("", ""), &["find", "listCollections", "listIndexes", "collStats"], "read the collections"),
    need(Collection("config", ""), &["find", "listCollections", "listIndexes", "collStats"], "read the state of a sharded cluster"),
    need(Collection("", "system.js"), &["find", "listIndexes", "collStats"], "read stored functions"),
    need(Buckets, &["find", "listIndexes", "collStats"], "read time series"),
    need(Collection("local", "oplog.rs"), &["find"], "read the oplog"),
    need(Collection("config", "transactions"), &["find"], "know the open transactions"),
    need(Collection("admin", "system.users"), &["find"], "read the users"),
    need(Collection("admin", "system.roles"), &["find"], "read the roles"),
];

const LEASES: Need = need(Collection("config", "oplogueLeases"), &["find", "insert", "update"], "make sure that only one slicer works");

const RESTORE: [Need; 12] = [
    need(Cluster, &["listDatabases", "replSetGetStatus", "replSetGetConfig", "getParameter"], "know what lies on the target"),
    need(Cluster, &["appendOplogNote"], "wait until all is on a majority"),
    need(Cluster, &["applyOps"], "apply operations of the oplog"),
    need(Cluster, &["useUUID", "forceUUID"], "give collections the UUIDs they had"),
    need(
        Collection("", ""),
        &[
            "find",
            "insert",
            "update",
            "remove",
            "bypassDocumentValidation",
            "createCollection",
            "dropCollection",
            "createIndex",
            "collMod",
            "convertToCapped",
            "listCollections",
            "listIndexes",
            "collStats",
        ],
        "make the collections and apply operations to them",
    ),
    need(Collection("config", ""), &["listCollections", "listIndexes", "collStats"], "see what lies on the target"),
    need(Collection("", ""), &["createUser", "createRole", "grantRole", "revokeRole", "dropUser", "dropRole"], "restore users and roles"),
    need(
        Collection("", "system.js"),
        &["find", "insert", "update", "remove", "bypassDocumentValidation", "createCollection", "listIndexes", "collStats"],
        "restore stored functions",
    ),
    need(
        Buckets,
        &["find", "insert", "update", "remove", "bypassDocumentValidation", "createIndex", "dropCollection", "listIndexes", "collStats"],
        "restore time series",
    ),
    need(Collection("admin", "system.users"), &["find"], "compare the users"),
    need(Collection("admin", "system.roles"), &["find"], "compare the roles"),
    need(Collection("config", "oplogueRestores"), &["find", "insert", "update", "remove"], "go on with a restore that was interrupted"),
];

impl Connection {
    /// What the user of this connection lacks for `purpose`, and the commands that would grant it.
    pub async fn privileges(&self, purpose: Purpose) -> Result<PrivilegeReport, MongoError> {
        const WHAT: &str = "ask for the privileges of the user";
        let primary = self.primary();
        let command = doc! { "connectionStatus": 1, "showPrivileges": true };
        let reply = primary.run_again(WHAT, "admin", command, Patience::Short).await?;
        let info = reply.get_document("authInfo").map_err(|error| MongoError::answer(WHAT, error))?;
        let documents =
            |key: &str| info.get_array(key).into_iter().flatten().filter_map(|entry| entry.as_document().cloned()).collect::<Vec<_>>();
        let user = documents("authenticatedUsers")
            .first()
            .and_then(|user| Some((user.get_str("user").ok()?.to_owned(), user.get_str("db").ok()?.to_owned())));
        if user.is_none() {
            // Nobody is logged in: either everybody may do everything, or nobody anything.
            return match primary.run_again(WHAT, "admin", doc! { "listDatabases": 1, "nameOnly": true }, Patience::Short).await {
                Ok(_) => Ok(PrivilegeReport { user: None, access_control: false, missing: Vec::new(), commands: Vec::new() }),
                Err(MongoError::Unauthorized { .. }) => {
                    Ok(PrivilegeReport { user: None, access_control: true, missing: missing(purpose, &[], true), commands: Vec::new() })
                }
                Err(error) => Err(error),
            };
        }
        let recent = primary.server_version().await?.major >= 5;
        let missing = missing(purpose, &documents("authenticatedUserPrivileges"), recent);
        let commands = user.as_ref().filter(|_| !missing.is_empty()).map(|(name, database)| commands(purpose, &missing, name, database));
        Ok(PrivilegeReport {
            user: user.map(|(name, database)| format!("{name}@{database}")),
            access_control: true,
            missing,
            commands: commands.unwrap_or_default(),
        })
    }
}

/// `recent`: 5.0 and later, which have time series and an action of its own for applyOps.
fn missing(purpose: Purpose, granted: &[Document], recent: bool) -> Vec<Missing> {
    let needs: Vec<&Need> = match purpose {
        Purpose::Backup => BACKUP.iter().chain([&LEASES]).collect(),
        Purpose::Restore => RESTORE.iter().collect(),
    };
    needs
        .into_iter()
        .filter(|need| recent || (need.resource != Buckets && need.actions != ["applyOps"]))
        .filter_map(|need| {
            let lacks = |action: &&&str| !granted.iter().any(|privilege| grants(privilege, need.resource, action));
            let actions: Vec<&'static str> = need.actions.iter().filter(lacks).copied().collect();
            (!actions.is_empty()).then_some(Missing { resource: need.resource, actions, reason: need.reason })
        })
        .collect()
}

/// The server's own search: a privilege on anything, on all normal collections, on a database, on a name, on the very one.
fn grants(privilege: &Document, wanted: Resource, action: &str) -> bool {
    let Ok(resource) = privilege.get_document("resource") else {
        return false;
    };
    let listed = privilege
        .get_array("actions")
        .into_iter()
        .flatten()
        .filter_map(Bson::as_str)
        .any(|granted| granted == action || granted == "anyAction");
    if !listed {
        return false;
    }
    if resource.get_bool("anyResource").unwrap_or(false) {
        return true;
    }
    let database = resource.get_str("db").ok();
    let collection = resource.get_str("collection").ok();
    match wanted {
        Cluster => resource.get_bool("cluster").unwrap_or(false),
        Buckets => resource.get_str("system_buckets").is_ok_and(str::is_empty) && database.is_none_or(str::is_empty),
        Collection(wanted_database, wanted_name) => {
            let (Some(database), Some(collection)) = (database, collection) else {
                return false;
            };
            let special = matches!(wanted_database, "local" | "config");
            let database_fits = database == wanted_database || (database.is_empty() && !(special && collection.is_empty()));
            let name_fits = collection == wanted_name || (collection.is_empty() && !wanted_name.starts_with("system."));
            database_fits && name_fits
        }
    }
}

fn commands(purpose: Purpose, missing: &[Missing], user: &str, database: &str) -> Vec<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut privileges: Vec<(String, Vec<&str>)> = Vec::new();
    for missing in missing {
        let resource = match missing.resource {
            Cluster => "{cluster: true}".to_owned(),
            Buckets => "{db: \"\", system_buckets: \"\"}".to_owned(),
            Collection(database, name) => format!("{{db: {}, collection: {}}}", quoted(database), quoted(name)),
        };
        match privileges.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, actions)) => actions.extend(&missing.actions),
            None => privileges.push((resource, missing.actions.clone())),
        }
    }
    let privileges: Vec<String> = privileges
        .into_iter()
        .map(|(resource, actions)| {
            let actions: Vec<String> = actions.into_iter().map(&quoted).collect();
            format!("{{resource: {resource}, actions: [{}]}}", actions.join(", "))
        })
        .collect();
    let role = purpose.role();
    vec![
        format!("db.getSiblingDB(\"admin\").runCommand({{createRole: \"{role}\", privileges: [{}], roles: []}})", privileges.join(", ")),
        format!(
            "db.getSiblingDB({}).runCommand({{grantRolesToUser: {}, roles: [{{role: \"{role}\", db: \"admin\"}}]}})",
            quoted(database),
            quoted(user)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privilege(resource: Document, actions: &[&str]) -> Document {
        doc! { "resource": resource, "actions": actions.to_vec() }
    }

    #[test]
    fn privileges_are_matched_as_the_server_matches_them() {
        let find = |resource: Document| privilege(resource, &["find"]);
        for (granted, wanted, fits) in [
            (find(doc! { "db": "", "collection": "" }), Collection("", ""), true),
            (find(doc! { "db": "", "collection": "" }), Collection("admin", "things"), true),
            (find(doc! { "db": "", "collection": "" }), Collection("config", "oplogueLeases"), false),
            (find(doc! { "db": "", "collection": "" }), Collection("admin", "system.users"), false),
            (find(doc! { "db": "", "collection": "" }), Collection("local", "oplog.rs"), false),
            (find(doc! { "db": "local", "collection": "" }), Collection("local", "oplog.rs"), true),
            (find(doc! { "db": "", "collection": "system.js" }), Collection("", "system.js"), true),
            (find(doc! { "db": "shop", "collection": "" }), Collection("", ""), false),
            (find(doc! { "cluster": true }), Cluster, true),
            (find(doc! { "anyResource": true }), Cluster, true),
            (find(doc! { "db": "", "system_buckets": "" }), Buckets, true),
            (find(doc! { "db": "", "collection": "" }), Buckets, false),
        ] {
            assert_eq!(grants(&granted, wanted, "find"), fits, "{granted} {wanted:?}");
            assert!(!grants(&granted, wanted, "insert"));
        }
    }

    #[test]
    fn what_is_missing_comes_with_the_commands_to_grant_it() {
        let granted = [privilege(doc! { "anyResource": true }, &["anyAction"])];
        assert!(missing(Purpose::Backup, &granted, true).is_empty());
        assert!(missing(Purpose::Restore, &granted, true).is_empty());
        let lacking = [
            Missing { resource: Cluster, actions: vec!["useUUID"], reason: "" },
            Missing { resource: Collection("", "system.js"), actions: vec!["find"], reason: "" },
            Missing { resource: Cluster, actions: vec!["forceUUID"], reason: "" },
        ];
        assert_eq!(
            commands(Purpose::Restore, &lacking, "a\"b", "shop"),
            [
                "db.getSiblingDB(\"admin\").runCommand({createRole: \"oplogueRestore\", privileges: [{resource: {cluster: true}, actions: \
                 [\"useUUID\", \"forceUUID\"]}, {resource: {db: \"\", collection: \"system.js\"}, actions: [\"find\"]}], roles: []})",
                "db.getSiblingDB(\"shop\").runCommand({grantRolesToUser: \"a\\\"b\", roles: [{role: \"oplogueRestore\", db: \"admin\"}]})",
            ]
        );
    }
}
