//! Which objects are a backup's data, and which only lie beside them: the top of a storage may hold folders of other clusters, whose names a
//! backup of ours could have.

use std::collections::BTreeSet;

use oplogue_domain::BackupName;
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar;
use oplogue_storage::ObjectInfo;

use super::below;

/// The objects of the backup's folder, and those outside it that its metadata names (archives of PBM 1.x). Where the folder is another
/// cluster's as well, only what lies below the backup's replica sets.
pub(super) fn data_of<'a>(
    name: &BackupName,
    replica_sets: &[&str],
    named: &BTreeSet<&str>,
    listed: &'a [ObjectInfo],
) -> impl Iterator<Item = &'a ObjectInfo> {
    let folder = layout::backup_folder(name);
    let shared = is_of_a_cluster(&folder, listed);
    let of_the_backup = |rest: &str| rest.split_once('/').is_some_and(|(replica_set, _)| replica_sets.contains(&replica_set));
    let data: Vec<_> =
        below(listed, &folder).filter(|object| !shared || object.name.strip_prefix(&folder).is_some_and(of_the_backup)).collect();
    let outside = listed.iter().filter(|object| {
        let (whole, _) = layout::split_part(&object.name);
        !whole.contains('/') && whole.starts_with(name.as_str()) && named.contains(whole)
    });
    data.into_iter().chain(outside.collect::<Vec<_>>())
}

/// True when the folder holds a repository: its marker, metadata of backups, slices, records.
pub(super) fn is_of_a_cluster(folder: &str, listed: &[ObjectInfo]) -> bool {
    below(listed, folder).any(|object| {
        // At any depth: the folder may hold folders of clusters.
        let rest = &object.name[folder.len()..];
        let last = rest.rsplit('/').next().unwrap_or(rest);
        matches!(layout::locate(last), Located::Init | Located::BackupJson { .. })
            || [layout::SLICES, sidecar::FOLDER].iter().any(|own| rest.starts_with(own) || rest.contains(&format!("/{own}")))
    })
}
