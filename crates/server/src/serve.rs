//! Starts the server, says when it is ready, and stops it cleanly.
//!
//! Stopping: no new connections, requests under way get [`STOP_WITHIN`], work in the background is told to end. What that cuts off is what a
//! crash cuts off: each change is one transaction, done or not there.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::app::reach::Reach;
use crate::config::ServerConfig;
use crate::data_dir::DataDir;
use crate::{http, tls};

const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Between two looks for what is over in sessions, tokens and the audit log.
const TIDY_EVERY: Duration = Duration::from_secs(60 * 60);

/// A client that has not said what it wants by then is in somebody's way.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// What whoever started the server wants to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    pub addr: SocketAddr,
    /// How people and agents reach it.
    pub url: String,
    /// While there are no users: the link that makes the first administrator.
    pub first_link: Option<String>,
    /// Of the certificate, when it speaks TLS.
    pub fingerprint: Option<String>,
}

/// Runs until `cancel`. `on_ready` is called once requests are answered.
///
/// # Errors
/// When it cannot start: nothing was served then.
pub async fn run(config: ServerConfig, on_ready: impl FnOnce(Ready), cancel: CancellationToken) -> anyhow::Result<()> {
    plain_http_stays_here(&config)?;
    let mut data_dir = DataDir::open(&config.data_dir)?;
    let tls = tls::load(&config)?;
    let listener = TcpListener::bind(config.listen).with_context(|| format!("listen on {}", config.listen))?;
    listener.set_nonblocking(true).context("set up the listening socket")?;
    let addr = listener.local_addr().context("ask for the address listened on")?;
    let app = App::open(config.clone())?;
    let url = url(&config, addr);
    data_dir.note_url(&url)?;
    app.is_reached(Reach { url: url.clone(), fingerprint: tls.as_ref().map(|tls| tls.fingerprint.clone()) });
    let first_link = app.first_code().map_err(told)?.map(|code| format!("{url}/first?code={code}"));

    let mut background = background(&app, &cancel);
    if let Some(tls) = &tls {
        background.spawn(reload_on_hangup(config.clone(), tls.config.clone(), cancel.clone()));
    }
    let ready = Ready { addr, url, first_link, fingerprint: tls.as_ref().map(|tls| tls.fingerprint.clone()) };
    let on_ready = || {
        on_ready(ready);
        notify(&[sd_notify::NotifyState::Ready]);
    };
    let serving = async {
        let served = serve(listener, tls.map(|tls| tls.config), http::service(app), on_ready, &cancel).await;
        cancel.cancel();
        served
    };
    let (served, watched) = tokio::join!(serving, watch(&mut background, &cancel));
    drop(data_dir);
    served.and(watched)
}

/// What goes over the network is passwords, tokens and storage keys.
fn plain_http_stays_here(config: &ServerConfig) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.speaks_tls() || config.insecure_http || config.listen.ip().is_loopback(),
        "listening on {} without TLS would send passwords and storage keys in the clear: give --tls-cert and --tls-key, or --tls-self-signed, \
         or listen on 127.0.0.1 behind a proxy that speaks TLS, or say --insecure-http",
        config.listen
    );
    Ok(())
}

/// How the server is reached when it listens on `addr`.
pub(crate) fn url(config: &ServerConfig, addr: SocketAddr) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = if config.speaks_tls() { "https" } else { "http" };
    match tls::host_name() {
        Some(name) if addr.ip().is_unspecified() => format!("{scheme}://{name}:{}", addr.port()),
        _ => format!("{scheme}://{addr}"),
    }
}

/// Everything that goes on without being asked. Each ends by itself after `cancel`.
fn background(app: &App, cancel: &CancellationToken) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(tidy(app.clone(), cancel.clone()));
    tasks.spawn(crate::app::catalogs::keep_fresh(app.clone(), cancel.clone()));
    tasks.spawn(crate::app::scheduler::run(app.clone(), cancel.clone()));
    tasks.spawn(crate::app::alerts::run(app.clone(), cancel.clone()));
    tasks
}

