//! The work on one collection: what it is, where its documents come from, and whether it can be the same collection again.

use std::collections::{BTreeMap, BTreeSet};

use oplogue_domain::Namespace;
use oplogue_mongo::ListedCollection;
use oplogue_oplog::{SelectedSurvivor, is_capped};
use oplogue_repository::{SnapshotCollection, SnapshotContents};

use super::RestoreRequest;

/// One collection to create, load and bring to the moment.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub selected: SelectedSurvivor,
    /// What the snapshot holds of it; `None` when it starts empty.
    pub load: Option<SnapshotCollection>,
    pub keep_uuid: bool,
}

impl Work {
    pub(super) fn is_capped(&self) -> bool {
        is_capped(&self.selected.survivor.options)
    }
}

/// What is loaded from where, and which collections get their UUIDs again.
pub(super) fn decide(
    selected: Vec<SelectedSurvivor>,
    contents: &SnapshotContents,
    request: &RestoreRequest,
    present: &[ListedCollection],
) -> Vec<Work> {
    // A UUID can be given again only where nobody else has it once the plan's drops are done.
    let dropped = |name: &Namespace| request.selection.is_everything() || selected.iter().any(|one| one.target == *name);
    let taken: BTreeSet<[u8; 16]> =
        present.iter().filter(|one| !dropped(&one.spec.namespace)).filter_map(|one| one.spec.uuid.or(one.spec.buckets_uuid)).collect();
    // `system.js` cannot be dropped, only emptied, and keeps the UUID it has.
    let stays = |name: &Namespace| name.collection == "system.js" && present.iter().any(|one| one.spec.namespace == *name);
    let by_name: BTreeMap<&Namespace, &SnapshotCollection> = contents.collections.iter().map(|one| (&one.namespace, one)).collect();
    let with = |selected: &SelectedSurvivor| Work {
        load: selected.survivor.source.as_ref().and_then(|source| by_name.get(source)).map(|one| (*one).clone()),
        keep_uuid: selected.target == selected.survivor.namespace
            && !stays(&selected.target)
            && selected.survivor.uuid.is_some_and(|uuid| !taken.contains(&uuid)),
        selected: selected.clone(),
    };
    selected.iter().map(with).collect()
}
