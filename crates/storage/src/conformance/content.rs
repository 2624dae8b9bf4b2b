//! What is read is what was written.

use bytes::Bytes;
use futures::FutureExt;

use super::{Case, LARGE_BYTES, pattern, read_all};
use crate::{Storage, StorageError};

pub(super) const CASES: &[Case] = &[
    ("what-was-put-is-read", |storage| what_was_put_is_read(storage).boxed()),
    ("an-empty-object-is-an-object", |storage| an_empty_object_is_an_object(storage).boxed()),
    ("a-second-put-replaces", |storage| a_second_put_replaces(storage).boxed()),
    ("absent-objects-are-not-found", |storage| absent_objects_are_not_found(storage).boxed()),
    ("deleting-twice-is-fine", |storage| deleting_twice_is_fine(storage).boxed()),
    ("a-large-object-streams-in-pieces", |storage| a_large_object_streams_in_pieces(storage).boxed()),
    ("one-object-has-many-readers", |storage| one_object_has_many_readers(storage).boxed()),
    ("the-probe-finds-every-right", |storage| the_probe_finds_every_right(storage).boxed()),
];

async fn what_was_put_is_read(storage: Storage) {
    for bytes in [1, 255, 65_536, 300_001] {
        let content = pattern(bytes, 1);
        storage.put("object", content.clone()).await.expect("put works");
        assert_eq!(storage.get("object").await.expect("get works"), content);
        assert_eq!(read_all(&storage, "object").await.0, content);
        let info = storage.stat("object").await.expect("stat works");
        assert_eq!((info.name.as_str(), info.bytes), ("object", bytes as u64));
    }
}

async fn an_empty_object_is_an_object(storage: Storage) {
    storage.put("put", Bytes::new()).await.expect("put works");
    let writer = storage.writer("written").await.expect("a writer opens");
    assert_eq!(writer.finish().await.expect("finish works"), 0);
    for name in ["put", "written"] {
        assert_eq!(storage.stat(name).await.expect("it is there").bytes, 0);
        assert_eq!(storage.get(name).await.expect("it can be read"), Bytes::new());
        assert_eq!(read_all(&storage, name).await, (vec![], 0));
    }
    assert_eq!(storage.list("").await.expect("listing works").len(), 2);
}

async fn a_second_put_replaces(storage: Storage) {
    storage.put("object", pattern(5000, 1)).await.expect("put works");
    storage.put("object", pattern(10, 2)).await.expect("put works");
    assert_eq!(storage.get("object").await.expect("get works"), pattern(10, 2));
}

async fn absent_objects_are_not_found(storage: Storage) {
    storage.put("folder/object", pattern(10, 1)).await.expect("put works");
    // An object is no folder and a folder no object.
    for name in ["absent", "folder", "folder/absent", "folder/object/below", "no/such/folder"] {
        let errors = [storage.get(name).await.err(), storage.reader(name).await.err(), storage.stat(name).await.err()];
        for error in errors {
            let error = error.expect("there is no such object");
            assert!(matches!(&error, StorageError::NotFound { name: of, .. } if of == name), "{name}: {error}");
        }
    }
}

async fn deleting_twice_is_fine(storage: Storage) {
    storage.put("folder/object", pattern(10, 1)).await.expect("put works");
    for _ in 0..2 {
        storage.delete("folder/object").await.expect("deleting works");
        assert!(storage.get("folder/object").await.is_err_and(|error| error.is_not_found()));
    }
    storage.delete("never/was").await.expect("deleting what never was works");
    assert!(storage.list("").await.expect("listing works").is_empty());
}

async fn a_large_object_streams_in_pieces(storage: Storage) {
    let content = pattern(LARGE_BYTES, 3);
    storage.put("large", content.clone()).await.expect("put works");
    let (whole, pieces) = read_all(&storage, "large").await;
    assert!(whole == content, "other bytes were read than written");
    assert!(pieces > 1, "it came in one piece of {LARGE_BYTES} bytes");
    assert!(storage.get("large").await.expect("get works") == content);
}

async fn one_object_has_many_readers(storage: Storage) {
    let content = pattern(1_000_000, 4);
    storage.put("object", content.clone()).await.expect("put works");
    let readers = (0..8).map(|_| read_all(&storage, "object"));
    for (whole, _) in futures::future::join_all(readers).await {
        assert!(whole == content);
    }
}

async fn the_probe_finds_every_right(storage: Storage) {
    storage.put("kept", pattern(1, 1)).await.expect("put works");
    let report = storage.probe().await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.steps.iter().map(|step| step.name).collect::<Vec<_>>(), ["write", "read", "list", "delete"]);
    assert_eq!(storage.list("").await.expect("listing works").len(), 1, "the probe leaves nothing");
}
