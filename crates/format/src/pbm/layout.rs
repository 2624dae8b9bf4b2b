//! Names of objects, both ways.
//!
//! ```text
//! .pbm.init                                              PBM's version
//! <backup>.pbm.json                                      metadata of a backup, written last
//! <backup>/<replica set>/metadata.json                   its collections, for PBM's restore
//! <backup>/<replica set>/meta.pbm                        the same as BSON, for PBM's backup
//! <backup>/<replica set>/<database>.<collection><ext>    documents
//! <backup>/<replica set>/oplog/<first>.<last><ext>       the oplog that makes them consistent
//! pbmPitr/<replica set>/<day>/<first>.<last>.oplog<ext>  a slice
//! <any>.pbmpart.<N>                                      continuation of a large object
//! ```
//!
//! Names are never escaped, so a data object's name cannot be parsed back into a namespace: read `metadata.json` instead. All names
//! are relative to the storage's (or the cluster's) folder.

use oplogue_domain::{BackupName, Namespace, NamingRule, OplogRange, OplogTime, ReplicaSetName, SliceName};

use super::stamp;
use crate::compression::Compression;

mod locate;
mod parts;

pub use locate::{Located, OplogObject, backup_oplog_objects, locate, parse_backup_oplog};
pub use parts::{WholeObject, join_parts, part, split_part};

/// The object that marks a folder as PBM's.
pub const INIT: &str = ".pbm.init";
/// What [`INIT`] holds: a version, no newline.
pub const INIT_CONTENT: &str = super::PBM_VERSION;
/// The folder of all slices.
pub const SLICES: &str = "pbmPitr/";

const BACKUP_JSON_SUFFIX: &str = ".pbm.json";

/// `<backup>.pbm.json`.
pub fn backup_json(backup: &BackupName) -> String {
    format!("{backup}{BACKUP_JSON_SUFFIX}")
}

/// `<backup>/`: everything of a backup but its metadata.
pub fn backup_folder(backup: &BackupName) -> String {
    format!("{backup}/")
}

/// `<backup>/<replica set>/`.
pub fn snapshot_folder(backup: &BackupName, replica_set: &ReplicaSetName) -> String {
    format!("{backup}/{replica_set}/")
}

/// `<backup>/<replica set>/metadata.json`.
pub fn metadata_json(backup: &BackupName, replica_set: &ReplicaSetName) -> String {
    format!("{backup}/{replica_set}/metadata.json")
}

/// `<backup>/<replica set>/meta.pbm`.
pub fn meta_pbm(backup: &BackupName, replica_set: &ReplicaSetName) -> String {
    format!("{backup}/{replica_set}/meta.pbm")
}

/// `<backup>/<replica set>/oplog/`. Must hold nothing but oplog: anything else makes PBM's restore fail.
pub fn backup_oplog_folder(backup: &BackupName, replica_set: &ReplicaSetName) -> String {
    format!("{backup}/{replica_set}/oplog/")
}

/// The oplog of a backup, with the times of its first and last entry (`range.after` is the first). One object only: PBM 2.11 to
/// 2.15 replays several in random order.
pub fn backup_oplog(backup: &BackupName, replica_set: &ReplicaSetName, range: OplogRange, compression: Compression) -> String {
    let (first, last) = (stamp::format(range.after), stamp::format(range.through));
    format!("{}{first}.{last}{}", backup_oplog_folder(backup, replica_set), compression.suffix())
}

/// Where PBM 2.0 to 2.3 put the oplog of a backup.
pub fn old_backup_oplog(backup: &BackupName, replica_set: &ReplicaSetName, compression: Compression) -> String {
    format!("{backup}/{replica_set}/local.oplog.rs.bson{}", compression.suffix())
}

/// Where PBM puts the documents of `namespace`; those of a time series under its own name, not that of its buckets.
///
/// PBM cleans the name as a path, so different namespaces may get the same object: read only what the metadata vouches for, and
/// write under the names of [`super::assign::assign_objects`].
pub fn namespace_object(backup: &BackupName, replica_set: &ReplicaSetName, namespace: &Namespace, compression: Compression) -> String {
    clean(&plain_namespace_object(backup, replica_set, namespace, compression))
}

/// The same before cleaning.
pub(super) fn plain_namespace_object(
    backup: &BackupName,
    replica_set: &ReplicaSetName,
    namespace: &Namespace,
    compression: Compression,
) -> String {
    format!("{}{}{}", snapshot_folder(backup, replica_set), namespace.logical(), compression.suffix())
}

/// `pbmPitr/<replica set>/`.
pub fn slices_folder(replica_set: &ReplicaSetName) -> String {
    format!("{SLICES}{replica_set}/")
}

/// A slice, named by its first moment (`range.after`, which is the last of the slice before) and its last, both inclusive.
pub fn slice(replica_set: &ReplicaSetName, range: OplogRange, compression: Compression) -> String {
    let (first, last) = (stamp::format(range.after), stamp::format(range.through));
    format!("{SLICES}{replica_set}/{}/{first}.{last}.oplog{}", stamp::day(range.after), compression.suffix())
}

/// A name (of no object) that comes, byte by byte, after every slice of `replica_set` whose first moment is before second `seconds`, and
/// before all others, as far as they are named by [`slice`].
pub fn slices_from(replica_set: &ReplicaSetName, seconds: u32) -> String {
    let first = OplogTime::start_of_second(seconds);
    let stamp = stamp::format(first);
    let second = stamp.split_once('-').map_or(stamp.as_str(), |(second, _)| second);
    format!("{SLICES}{replica_set}/{}/{second}", stamp::day(first))
}

