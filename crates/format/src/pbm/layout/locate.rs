//! From the name of an object to what it is.

use oplogue_domain::{BackupName, OplogRange, ReplicaSetName};

use super::{BACKUP_JSON_SUFFIX, INIT, SLICES, backup_oplog_folder};
use crate::compression::Compression;
use crate::pbm::stamp;

/// What an object's name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    Init,
    /// `<stem>.pbm.json`. The name of the backup is inside the object; the stem is usually the same.
    BackupJson {
        stem: String,
    },
    Slice {
        replica_set: ReplicaSetName,
        range: OplogRange,
        compression: Compression,
    },
    /// An object within a backup: `path` is below `<backup>/<replica set>/`.
    InBackup {
        backup: BackupName,
        replica_set: ReplicaSetName,
        path: String,
    },
    /// Below `oplogue/`: ours; see [`crate::sidecar`].
    Ours,
    /// Nothing we know: PBM's physical restores, 1.x archives, strangers.
    Unknown,
}

/// Reads an object's name (without `.pbmpart.N`). Never fails: what is not understood is [`Located::Unknown`].
pub fn locate(object: &str) -> Located {
    if object == INIT {
        return Located::Init;
    }
    if let Some(rest) = object.strip_prefix(SLICES) {
        return locate_slice(rest).unwrap_or(Located::Unknown);
    }
    if object.starts_with(crate::sidecar::FOLDER) {
        return Located::Ours;
    }
    if let Some(stem) = object.strip_suffix(BACKUP_JSON_SUFFIX)
        && !stem.contains('/')
        && !stem.is_empty()
    {
        return Located::BackupJson { stem: stem.to_owned() };
    }
    locate_in_backup(object).unwrap_or(Located::Unknown)
}

fn locate_slice(path: &str) -> Option<Located> {
    let (replica_set, rest) = path.split_once('/')?;
    // Folders between are not looked at, as in PBM.
    let name = rest.rsplit('/').next()?;
    let mut parts = name.split('.');
    let (first, last) = (stamp::parse(parts.next()?)?, stamp::parse(parts.next()?)?);
    if parts.next()? != "oplog" || first > last {
        return None;
    }
    let compression = extension(parts.next())?;
    parts.next().is_none().then_some(())?;
    Some(Located::Slice { replica_set: replica_set.parse().ok()?, range: OplogRange::new(first, last), compression })
}

fn locate_in_backup(object: &str) -> Option<Located> {
    let mut parts = object.splitn(3, '/');
    let (backup, replica_set, path) = (parts.next()?, parts.next()?, parts.next()?);
    (!path.is_empty()).then_some(())?;
    Some(Located::InBackup { backup: backup.parse().ok()?, replica_set: replica_set.parse().ok()?, path: path.to_owned() })
}

fn extension(text: Option<&str>) -> Option<Compression> {
    match text {
        None => Some(Compression::None),
        Some("") => None,
        Some(text) => Compression::from_suffix(&format!(".{text}")),
    }
}

/// Reads the name of an object in a backup's oplog folder, without the folder: its first and last time, both inclusive.
pub fn parse_backup_oplog(name: &str) -> Option<(OplogRange, Compression)> {
    let mut parts = name.splitn(3, '.');
    let (first, last) = (stamp::parse(parts.next()?)?, stamp::parse(parts.next()?)?);
    let compression = extension(parts.next())?;
    (first <= last).then_some((OplogRange::new(first, last), compression))
}

/// The oplog objects of one replica set's part of a backup, in the order they must be read. `objects` are names as listed (whole,
/// relative to the storage); PBM lists them in any order, and their lexicographic order is wrong within one second.
///
/// Names in the folder that are no oplog come back second: something is wrong with such a backup.
pub fn backup_oplog_objects<'a>(
    backup: &BackupName,
    replica_set: &ReplicaSetName,
    objects: impl IntoIterator<Item = &'a str>,
) -> (Vec<OplogObject>, Vec<String>) {
    let folder = backup_oplog_folder(backup, replica_set);
    let (mut found, mut strangers) = (Vec::new(), Vec::new());
    for object in objects {
        let Some(name) = object.strip_prefix(&folder) else { continue };
        match parse_backup_oplog(name) {
            Some((range, compression)) => found.push(OplogObject { object: object.to_owned(), range, compression }),
            None => strangers.push(object.to_owned()),
        }
    }
    found.sort_by_key(|oplog| (oplog.range.after, oplog.range.through));
    (found, strangers)
}

