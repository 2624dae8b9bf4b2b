//! Google Cloud Storage. Its XML interface speaks as S3 does, so an S3 server that lets everybody in stands for it; what is Google's own,
//! a token for a service account's key, comes from a small server here.

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

/// Answers each request with the next answer, and tells what was asked.
async fn answering(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let task = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            // Head, and as much body as it announces.
            loop {
                let read = connection.read(&mut piece).await.expect("readable");
                request.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.to_lowercase().split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
                if read == 0 || body.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            asked.push(String::from_utf8_lossy(&request).into_owned());
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
            connection.write_all(head.as_bytes()).await.expect("writable");
        }
        asked
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
async fn a_service_accounts_key_is_exchanged_for_a_token_which_goes_with_each_request() {
    let (google, asked) = answering(vec![r#"{"access_token": "TOKEN", "expires_in": 3600}"#.to_owned(), String::new()]).await;
    let account = format!(
        r#"{{"type": "service_account", "client_email": "backup@shop.example", "private_key_id": "k1", "private_key": {:?}, "token_uri": "{google}/token"}}"#,
        private_key()
    );
    let options = StorageOptions { service_account: Some(account), ..options() };
    let storage = Storage::open(&format!("gs://shop?endpoint={google}"), &options).expect("a good URL");
    storage.put("object", Bytes::from("content")).await.expect("put works");
    let asked = asked.await.expect("no panic");
    assert!(asked[0].contains("assertion=") && asked[0].contains("grant_type="), "{}", asked[0]);
    assert!(asked[1].starts_with("PUT /shop/object ") && asked[1].to_lowercase().contains("authorization: bearer token"), "{}", asked[1]);
    assert!(!format!("{options:?}").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn zz_debug() {
    let (google, asked) = answering(vec![String::new()]).await;
    let storage = Storage::open(&format!("gs://shop?endpoint={google}"), &options()).expect("a good URL");
    println!("{:?}", storage.put("a b/object", Bytes::from("content")).await);
    println!("{}", asked.await.expect("x")[0]);
    let bucket = open_bucket().await;
    let url = format!("{}/{}/prefix%2Fof%20mine%2Fx", bucket.endpoint, bucket.bucket);
    let out = std::process::Command::new("curl").args(["-sv", "-X", "PUT", "-d", "hello", &url]).output().expect("curl");
    println!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}
