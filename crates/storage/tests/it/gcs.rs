//! Google Cloud Storage. Its XML interface speaks as S3 does, so an S3 server that lets everybody in stands for it (its emulators know only
//! the other interface). What is Google's own, the token that a service account's key signs, is looked at by a small server here.

use bytes::Bytes;
use oplogue_storage::{Storage, StorageError, StorageOptions, conformance};
use oplogue_testkit::S3Bucket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::s3::{MIB, new_bucket};

/// A bucket that everybody may use without credentials.
async fn open_bucket() -> S3Bucket {
    let bucket = new_bucket().await;
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::{0}", "arn:aws:s3:::{0}/*"]}}]}}"#,
        bucket.bucket
    );
    let made = bucket.request("PUT", None, &[("policy", "")], &[], policy.as_bytes()).await.expect("asked");
    assert!(made.status < 300, "{}", made.describe());
    bucket
}

fn options() -> StorageOptions {
    StorageOptions { part_bytes: 5 * MIB, retry_delay_max: std::time::Duration::from_millis(200), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_way_of_speaking_keeps_the_promises_for_every_name_it_can_hold() {
    let bucket = open_bucket().await;
    let url = format!("gs://{}/prefix/of%20mine?endpoint={}", bucket.bucket, bucket.endpoint);
    let storage = Storage::open(&url, &options()).expect("a good URL");
    conformance::check_all_but(storage.clone(), &["line\nfeed\r\n"]).await;
    assert!(storage.probe().await.is_ok());

    let nowhere = Storage::open(&format!("gs://nowhere-at-all?endpoint={}", bucket.endpoint), &options()).expect("a good URL");
    let error = nowhere.list("").await.expect_err("there is no such bucket");
    assert!(matches!(error, StorageError::MissingBucket { .. }), "{error}");
}

/// Says yes to one request, and tells what was asked.
async fn answering() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let task = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"content") {
            let mut piece = [0; 4096];
            let read = connection.read(&mut piece).await.expect("readable");
            assert!(read > 0, "the request ends early: {}", String::from_utf8_lossy(&request));
            request.extend_from_slice(&piece[..read]);
        }
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n";
        connection.write_all(answer).await.expect("writable");
        String::from_utf8_lossy(&request).into_owned()
    });
    (address, task)
}

/// Made anew each time: a private key, even one of nobody, does not belong into a repository.
fn private_key() -> String {
    let made = std::process::Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]).output();
    let made = made.expect("openssl makes the key of the test's service account");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("PEM")
}

#[tokio::test]
async fn a_service_accounts_key_signs_a_token_that_goes_with_each_request() {
    let (google, asked) = answering().await;
    let key = serde_json::json!({
        "type": "service_account",
        "client_email": "backup@shop.example",
        "private_key_id": "k1",
        "private_key": private_key(),
    });
    let options = StorageOptions { service_account: Some(key.to_string()), ..options() };
    let storage = Storage::open(&format!("gs://shop?endpoint={google}"), &options).expect("a good URL");
    let put = storage.put("object", Bytes::from("content"));
    tokio::time::timeout(std::time::Duration::from_secs(60), put).await.expect("it is answered").expect("put works");
    let asked = asked.await.expect("no panic");
    let token = asked.lines().find_map(|line| line.to_lowercase().starts_with("authorization: bearer ").then(|| line[22..].to_owned()));
    assert!(asked.starts_with("PUT /shop/object "), "{asked}");
    assert_eq!(token.map(|token| token.split('.').count()), Some(3), "a signed token: {asked}");
    assert!(!format!("{options:?}").contains("PRIVATE KEY"));
}
