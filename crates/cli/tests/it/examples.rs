//! Repositories that PBM wrote, read by the program: no database is needed to see what is there.

use std::path::{Path, PathBuf};

use crate::program::oplogue;

/// The folder of the repository in `fixtures/pbm/<name>.tar`, unpacked.
pub fn unpacked(name: &str) -> (tempfile::TempDir, PathBuf) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm").join(format!("{name}.tar"));
    let folder = oplogue_testkit::unpack(&path).expect("the fixture unpacks");
    let inside = storage_folder(folder.path()).expect("the fixture holds a repository");
    (folder, inside)
}

/// The folder that holds PBM's marker.
fn storage_folder(folder: &Path) -> Option<PathBuf> {
    if folder.join(".pbm.init").exists() {
        return Some(folder.to_owned());
    }
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).find_map(|path| storage_folder(&path))
}

#[tokio::test]
async fn backups_slices_and_ranges_of_pbm_are_listed() {
    let (_keep, folder) = unpacked("storage-pitr");
    let storage = format!("file://{}", folder.display());
    let json = oplogue(&["list", "--storage", &storage, "--json"]).await.done().json();
    let backups = json["backups"].as_array().expect("backups");
    assert!(!backups.is_empty(), "{json}");
    assert!(backups.iter().all(|backup| backup["written_by"].is_null() && backup["pbm_version"].is_string()), "{json}");
    assert!(json["restorable"].as_array().is_some_and(|ranges| !ranges.is_empty()), "{json}");

    let text = oplogue(&["list", "--storage", &storage]).await.done().stdout;
    assert!(text.contains("PBM 2.") && text.contains("CAN BE RESTORED"), "{text}");
    let drawn = oplogue(&["timeline", "--storage", &storage, "--width", "80"]).await.done().stdout;
    assert!(drawn.contains("CAN BE RESTORED"), "{drawn}");
}

#[tokio::test]
async fn every_usable_backup_of_pbm_can_be_described() {
    let (_keep, folder) = unpacked("storage-snapshots");
    let storage = format!("file://{}", folder.display());
    let json = oplogue(&["list", "--storage", &storage, "--json"]).await.done().json();
    for backup in json["backups"].as_array().expect("backups") {
        let name = backup["name"].as_str().expect("a name");
        let described = oplogue(&["describe", name, "--storage", &storage, "--json"]).await.done().json();
        assert_eq!(described["name"], name);
        if backup["problem"].is_null() {
            assert!(described["collections"].as_array().is_some_and(|collections| !collections.is_empty()), "{described}");
        }
        assert!(oplogue(&["describe", name, "--storage", &storage]).await.done().stdout.contains(name));
    }
}
