//! What is special to filesystems: files as PBM makes them, and what the operating system refuses.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;
use oplogue_storage::{Storage, StorageError, StorageOptions};

fn open(folder: &Path) -> Storage {
    Storage::open(&format!("file://{}", folder.display()), &StorageOptions::default()).expect("a good URL")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_object_is_a_file_of_its_name_that_others_may_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(&folder.path().join("not/yet/there"));
    let mut writer = storage.writer("a b/%20*.zst").await.expect("a writer opens");
    writer.write(Bytes::from("written")).await.expect("writing works");
    writer.finish().await.expect("finish works");
    let file = folder.path().join("not/yet/there/a b/%20*.zst");
    assert_eq!(fs::read(&file).expect("it is a file"), b"written");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    // The umask of whoever runs this may take away what it wants, and never adds.
    assert_eq!((mode(&file) & !0o644, mode(&file) & 0o600), (0, 0o600));
    let above = file.parent().expect("a folder");
    assert_eq!((mode(above) & !0o755, mode(above) & 0o700), (0, 0o700));
    assert_eq!(names(above), ["%20*.zst"], "nothing else stays");
}

#[tokio::test]
async fn unfinished_files_are_not_listed_and_go_with_their_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    storage.put("backup/object", Bytes::from("x")).await.expect("put works");
    // Of a crashed process of ours, and of PBM.
    for left in [".oplogue-1-1.tmp", "object.zst.tmp"] {
        fs::write(folder.path().join("backup").join(left), "half").expect("writable");
    }
    let writer = storage.writer("backup/under way").await.expect("a writer opens");
    let listed = storage.list("").await.expect("listing works");
    assert_eq!(listed.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), ["backup/object"]);
    writer.abort().await.expect("aborting works");
    assert_eq!(storage.delete_under("backup").await.expect("deleting works"), 1);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_dropped_writer_removes_its_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    let mut writer = storage.writer("object").await.expect("a writer opens");
    writer.write(Bytes::from("half")).await.expect("writing works");
    assert_eq!(names(folder.path()).len(), 1);
    drop(writer);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn empty_folders_go_with_their_last_object() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    for name in ["a/b/c/1", "a/2"] {
        storage.put(name, Bytes::from("x")).await.expect("put works");
    }
    storage.delete("a/b/c/1").await.expect("deleting works");
    assert_eq!(names(&folder.path().join("a")), ["2"]);
    storage.delete("a/2").await.expect("deleting works");
    assert_eq!(names(folder.path()), [""; 0]);
    assert!(folder.path().is_dir(), "the storage's own folder stays");
}

#[tokio::test]
async fn writing_while_folders_are_tidied_away_works() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    let tasks = (0..8).map(|number| {
        let storage = storage.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                let name = format!("a/b/c/{number}");
                storage.put(&name, Bytes::from("x")).await.expect("put works");
                storage.delete(&name).await.expect("deleting works");
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.expect("no task panics");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("file"), "x").expect("writable");
    // Root may write everywhere but where nobody can.
    let table = [(folder.path().join("file/below"), "file/below"), ("/proc/oplogue".into(), "/proc/oplogue")];
    for (path, shown) in table {
        let storage = open(&path);
        let error = storage.put("object", Bytes::from("x")).await.expect_err("nobody can write there");
        assert!(error.to_string().contains(shown), "{error}");
        let error = storage.writer("object").await.expect_err("nobody can write there");
        assert!(error.to_string().contains(shown), "{error}");
        let report = storage.probe().await;
        assert!(report.steps[0].outcome.is_err() && report.steps[2].outcome.is_ok(), "{report:?}");
    }
}

#[tokio::test]
async fn a_folder_without_rights_is_denied() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).expect("writable");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("it is ours");
    if fs::read_dir(&locked).is_ok() {
        return; // Root: rights do not bind.
    }
    let storage = open(&locked);
    for error in [storage.put("object", Bytes::from("x")).await.err(), storage.get("object").await.err(), storage.list("").await.err()] {
        assert!(matches!(error, Some(StorageError::Denied { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_taken_by_a_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    storage.put("a/b", Bytes::from("x")).await.expect("put works");
    for name in ["a", "a/b/c"] {
        let error = storage.put(name, Bytes::from("x")).await.expect_err("a file cannot be a folder too");
        assert!(matches!(&error, StorageError::BadName { name: of, .. } if of == name), "{error}");
    }
    let error = storage.put(&"x".repeat(256), Bytes::new()).await.expect_err("255 bytes is the limit");
    assert!(matches!(error, StorageError::BadName { .. }), "{error}");
    storage.put(&"x".repeat(255), Bytes::new()).await.expect("255 bytes are fine");
}

#[tokio::test]
async fn what_is_not_a_file_is_no_object() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    symlink("/dev/full", folder.path().join("link")).expect("writable");
    assert!(storage.get("link").await.is_err_and(|error| error.is_not_found()));
    assert!(storage.list("").await.expect("listing works").is_empty());
    // A put replaces the link, never writes through it.
    storage.put("link", Bytes::from("x")).await.expect("put works");
    assert_eq!(storage.get("link").await.expect("get works"), "x");
}

#[tokio::test]
async fn links_are_followed_but_not_in_circles() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    fs::write(elsewhere.path().join("object"), "x").expect("writable");
    symlink(elsewhere.path(), folder.path().join("cluster")).expect("writable");
    let storage = open(folder.path());
    assert_eq!(storage.list("").await.expect("listing works")[0].name, "cluster/object");
    symlink(folder.path(), elsewhere.path().join("back")).expect("writable");
    let error = storage.list("").await.expect_err("it would never end");
    assert!(error.to_string().contains("does a link lead back up?") || error.to_string().contains("symbolic link"), "{error}");
}

#[tokio::test]
async fn a_file_that_gets_shorter_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    storage.put("object", vec![1; 2_000_000].into()).await.expect("put works");
    let mut reader = storage.reader("object").await.expect("it is there");
    reader.next().await.expect("a piece").expect("reading works");
    let file = fs::File::options().write(true).open(folder.path().join("object")).expect("it is there");
    file.set_len(1_000_000).expect("writable");
    let mut outcome = Ok(Bytes::new());
    while let Some(piece) = reader.next().await {
        outcome = piece;
    }
    assert!(outcome.is_err(), "a reader never ends early without an error");
}

#[tokio::test]
async fn a_file_replaced_while_it_is_read_stays_the_old_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = open(folder.path());
    storage.put("object", vec![1; 2_000_000].into()).await.expect("put works");
    let mut reader = storage.reader("object").await.expect("it is there");
    storage.put("object", vec![2; 2_000_000].into()).await.expect("put works");
    let mut bytes = 0;
    while let Some(piece) = reader.next().await {
        let piece = piece.expect("reading works");
        assert!(piece.iter().all(|&byte| byte == 1));
        bytes += piece.len();
    }
    assert_eq!(bytes, 2_000_000);
}
