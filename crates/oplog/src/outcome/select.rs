//! Which collections a restore takes, and under which names.
//!
//! The names are those at the moment: what was called `shop.orders` when it was dropped is not `shop.orders` if that name came to
//! another collection. Every name that is asked for must exist, and no two may end as one.

use std::collections::BTreeMap;

use oplogue_domain::{Namespace, NamespacePattern, NamespaceSelection, OplogTime, Rename};

use super::{Departure, Outcome, Survivor, View};

/// A collection that is restored, and the name it gets. `target` of a time series is the logical name.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedSurvivor {
    pub survivor: Survivor,
    pub target: Namespace,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SelectedView {
    pub view: View,
    pub target: Namespace,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    #[error("`{asked}` does not exist at this moment{}; {}", because(.departure), what_exists(.existing))]
    NoSuchName { asked: String, departure: Option<Box<Departure>>, existing: Vec<Namespace> },
    #[error("`{rename}` renames nothing, because `{}` is not among what is restored", .rename.from)]
    RenameNotSelected { rename: Rename },
    #[error("`{a}` and `{b}` would both be restored as `{target}`; rename one of them or leave it out")]
    SameTarget { a: Box<Namespace>, b: Box<Namespace>, target: Box<Namespace> },
    #[error(
        "the backup does not hold `{namespace}`: the collection of that name was written to at {last_seen:?} and is not in its snapshot; \
         use a base backup that holds it"
    )]
    NotInBackup { namespace: Namespace, last_seen: OplogTime },
}

fn because(departure: &Option<Box<Departure>>) -> String {
    departure.as_ref().map_or_else(String::new, |departure| format!(": {departure}"))
}

/// Enough to see a typing error, not thousands.
const EXISTING_SHOWN_MAX: usize = 12;

fn what_exists(names: &[Namespace]) -> String {
    if names.is_empty() {
        return "nothing else is there either".to_owned();
    }
    let shown: Vec<_> = names.iter().take(EXISTING_SHOWN_MAX).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(EXISTING_SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("what exists is {}{more}", shown.join(", "))
}

impl Outcome {
    /// The collections that `selection` names at the moment, with `renames` applied, sorted by target. See [`SelectError`] for what is refused.
    pub fn select(&self, selection: &NamespaceSelection, renames: &[Rename]) -> Result<Vec<SelectedSurvivor>, SelectError> {
        self.check(selection, renames)?;
        let chosen = self.collections.iter().filter(|survivor| selection.matches(&survivor.namespace));
        let mut selected: Vec<_> =
            chosen.map(|survivor| SelectedSurvivor { target: target(&survivor.namespace, renames), survivor: survivor.clone() }).collect();
        selected.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(selected)
    }

    /// The views that `selection` names at the moment, with `renames` applied, sorted by target. What they are on is not renamed.
    pub fn select_views(&self, selection: &NamespaceSelection, renames: &[Rename]) -> Result<Vec<SelectedView>, SelectError> {
        self.check(selection, renames)?;
        let chosen = self.views.iter().filter(|view| selection.matches(&view.namespace));
        let mut selected: Vec<_> =
            chosen.map(|view| SelectedView { target: target(&view.namespace, renames), view: view.clone() }).collect();
        selected.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(selected)
    }

    fn check(&self, selection: &NamespaceSelection, renames: &[Rename]) -> Result<(), SelectError> {
        for pattern in selection.patterns() {
            self.must_exist(pattern)?;
        }
        for rename in renames {
            self.must_exist(&rename.from)?;
            if !self.names().any(|name| selection.matches(name) && rename.apply(name).is_some()) {
                return Err(SelectError::RenameNotSelected { rename: rename.clone() });
            }
        }
        if let NamespaceSelection::Only(_) = selection
            && let Some(stranger) = self.strangers.iter().find(|stranger| selection.matches(&stranger.namespace))
        {
            return Err(SelectError::NotInBackup { namespace: stranger.namespace.logical(), last_seen: stranger.last_seen });
        }
        let mut targets: BTreeMap<Namespace, &Namespace> = BTreeMap::new();
        for name in self.names().filter(|name| selection.matches(name)) {
            let target = target(name, renames);
            if let Some(other) = targets.insert(target.clone(), name) {
                return Err(SelectError::SameTarget { a: Box::new(other.clone()), b: Box::new(name.clone()), target: Box::new(target) });
            }
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &Namespace> {
        self.collections.iter().map(|survivor| &survivor.namespace).chain(self.views.iter().map(|view| &view.namespace))
    }

    fn must_exist(&self, pattern: &NamespacePattern) -> Result<(), SelectError> {
        if self.names().any(|name| pattern.matches(name)) {
            return Ok(());
        }
        if let Some(stranger) = self.strangers.iter().find(|stranger| pattern.matches(&stranger.namespace)) {
            return Err(SelectError::NotInBackup { namespace: stranger.namespace.logical(), last_seen: stranger.last_seen });
        }
        let departures = self.departed.iter().filter(|(name, _)| pattern.matches(name)).map(|(_, departure)| departure);
        let departure = departures.max_by_key(|departure| departure.time).cloned().map(Box::new);
        let database = match pattern {
            NamespacePattern::Collection(namespace) => &namespace.database,
            NamespacePattern::Database(database) => database,
        };
        // First those of the same database: the name asked for is likely one of them.
        let mut existing: Vec<_> = self.names().filter(|name| name.database == *database).cloned().collect();
        if existing.is_empty() {
            existing = self.names().cloned().collect();
        }
        existing.sort();
        Err(SelectError::NoSuchName { asked: pattern.to_string(), departure, existing })
    }
}

/// The first rename that is about it counts.
fn target(namespace: &Namespace, renames: &[Rename]) -> Namespace {
    renames.iter().find_map(|rename| rename.apply(namespace)).unwrap_or_else(|| namespace.clone())
}
