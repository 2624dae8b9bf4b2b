//! Connections that break or stall, between us and a real S3 server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use oplogue_storage::{Storage, StorageError, StorageOptions};
use oplogue_testkit::S3Bucket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::s3::{MIB, new_bucket, open, options};

/// What a proxy does to a connection.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Cuts it after so many bytes from the server.
    CutAnswer(usize),
    /// Cuts it after so many bytes to the server.
    CutRequest(usize),
    /// Stops handing on after so many bytes from the server.
    StallAnswer(usize),
}

struct Proxy {
    endpoint: String,
    /// Connections so far.
    connections: Arc<AtomicUsize>,
    /// Cuts every connection when dropped or sent to.
    cut: watch::Sender<()>,
}

/// A proxy to `endpoint` whose first `faulty` connections suffer `fault`.
async fn proxy(endpoint: &str, fault: Fault, faulty: usize) -> Proxy {
    let server = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it listens"));
    let connections = Arc::new(AtomicUsize::new(0));
    let (cut, cuts) = watch::channel(());
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let fault = (count.fetch_add(1, Ordering::SeqCst) < faulty).then_some(fault);
            let (server, mut cuts) = (server.clone(), cuts.clone());
            cuts.mark_unchanged();
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(server).await else {
                    return;
                };
                let (request_limit, answer_limit, stalls) = match fault {
                    None => (usize::MAX, usize::MAX, false),
                    Some(Fault::CutAnswer(bytes)) => (usize::MAX, bytes, false),
                    Some(Fault::CutRequest(bytes)) => (bytes, usize::MAX, false),
                    Some(Fault::StallAnswer(bytes)) => (usize::MAX, bytes, true),
                };
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = server.into_split();
                let answers = async {
                    let (_server_read, _client_write) = hand_on(server_read, client_write, answer_limit).await;
                    if stalls {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    _ = hand_on(client_read, server_write, request_limit) => {}
                    () = answers => {}
                    _ = cuts.changed() => {}
                }
            });
        }
    });
    Proxy { endpoint, connections, cut }
}

/// Gives both ends back, as dropping one would close its connection.
async fn hand_on<From: AsyncRead + Unpin, To: AsyncWrite + Unpin>(mut from: From, mut to: To, limit: usize) -> (From, To) {
    let (mut handed_on, mut buffer) = (0, [0; 8192]);
    while handed_on < limit {
        let room = buffer.len().min(limit - handed_on);
        match from.read(&mut buffer[..room]).await {
            Ok(bytes) if bytes > 0 && to.write_all(&buffer[..bytes]).await.is_ok() => handed_on += bytes,
            _ => break,
        }
    }
    (from, to)
}

/// A bucket, a view of it through a proxy, and an object in it.
async fn behind(fault: Fault, faulty: usize, object: &Bytes) -> (S3Bucket, Proxy, Storage) {
    let bucket = new_bucket().await;
    open(&bucket, &options(&bucket)).put("object", object.clone()).await.expect("put works");
    let proxy = proxy(&bucket.endpoint, fault, faulty).await;
    let through = S3Bucket { endpoint: proxy.endpoint.clone(), ..bucket.clone() };
    let impatient = StorageOptions { request_timeout: Duration::from_secs(2), ..options(&bucket) };
    let storage = open(&through, &impatient);
    (bucket, proxy, storage)
}

/// Bytes that differ from kilobyte to kilobyte.
fn content(bytes: usize) -> Bytes {
    let mut made = Vec::with_capacity(bytes + 1000);
    for number in 0..bytes.div_ceil(1000) {
        made.extend_from_slice(&[7; 992]);
        made.extend_from_slice(&number.to_le_bytes());
    }
    made.truncate(bytes);
    made.into()
}

#[tokio::test]
async fn a_read_goes_on_after_cut_connections() {
    let object = content(3 * MIB);
    let (_bucket, proxy, storage) = behind(Fault::CutAnswer(400_000), 6, &object).await;
    assert!(storage.get("object").await.expect("it resumes") == object);
    assert!(proxy.connections.load(Ordering::SeqCst) > 6);
}

