//! Whom the client believes: the authority it was given, or the one certificate it knows.

use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use oplogue_api::client::{Client, ClientError, Fingerprint, Trust};
use oplogue_testkit::Certificates;

/// A server with a certificate of its own authority; its address.
async fn serve(certificates: &Certificates) -> anyhow::Result<String> {
    // As the client does when it is made first.
    let _ = Client::new("https://127.0.0.1", &Trust::Pinned(Fingerprint::of(b"")));
    let config = RustlsConfig::from_pem_file(&certificates.server, &certificates.server).await?;
    let handle = axum_server::Handle::new();
    let who = serde_json::json!({"name": "anna", "role": "viewer", "by": "token"});
    let router = axum::Router::new().route("/v1/whoami", axum::routing::get(move || std::future::ready(axum::Json(who))));
    let server = axum_server::bind_rustls(std::net::SocketAddr::from(([127, 0, 0, 1], 0)), config).handle(handle.clone());
    tokio::spawn(server.serve(router.into_make_service()));
    let address = tokio::time::timeout(Duration::from_secs(30), handle.listening()).await?;
    Ok(format!("https://{}", address.expect("it listens")))
}

fn fingerprint(path: &std::path::Path) -> anyhow::Result<Fingerprint> {
    let text = std::fs::read_to_string(path)?;
    let begin = text.find("-----BEGIN CERTIFICATE-----").expect("a certificate") + 27;
    let end = text.find("-----END CERTIFICATE-----").expect("its end");
    let base64: String = text[begin..end].split_whitespace().collect();
    Ok(Fingerprint::of(&decoded(&base64)))
}

/// Base64, small and slow: a dependency less.
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|other| *other == letter).expect("base64");
        bits = (bits << 6) | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[tokio::test]
async fn only_the_right_certificate_is_believed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let certificates = Certificates::generate(folder.path())?;
    let address = serve(&certificates).await?;
    let authority = |path: &std::path::Path| anyhow::Ok(Trust::Authority(std::fs::read_to_string(path)?));
    let asked = |trust: Trust| {
        let address = address.clone();
        async move { Client::new(&address, &trust).expect("usable").who_am_i().await }
    };

    for trust in [authority(&certificates.ca)?, Trust::Pinned(fingerprint(&certificates.server)?)] {
        assert_eq!(asked(trust.clone()).await.expect("believed").name, "anna", "{trust:?}");
    }
    for trust in [authority(&certificates.other_ca)?, Trust::Pinned(fingerprint(&certificates.ca)?)] {
        let error = asked(trust.clone()).await.expect_err("not believed");
        assert!(matches!(error, ClientError::NotTrusted { .. }), "{trust:?}: {error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("--server-fingerprint")));
    }
    Ok(())
}
