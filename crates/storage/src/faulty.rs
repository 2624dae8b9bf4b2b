//! A storage that fails on purpose, for tests of what must survive it.
//!
//! What it does is switched at run time and holds for every call that comes from then on, and for the pieces of objects under way.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::Storage;
use crate::fate::{Action, Fate, Fates, fated};

/// What the storage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    None,
    /// It cannot be reached.
    Away,
    /// Reading works, writing finds no room.
    Full,
    /// It writes the object, and then cannot be reached to say so.
    AnswerLost,
    /// An object that is finished waits until this is over, and is then published.
    PublishHeld,
}

/// Switches the fault of a storage made by [`faulty`].
#[derive(Debug, Clone)]
pub struct Faults(watch::Sender<StorageFault>);

impl Faults {
    pub fn set(&self, fault: StorageFault) {
        self.0.send_replace(fault);
    }

    /// Whether an object waits for the end of [`StorageFault::PublishHeld`].
    pub fn holds_something(&self) -> bool {
        // Each that waits has a receiver beside that of the storage.
        self.0.receiver_count() > 1
    }
}

/// The same storage, with faults.
pub fn faulty(storage: &Storage) -> (Storage, Faults) {
    let (sender, fault) = watch::channel(StorageFault::None);
    (fated(storage, Arc::new(Switched(fault))), Faults(sender))
}

struct Switched(watch::Receiver<StorageFault>);

#[async_trait]
impl Fates for Switched {
    fn fate(&self, action: Action<'_>) -> Fate {
        match (*self.0.borrow(), action) {
            (StorageFault::Away, _) => Fate::Failed,
            (StorageFault::Full, Action::Put(_) | Action::Write(_)) => Fate::Full,
            (StorageFault::AnswerLost, Action::Put(_)) => Fate::Unheard,
            _ => Fate::Done,
        }
    }

    async fn before_put(&self) {
        // A test that is over holds nothing back.
        let _ = self.0.clone().wait_for(|fault| *fault != StorageFault::PublishHeld).await;
    }
}
