//! What is special to S3: exact keys, foreign keys, parts, TLS, where credentials come from.

use std::process::Command;

use bytes::Bytes;
use futures::StreamExt;
use oplogue_storage::{Storage, StorageError, StorageOptions};
use oplogue_testkit::{S3Bucket, S3Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) async fn server() -> &'static S3Server {
    S3Server::shared().await.expect("an S3 server")
}

pub(crate) async fn new_bucket() -> S3Bucket {
    server().await.new_bucket().await.expect("a bucket")
}

/// The bucket's keys, the smallest parts, and quick failures.
pub(crate) fn options(bucket: &S3Bucket) -> StorageOptions {
    StorageOptions {
        access_key: Some(bucket.access_key.clone()),
        secret_key: Some(bucket.secret_key.clone()),
        part_bytes: 5 * MIB,
        retry_delay_max: std::time::Duration::from_millis(200),
        ..Default::default()
    }
}

pub(crate) fn open(bucket: &S3Bucket, options: &StorageOptions) -> Storage {
    Storage::open(&bucket.url(), options).expect("a good URL")
}

#[tokio::test]
async fn keys_are_stored_exactly() {
    let bucket = new_bucket().await;
    let storage = Storage::open(&bucket.url_within("pre%20fix"), &options(&bucket)).expect("a good URL");
    let names = ["a b", "100%", "%20", "tab\there", "\"*?#~\\+&<>'", "é/日本", "nl\n", "\u{1}\u{7f}"];
    for name in names {
        storage.put(name, Bytes::from(name)).await.expect("put works");
        let key = format!("pre fix/{name}");
        assert_eq!(bucket.get(&key).await.expect("it lies under its own key"), name.as_bytes(), "{name:?}");
        bucket.put(&key, b"by somebody else").await.expect("the server takes it");
        assert_eq!(storage.get(name).await.expect("get works"), "by somebody else", "{name:?}");
    }
    assert_eq!(bucket.keys().await.expect("keys can be listed").len(), names.len());
}

#[tokio::test]
async fn keys_that_are_no_names_do_not_disturb_a_listing() {
    let bucket = new_bucket().await;
    for key in ["a//b", "folder/", "/begins", "a/../b", "good/1", "good/", "good//2", "good/./3"] {
        bucket.put(key, b"x").await.expect("the server takes it");
    }
    let storage = open(&bucket, &options(&bucket));
    let names: Vec<_> = storage.list("").await.expect("listing works").into_iter().map(|object| object.name).collect();
    assert_eq!(names, ["good/1"]);
    assert_eq!(storage.within("good").list("").await.expect("listing works").len(), 1);
}

#[tokio::test]
async fn a_key_longer_than_s3_allows_is_refused() {
    let bucket = new_bucket().await;
    let storage = open(&bucket, &options(&bucket)).within("folder");
    let name = |bytes: usize| "ä".repeat(bytes / 2);
    storage.put(&name(1016), Bytes::new()).await.expect("1,023 bytes with the folder are fine");
    let error = storage.put(&name(1018), Bytes::new()).await.expect_err("1,025 bytes are not");
    assert!(matches!(error, StorageError::BadName { .. }), "{error}");
    let error = storage.put("private \u{10FF09} use", Bytes::new()).await.expect_err("it could not be told from a tab");
    assert!(matches!(error, StorageError::BadName { .. }), "{error}");
}

#[tokio::test]
async fn a_large_object_goes_up_in_parts() {
    let bucket = new_bucket().await;
    let storage = open(&bucket, &options(&bucket));
    for (bytes, parts) in [(20 * MIB + 1, "-5"), (10 * MIB, "-2")] {
        let mut writer = storage.writer("object").await.expect("a writer opens");
        writer.write(vec![7; bytes].into()).await.expect("writing works");
        writer.finish().await.expect("finish works");
        let head = bucket.request("HEAD", Some("object"), &[], &[], &[]).await.expect("the server answers");
        let tag = head.header("etag").expect("an object has an ETag").trim_matches('"').to_owned();
        assert!(tag.ends_with(parts), "{tag}");
    }
}

#[tokio::test]
async fn storage_class_is_asked_for() {
    let bucket = new_bucket().await;
    let class = |class: &str| StorageOptions { storage_class: Some(class.into()), ..options(&bucket) };
    let standard = open(&bucket, &class("STANDARD"));
    standard.put("object", Bytes::from("x")).await.expect("every server has STANDARD");
    let mut writer = standard.writer("large").await.expect("a writer opens");
    writer.write(vec![7; 6 * MIB].into()).await.expect("writing works");
    writer.finish().await.expect("finish works");

    // A class the server does not have: that it complains, or stores it so, shows that it was asked for.
    let storage = open(&bucket, &class("OPLOGUE_NONE"));
    match storage.put("odd", Bytes::from("x")).await {
        Err(error) => assert!(matches!(error, StorageError::Other { .. }), "{error}"),
        Ok(()) => {
            let head = bucket.request("HEAD", Some("odd"), &[], &[], &[]).await.expect("the server answers");
            assert_eq!(head.header("x-amz-storage-class"), Some("OPLOGUE_NONE"));
        }
    }
}

#[tokio::test]
async fn tls_needs_the_authority_or_an_explicit_wish() {
    let bucket = new_bucket().await;
    let url = bucket.https_url_within("tls");
    let open = |options: StorageOptions| Storage::open(&url, &options).expect("a good URL");
    let with_authority = StorageOptions { ca_file: Some(bucket.ca_file.clone()), ..options(&bucket) };
    let insecure = StorageOptions { insecure_tls: true, ..options(&bucket) };

    for options in [with_authority, insecure] {
        let report = open(options).probe().await;
        assert!(report.is_ok(), "{report:?}");
    }
    // A machine that trusts nobody at all says so when opening.
    let error = match Storage::open(&url, &options(&bucket)) {
        Ok(storage) => {
            let error = storage.get("object").await.expect_err("nobody trusts a test's authority");
            assert!(matches!(error, StorageError::BadCertificate { .. }), "{error}");
            error
        }
        Err(error) => error,
    };
    assert!(error.to_string().contains("CA file"), "{error}");
}

