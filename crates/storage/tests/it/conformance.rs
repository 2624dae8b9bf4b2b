//! One suite, three storages.

use oplogue_storage::{Storage, StorageOptions, conformance};

use crate::s3::{options, server};

#[tokio::test]
async fn memory_keeps_the_promises() {
    conformance::check(Storage::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filesystem_keeps_the_promises() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("file://{}/back%20ups%25", folder.path().display());
    let storage = Storage::open(&url, &StorageOptions::default()).expect("a good URL");
    conformance::check(storage).await;
    assert!(folder.path().join("back ups%").is_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_s3_server_keeps_the_promises() {
    let bucket = server().await.new_bucket().await.expect("a bucket");
    let storage = Storage::open(&bucket.url_within("prefix/of%20mine"), &options(&bucket)).expect("a good URL");
    conformance::check(storage).await;
    assert_eq!(incomplete_uploads(&bucket).await, 0, "aborted and dropped writers leave no parts");
}

/// Dropped writers take their parts back in the background: waits until the number no longer changes to zero.
async fn incomplete_uploads(bucket: &oplogue_testkit::S3Bucket) -> usize {
    let mut count = usize::MAX;
    for _ in 0..200 {
        let answer = bucket.request("GET", None, &[("uploads", "")], &[], &[]).await.expect("uploads can be listed");
        count = String::from_utf8_lossy(&answer.body).matches("<UploadId>").count();
        if count == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    count
}
