//! Which object holds which namespace's documents.
//!
//! PBM does not escape names, so some namespaces cannot lie under PBM's name for them: two would share one object, or a storage
//! could not hold the name. Those lie among our own objects. In PBM's `metadata.json` they must be listed with size 0 and checksum 0:
//! PBM then creates them empty, with their options and indexes, and restores everything else; it never sees the documents. Our own
//! record of the snapshot says where they are.

use std::collections::{BTreeMap, BTreeSet};

use oplogue_domain::{BackupName, Namespace, ReplicaSetName};

use super::layout;
use crate::compression::Compression;
use crate::sidecar;

/// Where the documents of one namespace are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedObject {
    pub namespace: Namespace,
    pub object: String,
    /// Why it is not PBM's name for the namespace; `None` when it is, and PBM can restore it.
    pub unknown_to_pbm: Option<Unfit>,
}

/// Why a namespace cannot lie under PBM's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("its name changes when it is cleaned as a path")]
    Unclean,
    #[error("its name is too long for a file")]
    TooLong,
    #[error("its name has characters that object stores cannot list")]
    Unlistable,
    #[error("its name is that of another object of the layout")]
    Reserved,
    #[error("another collection's name leads to the same object")]
    Shared,
    /// Decided by whoever knows the storage.
    #[error("this kind of storage cannot hold its name")]
    NotHere,
}

/// File systems allow 255 bytes; the rest is for what a storage appends while it writes.
const COMPONENT_BYTES_MAX: usize = 215;
/// S3 allows 1,024 bytes for a whole key; the rest is for the folder of the storage.
const NAME_BYTES_MAX: usize = 800;

/// Gives every namespace an object of its own, in the order of `namespaces`, which must be all of the snapshot's that have documents,
/// each once. The same input gives the same names.
pub fn assign_objects(
    backup: &BackupName,
    replica_set: &ReplicaSetName,
    namespaces: &[Namespace],
    compression: Compression,
) -> Vec<AssignedObject> {
    let folder = layout::snapshot_folder(backup, replica_set);
    let names: Vec<Candidate> = namespaces
        .iter()
        .map(|namespace| {
            let plain = layout::plain_namespace_object(backup, replica_set, namespace, compression);
            Candidate::new(&plain, namespace, &folder)
        })
        .collect();

    // Names that PBM leaves as they are win over those it changes; then shorter names first: a name that is a folder of another wins
    // over it.
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|index| (names[*index].is_changed, names[*index].name.len(), *index));
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut shared = BTreeMap::new();
    for index in order {
        let Candidate { name, is_changed, unfit: None } = &names[index] else { continue };
        let above_or_same = name.match_indices('/').map(|(slash, _)| &name[..slash]).chain([name.as_str()]);
        // Only a changed name can be the folder of a longer one that came before it.
        let inside = format!("{name}/");
        let is_folder = *is_changed && taken.range(inside.as_str()..).next().is_some_and(|longer| longer.starts_with(&inside));
        if is_folder || above_or_same.into_iter().any(|name| taken.contains(name)) {
            shared.insert(index, if *is_changed { Unfit::Unclean } else { Unfit::Shared });
        } else {
            taken.insert(name.as_str());
        }
    }

    let assign = |(index, namespace): (usize, &Namespace)| {
        let Candidate { name, unfit, .. } = &names[index];
        let unknown_to_pbm = unfit.or_else(|| shared.get(&index).copied());
        let object = match unknown_to_pbm {
            None => name.clone(),
            Some(_) => sidecar::data_object(backup, replica_set, index, namespace, compression),
        };
        AssignedObject { namespace: namespace.clone(), object, unknown_to_pbm }
    };
    namespaces.iter().enumerate().map(assign).collect()
}

/// PBM's name for a namespace, and what speaks against it.
struct Candidate {
    /// Cleaned as a path, as PBM does it when it writes and when it reads.
    name: String,
    /// Cleaning changed it: another namespace may have it by right.
    is_changed: bool,
    unfit: Option<Unfit>,
}

