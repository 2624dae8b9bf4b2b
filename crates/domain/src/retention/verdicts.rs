//! What retention decided, item by item, and the list of deletions that follows from it.

use std::collections::BTreeSet;

use crate::backup::Backup;
use crate::catalog::{Catalog, Gap};
use crate::slice::Slice;

use super::reason::Reason;

/// What becomes of an item. The reasons are never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep(Vec<Reason>),
    Delete(Vec<Reason>),
}

impl Verdict {
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep(_))
    }

    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Keep(reasons) | Self::Delete(reasons) => reasons,
        }
    }

    /// Keeps it, also for `reason`. Reasons against it no longer count.
    pub(super) fn keep(&mut self, reason: Reason) {
        match self {
            Self::Keep(reasons) if reasons.contains(&reason) => {}
            Self::Keep(reasons) => reasons.push(reason),
            Self::Delete(_) => *self = Self::Keep(vec![reason]),
        }
    }
}

/// An item and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged<'a, T> {
    pub item: &'a T,
    pub verdict: Verdict,
}

/// Everything retention looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts<'a> {
    /// In the order of the catalog, oldest first.
    pub backups: Vec<Judged<'a, Backup>>,
    /// Per replica set, by range.
    pub slices: Vec<Judged<'a, Slice>>,
    /// Records of gaps.
    pub gaps: Vec<Judged<'a, Gap>>,
    /// Gaps that the deletion makes, to be recorded before.
    pub new_gaps: Vec<Gap>,
}

/// What to delete, in the order in which it is safe to stop anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletions {
    /// To be recorded first of all: a record of a gap that is none yet says nothing.
    pub new_gaps: Vec<Gap>,
    /// Oldest first. A later backup may be what shows that an earlier one does not know of a replica set.
    pub backups: Vec<Backup>,
    /// After the backups, for the same reason; oldest first.
    pub slices: Vec<Slice>,
    /// Records that say nothing any more.
    pub gaps: Vec<Gap>,
}

impl Deletions {
    pub fn is_empty(&self) -> bool {
        self.backups.is_empty() && self.slices.is_empty() && self.gaps.is_empty()
    }
}

impl Verdicts<'_> {
    pub fn deletions(&self) -> Deletions {
        let mut slices = deleted(&self.slices);
        slices.sort_by_key(|slice| slice.range);
        Deletions { new_gaps: self.new_gaps.clone(), backups: deleted(&self.backups), slices, gaps: deleted(&self.gaps) }
    }

    /// The catalog as it will be. New gaps are recorded in it, too.
    pub fn after(&self, catalog: &Catalog) -> Catalog {
        let backups = self.backups.iter().filter(|judged| judged.verdict.is_keep()).map(|judged| judged.item.clone()).collect();
        let mut after =
            Catalog { backups, unreadable: catalog.unreadable.clone(), recorded_gaps: catalog.recorded_gaps.clone(), ..Catalog::default() };
        for judged in self.slices.iter().filter(|judged| judged.verdict.is_keep()) {
            after.slices.entry(judged.item.replica_set.clone()).or_default().push(judged.item.clone());
        }
        let gone: BTreeSet<_> =
            self.gaps.iter().filter(|judged| !judged.verdict.is_keep()).map(|judged| std::ptr::from_ref(judged.item)).collect();
        if !gone.is_empty() {
            for (name, gaps) in &catalog.recorded_gaps {
                let left = gaps.iter().filter(|gap| !gone.contains(&std::ptr::from_ref(*gap))).cloned().collect();
                after.recorded_gaps.insert(name.clone(), left);
            }
        }
        for gap in &self.new_gaps {
            let gaps = after.recorded_gaps.entry(gap.replica_set.clone()).or_default();
            gaps.push(gap.clone());
            gaps.sort_by_key(|gap| gap.range);
        }
        after
    }

    /// Stored bytes that go, as far as the catalog knows.
    pub fn deleted_bytes(&self) -> u64 {
        let backups = self.backups.iter().filter(|judged| !judged.verdict.is_keep()).map(|judged| judged.item.bytes);
        let slices = self.slices.iter().filter(|judged| !judged.verdict.is_keep()).map(|judged| judged.item.bytes);
        backups.chain(slices).fold(0, u64::saturating_add)
    }
}

fn deleted<T: Clone>(judged: &[Judged<'_, T>]) -> Vec<T> {
    judged.iter().filter(|judged| !judged.verdict.is_keep()).map(|judged| judged.item.clone()).collect()
}
