//! `oplogue server` as a process: started, asked to read its certificate again, stopped; and a lost password.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use oplogue_testkit::Certificates;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::program::{command, oplogue};

const SOON: Duration = Duration::from_secs(60);

struct Server {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    ready: Value,
}

impl Server {
    async fn start(data_dir: &Path, more: &[&str]) -> Self {
        let mut words = vec!["server", "--listen", "127.0.0.1:0", "--json", "--data-dir"];
        let folder = data_dir.to_string_lossy().into_owned();
        words.push(&folder);
        words.extend(more);
        let mut process = command(&words).spawn().expect("the program starts");
        let stdout = process.stdout.take().expect("piped");
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(SOON, lines.next_line()).await.expect("soon").expect("readable");
        let ready = serde_json::from_str(&line.expect("the server says that it is ready")).expect("JSON");
        Self { process, lines, ready }
    }

    fn text(&self, field: &str) -> &str {
        self.ready[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {}", self.ready))
    }

    async fn signal(&self, name: &str) {
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([name, &id]).stdin(Stdio::null()).status().await.expect("kill runs");
        assert!(sent.success());
    }

    async fn stop(mut self) {
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(SOON, self.process.wait()).await.expect("it stops").expect("it ended");
        assert_eq!(ended.code(), Some(0));
        assert_eq!(self.lines.next_line().await.expect("readable"), None, "only one line is said");
    }
}

#[tokio::test]
async fn the_server_says_where_it_is_and_how_to_begin_and_stops_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(server.ready["event"], "ready");
    let (url, link) = (server.text("url").to_owned(), server.text("first_link").to_owned());
    assert!(url.starts_with("http://127.0.0.1:") && link.starts_with(&format!("{url}/first?code=")), "{}", server.ready);
    let second = oplogue(&["server", "--listen", "127.0.0.1:0", "--data-dir", &folder.path().to_string_lossy()]).await;
    second.ended(1, &["another server works in", &url]);
    server.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_on_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificates = folder.path().join("certificates");
    std::fs::create_dir(&certificates).expect("made");
    let pem = Certificates::generate(&certificates).expect("certificates").server;
    let path = pem.to_string_lossy().into_owned();
    let server = Server::start(&folder.path().join("data"), &["--tls-cert", &path, "--tls-key", &path]).await;
    let first = server.text("fingerprint").to_owned();
    let address = server.text("listen").to_owned();
    assert_eq!(shown(&address).await, first);

    // Broken files change nothing; the next hang-up does.
    std::fs::write(&pem, "not a certificate").expect("written");
    server.signal("-HUP").await;
    assert_eq!(shown(&address).await, first);
    Certificates::generate(&certificates).expect("renewed");
    server.signal("-HUP").await;
    let renewed = async {
        while shown(&address).await == first {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(SOON, renewed).await.expect("the new certificate is shown");
    server.stop().await;
}

/// The fingerprint of the certificate that a server shows, as OpenSSL tells it.
async fn shown(address: &str) -> String {
    let script = format!("openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256");
    let told = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().await.expect("openssl runs");
    let text = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    text.split_once('=').unwrap_or_else(|| panic!("no fingerprint in `{text}`")).1.to_owned()
}

#[tokio::test]
async fn who_has_the_data_directory_gets_back_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().to_string_lossy().into_owned();
    let reset = ["admin", "reset-password", "anna", "--data-dir", &data_dir];
    oplogue(&reset).await.ended(1, &["no server's database"]);
    let server = Server::start(folder.path(), &[]).await;
    // Nobody is there yet: the error says who there is.
    oplogue(&reset).await.ended(1, &["no user `anna`"]);
    server.stop().await;
}
