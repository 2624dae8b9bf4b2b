//! The S3 server starts, checks signatures, and keeps objects under exactly their keys.

use oplogue_testkit::S3Server;
use oplogue_testkit::s3::KMS_KEY_ID;

#[tokio::test]
async fn objects_come_back_under_their_own_keys() {
    let bucket = S3Server::shared().await.expect("a server").new_bucket().await.expect("a bucket");
    let keys = ["a b/c", "plus+plus", "ü~#?%41", "\"quote\"*\\", "tab\there"];
    for key in keys {
        bucket.put(key, key.as_bytes()).await.expect("stored");
    }
    let mut expected: Vec<String> = keys.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(bucket.keys().await.expect("a listing"), expected);
    for key in keys {
        assert_eq!(bucket.get(key).await.expect("the object"), key.as_bytes());
    }
    bucket.delete("a b/c").await.expect("deleted");
    assert_eq!(bucket.keys().await.expect("a listing").len(), keys.len() - 1);
}

#[tokio::test]
async fn a_wrong_secret_a_stranger_and_a_missing_bucket_are_refused() {
    let server = S3Server::shared().await.expect("a server");
    let mut bucket = server.new_bucket().await.expect("a bucket");
    let missing = server.bucket("never-made").request("GET", None, &[], &[], &[]).await.expect("an answer");
    assert_eq!(missing.status, 404, "{}", missing.describe());
    bucket.secret_key = "wrong".into();
    let refused = bucket.request("PUT", Some("x"), &[], &[], b"x").await.expect("an answer");
    assert_eq!(refused.status, 403, "{}", refused.describe());
    assert!(refused.describe().contains("SignatureDoesNotMatch"), "{}", refused.describe());
    (bucket.access_key, bucket.secret_key) = server.new_user().await.expect("a user");
    let refused = bucket.request("GET", None, &[], &[], &[]).await.expect("an answer");
    assert!(refused.describe().contains("AccessDenied"), "{}", refused.describe());
}

#[tokio::test]
async fn objects_are_encrypted_when_asked() {
    let bucket = S3Server::shared().await.expect("a server").new_bucket().await.expect("a bucket");
    let headers = [("x-amz-server-side-encryption", "aws:kms"), ("x-amz-server-side-encryption-aws-kms-key-id", KMS_KEY_ID)];
    let put = bucket.request("PUT", Some("secret"), &[], &headers, b"hidden").await.expect("an answer");
    assert_eq!(put.status, 200, "{}", put.describe());
    let get = bucket.request("GET", Some("secret"), &[], &[], &[]).await.expect("an answer");
    assert_eq!(get.body, b"hidden");
    assert_eq!(get.header("x-amz-server-side-encryption"), Some("aws:kms"));
}

#[tokio::test]
async fn a_described_server_is_the_same_server() {
    let server = S3Server::shared().await.expect("a server");
    let bucket = server.new_bucket().await.expect("a bucket");
    bucket.put("x", b"1").await.expect("stored");
    let again = S3Server::from_description(&server.description()).expect("its own description");
    assert_eq!(again.bucket(&bucket.bucket).get("x").await.expect("the object"), b"1");
}
