//! The table: what is done with every kind of oplog entry of MongoDB 4.2 to 8.0.
//!
//! Each entry is applied, or skipped for a written reason, or refused with one. What is not in the table is refused: a new server's
//! entry that nobody thought about must not be lost silently. The tests walk the tables row by row.
//!
//! Sources: the server's `repl/oplog.cpp` (`kOpsMap`), `oplog_entry.idl` and `coll_mod.idl` of the versions named; entries of real
//! servers 4.2.6, 4.4.2, 5.0.4 and 6.0.5; and, for what PBM does with the same, `pbm/oplog/restore.go` of PBM 2.15.

mod ddl;
mod namespaces;

pub use ddl::{Ddl, DropIndexes, DropTarget};
pub use namespaces::{NAMESPACES, NamespaceRule, Pattern, Standing, standing};

use crate::OplogError;
use crate::operation::{Kind, Operation};

/// What is done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Apply,
    /// Left out, and why nothing is lost.
    Skip(&'static str),
    /// The restore stops before harm, and why.
    Refuse(&'static str),
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The letter of an entry, the name of a command, or an argument of `collMod`.
    pub name: &'static str,
    pub verdict: Verdict,
}

const fn apply(name: &'static str) -> Rule {
    Rule { name, verdict: Verdict::Apply }
}

const fn skip(name: &'static str, reason: &'static str) -> Rule {
    Rule { name, verdict: Verdict::Skip(reason) }
}

const fn refuse(name: &'static str, reason: &'static str) -> Rule {
    Rule { name, verdict: Verdict::Refuse(reason) }
}

const GLOBAL_INDEX: &str = "it belongs to a global index, a feature MongoDB never released";
const CONTAINER: &str = "it writes to a storage table by its internal name, which exists only on the source";
const UNKNOWN_ENTRY: &str = "this kind of entry is not known to this version of Oplogue";
const UNKNOWN_COMMAND: &str = "this command is not known to this version of Oplogue";
const UNKNOWN_COLL_MOD: &str = "this argument of collMod is not known to this version of Oplogue";

/// By the letter `op`.
pub const ENTRIES: &[Rule] = &[
    apply("i"),
    apply("u"),
    apply("d"),
    apply("c"),
    skip("n", "a no-op changes nothing"),
    // 6.1+, behind a flag that no release switches on.
    refuse("xi", GLOBAL_INDEX),
    refuse("xd", GLOBAL_INDEX),
    // After 8.0.
    refuse("ci", CONTAINER),
    refuse("cd", CONTAINER),
    refuse("km", "it carries encryption keys of the source"),
];

/// By the command's name, for `op: "c"`.
pub const COMMANDS: &[Rule] = &[
    apply("create"),
    apply("drop"),
    apply("renameCollection"),
    apply("createIndexes"),
    apply("commitIndexBuild"),
    apply("dropIndexes"),
    // Names that 4.2 and users' own applyOps still use.
    apply("dropIndex"),
    apply("deleteIndexes"),
    apply("deleteIndex"),
    apply("collMod"),
    apply("emptycapped"),
    // Servers of today write a temporary collection and a rename instead.
    apply("convertToCapped"),
    apply("dropDatabase"),
    skip("startIndexBuild", "an index that is being built is none until commitIndexBuild"),
    skip("abortIndexBuild", "an index build that was given up leaves nothing"),
    skip("dbCheck", "it compares members and changes no documents"),
    // The shard's own copy of the sharding catalogue (7.0; 8.1+). A replica set that is no shard never writes it.
    skip("modifyCollectionShardingIndexCatalog", "it is a shard's copy of the sharding catalogue, which the cluster makes again"),
    skip("createDatabaseMetadata", "it is a shard's copy of the sharding catalogue, which the cluster makes again"),
    skip("dropDatabaseMetadata", "it is a shard's copy of the sharding catalogue, which the cluster makes again"),
    skip("invalidateCollectionMetadata", "it is a shard's copy of the sharding catalogue, which the cluster makes again"),
    refuse("importCollection", "it adds a collection from files that are not in the oplog"),
    refuse("truncateRange", "it removes documents by their storage position, which differs on the target"),
    refuse("createGlobalIndex", GLOBAL_INDEX),
    refuse("dropGlobalIndex", GLOBAL_INDEX),
    refuse("upgradeDowngradeViewlessTimeseries", "it changes how time-series collections are stored, which came after MongoDB 8.0"),
    // `Transactions` resolves these. One that arrives here was not given to it.
    refuse("applyOps", "it must be unfolded before"),
    refuse("commitTransaction", "it must be resolved before"),
    refuse("abortTransaction", "it must be resolved before"),
];

const OLD_STORAGE: &str = "an option of a storage engine that is no more";

/// By argument, for `collMod`. `index` goes to the catalogue of indexes, everything else to the server.
pub const COLL_MOD: &[Rule] = &[
    apply("index"),
    apply("validator"),
    apply("validationLevel"),
    apply("validationAction"),
    apply("recordPreImages"),
    apply("changeStreamPreAndPostImages"),
    apply("expireAfterSeconds"),
    apply("timeseries"),
    apply("cappedSize"),
    apply("cappedMax"),
    apply("timeseriesBucketsMayHaveMixedSchemaData"),
    skip("noPadding", OLD_STORAGE),
    skip("usePowerOf2Sizes", OLD_STORAGE),
    skip("recordIdsReplicated", "it is about the positions of documents in storage"),
    skip("isTimeseriesNamespace", "it says how the name is meant"),
    skip("timeseriesBucketingParametersHaveChanged", "a hint for queries that the target finds out by itself"),
    skip("removeLegacyTimeseriesBucketingParametersHaveChanged", "a hint for queries that the target finds out by itself"),
    skip("_removeLegacyTimeseriesBucketingParametersHaveChanged", "a hint for queries that the target finds out by itself"),
    refuse("viewOn", "views change through system.views"),
    refuse("pipeline", "views change through system.views"),
];

/// Arguments that any command may carry when it came from a user's own `applyOps`. They are not about the collection.
pub(crate) const GENERIC_ARGUMENTS: &[&str] = &[
    "$db",
    "$clusterTime",
    "$readPreference",
    "$audit",
    "$client",
    "$configServerState",
    "$oplogQueryData",
    "$replData",
    "apiVersion",
    "apiStrict",
    "apiDeprecationErrors",
    "comment",
    "lsid",
    "maxTimeMS",
    "readConcern",
    "txnNumber",
    "writeConcern",
];

fn lookup(table: &[Rule], name: &str, unknown: &'static str) -> Verdict {
    table.iter().find(|rule| rule.name == name).map_or(Verdict::Refuse(unknown), |rule| rule.verdict)
}

/// What is done with entries of this letter.
pub fn entry_rule(letter: &str) -> Verdict {
    lookup(ENTRIES, letter, UNKNOWN_ENTRY)
}

/// What is done with this command, on a collection of users.
pub fn command_rule(name: &str) -> Verdict {
    lookup(COMMANDS, name, UNKNOWN_COMMAND)
}

/// What is done with this argument of `collMod`.
pub fn coll_mod_rule(argument: &str) -> Verdict {
    if GENERIC_ARGUMENTS.contains(&argument) {
        return Verdict::Skip("it is about the call, not about the collection");
    }
    lookup(COLL_MOD, argument, UNKNOWN_COLL_MOD)
}

/// What an operation is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// An insert, update or delete of documents of a collection.
    Write,
    /// An insert, update or delete of users or roles (`admin.system.users`, `admin.system.roles`).
    Principal,
    /// All users, or all roles, were removed with their collection.
    PrincipalsDropped,
    /// An insert, update or delete of view definitions (`system.views`).
    View,
    /// All views of a database were removed with `system.views`.
    ViewsDropped,
    Ddl(Ddl),
    /// Nothing to do, and why.
    Skip(&'static str),
}

/// What `operation` means for a restore. An error is a refusal, or a command whose arguments cannot be read.
pub fn meaning(operation: &Operation) -> Result<Meaning, OplogError> {
    let standing = standing(&operation.namespace);
    if operation.kind == Kind::Command && operation.name() == "renameCollection" {
        return rename_meaning(operation, standing);
    }
    match (standing, operation.kind) {
        (Standing::Internal(reason), _) => Ok(Meaning::Skip(reason)),
        (Standing::Refused(reason), _) => Err(refusal(operation, reason)),
        (Standing::Views, Kind::Command) => match operation.name() {
            "drop" => Ok(Meaning::ViewsDropped),
            _ => known(operation, "the target makes the collection of view definitions by itself"),
        },
        (Standing::Views, _) => Ok(Meaning::View),
        (Standing::Principals, Kind::Command) => match operation.name() {
            "drop" => Ok(Meaning::PrincipalsDropped),
            _ => known(operation, "the target has its own collections of users and roles"),
        },
        (Standing::Principals, _) => Ok(Meaning::Principal),
        (Standing::Ordinary, Kind::Command) => match command_rule(operation.name()) {
            Verdict::Apply => Ok(Meaning::Ddl(ddl::parse(operation)?)),
            Verdict::Skip(reason) => Ok(Meaning::Skip(reason)),
            Verdict::Refuse(reason) => Err(refusal(operation, reason)),
        },
        (Standing::Ordinary, _) => Ok(Meaning::Write),
    }
}

/// Skips a command that is known, whatever it does to ordinary collections.
fn known(operation: &Operation, reason: &'static str) -> Result<Meaning, OplogError> {
    match command_rule(operation.name()) {
        Verdict::Refuse(why) => Err(refusal(operation, why)),
        _ => Ok(Meaning::Skip(reason)),
    }
}

/// A rename concerns two names. Between the server's own collections it does not matter; across the border it cannot be followed.
fn rename_meaning(operation: &Operation, from: Standing) -> Result<Meaning, OplogError> {
    let ddl = ddl::parse(operation)?;
    let Ddl::Rename { to, .. } = &ddl else {
        return Err(OplogError::malformed(operation.time, "the rename has no new name"));
    };
    match (from, namespaces::standing(to)) {
        (Standing::Ordinary, Standing::Ordinary) => Ok(Meaning::Ddl(ddl)),
        (Standing::Internal(reason), Standing::Internal(_)) => Ok(Meaning::Skip(reason)),
        _ => Err(refusal(operation, "it renames a collection to or from a name that is the server's own")),
    }
}

pub(crate) fn refusal(operation: &Operation, reason: impl Into<String>) -> OplogError {
    OplogError::Refused {
        time: operation.time,
        namespace: operation.namespace.clone(),
        operation: operation.name().to_owned(),
        reason: reason.into(),
    }
}
