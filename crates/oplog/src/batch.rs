//! Groups steps for the server.
//!
//! Writes are gathered into batches that one atomic `applyOps` can carry; a command ends a batch, because what follows may need
//! its effect. The operations of one time, that is of one transaction, stay in one batch unless they alone exceed it, so a
//! restore that is interrupted does not leave half of a transaction (PBM's bug W7) as long as the server's limits allow.

use bson::{Document, RawDocumentBuf};
use oplogue_domain::OplogTime;

use crate::route::Step;

/// What to send next, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// Operations for one `applyOps`, in order, never empty. `through` is the time of the last of them.
    Writes { operations: Vec<RawDocumentBuf>, through: OplogTime },
    /// A command by itself.
    Command { database: String, command: Document, time: OplogTime },
}

/// Groups steps into batches of at most `ops_max` operations and `bytes_max` bytes. A single operation larger than that is a batch.
#[derive(Clone, Debug)]
pub struct Batcher {
    ops_max: usize,
    bytes_max: usize,
    operations: Vec<RawDocumentBuf>,
    bytes: usize,
    /// The time of the newest operations, and where they begin in `operations`.
    newest: OplogTime,
    newest_from: usize,
    /// The time of the operation before those.
    before: OplogTime,
}

impl Batcher {
    pub fn new(ops_max: usize, bytes_max: usize) -> Self {
        Self {
            ops_max: ops_max.max(1),
            bytes_max,
            operations: Vec::new(),
            bytes: 0,
            newest: OplogTime::MIN,
            newest_from: 0,
            before: OplogTime::MIN,
        }
    }

    /// Adds the step of an operation of `time`. Returns the batches that are full with it, to be sent in order.
    pub fn push(&mut self, time: OplogTime, step: Step) -> Vec<Batch> {
        let mut ready = Vec::new();
        match step {
            Step::Write(operation) => {
                let size = operation.as_bytes().len();
                if time != self.newest {
                    self.before = self.newest;
                    self.newest = time;
                    self.newest_from = self.operations.len();
                }
                while !self.operations.is_empty() && (self.operations.len() >= self.ops_max || self.bytes + size > self.bytes_max) {
                    ready.extend(self.cut());
                }
                self.bytes += size;
                self.operations.push(operation);
            }
            Step::Command { database, command } => {
                ready.extend(self.flush());
                ready.push(Batch::Command { database, command, time });
            }
        }
        ready
    }

    /// The rest, if any. The batcher is empty afterwards and can be used on.
    pub fn flush(&mut self) -> Option<Batch> {
        self.bytes = 0;
        self.newest_from = 0;
        let operations = std::mem::take(&mut self.operations);
        (!operations.is_empty()).then_some(Batch::Writes { operations, through: self.newest })
    }

    /// Everything before the newest time; or everything, when there is nothing else.
    fn cut(&mut self) -> Option<Batch> {
        if self.newest_from == 0 {
            return self.flush();
        }
        if self.newest_from == self.operations.len() {
            let through = self.before;
            return self.flush().map(|batch| match batch {
                Batch::Writes { operations, .. } => Batch::Writes { operations, through },
                command => command,
            });
        }
        let newest = self.operations.split_off(self.newest_from);
        let operations = std::mem::replace(&mut self.operations, newest);
        self.bytes = self.operations.iter().map(|operation| operation.as_bytes().len()).sum();
        self.newest_from = 0;
        Some(Batch::Writes { operations, through: self.before })
    }
}
