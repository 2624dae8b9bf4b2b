//! Commands on collections, parsed.

use bson::raw::RawBsonRef;
use bson::{Bson, Document, RawDocument};
use oplogue_domain::Namespace;

use super::{GENERIC_ARGUMENTS, Verdict, coll_mod_rule, refusal};
use crate::entry::uuid;
use crate::operation::Operation;
use crate::{OplogError, Uuid};

/// A change of collections or indexes.
#[derive(Clone, Debug, PartialEq)]
pub enum Ddl {
    /// `options` as listCollections would show them; `id_index` as logged, absent for clustered collections.
    Create {
        options: Document,
        id_index: Option<Document>,
    },
    Drop,
    /// `stay_temp`: the collection stays one that the server drops when it restarts.
    Rename {
        to: Namespace,
        drop_target: DropTarget,
        stay_temp: bool,
    },
    CreateIndexes(Vec<Document>),
    CommitIndexBuild(Vec<Document>),
    DropIndexes(DropIndexes),
    /// All arguments that count, without the collection's name.
    CollMod(Document),
    DropDatabase,
    EmptyCapped,
    ConvertToCapped {
        size: Bson,
    },
}

/// What a rename replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropTarget {
    Nothing,
    Collection(Uuid),
    /// Whatever has the name. Old form.
    Namesake,
}

/// Which indexes are dropped. Never the one on `_id`.
#[derive(Clone, Debug, PartialEq)]
pub enum DropIndexes {
    All,
    Names(Vec<String>),
    Key(Document),
}

/// Options of `create` that are about storage on the source. The tools of MongoDB leave them out of a restore as well.
const STORAGE_OPTIONS: &[&str] = &["autoIndexId", "recordIdsReplicated", "uuid"];

/// Parses a command that the table says to apply.
pub(crate) fn parse(operation: &Operation) -> Result<Ddl, OplogError> {
    let o = &operation.o;
    Ok(match operation.name() {
        "create" => create(operation)?,
        "drop" => Ddl::Drop,
        "renameCollection" => rename(operation)?,
        "createIndexes" => Ddl::CreateIndexes(created_indexes(operation)?),
        "commitIndexBuild" => Ddl::CommitIndexBuild(index_array(operation)?),
        "dropIndexes" | "dropIndex" | "deleteIndexes" | "deleteIndex" => Ddl::DropIndexes(dropped_indexes(operation)?),
        "collMod" => coll_mod(operation)?,
        "dropDatabase" => Ddl::DropDatabase,
        "emptycapped" => Ddl::EmptyCapped,
        "convertToCapped" => match o.get("size") {
            Ok(Some(size)) => Ddl::ConvertToCapped { size: decode(size, operation)? },
            _ => return Err(OplogError::malformed(operation.time, "convertToCapped has no `size`")),
        },
        name => return Err(refusal(operation, format!("`{name}` has no parser"))),
    })
}

fn decode(value: RawBsonRef<'_>, operation: &Operation) -> Result<Bson, OplogError> {
    Bson::try_from(value).map_err(|error| OplogError::malformed(operation.time, error.to_string()))
}

fn decode_document(document: &RawDocument, operation: &Operation) -> Result<Document, OplogError> {
    Document::try_from(document).map_err(|error| OplogError::malformed(operation.time, error.to_string()))
}

/// All fields but the first, which names the command, and those any command may carry.
fn arguments(operation: &Operation) -> Result<Document, OplogError> {
    let mut arguments = decode_document(&operation.o, operation)?;
    let name = operation.name().to_owned();
    arguments.remove(&name);
    for generic in GENERIC_ARGUMENTS {
        arguments.remove(generic);
    }
    Ok(arguments)
}

fn create(operation: &Operation) -> Result<Ddl, OplogError> {
    let mut options = arguments(operation)?;
    let id_index = match options.remove("idIndex") {
        Some(Bson::Document(index)) => Some(clean_index(index)),
        _ => None,
    };
    for option in STORAGE_OPTIONS {
        options.remove(option);
    }
    Ok(Ddl::Create { options, id_index })
}

