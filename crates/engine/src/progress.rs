//! How a flow tells how far it is. A port: bars on a terminal, lines in a log, a job's page later, or nothing.

/// One step of a flow, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Listing namespaces, choosing a member, reading the catalog.
    Prepare,
    /// Reading every needed object to its end, before anything is touched.
    Check,
    /// Reading documents of a replica set into a backup.
    Snapshot,
    /// The oplog that closes a backup.
    Oplog,
    /// Working out, before anything is touched, what the oplog makes of the documents.
    Fold,
    /// Dropping what is in the way.
    Clear,
    /// Inserting the documents.
    Load,
    /// Having the server apply oplog entries, where they could not be folded.
    Replay,
    /// Building indexes and views.
    Index,
    /// Users and roles.
    Principals,
    /// Comparing the result with what the plan promised.
    Prove,
    /// Publishing metadata.
    Publish,
    /// Reading back what lies on the storage.
    Verify,
    /// Comparing what a copy finds at its destination.
    Compare,
    /// Copying objects.
    Copy,
}

impl Step {
    /// What is going on, for people: `reading documents`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Prepare => "preparing",
            Self::Check => "checking every object",
            Self::Snapshot => "reading documents",
            Self::Oplog => "reading the oplog",
            Self::Fold => "folding the oplog",
            Self::Clear => "dropping what is in the way",
            Self::Load => "loading documents",
            Self::Replay => "applying the oplog",
            Self::Index => "building indexes",
            Self::Principals => "restoring users and roles",
            Self::Prove => "counting what was restored",
            Self::Publish => "publishing",
            Self::Verify => "reading everything back",
            Self::Compare => "comparing what is there already",
            Self::Copy => "copying objects",
        }
    }
}

/// What `done` and `total` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Entries,
    Items,
}

/// Receives progress. Calls are cheap and may come from any task; `advance` adds to what was done in the step begun last with that name.
pub trait Progress: Send + Sync {
    /// A step begins. `total` is `None` where nobody knows it.
    fn begin(&self, step: Step, unit: Unit, total: Option<u64>);
    fn advance(&self, step: Step, done: u64);
    fn end(&self, step: Step);
    /// Something a person may want to know, e.g. "shop.orders was renamed while it was read: reading it again".
    fn note(&self, text: &str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Step, _: Unit, _: Option<u64>) {}
    fn advance(&self, _: Step, _: u64) {}
    fn end(&self, _: Step) {}
    fn note(&self, _: &str) {}
}
