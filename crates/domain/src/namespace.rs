//! Names of collections, selections of them, and renames.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `database.collection`. The database has no dot, so the first dot divides; the collection may hold any character but NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    pub database: String,
    pub collection: String,
}

/// The prefix of the collection in which the server keeps the documents of a time-series collection.
pub const BUCKETS_PREFIX: &str = "system.buckets.";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamespaceError {
    #[error("`{0}` is not a namespace: write `database.collection`")]
    Malformed(String),
    #[error("`{0}` is not a namespace pattern: write `database.collection` or `database.*`")]
    MalformedPattern(String),
    #[error("`{0}` is not a rename: write `from.collection=to.collection`, or `database.*=other.*`")]
    MalformedRename(String),
    #[error("a replica set needs a name, and it cannot contain `/`: `{0}`")]
    MalformedReplicaSet(String),
    #[error("`{0}` cannot be selected: the databases admin, config and local are the server's own")]
    Internal(String),
}

impl Namespace {
    pub fn new(database: impl Into<String>, collection: impl Into<String>) -> Self {
        Self { database: database.into(), collection: collection.into() }
    }

    /// The bucket collection behind a time-series collection of this name.
    pub fn buckets(&self) -> Self {
        Self::new(self.database.clone(), format!("{BUCKETS_PREFIX}{}", self.collection))
    }

    pub fn is_buckets(&self) -> bool {
        self.collection.starts_with(BUCKETS_PREFIX)
    }

    /// The name a user knows: for a bucket collection its time-series collection, otherwise itself.
    pub fn logical(&self) -> Self {
        match self.collection.strip_prefix(BUCKETS_PREFIX) {
            Some(name) => Self::new(self.database.clone(), name),
            None => self.clone(),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.collection)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('.') {
            Some((database, collection)) if !database.is_empty() && !collection.is_empty() && !text.contains('\0') => {
                Ok(Self::new(database, collection))
            }
            _ => Err(NamespaceError::Malformed(text.to_owned())),
        }
    }
}

/// `database.collection` or `database.*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespacePattern {
    Collection(Namespace),
    Database(String),
}

impl NamespacePattern {
    /// Time-series collections match under the name their users know, and under that of their buckets.
    pub fn matches(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Database(database) => *database == namespace.database,
            Self::Collection(selected) => selected == namespace || *selected == namespace.logical(),
        }
    }
}

impl fmt::Display for NamespacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collection(namespace) => namespace.fmt(f),
            Self::Database(database) => write!(f, "{database}.*"),
        }
    }
}

impl FromStr for NamespacePattern {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pattern = match text.parse::<Namespace>() {
            Ok(namespace) if namespace.collection == "*" => Self::Database(namespace.database),
            Ok(namespace) => Self::Collection(namespace),
            Err(_) => return Err(NamespaceError::MalformedPattern(text.to_owned())),
        };
        let database = match &pattern {
            Self::Collection(namespace) => &namespace.database,
            Self::Database(database) => database,
        };
        if matches!(database.as_str(), "admin" | "config" | "local" | "*") {
            return Err(NamespaceError::Internal(text.to_owned()));
        }
        Ok(pattern)
    }
}

/// Which namespaces a backup holds or a restore is about.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum NamespaceSelection {
    #[default]
    Everything,
    /// Never empty.
    Only(Vec<NamespacePattern>),
}

impl NamespaceSelection {
    pub fn from_patterns(patterns: Vec<NamespacePattern>) -> Self {
        if patterns.is_empty() { Self::Everything } else { Self::Only(patterns) }
    }

    pub fn matches(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.matches(namespace)),
        }
    }

    /// True when whatever `needs` selects is selected here too.
    pub fn covers(&self, needs: &Self) -> bool {
        match (self, needs) {
            (Self::Everything, _) => true,
            (Self::Only(_), Self::Everything) => false,
            (Self::Only(held), Self::Only(needed)) => needed.iter().all(|need| match need {
                NamespacePattern::Collection(namespace) => self.matches(namespace),
                NamespacePattern::Database(_) => held.contains(need),
            }),
        }
    }

    pub fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }

    pub fn patterns(&self) -> &[NamespacePattern] {
        match self {
            Self::Everything => &[],
            Self::Only(patterns) => patterns,
        }
    }
}