fn rename(operation: &Operation) -> Result<Ddl, OplogError> {
    let o = &operation.o;
    let to = o.get_str("to").ok().and_then(|to| to.parse().ok());
    let to = to.ok_or_else(|| OplogError::malformed(operation.time, "renameCollection has no readable `to`"))?;
    let drop_target = match o.get("dropTarget") {
        Ok(None | Some(RawBsonRef::Boolean(false) | RawBsonRef::Null)) => DropTarget::Nothing,
        Ok(Some(RawBsonRef::Boolean(true))) => DropTarget::Namesake,
        Ok(Some(value)) => match uuid(value) {
            Some(uuid) => DropTarget::Collection(uuid),
            None => {
                return Err(OplogError::malformed(operation.time, "`dropTarget` is neither a UUID nor a boolean"));
            }
        },
        Err(error) => return Err(OplogError::malformed(operation.time, error.to_string())),
    };
    Ok(Ddl::Rename { to, drop_target, stay_temp: o.get_bool("stayTemp").unwrap_or(false) })
}

/// One index whose fields stand beside the name of the command, or an array of them.
fn created_indexes(operation: &Operation) -> Result<Vec<Document>, OplogError> {
    if matches!(operation.o.get("indexes"), Ok(Some(_))) {
        return index_array(operation);
    }
    let spec = arguments(operation)?;
    Ok(vec![check_index(spec, operation)?])
}

fn index_array(operation: &Operation) -> Result<Vec<Document>, OplogError> {
    let array = operation.o.get_array("indexes").map_err(|error| OplogError::malformed(operation.time, error.to_string()))?;
    let mut indexes = Vec::new();
    for element in array {
        match element {
            Ok(RawBsonRef::Document(spec)) => indexes.push(check_index(decode_document(spec, operation)?, operation)?),
            _ => return Err(OplogError::malformed(operation.time, "`indexes` holds something that is no index")),
        }
    }
    Ok(indexes)
}

fn check_index(spec: Document, operation: &Operation) -> Result<Document, OplogError> {
    if spec.get_str("name").is_err() || spec.get_document("key").is_err() {
        return Err(OplogError::malformed(operation.time, "an index has no `name` or no `key`"));
    }
    Ok(clean_index(spec))
}

/// Without what only says where the index was made.
fn clean_index(mut spec: Document) -> Document {
    for field in ["ns", "indexBuildUUID", "commitQuorum"] {
        spec.remove(field);
    }
    spec
}

fn dropped_indexes(operation: &Operation) -> Result<DropIndexes, OplogError> {
    let malformed = || OplogError::malformed(operation.time, "`index` says neither a name nor a key");
    match operation.o.get("index") {
        Ok(Some(RawBsonRef::String("*"))) => Ok(DropIndexes::All),
        Ok(Some(RawBsonRef::String(name))) => Ok(DropIndexes::Names(vec![name.to_owned()])),
        Ok(Some(RawBsonRef::Document(key))) => Ok(DropIndexes::Key(decode_document(key, operation)?)),
        Ok(Some(RawBsonRef::Array(names))) => {
            let mut all = Vec::new();
            for name in names {
                match name {
                    Ok(RawBsonRef::String(name)) => all.push(name.to_owned()),
                    _ => return Err(malformed()),
                }
            }
            Ok(DropIndexes::Names(all))
        }
        _ => Err(malformed()),
    }
}

fn coll_mod(operation: &Operation) -> Result<Ddl, OplogError> {
    let mut kept = Document::new();
    for (argument, value) in arguments(operation)? {
        match coll_mod_rule(&argument) {
            Verdict::Apply => {
                kept.insert(argument, value);
            }
            Verdict::Skip(_) => {}
            Verdict::Refuse(reason) => return Err(refusal(operation, format!("{reason}: `{argument}`"))),
        }
    }
    Ok(Ddl::CollMod(kept))
}
