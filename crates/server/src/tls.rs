//! What the server shows to prove who it is: PEM files, or a certificate of its own making.
//!
//! A certificate of its own is made once and kept in the data directory, good for the machine's names and for whatever `public_url` says at
//! that time. Nobody has signed it: agents are given its fingerprint, which is printed at every start.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::ServerConfig as TlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use crate::config::ServerConfig;
use crate::vault::write_private;

/// In the data directory.
const CERTIFICATE: &str = "tls-certificate.pem";
const KEY: &str = "tls-key.pem";

pub struct Tls {
    pub config: RustlsConfig,
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it.
    pub fingerprint: String,
}

/// `None` when the server is to speak plain HTTP.
pub fn load(config: &ServerConfig) -> anyhow::Result<Option<Tls>> {
    Ok(read(config)?.map(|(tls, fingerprint)| Tls { config: RustlsConfig::from_config(tls), fingerprint }))
}

/// Takes up files that have changed. Connections that are open stay as they are.
///
/// # Errors
/// When they cannot be used; the old ones stay in use.
pub fn reload(config: &ServerConfig, running: &RustlsConfig) -> anyhow::Result<Option<String>> {
    let Some((tls, fingerprint)) = read(config)? else { return Ok(None) };
    running.reload_from_config(tls);
    Ok(Some(fingerprint))
}

fn read(config: &ServerConfig) -> anyhow::Result<Option<(Arc<TlsConfig>, String)>> {
    match (&config.tls_certificate, &config.tls_key) {
        (Some(certificate), Some(key)) => from_files(certificate, key).map(Some),
        (None, None) if config.tls_self_signed => {
            let (certificate, key) = (config.data_dir.join(CERTIFICATE), config.data_dir.join(KEY));
            if !certificate.exists() {
                let (certificate_pem, key_pem) = generate(&names(config)).context("make a certificate")?;
                // The key first: a crash in between leaves a key nobody refers to, never a certificate without its key.
                write_private(&key, key_pem.as_bytes()).with_context(|| format!("write {}", key.display()))?;
                write_private(&certificate, certificate_pem.as_bytes()).with_context(|| format!("write {}", certificate.display()))?;
            }
            from_files(&certificate, &key).map(Some)
        }
        (None, None) => Ok(None),
        _ => anyhow::bail!("a certificate needs its key: give both files, or none"),
    }
}

fn from_files(certificate: &Path, key: &Path) -> anyhow::Result<(Arc<TlsConfig>, String)> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("read the certificate {}", certificate.display()))?;
    let first = chain.first().with_context(|| format!("there is no certificate in {}", certificate.display()))?;
    let fingerprint = fingerprint(first);
    let key_der = PrivateKeyDer::from_pem_file(key).with_context(|| format!("read the key {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = TlsConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .with_context(|| format!("the certificate {} and the key {} do not belong together", certificate.display(), key.display()))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(tls), fingerprint))
}

fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// Certificate and key, PEM.
fn generate(names: &[String]) -> anyhow::Result<(String, String)> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Oplogue server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// How clients may call this machine.
fn names(config: &ServerConfig) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let public = config.public_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    names.extend(public.and_then(|url| url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())));
    names.extend(host_name());
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    names.sort();
    names.dedup();
    names
}

/// The machine's own name, where it has one that can stand in a URL.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_owned();
    let fits = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.'));
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> ServerConfig {
        ServerConfig {
            tls_self_signed: true,
            public_url: Some("https://backup.example.com:8480".to_owned()),
            ..ServerConfig::local(folder)
        }
    }

    #[test]
    fn a_certificate_of_its_own_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = load(&config(folder.path())).expect("made").expect("TLS is on").fingerprint;
        let second = load(&config(folder.path())).expect("read").expect("TLS is on").fingerprint;
        assert_eq!(first, second);
        assert_eq!(first.len(), 32 * 3 - 1);
        assert!(names(&config(folder.path())).contains(&"backup.example.com".to_owned()));
    }

    #[test]
    fn files_that_do_not_fit_are_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, _) = generate(&["a".to_owned()]).expect("made");
        let (_, key) = generate(&["a".to_owned()]).expect("made");
        let (certificate_path, key_path) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate_path, certificate).expect("written");
        std::fs::write(&key_path, key).expect("written");
        let files = |certificate: &Path, key: &Path| ServerConfig {
            tls_certificate: Some(certificate.to_owned()),
            tls_key: Some(key.to_owned()),
            ..ServerConfig::local(folder.path())
        };
        for (config, expected) in [
            (files(&certificate_path, &key_path), "do not belong together"),
            (files(&key_path, &key_path), "no certificate in"),
            (files(&folder.path().join("none.pem"), &key_path), "none.pem"),
            (ServerConfig { tls_key: None, ..files(&certificate_path, &key_path) }, "give both"),
        ] {
            let Err(error) = load(&config) else { panic!("accepted: {expected}") };
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }
}
