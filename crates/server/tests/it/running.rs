//! The server as it is started: it says when it is ready, speaks TLS, and stops cleanly.

use std::sync::Once;
use std::time::Duration;

use oplogue_server::Ready;
use oplogue_server::config::ServerConfig;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    ready: Ready,
    cancel: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

async fn start(config: ServerConfig) -> Running {
    let cancel = CancellationToken::new();
    let (tell, told) = oneshot::channel();
    let on_ready = move |ready| {
        let _ = tell.send(ready);
    };
    let ended = tokio::spawn(oplogue_server::run(config, on_ready, cancel.clone()));
    let ready = tokio::time::timeout(Duration::from_secs(30), told).await.expect("soon").expect("the server starts");
    Running { ready, cancel, ended }
}

impl Running {
    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.ended).await.expect("it stops").expect("no panic").expect("no error");
    }
}

/// Trusts anybody: what is tested is that TLS is spoken, and by whom the client can tell with the fingerprint.
fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test of this process may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().expect("a client")
}

#[tokio::test]
async fn it_answers_once_ready_keeps_others_out_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = start(ServerConfig::local(folder.path())).await;
    let url = running.ready.url.clone();
    assert!(url.starts_with("http://127.0.0.1:") && running.ready.fingerprint.is_none(), "{:?}", running.ready);
    let link = running.ready.first_link.clone().expect("there are no users yet");
    assert!(link.starts_with(&format!("{url}/first?code=")), "{link}");
    let info = client().get(format!("{url}/v1/info")).send().await.expect("an answer");
    assert_eq!(info.status(), 200);

    let refused = oplogue_server::run(ServerConfig::local(folder.path()), |_| {}, CancellationToken::new()).await.expect_err("taken");
    assert!(refused.to_string().contains(&url), "{refused:#}");
    running.stop().await;

    let again = start(ServerConfig::local(folder.path())).await;
    assert_ne!(again.ready.first_link, Some(link), "each start makes a new link");
    again.stop().await;
}

#[tokio::test]
async fn it_speaks_tls_with_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = ServerConfig { tls_self_signed: true, ..ServerConfig::local(folder.path()) };
    let running = start(config.clone()).await;
    let fingerprint = running.ready.fingerprint.clone().expect("it speaks TLS");
    let answer = client().get(format!("{}/v1/info", running.ready.url)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    running.stop().await;
    let again = start(config).await;
    assert_eq!(again.ready.fingerprint.as_deref(), Some(fingerprint.as_str()), "agents have pinned it");
    again.stop().await;
}

#[tokio::test]
async fn an_address_for_others_needs_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = ServerConfig { listen: ([0, 0, 0, 0], 0).into(), ..ServerConfig::local(folder.path()) };
    let refused = oplogue_server::run(config, |_| {}, CancellationToken::new()).await.expect_err("refused");
    assert!(refused.to_string().contains("--tls-self-signed"), "{refused}");
}

#[tokio::test]
async fn a_user_made_before_a_restart_is_there_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = start(ServerConfig::local(folder.path())).await;
    let link = running.ready.first_link.clone().expect("there are no users yet");
    let (url, code) = link.split_once("/first?code=").expect("a code");
    let body = serde_json::json!({"code": code, "name": "anna", "password": crate::stage::PASSWORD});
    let answer = client().post(format!("{url}/v1/first")).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let cookie = answer.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("the pair").to_owned();
    running.stop().await;

    let again = start(ServerConfig::local(folder.path())).await;
    assert_eq!(again.ready.first_link, None);
    let who = client().get(format!("{}/v1/whoami", again.ready.url)).header("cookie", cookie).send().await.expect("an answer");
    assert_eq!(who.status(), 200, "a restart signs nobody out");
    again.stop().await;
}
