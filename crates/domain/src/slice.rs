//! A slice: one object that holds one replica set's oplog over one range.

use std::borrow::Cow;
use std::fmt;

use crate::namespace::ReplicaSetName;
use crate::time::OplogRange;

/// A slice as found on a storage. PBM's layout names it by its first and last time, both inclusive, and the last entry of one
/// slice is the first of the next; `range` is that in our words, so neighbours join exactly. The entry at `range.after` is
/// also in the object.
///
/// A server holds millions of these: 56 bytes each, when the name follows from the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub replica_set: ReplicaSetName,
    pub range: OplogRange,
    /// See [`Slice::object`].
    pub name: SliceName,
    /// Stored bytes, parts included.
    pub bytes: u64,
}

impl Slice {
    /// The object's name, relative to the storage's folder. Without `.pbmpart.N`.
    pub fn object(&self) -> Cow<'_, str> {
        match &self.name {
            SliceName::Given(name) => Cow::Borrowed(name),
            SliceName::ByRule(rule) => Cow::Owned((rule.name)(&self.replica_set, self.range)),
        }
    }
}

/// How the object of a slice is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceName {
    Given(Box<str>),
    /// As the layout would call a slice of this replica set and range.
    ByRule(&'static NamingRule),
}

impl From<String> for SliceName {
    fn from(name: String) -> Self {
        Self::Given(name.into())
    }
}

impl From<&str> for SliceName {
    fn from(name: &str) -> Self {
        Self::Given(name.into())
    }
}

/// A layout's way of naming slices; there are a handful in a program. Two are equal when they are the same static.
pub struct NamingRule {
    pub name: fn(&ReplicaSetName, OplogRange) -> String,
}

impl PartialEq for NamingRule {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for NamingRule {}

impl fmt::Debug for NamingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamingRule")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::OplogTime;

    #[test]
    fn millions_of_slices_fit_into_memory() {
        assert_eq!(size_of::<Slice>(), 56);
    }

    #[test]
    fn a_name_is_as_given_or_follows_from_the_rule() {
        static RULE: NamingRule = NamingRule { name: |replica_set, range| format!("{replica_set}/{}", range.through.seconds) };
        let range = OplogRange::new(OplogTime::new(1, 1), OplogTime::new(2, 1));
        let slice = |name: SliceName| Slice { replica_set: "rs0".parse().expect("a name"), range, name, bytes: 1 };
        assert_eq!(slice(SliceName::ByRule(&RULE)).object(), "rs0/2");
        assert_eq!(slice("x".into()).object(), "x");
    }
}