/// How to remember the name of the slice at `object`: by the layout's own rule when that gives just this name, else as it stands.
pub fn slice_name(object: &str, replica_set: &ReplicaSetName, range: OplogRange, compression: Compression) -> SliceName {
    static NONE: NamingRule = NamingRule { name: |replica_set, range| slice(replica_set, range, Compression::None) };
    static GZIP: NamingRule = NamingRule { name: |replica_set, range| slice(replica_set, range, Compression::Gzip) };
    static SNAPPY: NamingRule = NamingRule { name: |replica_set, range| slice(replica_set, range, Compression::Snappy) };
    static LZ4: NamingRule = NamingRule { name: |replica_set, range| slice(replica_set, range, Compression::Lz4) };
    static S2: NamingRule = NamingRule { name: |replica_set, range| slice(replica_set, range, Compression::S2) };
    static ZSTD: NamingRule = NamingRule { name: |replica_set, range| slice(replica_set, range, Compression::Zstd) };
    let rule = match compression {
        Compression::None => &NONE,
        Compression::Gzip => &GZIP,
        Compression::Snappy => &SNAPPY,
        Compression::Lz4 => &LZ4,
        Compression::S2 => &S2,
        Compression::Zstd => &ZSTD,
    };
    if (rule.name)(replica_set, range) == object { SliceName::ByRule(rule) } else { object.into() }
}

/// Cleans a relative name as PBM does before it stores or reads: no empty parts, `.` and `..` resolved.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> BackupName {
        "2026-11-22T23:40:47Z".parse().expect("a backup of the test")
    }

    fn rs(name: &str) -> ReplicaSetName {
        name.parse().expect("a replica set of the test")
    }

    fn range(first: (u32, u32), last: (u32, u32)) -> OplogRange {
        OplogRange::new(OplogTime::new(first.0, first.1), OplogTime::new(last.0, last.1))
    }

    #[test]
    fn a_slices_name_is_remembered_by_rule_or_as_it_stands() {
        let span = range((1_795_390_848, 54), (1_795_390_852, 32));
        for compression in Compression::ALL {
            let object = slice(&rs("rs7"), span, compression);
            let name = slice_name(&object, &rs("rs7"), span, compression);
            assert!(matches!(name, SliceName::ByRule(_)), "{object}");
            assert_eq!(oplogue_domain::Slice { replica_set: rs("rs7"), range: span, name, bytes: 1 }.object(), object);
        }
        let odd = "pbmPitr/rs7/20261122234048-54.20261122234052-32.oplog.zst";
        assert_eq!(slice_name(odd, &rs("rs7"), span, Compression::Zstd), odd.into());
    }

    #[test]
    fn slices_from_a_second_on_are_found_by_name() {
        let name = |seconds, ordinal| slice(&rs("rs7"), range((seconds, ordinal), (seconds + 9, 1)), Compression::Zstd);
        let day = 1_795_392_000; // 2026-11-23T00:00:00Z
        for seconds in [day - 1, day, day + 7] {
            let from = slices_from(&rs("rs7"), seconds);
            for earlier in [name(seconds - 1, u32::MAX), name(seconds - 86_400, 1)] {
                assert!(earlier < from, "{earlier} {from}");
            }
            for later in [name(seconds, 0), name(seconds, 10), name(seconds + 1, 1), name(seconds + 86_400, 1)] {
                assert!(later > from, "{later} {from}");
            }
        }
    }

    #[test]
    fn names_are_those_pbm_uses() {
        let (backup, rs) = (backup(), rs("rs7"));
        let span = range((1_795_390_848, 54), (1_795_390_852, 32));
        assert_eq!(backup_json(&backup), "2026-11-22T23:40:47Z.pbm.json");
        assert_eq!(metadata_json(&backup, &rs), "2026-11-22T23:40:47Z/rs7/metadata.json");
        assert_eq!(meta_pbm(&backup, &rs), "2026-11-22T23:40:47Z/rs7/meta.pbm");
        assert_eq!(
            backup_oplog(&backup, &rs, span, Compression::S2),
            "2026-11-22T23:40:47Z/rs7/oplog/20261122234048-54.20261122234052-32.s2"
        );
        assert_eq!(slice(&rs, span, Compression::Zstd), "pbmPitr/rs7/20261122/20261122234048-54.20261122234052-32.oplog.zst");
        assert_eq!(old_backup_oplog(&backup, &rs, Compression::Gzip), "2026-11-22T23:40:47Z/rs7/local.oplog.rs.bson.gz");
    }

    #[test]
    fn a_namespace_is_not_escaped_and_buckets_lie_under_their_time_series() {
        for (database, collection, expected) in [
            ("db", "coll", "db.coll.zst"),
            ("db", "system.buckets.ts", "db.ts.zst"),
            ("weird-ünïcode_db", "tab\there", "weird-ünïcode_db.tab\there.zst"),
            ("db", "slash/in/name", "db.slash/in/name.zst"),
            ("db", "a//b", "db.a/b.zst"),
            ("db", "a/../b", "b.zst"),
            ("db", "percent%20", "db.percent%20.zst"),
        ] {
            let object = namespace_object(&backup(), &rs("rs0"), &Namespace::new(database, collection), Compression::Zstd);
            assert_eq!(object, clean(&format!("2026-11-22T23:40:47Z/rs0/{expected}")), "{collection}");
        }
    }
}
