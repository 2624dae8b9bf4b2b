//! Encryption at rest by the server.

use bytes::Bytes;
use oplogue_storage::{ServerSideEncryption, Storage, StorageError, StorageOptions};
use oplogue_testkit::S3Bucket;
use oplogue_testkit::s3::KMS_KEY_ID;

use crate::s3::{MIB, new_bucket, open, options};

fn encrypted(bucket: &S3Bucket, server_side_encryption: ServerSideEncryption) -> Storage {
    open(bucket, &StorageOptions { server_side_encryption, ..options(bucket) })
}

/// Writes a small and a large object, reads both back, looks at them, lists and deletes them.
async fn works(storage: &Storage) {
    let content = Bytes::from(vec![3; 11 * MIB]);
    storage.put("small", content.slice(..100)).await.expect("put works");
    let mut writer = storage.writer("large").await.expect("a writer opens");
    writer.write(content.clone()).await.expect("writing works");
    writer.finish().await.expect("finish works");
    assert_eq!(storage.get("small").await.expect("get works"), content.slice(..100));
    assert!(storage.get("large").await.expect("get works") == content);
    assert_eq!(storage.stat("large").await.expect("stat works").bytes, content.len() as u64);
    let mut aborted = storage.writer("aborted").await.expect("a writer opens");
    aborted.write(content.clone()).await.expect("writing works");
    aborted.abort().await.expect("aborting works");
    assert_eq!(storage.list("").await.expect("listing works").len(), 2);
}

#[tokio::test]
async fn sse_s3() {
    let bucket = new_bucket().await;
    works(&encrypted(&bucket, ServerSideEncryption::S3)).await;
}

#[tokio::test]
async fn sse_kms_with_the_key_asked_for() {
    let bucket = new_bucket().await;
    works(&encrypted(&bucket, ServerSideEncryption::Kms { key_id: KMS_KEY_ID.into() })).await;
    for object in ["small", "large"] {
        let head = bucket.request("HEAD", Some(object), &[], &[], &[]).await.expect("the server answers");
        assert_eq!(head.header("x-amz-server-side-encryption"), Some("aws:kms"));
        assert_eq!(head.header("x-amz-server-side-encryption-aws-kms-key-id"), Some(KMS_KEY_ID));
    }
    let error = encrypted(&bucket, ServerSideEncryption::Kms { key_id: "unknown".into() }).put("x", Bytes::new()).await;
    assert!(error.is_err(), "a key the server does not have");
}

#[tokio::test]
async fn sse_c_needs_the_key_to_read() {
    let bucket = new_bucket().await;
    works(&encrypted(&bucket, ServerSideEncryption::Customer { key: [1; 32] })).await;
    assert!(bucket.get("small").await.is_err(), "without the key nobody reads it");
    for storage in [encrypted(&bucket, ServerSideEncryption::Customer { key: [2; 32] }), open(&bucket, &options(&bucket))] {
        let errors = [storage.get("small").await.err(), storage.stat("large").await.err()];
        for error in errors {
            let error = error.expect("the wrong key, or none");
            assert!(matches!(error, StorageError::Other { .. } | StorageError::Denied { .. }), "{error:?}");
        }
    }
}
