//! The table of names that are the server's own, or ours.

use oplogue_domain::Namespace;

/// How a name stands to a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A collection of users, time-series buckets and stored JavaScript included.
    Ordinary,
    /// `admin.system.users` and `admin.system.roles`.
    Principals,
    /// `system.views` of any database.
    Views,
    /// The server's own or ours: left out, and why.
    Internal(&'static str),
    /// Cannot be followed, and why.
    Refused(&'static str),
}

/// Which names a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every collection of a database.
    Database(&'static str),
    /// One collection of one database.
    Exact(&'static str, &'static str),
    /// The collections of a database whose names begin so.
    Prefix(&'static str, &'static str),
    /// The collection of this name in any database.
    Everywhere(&'static str),
    /// The collections whose names begin so, in any database.
    PrefixEverywhere(&'static str),
}

impl Pattern {
    pub fn matches(self, namespace: &Namespace) -> bool {
        match self {
            Self::Database(database) => namespace.database == database,
            Self::Exact(database, collection) => namespace.database == database && namespace.collection == collection,
            Self::Prefix(database, prefix) => namespace.database == database && namespace.collection.starts_with(prefix),
            Self::Everywhere(collection) => namespace.collection == collection,
            Self::PrefixEverywhere(prefix) => namespace.collection.starts_with(prefix),
        }
    }
}

/// One row of the table of names.
#[derive(Clone, Copy, Debug)]
pub struct NamespaceRule {
    pub pattern: Pattern,
    pub standing: Standing,
}

const fn row(pattern: Pattern, standing: Standing) -> NamespaceRule {
    NamespaceRule { pattern, standing }
}

/// Every name that is not, or not clearly, an ordinary collection; the first row that matches counts. What the snapshot lists and what
/// is ordinary here must be the same, or its collections would be missing.
pub const NAMESPACES: &[NamespaceRule] = &[
    row(Pattern::Exact("config", "transactions"), Standing::Internal("sessions of the source mean nothing to the target")),
    row(Pattern::Exact("config", "image_collection"), Standing::Internal("images for retried writes of the source's sessions")),
    row(Pattern::Exact("config", "system.sessions"), Standing::Internal("sessions of the source mean nothing to the target")),
    row(
        Pattern::Exact("config", "system.indexBuilds"),
        Standing::Internal("the state of index builds; the indexes themselves are followed"),
    ),
    row(Pattern::Exact("config", "system.preimages"), Standing::Internal("pre-images for change streams of the source")),
    row(Pattern::Prefix("config", "system."), Standing::Internal("the server's own state")),
    row(
        Pattern::Prefix("config", "cache."),
        Standing::Internal("a shard's cache of the sharding catalogue, which the cluster makes again"),
    ),
    row(Pattern::Database("config"), Standing::Internal("the server's own configuration")),
    row(Pattern::Database("local"), Standing::Internal("it belongs to one member and is never replicated")),
    row(Pattern::Everywhere("system.views"), Standing::Views),
    row(Pattern::Exact("admin", "system.users"), Standing::Principals),
    row(Pattern::Exact("admin", "system.roles"), Standing::Principals),
    row(Pattern::Exact("admin", "system.version"), Standing::Internal("the feature compatibility version is the target's own")),
    row(Pattern::Exact("admin", "system.keys"), Standing::Internal("keys that sign cluster times are the target's own")),
    row(Pattern::Prefix("admin", "system."), Standing::Internal("the server's own state")),
    row(Pattern::Prefix("admin", "pbm"), Standing::Internal("Percona Backup for MongoDB's own state")),
    row(Pattern::Prefix("admin", "oplogue"), Standing::Internal("Oplogue's own state")),
    row(Pattern::Everywhere("system.js"), Standing::Ordinary),
    row(Pattern::PrefixEverywhere("system.buckets."), Standing::Ordinary),
    row(Pattern::Everywhere("system.profile"), Standing::Internal("the profiler's own records")),
    row(Pattern::PrefixEverywhere("system.drop."), Standing::Internal("a collection on its way to be dropped")),
    row(
        Pattern::PrefixEverywhere("system.resharding."),
        Standing::Refused("resharding moves documents between shards, which one shard's oplog does not show"),
    ),
    row(Pattern::Everywhere("system.indexes"), Standing::Refused("indexes are not written there since MongoDB 4.2")),
    row(Pattern::Everywhere("system.namespaces"), Standing::Refused("collections are not written there since MongoDB 4.2")),
    row(Pattern::PrefixEverywhere("system."), Standing::Internal("the server's own state")),
];

/// How `namespace` stands to a restore, by [`NAMESPACES`].
pub fn standing(namespace: &Namespace) -> Standing {
    NAMESPACES.iter().find(|rule| rule.pattern.matches(namespace)).map_or(Standing::Ordinary, |rule| rule.standing)
}
