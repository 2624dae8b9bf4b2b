//! Encrypted folders over a storage in memory: the promises of every storage, and that nothing changes unnoticed.

use bytes::Bytes;

use super::*;
use crate::conformance;

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::Bytes([byte; 32])
}

fn encrypted(around: &Storage) -> Storage {
    around.encrypted(key(1), Beginning::Allowed)
}

/// Bytes that no cipher text holds by chance.
fn content(bytes: usize) -> Bytes {
    (0..bytes).map(|at| b"secret words "[at % 13]).collect::<Vec<_>>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_folder_keeps_the_promises_of_every_storage() {
    // Writing does not begin in many cases at once: two of them would be refused.
    let storage = encrypted(&Storage::memory());
    storage.put("begun", Bytes::new()).await.expect("it is begun");
    storage.delete("begun").await.expect("deleted");
    conformance::check(storage).await;
}

#[tokio::test]
async fn nothing_of_the_content_can_be_seen_and_names_and_sizes_stay() {
    let around = Storage::memory();
    let storage = encrypted(&around);
    for bytes in [0, 1, 13, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
        storage.put("a/b", content(bytes)).await.expect("put");
        assert_eq!(storage.get("a/b").await.expect("read"), content(bytes));
        let (inside, outside) = (storage.list("").await.expect("listed"), around.list("oplogue/encrypted").await.expect("listed"));
        assert_eq!((inside[0].name.as_str(), inside[0].bytes), ("a/b", bytes as u64));
        assert_eq!(outside[0].name, "oplogue/encrypted/a/b");
        let raw = around.get(&outside[0].name).await.expect("read");
        assert!(!raw.windows(6).any(|window| window == b"secret"));
    }
}

const CHUNK: usize = seal::CHUNK_BYTES;

#[tokio::test]
async fn reading_can_begin_anywhere() {
    let storage = encrypted(&Storage::memory());
    let whole = content(2 * CHUNK + 100);
    storage.put("object", whole.clone()).await.expect("put");
    for offset in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 99, 2 * CHUNK + 100, 9 * CHUNK] {
        let opened = storage.open_at("object", offset as u64).await.expect("opened");
        let pieces: Vec<Bytes> = futures::TryStreamExt::try_collect(opened.stream).await.expect("read");
        assert_eq!(pieces.concat(), whole[offset.min(whole.len())..], "{offset}");
    }
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_kind_of_key_are_told_at_once() {
    let around = Storage::memory();
    encrypted(&around).put("object", content(9)).await.expect("put");
    let words = |text: &str| EncryptionKey::from_passphrase(text).expect("long enough");
    for (wrong, expected) in [(key(2), "is not the one"), (words("correct horse battery"), "a key file, and a passphrase")] {
        let storage = around.encrypted(wrong, Beginning::Allowed);
        for error in [storage.list("").await.err(), storage.get("object").await.err(), storage.put("x", content(1)).await.err()] {
            let error = error.expect("refused");
            assert!(matches!(error, StorageError::Encryption { .. }) && error.to_string().contains(expected), "{error}");
        }
    }
    let around = Storage::memory();
    around.encrypted(words("correct horse battery"), Beginning::Allowed).put("object", content(9)).await.expect("put");
    let same = around.encrypted(words("correct horse battery"), Beginning::Never);
    assert_eq!(same.get("object").await.expect("the same words"), content(9));
    let error = around.encrypted(words("correct horse batterie"), Beginning::Never).list("").await.expect_err("other words");
    assert!(error.to_string().contains("the passphrase is not the one"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_encrypted_is_not_taken_for_one() {
    let around = Storage::memory();
    let error = around.encrypted(key(1), Beginning::Never).list("").await.expect_err("nothing is there");
    assert!(error.to_string().contains("--encrypt"), "{error}");
    assert_eq!(encrypted(&around).list("").await.expect("it may become one"), []);
    for name in ["base.pbm.json", "oplogue/slices/rs0/x"] {
        let around = Storage::memory();
        around.put(name, content(1)).await.expect("put");
        for error in [encrypted(&around).list("").await.err(), encrypted(&around).put("x", content(1)).await.err()] {
            let error = error.expect("refused");
            assert!(error.to_string().contains("unencrypted objects lie there"), "{error}");
        }
    }
}

#[tokio::test]
async fn two_that_begin_at_once_never_make_two_keys() {
    let around = Storage::memory();
    around.put("oplogue/encryption-claims/of-another", content(1)).await.expect("put");
    let error = encrypted(&around).put("x", content(1)).await.expect_err("refused");
    assert!(error.to_string().contains("of-another"), "{error}");
    assert!(around.get(MARKER).await.is_err());
}

#[tokio::test]
async fn a_marker_that_asks_for_too_much_or_says_nonsense_is_refused() {
    let around = Storage::memory();
    let words = EncryptionKey::from_passphrase("correct horse battery").expect("long enough");
    around.encrypted(words.clone(), Beginning::Allowed).put("object", content(9)).await.expect("put");
    let marker = String::from_utf8(around.get(MARKER).await.expect("read").to_vec()).expect("text");
    for (from, to) in
        [("65536", "4294967295"), ("\"passes\": 3", "\"passes\": 99"), ("format\": 1", "format\": 9"), ("STREAM", "STEAM"), ("{", "")]
    {
        around.put(MARKER, marker.replacen(from, to, 1).into()).await.expect("put");
        let error = around.encrypted(words.clone(), Beginning::Never).list("").await.expect_err("refused");
        assert!(matches!(error, StorageError::Encryption { .. }), "{from} {to}: {error}");
    }
}

#[tokio::test]
async fn whatever_is_changed_about_an_object_is_found() {
    let around = Storage::memory();
    let storage = encrypted(&around);
    storage.put("a", content(3 * CHUNK + 50)).await.expect("put");
    storage.put("b", content(3 * CHUNK + 50)).await.expect("put");
    let (a, b) = ("oplogue/encrypted/a", "oplogue/encrypted/b");
    let whole = around.get(a).await.expect("read").to_vec();
    let header = seal::HEADER_BYTES as usize;
    let chunk = |number: usize| header + number * seal::SEALED_BYTES..header + (number + 1) * seal::SEALED_BYTES;
    let mut changes: Vec<(String, Vec<u8>)> = Vec::new();
    for at in [0, 9, header, header + 1, header + seal::SEALED_BYTES + 5, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        changes.push((format!("byte {at} flipped"), flipped));
    }
    for length in [0, 5, header, header + 3, header + seal::SEALED_BYTES, header + 2 * seal::SEALED_BYTES + 20, whole.len() - 1] {
        changes.push((format!("cut after {length}"), whole[..length].to_vec()));
    }
    let pieces =
        |order: &[usize]| [&whole[..header], &order.iter().map(|number| &whole[chunk(*number)]).collect::<Vec<_>>().concat()].concat();
    changes.push(("two chunks in the wrong order".to_owned(), [pieces(&[1, 0, 2]), whole[chunk(2).end..].to_vec()].concat()));
    changes.push(("a chunk left out".to_owned(), [pieces(&[0, 2]), whole[chunk(2).end..].to_vec()].concat()));
    changes.push(("a chunk twice".to_owned(), [pieces(&[0, 1, 1, 2]), whole[chunk(2).end..].to_vec()].concat()));
    changes.push(("something behind it".to_owned(), [whole.clone(), vec![0; 40]].concat()));
    changes.push(("another object".to_owned(), around.get(b).await.expect("read").to_vec()));
    for (what, bytes) in changes {
        around.put(a, bytes.into()).await.expect("put");
        let error = storage.get("a").await.expect_err(&what);
        assert!(matches!(&error, StorageError::Damaged { name, .. } if name == "a"), "{what}: {error}");
    }
    around.put(a, whole.into()).await.expect("put");
    assert_eq!(storage.get("a").await.expect("whole again"), content(3 * CHUNK + 50));
}
