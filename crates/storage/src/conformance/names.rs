//! Names are held exactly, or refused.

use futures::FutureExt;

use super::{Case, names_in, pattern, read_all};
use crate::{Storage, StorageError};

pub(super) const CASES: &[Case] = &[
    ("odd-names-are-held-exactly", |storage| odd_names_are_held_exactly(storage).boxed()),
    ("odd-folders-can-be-listed", |storage| odd_folders_can_be_listed(storage).boxed()),
    ("names-that-differ-little-are-two-objects", |storage| names_that_differ_little_are_two_objects(storage).boxed()),
    ("impossible-names-are-refused", |storage| impossible_names_are_refused(storage).boxed()),
];

/// Names as MongoDB allows collections to have, and as PBM therefore writes objects.
pub(super) const ODD_NAMES: &[&str] = &[
    " ",
    " leading and trailing ",
    "a  b",
    "*",
    "**/*?",
    "\"quoted\" 'single' `back`",
    "back\\slash\\",
    "100%",
    "%20",
    "%2F%2f%09",
    "%",
    "+plus+ and%2Bplus",
    "~tilde",
    "#hash",
    "?question=1&a=b",
    "a&b;c,d=e:f@g!$",
    "<tag>&amp;</Key><Key>",
    "[brackets]{braces}(round)|^",
    "tab\there",
    "line\nfeed\r\n",
    "\u{1}\u{1f}\u{7f} control",
    "\u{85}\u{a0}\u{200b} invisible",
    "ü é ñ",
    "u\u{308} decomposed",
    "日本語/коллекция/مجموعة",
    "\u{1F4A5}",
    "...",
    "..a",
    ".hidden",
    "trailing.",
    "db.system.buckets.metrics.zst",
    "2026-11-23T02:35:59Z.pbm.json",
    "con/NUL.txt",
];

fn names_for(storage: &Storage) -> Vec<&'static str> {
    ODD_NAMES.iter().filter(|name| storage.holds(name)).copied().collect()
}

async fn odd_names_are_held_exactly(storage: Storage) {
    let names = names_for(&storage);
    for (index, name) in names.iter().enumerate() {
        let content = pattern(100 + index, index as u64);
        storage.put(name, content.clone()).await.unwrap_or_else(|error| panic!("put {name:?}: {error}"));
        assert_eq!(storage.get(name).await.expect("get works"), content, "{name:?}");
        assert_eq!(storage.stat(name).await.expect("stat works").name, *name);
        assert_eq!(read_all(&storage, name).await.0, content, "{name:?}");
    }
    let mut expected = names.clone();
    expected.sort_unstable();
    assert_eq!(names_in(&storage, "").await, expected);

    for name in &names {
        let mut writer = storage.writer(name).await.expect("a writer opens");
        writer.write(pattern(7, 7)).await.expect("writing works");
        writer.finish().await.unwrap_or_else(|error| panic!("finish {name:?}: {error}"));
        assert_eq!(storage.get(name).await.expect("get works"), pattern(7, 7), "{name:?}");
        storage.delete(name).await.expect("deleting works");
        assert!(storage.stat(name).await.is_err_and(|error| error.is_not_found()), "{name:?}");
    }
    assert!(storage.list("").await.expect("listing works").is_empty());
}

async fn odd_folders_can_be_listed(storage: Storage) {
    for name in names_for(&storage) {
        let folder = format!("top/{name}");
        let object = format!("{folder}/object");
        storage.put(&object, pattern(3, 1)).await.expect("put works");
        assert_eq!(names_in(&storage, &folder).await, [object], "{folder:?}");
        assert_eq!(names_in(&storage.within(&folder), "").await, ["object"], "{folder:?}");
        assert_eq!(storage.delete_under(&folder).await.expect("deleting works"), 1, "{folder:?}");
    }
}

async fn names_that_differ_little_are_two_objects(storage: Storage) {
    let mut names = vec!["a b", "a%20b", "a+b", "A b", "a  b", "é", "e\u{301}", "a%2Fb", "a\tb", "a%09b", "a\\tb"];
    names.retain(|name| storage.holds(name));
    for (index, name) in names.iter().enumerate() {
        storage.put(name, pattern(20, index as u64)).await.expect("put works");
    }
    for (index, name) in names.iter().enumerate() {
        assert_eq!(storage.get(name).await.expect("get works"), pattern(20, index as u64), "{name:?}");
    }
    assert_eq!(storage.list("").await.expect("listing works").len(), names.len());
}

async fn impossible_names_are_refused(storage: Storage) {
    let refused = |error: Option<StorageError>, name: &str| {
        assert!(matches!(error, Some(StorageError::BadName { .. })), "{name:?}: {error:?}");
    };
    for name in ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b"] {
        refused(storage.put(name, pattern(1, 1)).await.err(), name);
        refused(storage.writer(name).await.err(), name);
        refused(storage.get(name).await.err(), name);
        refused(storage.delete(name).await.err(), name);
    }
    refused(storage.list("../..").await.err(), "../..");
    refused(storage.delete_under("a/../..").await.err(), "a/../..");
    refused(storage.within("../elsewhere").put("a", pattern(1, 1)).await.err(), "../elsewhere");
    refused(storage.within("../elsewhere").list("").await.err(), "../elsewhere");
    assert!(storage.list("").await.expect("listing works").is_empty());
}
