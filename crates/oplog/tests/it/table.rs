//! The table of entries, commands, arguments and names, row by row.

use bson::{Document, doc};
use oplogue_oplog::rules::{COLL_MOD, COMMANDS, ENTRIES, NAMESPACES, Standing, Verdict, coll_mod_rule, command_rule, entry_rule, standing};
use oplogue_oplog::{Ddl, DropIndexes, DropTarget, Meaning, OplogError, Transactions, meaning};

use crate::support::*;

/// What a row says, in one word.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Apply => "apply",
        Verdict::Skip(_) => "skip",
        Verdict::Refuse(_) => "refuse",
    }
}

#[test]
fn every_kind_of_entry_has_its_row() {
    let expected = [
        ("i", "apply"),
        ("u", "apply"),
        ("d", "apply"),
        ("c", "apply"),
        ("n", "skip"),
        ("xi", "refuse"),
        ("xd", "refuse"),
        ("ci", "refuse"),
        ("cd", "refuse"),
        ("km", "refuse"),
    ];
    assert_eq!(ENTRIES.iter().map(|rule| (rule.name, word(rule.verdict))).collect::<Vec<_>>(), expected);
    for unknown in ["", "db", "I", "zz"] {
        assert_eq!(word(entry_rule(unknown)), "refuse", "{unknown:?}");
    }
}

#[test]
fn every_command_has_its_row() {
    let expected = [
        ("create", "apply"),
        ("drop", "apply"),
        ("renameCollection", "apply"),
        ("createIndexes", "apply"),
        ("commitIndexBuild", "apply"),
        ("dropIndexes", "apply"),
        ("dropIndex", "apply"),
        ("deleteIndexes", "apply"),
        ("deleteIndex", "apply"),
        ("collMod", "apply"),
        ("emptycapped", "apply"),
        ("convertToCapped", "apply"),
        ("dropDatabase", "apply"),
        ("startIndexBuild", "skip"),
        ("abortIndexBuild", "skip"),
        ("dbCheck", "skip"),
        ("modifyCollectionShardingIndexCatalog", "skip"),
        ("createDatabaseMetadata", "skip"),
        ("dropDatabaseMetadata", "skip"),
        ("invalidateCollectionMetadata", "skip"),
        ("importCollection", "refuse"),
        ("truncateRange", "refuse"),
        ("createGlobalIndex", "refuse"),
        ("dropGlobalIndex", "refuse"),
        ("upgradeDowngradeViewlessTimeseries", "refuse"),
        ("applyOps", "refuse"),
        ("commitTransaction", "refuse"),
        ("abortTransaction", "refuse"),
    ];
    assert_eq!(COMMANDS.iter().map(|rule| (rule.name, word(rule.verdict))).collect::<Vec<_>>(), expected);
    for unknown in ["", "somethingNew", "Create", "cloneCollection"] {
        assert_eq!(word(command_rule(unknown)), "refuse", "{unknown:?}");
    }
}

#[test]
fn every_argument_of_coll_mod_has_its_row() {
    let expected = [
        ("index", "apply"),
        ("validator", "apply"),
        ("validationLevel", "apply"),
        ("validationAction", "apply"),
        ("recordPreImages", "apply"),
        ("changeStreamPreAndPostImages", "apply"),
        ("expireAfterSeconds", "apply"),
        ("timeseries", "apply"),
        ("cappedSize", "apply"),
        ("cappedMax", "apply"),
        ("timeseriesBucketsMayHaveMixedSchemaData", "apply"),
        ("noPadding", "skip"),
        ("usePowerOf2Sizes", "skip"),
        ("recordIdsReplicated", "skip"),
        ("isTimeseriesNamespace", "skip"),
        ("timeseriesBucketingParametersHaveChanged", "skip"),
        ("removeLegacyTimeseriesBucketingParametersHaveChanged", "skip"),
        ("_removeLegacyTimeseriesBucketingParametersHaveChanged", "skip"),
        ("viewOn", "refuse"),
        ("pipeline", "refuse"),
    ];
    assert_eq!(COLL_MOD.iter().map(|rule| (rule.name, word(rule.verdict))).collect::<Vec<_>>(), expected);
    assert_eq!(word(coll_mod_rule("somethingNew")), "refuse");
    assert_eq!(word(coll_mod_rule("$db")), "skip");
}