#[tokio::test]
async fn a_large_object_over_tls() {
    let bucket = new_bucket().await;
    let options = StorageOptions { ca_file: Some(bucket.ca_file.clone()), ..options(&bucket) };
    let storage = Storage::open(&bucket.https_url_within(""), &options).expect("a good URL");
    let mut writer = storage.writer("object").await.expect("a writer opens");
    writer.write(vec![9; 12 * MIB].into()).await.expect("writing works");
    writer.finish().await.expect("finish works");
    let mut reader = storage.reader("object").await.expect("it is there");
    let mut bytes = 0;
    while let Some(piece) = reader.next().await {
        bytes += piece.expect("reading works").len();
    }
    assert_eq!(bytes, 12 * MIB);
}

/// Runs the ignored test `child` of this file in a process with `environment`, as variables belong to the whole process.
async fn in_child(child: &str, environment: &[(&str, &str)]) {
    let bucket = new_bucket().await;
    let mut command = Command::new(std::env::current_exe().expect("the test runs from a file"));
    command.args(["--exact", &format!("s3::{child}"), "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("OPLOGUE_TEST_URL", bucket.url()).env("OPLOGUE_TEST_BUCKET", &bucket.bucket);
    command.env("OPLOGUE_TEST_ENDPOINT", &bucket.endpoint).env("OPLOGUE_TEST_KEYS", format!("{}:{}", bucket.access_key, bucket.secret_key));
    for (name, value) in environment {
        command.env(
            name,
            value.replace("{access}", &bucket.access_key).replace("{secret}", &bucket.secret_key).replace("{endpoint}", &bucket.endpoint),
        );
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("the child runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn of_child(name: &str) -> String {
    std::env::var(name).expect("set by the test that started this")
}

#[tokio::test]
async fn credentials_may_come_from_the_environment() {
    in_child("child_probes", &[("AWS_ACCESS_KEY_ID", "{access}"), ("AWS_SECRET_ACCESS_KEY", "{secret}")]).await;
}

#[tokio::test]
#[ignore = "run by credentials_may_come_from_the_environment"]
async fn child_probes() {
    let storage = Storage::open(&of_child("OPLOGUE_TEST_URL"), &StorageOptions::default()).expect("a good URL");
    let report = storage.probe().await;
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn region_and_endpoint_may_come_from_the_environment() {
    let keys = [("AWS_ACCESS_KEY_ID", "{access}"), ("AWS_SECRET_ACCESS_KEY", "{secret}")];
    for endpoint in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        in_child("child_probes_bare_url", &[keys[0], keys[1], (endpoint, "{endpoint}"), ("AWS_REGION", "us-east-1")]).await;
    }
}

#[tokio::test]
#[ignore = "run by region_and_endpoint_may_come_from_the_environment"]
async fn child_probes_bare_url() {
    let url = format!("s3://{}", of_child("OPLOGUE_TEST_BUCKET"));
    let storage = Storage::open(&url, &StorageOptions::default()).expect("a good URL");
    assert!(storage.location().contains(&of_child("OPLOGUE_TEST_ENDPOINT")), "{}", storage.location());
    let report = storage.probe().await;
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn a_machine_without_authorities_needs_none_for_plain_http() {
    let none = [("SSL_CERT_FILE", "/no/such/file"), ("SSL_CERT_DIR", "/no/such/folder")];
    in_child("child_probes_with_options", &none).await;
}

#[tokio::test]
async fn options_win_over_the_environment() {
    let wrong = [("AWS_ACCESS_KEY_ID", "WRONG"), ("AWS_SECRET_ACCESS_KEY", "WRONG"), ("AWS_SESSION_TOKEN", "WRONG")];
    in_child("child_probes_with_options", &[wrong[0], wrong[1], wrong[2], ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")]).await;
}

#[tokio::test]
#[ignore = "run by options_win_over_the_environment"]
async fn child_probes_with_options() {
    let keys = of_child("OPLOGUE_TEST_KEYS");
    let (access, secret) = keys.split_once(':').expect("two keys");
    let options = StorageOptions { access_key: Some(access.into()), secret_key: Some(secret.into()), ..Default::default() };
    let report = Storage::open(&of_child("OPLOGUE_TEST_URL"), &options).expect("a good URL").probe().await;
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn credentials_may_come_from_the_instance_role() {
    let bucket = new_bucket().await;
    let metadata = metadata_service(bucket.access_key, bucket.secret_key).await;
    in_child("child_probes", &[("AWS_METADATA_ENDPOINT", &metadata)]).await;
}

/// What cloud machines have at 169.254.169.254: a token, the name of the role, its credentials.
async fn metadata_service(access_key: String, secret_key: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it listens"));
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(connection.read_u8().await.expect("a whole request"));
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let body = match request.split(' ').nth(1).unwrap_or_default() {
                "/latest/api/token" => "token".to_owned(),
                "/latest/meta-data/iam/security-credentials/" => "role".to_owned(),
                "/latest/meta-data/iam/security-credentials/role" => format!(
                    r#"{{"AccessKeyId":"{access_key}","SecretAccessKey":"{secret_key}","Token":"","Expiration":"2999-01-01T00:00:00Z"}}"#
                ),
                other => panic!("asked for {other}"),
            };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            connection.write_all(answer.as_bytes()).await.expect("the answer is taken");
        }
    });
    address
}
