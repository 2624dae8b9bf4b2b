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
    ("more-objects-than-fit-one-page", |storage| more_objects_than_fit_one_page(storage).boxed()),
];

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

async fn more_objects_than_fit_one_page(storage: Storage) {
    // S3 gives at most a thousand at once.
    let names: Vec<String> = (0..1050).map(|number| format!("many/{number:04} é")).collect();
    let puts = stream::iter(names.clone()).map(|name| {
        let storage = storage.clone();
        async move { storage.put(&name, pattern(1, 1)).await }
    });
    puts.buffer_unordered(16).try_collect::<()>().await.expect("put works");
    assert_eq!(names_in(&storage, "many").await, names);
    assert_eq!(storage.delete_under("many").await.expect("deleting works"), names.len());
    assert!(storage.list("").await.expect("listing works").is_empty());
}