/// An object that holds oplog, as its name tells. `range.after` is its first moment, which it may contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OplogObject {
    pub object: String,
    pub range: OplogRange,
    pub compression: Compression,
}

#[cfg(test)]
mod tests {
    use oplogue_domain::OplogTime;

    use super::super::{slice, split_part};
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
    fn slices_are_recognised_with_every_compression() {
        for compression in Compression::ALL {
            let span = range((1_795_390_848, 54), (1_795_390_852, 32));
            let located = locate(&slice(&rs("rs 7"), span, compression));
            assert_eq!(located, Located::Slice { replica_set: rs("rs 7"), range: span, compression });
        }
    }

    #[test]
    fn the_ordinal_and_the_folders_of_a_slice_may_differ() {
        let expected =
            Located::Slice { replica_set: rs("rs0"), range: range((1_795_390_848, 0), (1_795_390_852, 1)), compression: Compression::Gzip };
        for name in [
            "pbmPitr/rs0/20261122/20261122234048.20261122234052-1.oplog.gz",
            "pbmPitr/rs0/20261122234048.20261122234052-1.oplog.gz",
            "pbmPitr/rs0/a/b/20261122234048-0.20261122234052-1.oplog.gz",
        ] {
            assert_eq!(locate(name), expected, "{name}");
        }
    }

    #[test]
    fn strangers_among_the_slices_are_not_slices() {
        for name in [
            "pbmPitr/",
            "pbmPitr/rs0",
            "pbmPitr/README",
            "pbmPitr/20261122234048-1.20261122234052-1.oplog",
            "pbmPitr/rs0/20261122/20261122234048-1.20261122234052-1",
            "pbmPitr/rs0/20261122/20261122234048-1.20261122234052-1.oplog.rar",
            "pbmPitr/rs0/20261122/20261122234048-1.20261122234052-1.oplog.",
            "pbmPitr/rs0/20261122/20261122234048-1.20261122234052-1.oplog.gz.tmp",
            "pbmPitr/rs0/20261122/20261122234052-1.20261122234048-1.oplog.gz",
            "pbmPitr//20261122/20261122234048-1.20261122234052-1.oplog.gz",
        ] {
            assert_eq!(locate(name), Located::Unknown, "{name}");
        }
    }

    #[test]
    fn other_objects_are_told_apart() {
        let in_backup = |path: &str| Located::InBackup { backup: backup(), replica_set: rs("rs0"), path: path.to_owned() };
        for (name, expected) in [
            (".pbm.init", Located::Init),
            ("mine.pbm.json", Located::BackupJson { stem: "mine".to_owned() }),
            ("2026-11-22T23:40:47Z/rs0/metadata.json", in_backup("metadata.json")),
            ("2026-11-22T23:40:47Z/rs0/db.a/b.zst", in_backup("db.a/b.zst")),
            ("oplogue/gaps/rs0/x.json", Located::Ours),
            ("oplogue/x.pbm.json", Located::Ours),
            (".pbm.restore/2026/rs.rs0/node.x", Located::Unknown),
            (".pbm.json", Located::Unknown),
            ("2026_rs0.dump.gz", Located::Unknown),
            ("", Located::Unknown),
            ("a/b", Located::Unknown),
            ("a//b", Located::Unknown),
        ] {
            assert_eq!(locate(name), expected, "{name}");
        }
    }

    #[test]
    fn a_backups_oplog_is_ordered_by_time_not_by_name() {
        let folder = backup_oplog_folder(&backup(), &rs("rs0"));
        let listed = [
            format!("{folder}20261122234048-10.20261122234052-1.s2"),
            format!("{folder}20261122234048-9.20261122234048-10.s2"),
            format!("{folder}20261122234047-1.20261122234048-9"),
            format!("{folder}README"),
            "2026-11-22T23:40:47Z/rs1/oplog/20261122234047-1.20261122234048-9".to_owned(),
        ];
        let (found, strangers) = backup_oplog_objects(&backup(), &rs("rs0"), listed.iter().map(String::as_str));
        let order: Vec<_> = found.iter().map(|oplog| oplog.object.as_str()).collect();
        assert_eq!(order, [&listed[2], &listed[1], &listed[0]]);
        assert_eq!(strangers, [listed[3].clone()]);
    }

    proptest::proptest! {
        #[test]
        fn no_name_makes_it_panic(name in ".{0,80}", folder in "(pbmPitr/rs0/|[a-z]{0,3}/oplog/)?") {
            let name = format!("{folder}{name}");
            locate(&name);
            parse_backup_oplog(&name);
            split_part(&name);
        }
    }
}