impl Candidate {
    fn new(plain: &str, namespace: &Namespace, folder: &str) -> Self {
        let name = layout::clean(plain);
        let climbs = plain.split('/').any(|component| component == "..");
        let unfit = if is_metadata_for_pbm(namespace) {
            Some(Unfit::Reserved)
        } else if climbs {
            Some(Unfit::Unclean)
        } else {
            unfit(&name, folder)
        };
        Self { is_changed: name != plain, name, unfit }
    }
}

/// Collection `json` of database `metadata`. PBM's restore asks for objects by the namespace and takes this one for its metadata,
/// whatever the compression: it would load `metadata.json` as documents and fail (2.15.0, `snapshot.DownloadDump`).
fn is_metadata_for_pbm(namespace: &Namespace) -> bool {
    namespace.logical().to_string() == "metadata.json"
}

/// Looks at one name alone.
fn unfit(name: &str, folder: &str) -> Option<Unfit> {
    let below = name.strip_prefix(folder).unwrap_or(name);
    // XML cannot carry these, and S3 lists in XML; a carriage return would come back as a line feed.
    let unlistable = |character: char| matches!(character, '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') && !matches!(character, '\t' | '\n');
    let first = below.split('/').next().unwrap_or(below);
    // `.tmp` is hidden by PBM's listings, `.pbm.json` anywhere would be taken for a backup.
    let reserved = matches!(first, "metadata.json" | "meta.pbm" | "oplog")
        || [".tmp", ".pbm.json"].iter().any(|suffix| name.ends_with(suffix))
        || layout::split_part(name).1.is_some();
    if name.len() > NAME_BYTES_MAX || below.split('/').any(|component| component.len() > COMPONENT_BYTES_MAX) {
        Some(Unfit::TooLong)
    } else if name.contains(unlistable) {
        Some(Unfit::Unlistable)
    } else if reserved {
        Some(Unfit::Reserved)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(compression: Compression, namespaces: &[&str]) -> Vec<AssignedObject> {
        let namespaces: Vec<Namespace> = namespaces.iter().map(|text| text.parse().expect("a namespace of the test")).collect();
        let (backup, rs) = ("b".parse().expect("a backup of the test"), "rs0".parse().expect("a replica set of the test"));
        let assigned = assign_objects(&backup, &rs, &namespaces, compression);
        assert_eq!(assigned.iter().map(|object| &object.object).collect::<BTreeSet<_>>().len(), namespaces.len(), "names are unique");
        assert!(assigned.iter().map(|object| &object.namespace).eq(&namespaces), "the order is kept");
        assigned
    }

    fn reasons(compression: Compression, namespaces: &[&str]) -> Vec<Option<Unfit>> {
        assigned(compression, namespaces).into_iter().map(|object| object.unknown_to_pbm).collect()
    }

    #[test]
    fn ordinary_and_odd_names_lie_where_pbm_looks_for_them() {
        let namespaces =
            ["db.a", "db.A", "db.slash/in/name", "db.quote'\"s", "db.back\\slash", "db.tab\there", "db.metadata.json", "db.~x"];
        for object in assigned(Compression::Zstd, &namespaces) {
            assert_eq!(object.unknown_to_pbm, None);
            assert_eq!(object.object, format!("b/rs0/{}.zst", object.namespace));
        }
    }

    #[test]
    fn names_that_pbm_confuses_are_kept_apart() {
        assert_eq!(reasons(Compression::Zstd, &["db.a//b", "db.a/b"]), [Some(Unfit::Unclean), None]);
        assert_eq!(reasons(Compression::None, &["db.a/", "db.a", "db.x/../y"]), [Some(Unfit::Unclean), None, Some(Unfit::Unclean)]);
        assert_eq!(reasons(Compression::S2, &["db.a//b", "db.a/./b"]), [None, Some(Unfit::Unclean)]);
        assert_eq!(reasons(Compression::None, &["db.a/b", "db.a/"]), [None, Some(Unfit::Unclean)]);
    }

    #[test]
    fn a_name_that_pbm_changes_lies_under_the_changed_one_where_nothing_else_does() {
        let assigned = assigned(Compression::Zstd, &["db.a//b", "db.c/./d", "db.e"]);
        assert!(assigned.iter().all(|object| object.unknown_to_pbm.is_none()));
        assert_eq!(assigned[0].object, "b/rs0/db.a/b.zst");
        assert_eq!(assigned[1].object, "b/rs0/db.c/d.zst");
    }

    #[test]
    fn a_name_that_would_be_a_folder_of_another_is_not_shared() {
        assert_eq!(reasons(Compression::Zstd, &["db.a.zst/b", "db.a"]), [Some(Unfit::Shared), None]);
        assert_eq!(reasons(Compression::None, &["db.a", "db.a/b/c"]), [None, Some(Unfit::Shared)]);
        assert_eq!(reasons(Compression::Zstd, &["db.a", "db.a/b"]), [None, None]);
    }

    #[test]
    fn names_of_the_layout_itself_are_not_given_away() {
        let namespaces = ["metadata.json", "meta.pbm", "x.pbm.json", "x.tmp", "x.pbmpart.3", "oplog.x"];
        let reserved = Some(Unfit::Reserved);
        assert_eq!(reasons(Compression::None, &namespaces), [reserved, reserved, reserved, reserved, reserved, None]);
        assert_eq!(reasons(Compression::Zstd, &namespaces), [reserved, None, None, None, None, None]);
        assert_eq!(reasons(Compression::Zstd, &["metadata.json/x", "meta.pbm/y"]), [reserved; 2]);
    }

    #[test]
    fn what_pbm_takes_for_its_metadata_is_hidden_from_it_with_every_compression() {
        for compression in Compression::ALL {
            assert_eq!(
                reasons(compression, &["metadata.json", "metadata.system.buckets.json", "metadata.jsonx", "db.metadata.json"]),
                [Some(Unfit::Reserved), Some(Unfit::Reserved), None, None],
                "{compression}"
            );
        }
    }

    #[test]
    fn names_too_long_for_a_file_get_a_short_one() {
        let (long, fits) = (format!("db.{}", "é".repeat(120)), format!("db.{}", "x".repeat(200)));
        let assigned = assigned(Compression::Zstd, &[&long, &fits]);
        assert_eq!(assigned[0].unknown_to_pbm, Some(Unfit::TooLong));
        assert_eq!(assigned[1].unknown_to_pbm, None);
        assert!(assigned[0].object.split('/').all(|component| component.len() <= COMPONENT_BYTES_MAX));
    }

    #[test]
    fn control_characters_are_not_written_as_they_are() {
        let assigned = assigned(Compression::S2, &["db.a\rb", "db.\u{1}", "db.\u{ffff}"]);
        for object in &assigned {
            assert_eq!(object.unknown_to_pbm, Some(Unfit::Unlistable));
            assert!(object.object.bytes().all(|byte| byte.is_ascii_graphic()), "{}", object.object);
        }
    }

    #[test]
    fn a_collection_beside_the_buckets_of_its_name_is_kept_apart() {
        assert_eq!(reasons(Compression::S2, &["db.ts", "db.system.buckets.ts"]), [None, Some(Unfit::Shared)]);
    }

    proptest::proptest! {
        #[test]
        fn any_names_become_different_objects_none_inside_another(
            collections in proptest::collection::btree_set("[ab./]{1,6}", 1..12),
            which in 0..6usize,
        ) {
            let namespaces: Vec<String> = collections.iter().map(|collection| format!("db.{collection}")).collect();
            let namespaces: Vec<&str> = namespaces.iter().map(String::as_str).collect();
            let objects: Vec<String> = assigned(Compression::ALL[which], &namespaces).into_iter().map(|object| object.object).collect();
            for object in &objects {
                proptest::prop_assert_eq!(&layout::clean(object), object);
                let inside = format!("{object}/");
                proptest::prop_assert!(!objects.iter().any(|other| other.starts_with(&inside)));
            }
        }
    }
}
