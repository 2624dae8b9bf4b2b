//! The thread that folds: what becomes of the documents, and of the options of their collections.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use bson::Document;
use oplogue_domain::OplogTime;
use oplogue_fold::{Fold, Order, Spill};
use oplogue_oplog::{CollectionId, Destination, Operation};
use oplogue_storage::{ByteBudget, Room};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::fold::{FoldLimits, Way, Ways, no_room};
use super::spill::TemporaryFile;
use super::work::Work;

/// Bytes of operations on their way to the thread. Now and then the thread writes down what it remembers, for as long as several batches take to
/// be read: with room for them, reading goes on meanwhile. A batch that is larger goes alone.
const BYTES_AHEAD_MAX: usize = 16 << 20;
/// Batches on their way to the thread, however small.
const BATCHES_AHEAD: usize = 64;

/// Operations, and where they belong.
pub(super) type Routed = Vec<(Destination, Operation)>;

/// One thread folds from the first operation to the last: what is remembered of documents is taken and given back by it. Memory that one
/// thread took and another gives back is used again late or never.
pub(super) struct Folding {
    sender: mpsc::Sender<Message>,
    ahead: ByteBudget,
    thread: JoinHandle<anyhow::Result<Pass>>,
    file: Arc<TemporaryFile>,
}

enum Message {
    Begin(CollectionId, Order),
    /// With the room they take until they are folded.
    Operations(Routed, Room),
}

/// Dropped with the thread, also when it fails: nobody waits any longer for the room that it would give back.
struct Listening(ByteBudget);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Folding {
    /// `consistent_at`: the end of the snapshot's own oplog.
    pub(super) fn begin(limits: &FoldLimits, consistent_at: OplogTime) -> Self {
        let file = Arc::new(TemporaryFile::within(limits.folder.as_deref()));
        let fold = Fold::new(limits.memory_bytes_max, Arc::clone(&file) as Arc<dyn Spill>);
        let mut pass = Pass { fold, commands: BTreeMap::new(), principals: false, consistent_at };
        let (sender, mut messages) = mpsc::channel(BATCHES_AHEAD);
        let ahead = ByteBudget::new(BYTES_AHEAD_MAX);
        let listening = Listening(ahead.clone());
        let thread = tokio::task::spawn_blocking(move || {
            let _listening = listening;
            while let Some(message) = messages.blocking_recv() {
                match message {
                    Message::Begin(id, order) => pass.fold.begin(id, order),
                    Message::Operations(operations, _room) => pass.take(operations)?,
                }
            }
            Ok(pass)
        });
        Self { sender, ahead, thread, file }
    }

    /// A collection is folded: before its first operation.
    pub(super) async fn collection(&self, id: CollectionId, order: Order) {
        // A thread that has failed says so at its end.
        drop(self.sender.send(Message::Begin(id, order)).await);
    }

    /// The next operations. False when the thread has failed, as [`Folding::end`] will say.
    pub(super) async fn take(&self, operations: Routed) -> bool {
        let bytes = operations.iter().map(|(_, operation)| weight(operation)).sum();
        let Some(room) = self.ahead.room(bytes).await else { return false };
        self.sender.send(Message::Operations(operations, room)).await.is_ok()
    }

    /// Waits until everything is taken.
    pub(super) async fn end(self) -> anyhow::Result<(Pass, Arc<TemporaryFile>)> {
        drop(self.sender);
        let pass = self.thread.await.context("the thread that folds the oplog died")?;
        Ok((pass.map_err(|error| no_room(error, &self.file))?, self.file))
    }
}

/// About what it needs in memory: of an operation on a small document most is not the document.
fn weight(operation: &Operation) -> usize {
    let documents = operation.o.as_bytes().len() + operation.o2.as_ref().map_or(0, |o2| o2.as_bytes().len());
    let names = operation.namespace.database.len() + operation.namespace.collection.len();
    size_of::<(Destination, Operation)>() + names + documents
}

/// How the documents of a collection lie in it.
pub(super) fn order(capped: bool) -> Order {
    if capped { Order::Inserted } else { Order::Any }
}

/// What was taken so far.
pub(super) struct Pass {
    fold: Fold,
    commands: BTreeMap<CollectionId, Vec<(String, Document)>>,
    principals: bool,
    consistent_at: OplogTime,
}

impl Pass {
    fn take(&mut self, operations: Routed) -> anyhow::Result<()> {
        for (destination, operation) in operations {
            match destination {
                // While the snapshot catches up to its own end, a document may have been deleted before it was read.
                Destination::Write(id) => self.fold.take(id, &operation, operation.time > self.consistent_at)?,
                Destination::Command { collection, database, command } => self.command(collection, database, command),
                Destination::Principal => self.principals = true,
            }
        }
        Ok(())
    }

    fn command(&mut self, id: CollectionId, database: String, command: Document) {
        match command.keys().next().map(String::as_str) {
            Some("collMod") => add_later(self.commands.entry(id).or_default(), database, command),
            name => self.fold.give_up(id, format!("{} changes its documents", name.unwrap_or("a command"))),
        }
    }

    /// What it amounts to for the collections of `work`, all of which were begun.
    pub(super) fn finish(mut self, work: &[Work], parallel: usize) -> std::io::Result<Ways> {
        let mut folded = self.fold.finish(parallel)?;
        let collections = work.iter().filter_map(|one| {
            let id = one.selected.survivor.id;
            let way = match folded.remove(&id)? {
                Ok(documents) => Way::Folded { documents: Box::new(documents), commands: self.commands.remove(&id).unwrap_or_default() },
                Err(why) => Way::Replayed(why),
            };
            Some((id, way))
        });
        Ok(Ways { collections: collections.collect(), principals: self.principals })
    }
}

/// Adds a `collMod`; what it sets again is taken out of the earlier ones, so that there are never more than there are arguments.
fn add_later(commands: &mut Vec<(String, Document)>, database: String, command: Document) {
    for (_, earlier) in commands.iter_mut() {
        for argument in command.keys().skip(1) {
            earlier.remove(argument);
        }
    }
    commands.retain(|(_, earlier)| earlier.len() > 1);
    commands.push((database, command));
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn of_changes_of_options_each_argument_keeps_its_last_value() {
        let mut commands = Vec::new();
        for command in [
            doc! { "collMod": "c", "validator": { "a": 1 }, "validationLevel": "strict" },
            doc! { "collMod": "c", "cappedMax": 5 },
            doc! { "collMod": "c", "validator": { "b": 1 } },
            doc! { "collMod": "c", "cappedMax": 6 },
            doc! { "collMod": "c", "validator": {} },
        ] {
            add_later(&mut commands, "shop".to_owned(), command);
        }
        let kept: Vec<Document> = commands.into_iter().map(|(_, command)| command).collect();
        let expected = [
            doc! { "collMod": "c", "validationLevel": "strict" },
            doc! { "collMod": "c", "cappedMax": 6 },
            doc! { "collMod": "c", "validator": {} },
        ];
        assert_eq!(kept, expected);
    }
}