#[tokio::test]
async fn a_read_goes_on_after_a_stall() {
    let object = content(2 * MIB);
    let (_bucket, proxy, storage) = behind(Fault::StallAnswer(500_000), 1, &object).await;
    assert!(storage.get("object").await.expect("it resumes") == object);
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_object_replaced_while_it_is_read_is_an_error() {
    let object = content(4 * MIB);
    let (bucket, proxy, storage) = behind(Fault::StallAnswer(500_000), 1, &object).await;
    let mut reader = storage.reader("object").await.expect("it is there");
    reader.next().await.expect("a piece").expect("reading works");
    let same_size = Bytes::from(vec![1; object.len()]);
    bucket.put("object", &same_size).await.expect("put works");
    proxy.cut.send_replace(());
    let mut outcome = Ok(Bytes::new());
    while let Some(piece) = reader.next().await {
        outcome = piece;
    }
    let error = outcome.expect_err("pieces of two versions are never put together");
    let error = error.downcast::<StorageError>().expect("an error of ours");
    assert!(matches!(error, StorageError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_read_that_gets_nowhere_ends() {
    let object = content(3 * MIB);
    let (_bucket, _proxy, storage) = behind(Fault::CutAnswer(400_000), 1_000_000, &object).await;
    // Every connection gives some bytes, so it gets there.
    assert!(storage.get("object").await.expect("it resumes") == object);

    let (bucket, proxy, _) = behind(Fault::CutAnswer(100), 1_000_000, &object).await;
    let through = S3Bucket { endpoint: proxy.endpoint.clone(), ..bucket.clone() };
    let storage = open(&through, &StorageOptions { retries_max: 2, ..options(&bucket) });
    let error = storage.get("object").await.expect_err("not even a header arrives");
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn an_upload_goes_on_after_cut_connections() {
    let (bucket, proxy, storage) = behind(Fault::CutRequest(3 * MIB), 4, &content(1)).await;
    let object = content(17 * MIB);
    let mut writer = storage.writer("large").await.expect("a writer opens");
    writer.write(object.clone()).await.expect("writing works");
    assert_eq!(writer.finish().await.expect("finish works"), object.len() as u64);
    assert!(bucket.get("large").await.expect("it is there") == object);
    storage.put("whole", object.slice(..4 * MIB)).await.expect("put works");
    assert!(proxy.connections.load(Ordering::SeqCst) > 4);
}

#[tokio::test]
async fn an_upload_whose_last_answer_is_lost_counts_as_done() {
    // The connection breaks while the server answers: at first before the beginning of the upload is confirmed, then each part, then the end.
    for bytes in [50, 700, 1200, 1500] {
        let (bucket, _proxy, storage) = behind(Fault::CutAnswer(bytes), 5, &content(1)).await;
        let object = content(6 * MIB);
        let mut writer = storage.writer("large").await.expect("a writer opens");
        writer.write(object.clone()).await.expect("writing works");
        writer.finish().await.unwrap_or_else(|error| panic!("cut after {bytes}: {error}"));
        assert!(bucket.get("large").await.expect("it is there") == object);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable() {
    let (_bucket, _proxy, storage) = {
        let bucket = new_bucket().await;
        let proxy = proxy(&bucket.endpoint, Fault::StallAnswer(0), 1_000_000).await;
        let through = S3Bucket { endpoint: proxy.endpoint.clone(), ..bucket.clone() };
        let impatient = StorageOptions { request_timeout: Duration::from_millis(200), retries_max: 1, ..options(&bucket) };
        let storage = open(&through, &impatient);
        (bucket, proxy, storage)
    };
    for error in [storage.list("").await.err(), storage.get("object").await.err(), storage.put("object", content(9)).await.err()] {
        let error = error.expect("nobody answers");
        assert!(error.is_temporary() && error.to_string().contains("no answer within"), "{error}");
    }
}