#[test]
fn every_reason_is_written_out() {
    for rule in ENTRIES.iter().chain(COMMANDS).chain(COLL_MOD) {
        if let Verdict::Skip(reason) | Verdict::Refuse(reason) = rule.verdict {
            assert!(reason.len() > 15, "{}: {reason}", rule.name);
        }
    }
    for row in NAMESPACES {
        if let Standing::Internal(reason) | Standing::Refused(reason) = row.standing {
            assert!(reason.len() > 15, "{:?}: {reason}", row.pattern);
        }
    }
}

#[test]
fn names_stand_as_the_table_says() {
    let cases = [
        ("a.b", "ordinary"),
        ("a.system.js", "ordinary"),
        ("a.system.buckets.t", "ordinary"),
        ("admin.mine", "ordinary"),
        ("admin.system.users", "principals"),
        ("admin.system.roles", "principals"),
        ("a.system.users", "internal"),
        ("a.system.views", "views"),
        ("admin.system.views", "views"),
        ("admin.system.version", "internal"),
        ("admin.system.keys", "internal"),
        ("admin.system.healthlog", "internal"),
        ("admin.pbmBackups", "internal"),
        ("admin.pbmRUsers", "internal"),
        ("admin.oplogueLeases", "internal"),
        ("config.transactions", "internal"),
        ("config.system.sessions", "internal"),
        ("config.image_collection", "internal"),
        ("config.cache.chunks.a.b", "internal"),
        ("config.system.indexBuilds", "internal"),
        ("config.chunks", "internal"),
        ("config.anything", "internal"),
        ("local.oplog.rs", "internal"),
        ("a.system.profile", "internal"),
        ("a.system.drop.1i2t3.b", "internal"),
        ("a.system.somethingNew", "internal"),
        ("a.system.indexes", "refused"),
        ("a.system.namespaces", "refused"),
        ("a.system.resharding.x", "refused"),
    ];
    for (name, expected) in cases {
        let actual = match standing(&namespace(name)) {
            Standing::Ordinary => "ordinary",
            Standing::Principals => "principals",
            Standing::Views => "views",
            Standing::Internal(_) => "internal",
            Standing::Refused(_) => "refused",
        };
        assert_eq!(actual, expected, "{name}");
    }
}

fn means(o: Document) -> Meaning {
    meaning(&operation(command("a", 1, o))).expect("a command that can be applied")
}

#[test]
fn commands_are_parsed_in_all_their_forms() {
    let x = || index("x_1", doc! { "x": 1 });
    let cases = [
        (doc! { "drop": "c" }, Ddl::Drop),
        (doc! { "dropDatabase": 1 }, Ddl::DropDatabase),
        (doc! { "emptycapped": "c" }, Ddl::EmptyCapped),
        (doc! { "convertToCapped": "c", "size": 4096 }, Ddl::ConvertToCapped { size: 4096.into() }),
        (
            doc! { "create": "c", "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_", "ns": "a.c" }, "capped": true, "autoIndexId": true },
            Ddl::Create { options: doc! { "capped": true }, id_index: Some(id_index()) },
        ),
        (doc! { "createIndexes": "c", "v": 2, "key": { "x": 1 }, "name": "x_1", "ns": "a.c" }, Ddl::CreateIndexes(vec![x()])),
        (doc! { "createIndexes": "c", "indexes": [x()], "commitQuorum": 1, "$db": "a" }, Ddl::CreateIndexes(vec![x()])),
        (doc! { "commitIndexBuild": "c", "indexBuildUUID": uuid_bson(9), "indexes": [x()] }, Ddl::CommitIndexBuild(vec![x()])),
        (doc! { "dropIndexes": "c", "index": "x_1" }, Ddl::DropIndexes(DropIndexes::Names(vec!["x_1".into()]))),
        (doc! { "deleteIndexes": "c", "index": "*" }, Ddl::DropIndexes(DropIndexes::All)),
        (doc! { "dropIndex": "c", "index": { "x": 1 } }, Ddl::DropIndexes(DropIndexes::Key(doc! { "x": 1 }))),
        (doc! { "deleteIndex": "c", "index": ["x_1", "y_1"] }, Ddl::DropIndexes(DropIndexes::Names(vec!["x_1".into(), "y_1".into()]))),
        (
            doc! { "collMod": "c", "validator": { "a": 1 }, "usePowerOf2Sizes": true, "writeConcern": { "w": 1 } },
            Ddl::CollMod(doc! { "validator": { "a": 1 } }),
        ),
        (
            doc! { "renameCollection": "a.c", "to": "a.d", "stayTemp": true },
            Ddl::Rename { to: namespace("a.d"), drop_target: DropTarget::Nothing, stay_temp: true },
        ),
        (
            doc! { "renameCollection": "a.c", "to": "a.d", "dropTarget": true },
            Ddl::Rename { to: namespace("a.d"), drop_target: DropTarget::Namesake, stay_temp: false },
        ),
        (
            doc! { "renameCollection": "a.c", "to": "a.d", "dropTarget": uuid_bson(3) },
            Ddl::Rename { to: namespace("a.d"), drop_target: DropTarget::Collection(uuid(3)), stay_temp: false },
        ),
    ];
    for (o, expected) in cases {
        assert_eq!(means(o.clone()), Meaning::Ddl(expected), "{o}");
    }
    for o in [doc! { "startIndexBuild": "c", "indexes": [] }, doc! { "abortIndexBuild": "c" }, doc! { "dbCheck": "a.c" }] {
        assert!(matches!(means(o.clone()), Meaning::Skip(_)), "{o}");
    }
}

