//! An object is visible whole or not at all.

use bytes::Bytes;
use futures::FutureExt;

use super::{Case, LARGE_BYTES, names_in, pattern, read_all};
use crate::{ObjectWriter, Storage, StorageError};

pub(super) const CASES: &[Case] = &[
    ("an-object-is-invisible-until-finished", |storage| an_object_is_invisible_until_finished(storage).boxed()),
    ("an-aborted-object-never-was", |storage| an_aborted_object_never_was(storage).boxed()),
    ("a-dropped-writer-leaves-nothing", |storage| a_dropped_writer_leaves_nothing(storage).boxed()),
    ("the-old-object-stays-until-the-new-one-is-whole", |storage| the_old_object_stays(storage).boxed()),
    ("objects-around-the-size-of-a-part", |storage| objects_around_the_size_of_a_part(storage).boxed()),
    ("pieces-of-any-size", |storage| pieces_of_any_size(storage).boxed()),
    ("two-writers-of-one-name-do-not-mix", |storage| two_writers_of_one_name_do_not_mix(storage).boxed()),
    ("many-writers-at-once", |storage| many_writers_at_once(storage).boxed()),
];

const MIB: usize = 1024 * 1024;

async fn begin(storage: &Storage, name: &str, content: Bytes) -> ObjectWriter {
    let mut writer = storage.writer(name).await.expect("a writer opens");
    writer.write(content).await.expect("writing works");
    writer
}

async fn an_object_is_invisible_until_finished(storage: Storage) {
    for (name, bytes) in [("small", 1000), ("large", LARGE_BYTES)] {
        let content = pattern(bytes, 5);
        let writer = begin(&storage, name, content.clone()).await;
        assert_eq!(writer.bytes(), bytes as u64);
        assert!(storage.get(name).await.is_err_and(|error| error.is_not_found()));
        assert!(!names_in(&storage, "").await.contains(&name.to_owned()));
        assert_eq!(writer.finish().await.expect("finish works"), bytes as u64);
        assert!(read_all(&storage, name).await.0 == content);
        assert_eq!(storage.stat(name).await.expect("it is there").bytes, bytes as u64);
    }
    assert_eq!(names_in(&storage, "").await, ["large", "small"]);
}

async fn an_aborted_object_never_was(storage: Storage) {
    for bytes in [1000, LARGE_BYTES] {
        begin(&storage, "object", pattern(bytes, 1)).await.abort().await.expect("aborting works");
    }
    assert!(storage.list("").await.expect("listing works").is_empty());
}

async fn a_dropped_writer_leaves_nothing(storage: Storage) {
    for bytes in [1000, LARGE_BYTES] {
        drop(begin(&storage, "folder/object", pattern(bytes, 1)).await);
    }
    assert!(storage.get("folder/object").await.is_err_and(|error| error.is_not_found()));
    assert!(storage.list("").await.expect("listing works").is_empty());
}

async fn the_old_object_stays(storage: Storage) {
    let old = pattern(LARGE_BYTES, 1);
    storage.put("object", old.clone()).await.expect("put works");
    let writer = begin(&storage, "object", pattern(LARGE_BYTES + 1, 2)).await;
    assert!(storage.get("object").await.expect("the old one is there") == old);
    writer.finish().await.expect("finish works");
    assert!(storage.get("object").await.expect("the new one is there") == pattern(LARGE_BYTES + 1, 2));

    let writer = begin(&storage, "object", pattern(10, 3)).await;
    writer.abort().await.expect("aborting works");
    assert!(storage.get("object").await.expect("it is still there") == pattern(LARGE_BYTES + 1, 2));
}

async fn objects_around_the_size_of_a_part(storage: Storage) {
    for bytes in [5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB] {
        let content = pattern(bytes, bytes as u64);
        let writer = begin(&storage, "object", content.clone()).await;
        assert_eq!(writer.finish().await.expect("finish works"), bytes as u64);
        assert!(storage.get("object").await.expect("it can be read") == content, "{bytes} bytes");
    }
}

async fn pieces_of_any_size(storage: Storage) {
    let content = pattern(LARGE_BYTES, 6);
    let mut writer = storage.writer("object").await.expect("a writer opens");
    let mut rest = content.clone();
    for bytes in [0, 1, 7, 100_000, 6 * MIB, 0, 3 * MIB - 1].into_iter().cycle() {
        let piece = rest.split_to(bytes.min(rest.len()));
        writer.write(piece).await.expect("writing works");
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(writer.finish().await.expect("finish works"), LARGE_BYTES as u64);
    assert!(storage.get("object").await.expect("it can be read") == content);
}

async fn two_writers_of_one_name_do_not_mix(storage: Storage) {
    let first = begin(&storage, "object", pattern(LARGE_BYTES, 1)).await;
    let second = begin(&storage, "object", pattern(LARGE_BYTES, 2)).await;
    second.finish().await.expect("finish works");
    assert!(storage.get("object").await.expect("it can be read") == pattern(LARGE_BYTES, 2));
    // Azure throws away the parts of all others when one finishes, and says so to them.
    let winner = match first.finish().await {
        Ok(_) => 1,
        Err(StorageError::Changed { .. }) => 2,
        Err(error) => panic!("finish: {error}"),
    };
    assert!(storage.get("object").await.expect("it can be read") == pattern(LARGE_BYTES, winner));
    assert_eq!(names_in(&storage, "").await, ["object"]);
}

async fn many_writers_at_once(storage: Storage) {
    let writes = (0..20u64).map(|number| {
        let storage = storage.clone();
        async move {
            let name = format!("folder/{}/{number:02}", number % 3);
            begin(&storage, &name, pattern(10_000, number)).await.finish().await.expect("finish works");
            assert_eq!(storage.get(&name).await.expect("it can be read"), pattern(10_000, number));
        }
    });
    futures::future::join_all(writes).await;
    assert_eq!(storage.list("folder").await.expect("listing works").len(), 20);
}
