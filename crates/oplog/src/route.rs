//! From operations to what is sent to the target.
//!
//! Every operation is resolved to its collection as in the survey; if that collection is restored, the write is sent under the collection's
//! target name, whatever it was called then. No UUID is sent: names of the target are unique and never change while it is written to.
//! Commands that change data or options run in order; creation, drops, renames and indexes are the plan's business.

use std::collections::HashMap;

use bson::raw::{CStr, cstr};
use bson::{Document, RawDocument, RawDocumentBuf, doc};
use oplogue_domain::{Namespace, OplogTime};

use crate::OplogError;
use crate::lineage::{CollectionId, CollectionKind, Lineage};
use crate::operation::{Kind, Operation};
use crate::outcome::SelectedSurvivor;
use crate::rules::{Ddl, Meaning};

/// Something to do on the target.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// One operation for an `applyOps`: `{op, ns, o}`, of an update also `o2`, and `b` if the entry had it.
    Write(RawDocumentBuf),
    /// A command to run on a database, after everything before and before everything after.
    Command { database: String, command: Document },
}

/// Where an operation belongs.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// An insert, update or delete of a document of this collection.
    Write(CollectionId),
    /// A command about this collection that must be repeated.
    Command { collection: CollectionId, database: String, command: Document },
    /// A change of users or roles.
    Principal,
}

/// Where changes of users and roles go: collections beside the real ones, from which they are merged at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principals {
    pub users: Namespace,
    pub roles: Namespace,
}

#[derive(Clone, Debug)]
struct Target {
    /// Where writes go: of a time series the buckets.
    physical: Namespace,
    /// What commands are about.
    logical: Namespace,
    skip_inserts_through: Option<OplogTime>,
}

/// Sends operations to the collections that are restored.
#[derive(Clone, Debug)]
pub struct Router {
    lineage: Lineage,
    targets: HashMap<CollectionId, Target>,
    principals: Option<Principals>,
}

impl Router {
    /// `lineage` is a fresh one of the same snapshot that the survey used; `selected` comes from the survey's outcome. Without
    /// `principals` changes of users and roles are left out.
    pub fn new(lineage: Lineage, selected: &[SelectedSurvivor], principals: Option<Principals>) -> Self {
        let targets = selected.iter().map(|selected| {
            let physical = match selected.survivor.kind {
                CollectionKind::TimeSeries => selected.target.buckets(),
                _ => selected.target.clone(),
            };
            let target =
                Target { physical, logical: selected.target.clone(), skip_inserts_through: selected.survivor.skip_inserts_through };
            (selected.survivor.id, target)
        });
        Self { targets: targets.collect(), lineage, principals }
    }

    /// What to do for the next operation; `None` when it is not about anything that is restored, or is in the snapshot already.
    pub fn route(&mut self, operation: &Operation) -> Result<Option<Step>, OplogError> {
        Ok(match self.destination(operation)? {
            Some(Destination::Write(id)) => {
                let target = self.targets.get(&id);
                target.map(|target| write(operation, &target.physical).map(Step::Write)).transpose()?
            }
            Some(Destination::Command { database, command, .. }) => Some(Step::Command { database, command }),
            Some(Destination::Principal) => self.principal(operation)?,
            None => None,
        })
    }

    /// Where the next operation belongs, for somebody who does not send it to the target; otherwise as [`Router::route`]. To be asked
    /// instead of it, not as well.
    pub fn destination(&mut self, operation: &Operation) -> Result<Option<Destination>, OplogError> {
        let resolved = self.lineage.push(operation)?;
        Ok(match (&resolved.meaning, resolved.collection) {
            (Meaning::Principal | Meaning::PrincipalsDropped, _) => self.principals.is_some().then_some(Destination::Principal),
            (Meaning::Write, Some(id)) => {
                let Some(target) = self.targets.get(&id) else { return Ok(None) };
                let shown = target.skip_inserts_through.is_some_and(|through| operation.time <= through);
                if shown && operation.kind == Kind::Insert {
                    return Ok(None);
                }
                of_which_document(operation)?;
                Some(Destination::Write(id))
            }
            (Meaning::Ddl(ddl), Some(id)) => {
                let command = self.targets.get(&id).and_then(|target| command(operation, ddl, target));
                command.map(|(database, command)| Destination::Command { collection: id, database, command })
            }
            _ => None,
        })
    }

    fn principal(&self, operation: &Operation) -> Result<Option<Step>, OplogError> {
        let Some(namespace) = self.scratch(operation) else { return Ok(None) };
        if operation.kind != Kind::Command {
            return write(operation, namespace).map(Step::Write).map(Some);
        }
        let command = doc! { "delete": &namespace.collection, "deletes": [{ "q": {}, "limit": 0 }] };
        Ok(Some(Step::Command { database: namespace.database.clone(), command }))
    }

    /// The state of the lineage after the last operation.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    fn scratch(&self, operation: &Operation) -> Option<&Namespace> {
        let principals = self.principals.as_ref()?;
        match operation.namespace.collection.as_str() {
            "system.users" => Some(&principals.users),
            _ => Some(&principals.roles),
        }
    }
}

fn write(operation: &Operation, namespace: &Namespace) -> Result<RawDocumentBuf, OplogError> {
    let mut step = RawDocumentBuf::new();
    step.append(cstr!("op"), operation.kind.letter());
    step.append(cstr!("ns"), namespace.to_string());
    append(&mut step, cstr!("o"), &operation.o);
    if operation.kind == Kind::Update {
        if let Some(o2) = of_which_document(operation)? {
            append(&mut step, cstr!("o2"), o2);
        }
        if let Some(upsert) = operation.upsert {
            step.append(cstr!("b"), upsert);
        }
    }
    Ok(step)
}

/// The `o2` of an update, which must have one.
fn of_which_document(operation: &Operation) -> Result<Option<&RawDocument>, OplogError> {
    match &operation.o2 {
        None if operation.kind == Kind::Update => {
            Err(OplogError::malformed(operation.time, "an update does not say of which document: it has no `o2`"))
        }
        o2 => Ok(o2.as_deref()),
    }
}

fn append(step: &mut RawDocumentBuf, key: &CStr, document: &RawDocument) {
    step.append(key, document);
}

/// The command that repeats `ddl` on the target, if it is one that must be repeated.
fn command(operation: &Operation, ddl: &Ddl, target: &Target) -> Option<(String, Document)> {
    let name = target.logical.collection.clone();
    let shown = target.skip_inserts_through.is_some_and(|through| operation.time <= through);
    let command = match ddl {
        Ddl::CollMod(arguments) => {
            let mut command = doc! { "collMod": name };
            // Indexes are built at the end, in their final state; a time series is created with its final granularity.
            let kept = arguments.iter().filter(|(argument, _)| !matches!(argument.as_str(), "index" | "timeseries"));
            command.extend(kept.map(|(argument, value)| (argument.clone(), value.clone())));
            (command.len() > 1).then_some(command)?
        }
        // The snapshot was read after it.
        Ddl::EmptyCapped | Ddl::ConvertToCapped { .. } if shown => return None,
        Ddl::EmptyCapped => doc! { "emptycapped": name },
        Ddl::ConvertToCapped { size } => doc! { "convertToCapped": name, "size": size.clone() },
        _ => return None,
    };
    Some((target.logical.database.clone(), command))
}
