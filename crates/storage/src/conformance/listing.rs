//! Listings show every object once, and folders are folders.

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::{Case, names_in, pattern};
use crate::Storage;

pub(super) const CASES: &[Case] = &[
    ("an-absent-folder-is-empty", |storage| an_absent_folder_is_empty(storage).boxed()),
    ("a-listing-is-deep-sorted-and-has-sizes", |storage| a_listing_is_deep_sorted_and_has_sizes(storage).boxed()),
    ("a-prefix-is-a-folder", |storage| a_prefix_is_a_folder(storage).boxed()),
    ("a-view-within-a-folder-sees-only-it", |storage| a_view_within_a_folder_sees_only_it(storage).boxed()),
    ("deleting-a-folder-leaves-its-neighbours", |storage| deleting_a_folder_leaves_its_neighbours(storage).boxed()),
    ("a-listing-can-begin-after-a-name", |storage| a_listing_can_begin_after_a_name(storage).boxed()),
    ("a-level-has-its-objects-and-folders", |storage| a_level_has_its_objects_and_folders(storage).boxed()),
    ("more-objects-than-fit-one-page", |storage| more_objects_than_fit_one_page(storage).boxed()),
];

/// Objects of 0, 1, 2… bytes.
async fn put_all(storage: &Storage, names: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        storage.put(name, pattern(index, 1)).await.expect("put works");
    }
}

async fn an_absent_folder_is_empty(storage: Storage) {
    assert!(storage.list("").await.expect("listing works").is_empty());
    assert!(storage.list("no/such").await.expect("listing works").is_empty());
    assert_eq!(storage.delete_under("no/such").await.expect("deleting works"), 0);
}

async fn a_listing_is_deep_sorted_and_has_sizes(storage: Storage) {
    // By bytes of the whole name: `-` and `.` come before `/`, `0` after.
    let sorted = ["a-b", "a.b", "a/b", "a/b.c", "a/b/c/d/e", "a0", "z", "ä"];
    for (index, name) in sorted.iter().enumerate().rev() {
        // A file cannot be a folder too on filesystems.
        if *name != "a/b" {
            storage.put(name, pattern(index, 1)).await.expect("put works");
        }
    }
    let found = storage.list("").await.expect("listing works");
    let found: Vec<_> = found.iter().map(|object| (object.name.as_str(), object.bytes)).collect();
    let expected: Vec<_> =
        sorted.into_iter().enumerate().map(|(index, name)| (name, index as u64)).filter(|(name, _)| *name != "a/b").collect();
    assert_eq!(found, expected);
}

async fn a_prefix_is_a_folder(storage: Storage) {
    put_all(&storage, &["a/1", "a/b/2", "ab/3", "a.json", "b/a/4"]).await;
    for prefix in ["a", "a/", "/a"] {
        assert_eq!(names_in(&storage, prefix).await, ["a/1", "a/b/2"], "{prefix}");
    }
    assert_eq!(names_in(&storage, "a/b").await, ["a/b/2"]);
    assert!(names_in(&storage, "a/1").await.is_empty(), "an object is no folder");
    assert!(names_in(&storage, "A").await.is_empty());
}

async fn a_view_within_a_folder_sees_only_it(storage: Storage) {
    put_all(&storage, &["one/x/1", "one/2", "two/3"]).await;
    let one = storage.within("one");
    assert_eq!(names_in(&one, "").await, ["2", "x/1"]);
    assert_eq!(names_in(&one, "x").await, ["x/1"]);
    assert_eq!(names_in(&one.within("x"), "").await, ["1"]);
    assert_eq!(names_in(&one.within(""), "").await, ["2", "x/1"]);
    one.put("new", pattern(9, 1)).await.expect("put works");
    assert_eq!(storage.get("one/new").await.expect("get works"), pattern(9, 1));
    assert_eq!(one.delete_under("").await.expect("deleting works"), 3);
    assert_eq!(names_in(&storage, "").await, ["two/3"]);
    assert!(one.location().ends_with("/one") || one.location().contains("/one "), "{}", one.location());
}

async fn deleting_a_folder_leaves_its_neighbours(storage: Storage) {
    put_all(&storage, &["a/1", "a/b/c/2", "a/3", "ab/4", "a.json"]).await;
    assert_eq!(storage.delete_under("a").await.expect("deleting works"), 3);
    assert_eq!(names_in(&storage, "").await, ["a.json", "ab/4"]);
    assert_eq!(storage.delete_under("a").await.expect("deleting works"), 0);
}

