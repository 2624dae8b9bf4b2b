//! Names of objects, and the names inside them.

use oplogue_domain::{BackupName, Namespace, NamespacePattern, ReplicaSetName};
use oplogue_format::pbm::layout;
use oplogue_format::{Compression, sidecar};

/// The bytes are one name.
pub(crate) fn names(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else { return };
    let _ = layout::locate(name);
    let _ = sidecar::locate(name);
    let (whole, _) = layout::split_part(name);
    assert!(name.starts_with(whole), "a part of `{name}` belongs to `{whole}`");
    if let Some((range, compression)) = layout::parse_backup_oplog(name) {
        assert!(range.after <= range.through, "{range:?} of `{name}` ends before it begins");
        assert!(Compression::ALL.contains(&compression));
    }
    let _ = Compression::of_name(name);
    same_again::<Namespace>(name);
    same_again::<BackupName>(name);
    same_again::<ReplicaSetName>(name);
    same_again::<NamespacePattern>(name);
}

/// What was understood is written so that it is understood again.
fn same_again<T: std::str::FromStr + std::fmt::Display + PartialEq>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    let again = value.to_string();
    assert!(again.parse::<T>().is_ok_and(|read| read == value), "`{text}` became `{again}`, which is something else");
}
