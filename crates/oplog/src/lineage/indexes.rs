//! The catalogue of one collection's indexes.
//!
//! Indexes are known by name. They belong to the collection, so they follow it through renames; PBM keeps them by the collection's
//! name and loses them (its bug W4).

use bson::{Bson, Document, doc};

use super::{Collection, CollectionKind};
use crate::OplogError;
use crate::operation::Operation;
use crate::rules::{Ddl, DropIndexes, refusal};
use crate::timeseries;

/// The indexes of a new collection, as listIndexes would show them.
pub(super) fn initial(options: &Document, id_index: Option<&Document>) -> Vec<Document> {
    match (options.get("clusteredIndex"), id_index) {
        (Some(Bson::Document(clustered)), _) => {
            let mut index = clustered.clone();
            index.insert("clustered", true);
            vec![index]
        }
        (Some(_), _) => Vec::new(),
        (None, Some(index)) => vec![index.clone()],
        // A user's own applyOps may leave it out, and the server makes an old one then (`createCollectionForApplyOps`).
        (None, None) => {
            let mut index = doc! { "v": 1, "key": { "_id": 1 }, "name": "_id_" };
            if let Some(collation) = options.get("collation") {
                index.insert("collation", collation.clone());
            }
            vec![index]
        }
    }
}

/// Applies `ddl` to the catalogue. False when it is about an index that is not there.
pub(super) fn change(collection: &mut Collection, operation: &Operation, ddl: &Ddl) -> Result<bool, OplogError> {
    match ddl {
        Ddl::CreateIndexes(specs) | Ddl::CommitIndexBuild(specs) => {
            let mut specs = specs.clone();
            if collection.kind == CollectionKind::TimeSeries {
                for spec in &mut specs {
                    *spec = timeseries::user_index(spec, &collection.options)
                        .ok_or_else(|| refusal(operation, format!("an index on a time series has a form that is not known: {spec}")))?;
                }
            }
            for spec in specs {
                add(&mut collection.indexes, spec);
            }
            Ok(true)
        }
        Ddl::DropIndexes(which) => {
            let which = match (which, collection.kind) {
                (DropIndexes::Key(key), CollectionKind::TimeSeries) => {
                    DropIndexes::Key(timeseries::user_key(key, &collection.options).unwrap_or_else(|| key.clone()))
                }
                (which, _) => which.clone(),
            };
            let before = collection.indexes.len();
            collection.indexes.retain(|index| is_id(index) || !selects(&which, index));
            Ok(collection.indexes.len() < before || which == DropIndexes::All)
        }
        Ddl::CollMod(arguments) => {
            let found = match arguments.get("index") {
                Some(Bson::Document(changes)) => modify(collection, operation, changes)?,
                Some(_) => return Err(refusal(operation, "the `index` of collMod is not a document")),
                None => true,
            };
            // The granularity of a time series only ever grows, so a snapshot that is ahead could not be taken through it again:
            // the collection is created with the last one. Buckets do not depend on it.
            if let Ok(changes) = arguments.get_document("timeseries") {
                timeseries::modify(&mut collection.options, changes);
            }
            Ok(found)
        }
        Ddl::ConvertToCapped { .. } => {
            collection.indexes.retain(is_id);
            Ok(true)
        }
        _ => Ok(true),
    }
}

fn add(indexes: &mut Vec<Document>, spec: Document) {
    match indexes.iter_mut().find(|index| index.get("name") == spec.get("name")) {
        // The snapshot saw it already, or the build was logged twice.
        Some(index) => *index = spec,
        None => indexes.push(spec),
    }
}

/// The index on `_id` (also that of a clustered collection), which stays whatever is dropped. `{_id: "hashed"}` is another one.
fn is_id(index: &Document) -> bool {
    let Ok(key) = index.get_document("key") else { return false };
    let ascending = match key.get("_id") {
        Some(Bson::Int32(1) | Bson::Int64(1)) => true,
        Some(Bson::Double(direction)) => *direction == 1.0,
        _ => false,
    };
    key.len() == 1 && ascending
}

fn selects(which: &DropIndexes, index: &Document) -> bool {
    match which {
        DropIndexes::All => true,
        DropIndexes::Names(names) => index.get_str("name").is_ok_and(|name| names.iter().any(|dropped| dropped == name)),
        DropIndexes::Key(key) => index.get_document("key").is_ok_and(|own| same_key(own, key)),
    }
}

/// Same fields in the same order with the same directions; `1`, `1.0` and `NumberLong(1)` are one.
fn same_key(a: &Document, b: &Document) -> bool {
    let number = |value: &Bson| match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        _ => None,
    };
    a.len() == b.len()
        && a.iter().zip(b).all(|((field_a, a), (field_b, b))| {
            field_a == field_b && (a == b || matches!((number(a), number(b)), (Some(a), Some(b)) if a == b))
        })
}

fn modify(collection: &mut Collection, operation: &Operation, changes: &Document) -> Result<bool, OplogError> {
    let name = changes.get_str("name").ok().map(str::to_owned);
    let key = changes.get_document("keyPattern").ok().map(|key| match collection.kind {
        CollectionKind::TimeSeries => timeseries::user_key(key, &collection.options).unwrap_or_else(|| key.clone()),
        _ => key.clone(),
    });
    let which = match (name, key) {
        (Some(name), _) => DropIndexes::Names(vec![name]),
        (None, Some(key)) => DropIndexes::Key(key),
        (None, None) => return Err(refusal(operation, "the `index` of collMod says neither a name nor a key")),
    };
    // Everything is checked before anything is changed.
    for (field, _) in changes {
        if !matches!(
            field.as_str(),
            "name"
                | "keyPattern"
                | "expireAfterSeconds"
                | "hidden"
                | "prepareUnique"
                | "disallowNewDuplicateKeys"
                | "unique"
                | "forceNonUnique"
        ) {
            return Err(refusal(operation, format!("this change of an index is not known to this version of Oplogue: `{field}`")));
        }
    }
    let Some(index) = collection.indexes.iter_mut().find(|index| selects(&which, index)) else {
        return Ok(false);
    };
    for (field, value) in changes {
        let on = !matches!(value, Bson::Boolean(false) | Bson::Null | Bson::Int32(0) | Bson::Int64(0));
        match field.as_str() {
            "expireAfterSeconds" => {
                index.insert("expireAfterSeconds", value.clone());
            }
            // `disallowNewDuplicateKeys` is what 5.1 to 5.3 called it.
            "hidden" => set(index, "hidden", on),
            "prepareUnique" | "disallowNewDuplicateKeys" => set(index, "prepareUnique", on),
            "unique" => {
                index.remove("prepareUnique");
                set(index, "unique", on);
            }
            "forceNonUnique" if on => {
                index.remove("unique");
            }
            _ => {}
        }
    }
    Ok(true)
}

/// A flag that is off is not shown.
fn set(index: &mut Document, field: &str, on: bool) {
    if on {
        index.insert(field, true);
    } else {
        index.remove(field);
    }
}
