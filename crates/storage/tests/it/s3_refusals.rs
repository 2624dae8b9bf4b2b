//! What the server refuses is told as what it is.

use std::time::Duration;

use bytes::Bytes;
use oplogue_storage::{Storage, StorageError, StorageOptions};
use oplogue_testkit::S3Bucket;

use crate::s3::{MIB, new_bucket, open, options, server};

/// The errors of every kind of call.
async fn errors(storage: &Storage) -> Vec<StorageError> {
    let large = async {
        let mut writer = storage.writer("large").await?;
        writer.write(vec![1; 6 * MIB].into()).await?;
        writer.finish().await
    };
    let outcomes = [
        storage.put("object", Bytes::from("x")).await.err(),
        large.await.err(),
        storage.get("object").await.err(),
        storage.reader("object").await.err(),
        storage.stat("object").await.err(),
        storage.list("").await.err(),
        storage.delete("object").await.err(),
        storage.delete_under("folder").await.err(),
        storage.probe().await.first_error().cloned(),
    ];
    outcomes.into_iter().map(|outcome| outcome.expect("this cannot work")).collect()
}

fn says(error: &StorageError, bucket: &S3Bucket) {
    let shown = error.to_string();
    assert!(shown.contains(&bucket.bucket) && shown.contains(&bucket.endpoint), "{shown}");
    assert!(!shown.contains(&bucket.secret_key) && !shown.contains(&bucket.access_key), "{shown}");
}

#[tokio::test]
async fn a_missing_bucket() {
    let bucket = server().await.bucket("never-made");
    for error in errors(&open(&bucket, &options(&bucket))).await {
        assert!(matches!(error, StorageError::MissingBucket { .. }), "{error}");
        says(&error, &bucket);
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key() {
    let bucket = new_bucket().await;
    let wrong_secret = StorageOptions { secret_key: Some("wrong".into()), ..options(&bucket) };
    let unknown_key = StorageOptions { access_key: Some("AKUNKNOWN".into()), ..options(&bucket) };
    for options in [wrong_secret, unknown_key] {
        for error in errors(&open(&bucket, &options)).await {
            assert!(matches!(error, StorageError::BadCredentials { .. }), "{error}");
            says(&error, &bucket);
        }
    }
}

#[tokio::test]
async fn somebody_elses_bucket() {
    let bucket = new_bucket().await;
    let (access_key, secret_key) = server().await.new_user().await.expect("a user");
    let stranger = StorageOptions { access_key: Some(access_key), secret_key: Some(secret_key), ..options(&bucket) };
    for error in errors(&open(&bucket, &stranger)).await {
        assert!(matches!(error, StorageError::Denied { .. }), "{error}");
        says(&error, &bucket);
    }
    let report = open(&bucket, &stranger).probe().await;
    assert!(report.steps.iter().all(|step| step.outcome.is_err()), "{report:?}");
}

#[tokio::test]
async fn nobody_listens() {
    let bucket = S3Bucket { endpoint: "http://127.0.0.1:1".into(), ..new_bucket().await };
    let options = StorageOptions { retries_max: 1, retry_delay_max: Duration::from_millis(1), ..options(&bucket) };
    for error in errors(&open(&bucket, &options)).await {
        assert!(matches!(error, StorageError::Unavailable { .. }) && error.is_temporary(), "{error}");
        says(&error, &bucket);
    }
}

#[tokio::test]
async fn something_else_than_s3_answers() {
    // A TLS port asked without TLS.
    let bucket = new_bucket().await;
    let endpoint = bucket.https_endpoint.replace("https://", "http://");
    let bucket = S3Bucket { endpoint, ..bucket };
    let options = StorageOptions { retries_max: 0, ..options(&bucket) };
    for error in errors(&open(&bucket, &options)).await {
        assert!(!error.is_not_found(), "{error}");
        says(&error, &bucket);
    }
}
