//! Does this storage let us do what we need? Found out by doing it.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;

use crate::error::{Attempt, StorageError};
use crate::storage::Storage;

/// The outcome of [`Storage::probe`]: write, read, list, delete, in this order.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    /// The storage, for people.
    pub location: String,
    /// One entry per right, always all four.
    pub steps: Vec<ProbeStep>,
}

/// One right and whether we have it.
#[derive(Debug, Clone)]
pub struct ProbeStep {
    /// `write`, `read`, `list` or `delete`.
    pub name: &'static str,
    /// What went wrong, if anything.
    pub outcome: Result<(), StorageError>,
}

impl ProbeReport {
    /// Did everything work?
    pub fn is_ok(&self) -> bool {
        self.steps.iter().all(|step| step.outcome.is_ok())
    }

    /// The first thing that did not work.
    pub fn first_error(&self) -> Option<&StorageError> {
        self.steps.iter().find_map(|step| step.outcome.as_ref().err())
    }
}

impl Storage {
    /// Really writes, reads, lists and deletes a small object `oplogue/probe-<unique>`.
    ///
    /// Every step is tried, whatever became of those before: a read-only storage can still be restored from. When writing failed,
    /// reading counts as allowed if the storage says in good order that the object is not there.
    pub async fn probe(&self) -> ProbeReport {
        // Unique among all who probe at the same time; std seeds this from the operating system.
        let unique = RandomState::new().build_hasher().finish();
        let name = format!("oplogue/probe-{unique:016x}");
        let content = Bytes::from(format!("oplogue looked whether it can write here ({unique:016x})\n"));
        let attempt = |action: &str| Attempt::new(&self.location(), format!("{action} {name:?}"));

        let write = self.put(&name, content.clone()).await;
        let read = match self.get(&name).await {
            Ok(found) if found == content => Ok(()),
            Ok(_) => Err(StorageError::Other { at: attempt("read back").because("other bytes were read than had been written") }),
            Err(error) if error.is_not_found() && write.is_err() => Ok(()),
            Err(error) => Err(error),
        };
        let list = match self.list("oplogue").await {
            Ok(found) if write.is_err() || found.iter().any(|object| object.name == name) => Ok(()),
            Ok(_) => Err(StorageError::Other { at: attempt("list").because("the object just written is not in the listing") }),
            Err(error) => Err(error),
        };
        let mut delete = self.delete(&name).await;
        if delete.is_ok() && self.stat(&name).await.is_ok() {
            delete = Err(StorageError::Other { at: attempt("delete").because("the object is still there after deleting it") });
        }

        let step = |name, outcome| ProbeStep { name, outcome };
        let steps = vec![step("write", write), step("read", read), step("list", list), step("delete", delete)];
        ProbeReport { location: self.location(), steps }
    }
}
