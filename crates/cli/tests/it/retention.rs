//! `delete` and `prune` on repositories that PBM wrote: no database is needed. And afterwards everything that was to stay can be planned.

use serde_json::Value;

use crate::examples::unpacked;
use crate::program::oplogue;

async fn listed(storage: &str) -> Value {
    oplogue(&["list", "--storage", storage, "--json"]).await.done().json()
}

fn backups(listing: &Value) -> Vec<String> {
    let backups = listing["backups"].as_array().expect("backups");
    backups.iter().map(|backup| backup["name"].as_str().expect("a name").to_owned()).collect()
}

/// Every file below the folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_dry_run_lists_every_item_with_its_reasons_and_touches_nothing() {
    let (_keep, folder) = unpacked("storage-snapshots");
    let storage = format!("file://{}", folder.display());
    let (before, listing) = (files(&folder), listed(&storage).await);
    let json = oplogue(&["prune", "--storage", &storage, "--keep-count", "2", "--dry-run", "--json"]).await.done().json();
    let items = json["items"].as_array().expect("items");
    for name in backups(&listing) {
        let item = items.iter().find(|item| item["name"] == *name).unwrap_or_else(|| panic!("{name} is not listed: {json}"));
        assert!(item["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{item}");
    }
    assert!(items.iter().any(|item| item["keep"] == true) && items.iter().any(|item| item["keep"] == false), "{json}");
    assert_eq!(json["deleted"], Value::Null);
    let text = oplogue(&["prune", "--storage", &storage, "--keep-count", "2", "--dry-run"]).await.done().stdout;
    assert!(backups(&listing).iter().all(|name| text.contains(name)) && text.contains("it is one of the newest 2"), "{text}");
    assert_eq!(files(&folder), before);
}

#[tokio::test]
async fn without_yes_nothing_is_deleted_and_the_list_is_told() {
    let (_keep, folder) = unpacked("storage-snapshots");
    let storage = format!("file://{}", folder.display());
    let before = files(&folder);
    oplogue(&["prune", "--storage", &storage, "--keep-count", "1"]).await.ended(3, &["--yes", "no rule keeps it", "it is the newest"]);
    let name = &backups(&listed(&storage).await)[0];
    oplogue(&["delete", name, "--storage", &storage]).await.ended(3, &["--yes", name]);
    oplogue(&["delete", name, "--storage", &storage, "--dry-run"]).await.done();
    assert_eq!(files(&folder), before);
}

#[tokio::test]
async fn pruning_leaves_what_the_rules_keep_and_again_finds_nothing() {
    let (_keep, folder) = unpacked("storage-snapshots");
    let storage = format!("file://{}", folder.display());
    let words = ["prune", "--storage", &storage, "--keep-count", "2", "--yes", "--json"];
    let first = oplogue(&words).await.done().json();
    let kept: Vec<&str> = first["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|item| item["keep"] == true)
        .filter_map(|item| item["name"].as_str())
        .collect();
    assert!(first["deleted"]["backups"].as_u64().is_some_and(|count| count > 0), "{first}");
    let after = listed(&storage).await;
    assert_eq!(backups(&after), kept);
    for name in backups(&after) {
        oplogue(&["describe", &name, "--storage", &storage]).await.done();
    }
    let again = oplogue(&words).await.done().json();
    assert_eq!(again["deleted"]["objects"], 0);
}

#[tokio::test]
async fn a_base_that_a_range_needs_is_deleted_only_by_who_accepts_the_loss() {
    let (_keep, folder) = unpacked("storage-pitr");
    let storage = format!("file://{}", folder.display());
    let (before, listing) = (files(&folder), listed(&storage).await);
    let base = &backups(&listing)[0];
    oplogue(&["delete", base, "--storage", &storage, "--yes"]).await.ended(3, &["could not be restored any more", "--lose-range"]);
    assert_eq!(files(&folder), before);
    let json = oplogue(&["delete", base, "--storage", &storage, "--dry-run", "--json"]).await.done().json();
    assert!(json["lost"].as_array().is_some_and(|lost| !lost.is_empty()) && json["refusal"].is_string(), "{json}");

    oplogue(&["delete", base, "--storage", &storage, "--lose-range", "--yes"]).await.done();
    let after = listed(&storage).await;
    assert!(backups(&after).is_empty() && after["restorable"].as_array().is_some_and(Vec::is_empty), "{after}");
    assert!(!files(&folder).iter().any(|file| file.to_string_lossy().contains(base.as_str())));
}

#[tokio::test]
async fn the_window_keeps_the_base_and_every_slice_behind_it() {
    let (_keep, folder) = unpacked("storage-pitr");
    let storage = format!("file://{}", folder.display());
    let before = listed(&storage).await;
    // All of it is older than a second: the newest base and what follows it stay all the same.
    oplogue(&["prune", "--storage", &storage, "--keep-window", "1s", "--yes"]).await.done();
    let after = listed(&storage).await;
    assert_eq!(after["restorable"], before["restorable"]);
}

#[tokio::test]
async fn a_sharded_repository_is_pruned_as_a_whole() {
    let (_keep, folder) = unpacked("storage-sharded");
    let storage = format!("file://{}", folder.display());
    let before = listed(&storage).await;
    let json = oplogue(&["prune", "--storage", &storage, "--keep-daily", "1", "--yes", "--json"]).await.done().json();
    assert_eq!(listed(&storage).await["restorable"], before["restorable"], "{json}");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_deleted() {
    let empty = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", empty.path().display());
    oplogue(&["delete", "nothing", "--storage", &storage, "--yes"]).await.ended(3, &["no backup `nothing`", "oplogue list"]);
    let json = oplogue(&["prune", "--storage", &storage, "--keep-count", "1", "--yes", "--json"]).await.done().json();
    assert_eq!(json["items"], serde_json::json!([]));
}
