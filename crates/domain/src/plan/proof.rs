//! What must hold for every choice, whatever the catalog: checked by the tests of plan and timeline.

use super::Choice;
use crate::catalog::Catalog;
use crate::coverage::OplogSource;
use crate::time::OplogRange;

/// The pieces of every part join without hole or overlap from before the dump to the moment, and each lies within its object.
#[track_caller]
pub(crate) fn assert_sound(catalog: &Catalog, choice: &Choice) {
    let base = catalog.backup(&choice.base).expect("the base is in the catalog");
    assert!(base.problem.is_none() && base.consistent_at() <= choice.through, "{choice:?}");
    assert!(choice.through <= choice.newest, "{choice:?}");
    assert_eq!(choice.parts.len(), base.snapshots.len(), "{choice:?}");
    for (part, snapshot) in choice.parts.iter().zip(&base.snapshots) {
        assert_eq!(part.snapshot, *snapshot);
        let own = &part.oplog[0];
        assert_eq!(own.source, OplogSource::BackupOplog { backup: base.name.clone() });
        assert_eq!(own.range, OplogRange::new(snapshot.oplog.after.predecessor(), snapshot.oplog.through));
        for pair in part.oplog.windows(2) {
            assert_eq!(pair[0].range.through, pair[1].range.after, "{part:?}");
        }
        for piece in &part.oplog[1..] {
            let held = match &piece.source {
                OplogSource::Slice(slice) => slice.range,
                OplogSource::BackupOplog { backup } => {
                    let backup = catalog.backup(backup).expect("a piece's backup is in the catalog");
                    backup.snapshot(&part.replica_set).expect("it holds the replica set").oplog
                }
            };
            assert!(!piece.range.is_empty(), "{part:?}");
            assert!(held.after <= piece.range.after && piece.range.through <= held.through, "{part:?}");
        }
        assert_eq!(part.oplog.last().map(|piece| piece.range.through), Some(part.through), "{part:?}");
        assert!(part.through == choice.through || choice.through == base.consistent_at(), "{part:?}");
        assert!(part.writes_after.iter().all(|slice| slice.range.through > choice.through), "{part:?}");
    }
}