#[test]
fn commands_that_cannot_be_read_are_errors() {
    for o in [
        doc! { "createIndexes": "c", "key": { "x": 1 } },
        doc! { "createIndexes": "c", "indexes": [1] },
        doc! { "commitIndexBuild": "c" },
        doc! { "dropIndexes": "c" },
        doc! { "dropIndexes": "c", "index": [1] },
        doc! { "convertToCapped": "c" },
        doc! { "renameCollection": "a.c" },
        doc! { "renameCollection": "a.c", "to": "d" },
        doc! { "renameCollection": "a.c", "to": "a.d", "dropTarget": "x" },
        doc! { "collMod": "c", "somethingNew": 1 },
        doc! { "collMod": "c", "viewOn": "x" },
        doc! { "somethingNew": "c" },
        doc! { "importCollection": "c" },
    ] {
        assert!(meaning(&operation(command("a", 1, o.clone()))).is_err(), "{o}");
    }
}

#[test]
fn a_refusal_names_moment_command_collection_and_reason() {
    let error = meaning(&operation(command("a", 1, doc! { "importCollection": "c" }))).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the oplog entry at (1000,1) (`importCollection` on a.c) cannot be restored: it adds a collection from files that are not in the \
         oplog; choose a moment before it"
    );
}

#[test]
fn internal_names_are_skipped_whatever_the_command() {
    for fields in [
        command("config", 1, doc! { "somethingNew": "x" }),
        command("config", 1, doc! { "truncateRange": "system.preimages" }),
        command("admin", 1, doc! { "drop": "pbmRUsers" }),
        command("config", 1, doc! { "renameCollection": "config.a", "to": "config.b" }),
        insert("config.transactions", 1, doc! { "_id": 1 }),
        insert("admin.system.version", 1, doc! { "_id": "featureCompatibilityVersion" }),
    ] {
        assert!(matches!(meaning(&operation(fields.clone())), Ok(Meaning::Skip(_))), "{fields}");
    }
}

#[test]
fn renames_across_the_border_of_internal_names_are_refused() {
    for (from, to) in [("admin.pbmX", "admin.mine"), ("a.b", "a.system.views"), ("admin.system.users", "admin.u"), ("a.b", "admin.pbmX")] {
        let result = meaning(&operation(rename(1, from, to, None)));
        assert!(matches!(result, Err(OplogError::Refused { .. })), "{from} {to}: {result:?}");
    }
}

#[test]
fn unknown_kinds_are_refused_inside_transactions_too() {
    let inner = doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": [{ "op": "xi", "ns": "a.b", "o": {} }] } };
    for fields in [inner, doc! { "op": "xi", "ns": "a.b", "o": {} }, doc! { "op": "zz", "ns": "a.b", "o": {} }] {
        let result = Transactions::new().push(&entry(1, fields));
        assert!(matches!(result, Err(OplogError::Refused { .. })), "{result:?}");
    }
}