/// Work in the background never ends before it is told to. If it does, the server stops: better one that is started again than one that
/// looks well and schedules nothing.
async fn watch(background: &mut JoinSet<()>, cancel: &CancellationToken) -> anyhow::Result<()> {
    let first = tokio::select! {
        ended = background.join_next() => ended,
        () = cancel.cancelled() => None,
    };
    // Told to end: then ending is no failure.
    let early = if cancel.is_cancelled() { None } else { first };
    cancel.cancel();
    if tokio::time::timeout(STOP_WITHIN, async { while background.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("work in the background did not end in time and was cut off");
    }
    match early {
        None => Ok(()),
        Some(Ok(())) => Err(anyhow::anyhow!("work in the background ended by itself, so the server stopped")),
        Some(Err(error)) => Err(error).context("work in the background failed, so the server stopped"),
    }
}

async fn tidy(app: App, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(TIDY_EVERY)).await.is_some() {
        if let Err(error) = app.tidy_people() {
            tracing::error!(error = format!("{:#}", told(error)), "old sessions and audit entries were not removed");
        }
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    service: Router,
    on_ready: impl FnOnce(),
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let handle = Handle::new();
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let mut serving: Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>> = match tls {
        Some(tls) => {
            let server = axum_server::from_tcp_rustls(listener, tls).context("serve")?;
            Box::pin(server.handle(handle.clone()).first_request_timeout(FIRST_REQUEST_WITHIN).serve(service))
        }
        None => {
            let server = axum_server::from_tcp(listener).context("serve")?;
            Box::pin(server.handle(handle.clone()).first_request_timeout(FIRST_REQUEST_WITHIN).serve(service))
        }
    };
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = async { handle.listening().await; on_ready(); cancel.cancelled().await } => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            notify(&[sd_notify::NotifyState::Stopping]);
            handle.graceful_shutdown(Some(STOP_WITHIN));
            serving.await
        }
    };
    ended.context("serve")
}

/// Tells the service manager, where there is one.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

#[cfg(unix)]
async fn reload_on_hangup(config: ServerConfig, running: RustlsConfig, cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "a renewed certificate will only be taken up at the next start");
            return cancel.cancelled().await;
        }
    };
    while let Some(Some(())) = cancel.run_until_cancelled(hangup.recv()).await {
        match tls::reload(&config, &running) {
            Ok(fingerprint) => tracing::info!(fingerprint, "certificate read again"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the certificate could not be read again; the old one stays in use")
            }
        }
    }
}

/// With its cause: here it is told to whoever starts the program.
fn told(error: crate::app::AppError) -> anyhow::Error {
    match error.cause {
        Some(cause) => cause,
        None => anyhow::anyhow!(error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_only_for_this_machine() {
        let config = |listen: &str| ServerConfig { listen: listen.parse().expect("an address"), ..ServerConfig::local("data") };
        for (config, allowed) in [
            (config("127.0.0.1:0"), true),
            (config("[::1]:0"), true),
            (config("0.0.0.0:0"), false),
            (config("192.168.1.5:8480"), false),
            (ServerConfig { tls_self_signed: true, ..config("0.0.0.0:0") }, true),
            (ServerConfig { insecure_http: true, ..config("0.0.0.0:0") }, true),
        ] {
            assert_eq!(plain_http_stays_here(&config).is_ok(), allowed, "{}", config.listen);
        }
    }

    #[test]
    fn the_url_is_what_people_can_reach() {
        let addr: SocketAddr = "127.0.0.1:8480".parse().expect("an address");
        let config = ServerConfig::local("data");
        assert_eq!(url(&config, addr), "http://127.0.0.1:8480");
        let config = ServerConfig { tls_self_signed: true, ..config };
        assert_eq!(url(&config, addr), "https://127.0.0.1:8480");
        let config = ServerConfig { public_url: Some("https://backup.example.com/".to_owned()), ..config };
        assert_eq!(url(&config, addr), "https://backup.example.com");
    }

    #[tokio::test]
    async fn work_that_ends_by_itself_stops_the_server() {
        let cancel = CancellationToken::new();
        let mut background = JoinSet::new();
        let stopped = cancel.clone();
        background.spawn(async move { stopped.cancelled().await });
        background.spawn(async { panic!("the scheduler has a bug") });
        let error = watch(&mut background, &cancel).await.expect_err("it ended early");
        assert!(format!("{error:#}").contains("the scheduler has a bug"), "{error:#}");
        assert!(cancel.is_cancelled());

        let cancel = CancellationToken::new();
        let mut background = JoinSet::new();
        let stopped = cancel.clone();
        background.spawn(async move { stopped.cancelled().await });
        cancel.cancel();
        watch(&mut background, &cancel).await.expect("it was told to end");
    }
}