/// `everything`, or the patterns with commas between.
impl fmt::Display for NamespaceSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.pad("everything"),
            Self::Only(patterns) => f.pad(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// `FROM=TO`: restore what was called FROM under the name TO. Both are collections, or both are whole databases (`a.*=b.*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub from: NamespacePattern,
    pub to: NamespacePattern,
}

impl Rename {
    /// The new name of `namespace`, or `None` when this rename is not about it. A bucket collection follows its time series.
    pub fn apply(&self, namespace: &Namespace) -> Option<Namespace> {
        match (&self.from, &self.to) {
            (NamespacePattern::Collection(from), NamespacePattern::Collection(to)) => {
                if namespace == from {
                    Some(to.clone())
                } else if namespace.is_buckets() && namespace.logical() == *from {
                    Some(to.buckets())
                } else {
                    None
                }
            }
            (NamespacePattern::Database(from), NamespacePattern::Database(to)) => {
                (namespace.database == *from).then(|| Namespace::new(to.clone(), namespace.collection.clone()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

impl FromStr for Rename {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || NamespaceError::MalformedRename(text.to_owned());
        let (from, to) = text.split_once('=').ok_or_else(error)?;
        let rename = Self { from: from.parse()?, to: to.parse()? };
        match (&rename.from, &rename.to) {
            (NamespacePattern::Collection(_), NamespacePattern::Collection(_))
            | (NamespacePattern::Database(_), NamespacePattern::Database(_)) => Ok(rename),
            _ => Err(error()),
        }
    }
}

/// The name of a replica set, as in its configuration's `_id`. It becomes a folder on storage. Cheap to clone: every slice has one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaSetName(Arc<str>);

impl ReplicaSetName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReplicaSetName {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.contains(['/', '\0']) || text == "." || text == ".." {
            return Err(NamespaceError::MalformedReplicaSet(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ReplicaSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ReplicaSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(text: &str) -> Namespace {
        text.parse().expect("a namespace of the test")
    }

    #[test]
    fn the_first_dot_divides_database_from_collection() {
        assert_eq!(namespace("a.b.c d/ü"), Namespace::new("a", "b.c d/ü"));
        for text in ["", "a", "a.", ".b", "a.\0"] {
            assert!(text.parse::<Namespace>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_time_series_is_selected_by_the_name_its_users_know() {
        let pattern: NamespacePattern = "shop.temps".parse().expect("a pattern of the test");
        assert!(pattern.matches(&namespace("shop.system.buckets.temps")));
        assert!(pattern.matches(&namespace("shop.temps")));
        assert!(!pattern.matches(&namespace("shop.temps2")));
    }

    #[test]
    fn the_servers_own_databases_cannot_be_selected() {
        for text in ["admin.*", "config.chunks", "local.oplog.rs", "*.*"] {
            assert!(matches!(text.parse::<NamespacePattern>(), Err(NamespaceError::Internal(_))), "{text}");
        }
    }

    #[test]
    fn a_rename_takes_the_buckets_along() {
        let rename: Rename = "shop.temps=shop.temps_old".parse().expect("a rename of the test");
        assert_eq!(rename.apply(&namespace("shop.system.buckets.temps")), Some(namespace("shop.system.buckets.temps_old")));
        assert_eq!(rename.apply(&namespace("shop.other")), None);
    }

    #[test]
    fn a_rename_is_between_like_things() {
        assert!("a.*=b.c".parse::<Rename>().is_err());
        assert!("a.b".parse::<Rename>().is_err());
        assert_eq!("a.*=b.*".parse::<Rename>().map(|rename| rename.apply(&namespace("a.x"))), Ok(Some(namespace("b.x"))));
    }
}