async fn a_listing_can_begin_after_a_name(storage: Storage) {
    // By bytes of the whole name: `+` and `-` come before `/`.
    let sorted = [
        "s/20261122+/0",
        "s/20261122-a",
        "s/20261122/1-1.2-1",
        "s/20261122/1-1.2-1.pbmpart.1",
        "s/20261122/3",
        "s/20261123/1",
        "s/x\t1",
        "s/é",
        "t/1",
    ];
    let sorted: Vec<_> = sorted.into_iter().filter(|name| storage.holds(name)).collect();
    put_all(&storage, &sorted).await;
    let names = async |prefix: &str, after: &str| -> Vec<String> {
        let found = storage.list_after(prefix, after).await.unwrap_or_else(|error| panic!("list after {after:?}: {error}"));
        found.into_iter().map(|object| object.name).collect()
    };
    for after in [
        "a",
        "s",
        "s/",
        "s/1",
        "s/20261122",
        "s/20261122/1-1",
        "s/20261122/1-1.2-1",
        "s/20261122/4",
        "s/20261122/é",
        "s/x",
        "s/x\t1",
        "s/é",
        "s0",
        "z",
    ] {
        let after = after.trim_end_matches('/');
        if !storage.holds(after) {
            continue;
        }
        let expected: Vec<_> = sorted.iter().filter(|name| name.starts_with("s/") && **name > after).copied().collect();
        assert_eq!(names("s", after).await, expected, "{after}");
        let expected: Vec<_> = sorted.iter().filter(|name| **name > after).copied().collect();
        assert_eq!(names("", after).await, expected, "{after}");
    }
    let within = storage.within("s").list_after("20261122", "20261122/1-1.2-1").await.expect("listing works");
    assert_eq!(within.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), ["20261122/1-1.2-1.pbmpart.1", "20261122/3"]);
    assert!(storage.list_after("no/such", "a").await.expect("listing works").is_empty());
}

async fn a_level_has_its_objects_and_folders(storage: Storage) {
    put_all(&storage, &["a b/1", "a b/c/2", "a.json", "a0", "é&<x>/deep/er/3", "a b/+/5"]).await;
    let mut folders = vec!["a b", "é&<x>"];
    if storage.holds("tab\there/4") {
        put_all(&storage, &["tab\there/4"]).await;
        folders.insert(1, "tab\there");
    }
    let level = storage.level("").await.expect("listing works");
    let names = |level: &crate::Level| level.objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&level), ["a.json", "a0"]);
    assert_eq!(level.objects[1].bytes, 3);
    assert_eq!(level.folders, folders);
    let inner = storage.level("a b").await.expect("listing works");
    assert_eq!((names(&inner), inner.folders), (vec!["a b/1".to_owned()], vec!["a b/+".to_owned(), "a b/c".to_owned()]));
    assert_eq!(storage.within("a b").folders("").await.expect("listing works"), ["+", "c"]);
    assert_eq!(storage.folders("é&<x>/deep").await.expect("listing works"), ["é&<x>/deep/er"]);
    assert_eq!(storage.level("no/such").await.expect("listing works"), crate::Level::default());
    storage.delete_under("a b").await.expect("deleting works");
    assert_eq!(storage.folders("").await.expect("listing works"), folders[1..], "an emptied folder is none");
}

async fn more_objects_than_fit_one_page(storage: Storage) {
    // S3 gives at most a thousand at once.
    let names: Vec<String> = (0..1050).map(|number| format!("many/{number:04} é")).collect();
    let puts = stream::iter(names.clone()).map(|name| {
        let storage = storage.clone();
        async move { storage.put(&name, pattern(1, 1)).await }
    });
    puts.buffer_unordered(16).try_collect::<()>().await.expect("put works");
    assert_eq!(names_in(&storage, "many").await, names);
    let later = storage.list_after("many", &names[9]).await.expect("listing works");
    assert_eq!(later.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), names[10..]);
    assert_eq!(storage.level("many").await.expect("listing works").objects.len(), names.len());
    assert_eq!(storage.delete_under("many").await.expect("deleting works"), names.len());
    assert!(storage.list("").await.expect("listing works").is_empty());
}
