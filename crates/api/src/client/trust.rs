//! Which servers are believed to be the right one.

use std::str::FromStr;
use std::sync::Arc;

use reqwest::{Certificate, ClientBuilder};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};

use super::ClientError;

/// Whom a client believes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Trust {
    /// The authorities of the system.
    #[default]
    System,
    /// Only the authorities of this PEM text.
    Authority(String),
    /// Only the server with this certificate, whoever signed it, whatever its name and dates.
    Pinned(Fingerprint),
}

/// SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// 64 hex digits, with or without colons, with or without `sha256:` before.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase();
        let digits: String = lower.strip_prefix("sha256:").unwrap_or(&lower).chars().filter(|letter| *letter != ':').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes)
            .map_err(|_| format!("`{text}` is not a SHA-256 fingerprint: write 64 hex digits, with or without colons"))?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The beginning of a client that believes as told. Without TLS nobody is believed, and no authority is needed.
pub(super) fn builder(trust: &Trust, tls: bool) -> Result<ClientBuilder, ClientError> {
    install_ring();
    let builder = reqwest::Client::builder();
    if !tls {
        return Ok(builder.tls_certs_only([]));
    }
    match trust {
        Trust::System => Ok(builder),
        Trust::Authority(pem) => {
            let unusable = |reason: String| ClientError::Unusable { what: "the server's authority".to_owned(), reason };
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| unusable(super::error::causes(&error)))?;
            if certificates.is_empty() {
                return Err(unusable("it holds no certificate in PEM form".to_owned()));
            }
            Ok(builder.tls_certs_only(certificates))
        }
        Trust::Pinned(fingerprint) => {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .map_err(|error| ClientError::Unusable { what: "TLS".to_owned(), reason: error.to_string() })?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned { fingerprint: *fingerprint, provider }))
                .with_no_client_auth();
            Ok(builder.tls_backend_preconfigured(config))
        }
    }
}

/// Chooses ring for the TLS of this process, unless somebody chose already, which is as good.
fn install_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Believes one certificate. That the server holds its key is still proven by the handshake's signature.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(certificate);
        if shown == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        let reason = format!("its fingerprint is {shown}, not {}", self.fingerprint);
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(Mismatch(reason))))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Mismatch(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in [plain.clone(), colons.clone(), format!("sha256:{plain}"), format!(" SHA256:{colons} ")] {
            assert_eq!(text.parse::<Fingerprint>().expect("a fingerprint of the test").to_string(), plain);
        }
        for text in ["", "ab", "xyz", &"ab".repeat(33)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_authority_that_is_none_is_refused() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let client = super::super::Client::new("https://h", &Trust::Authority(pem.to_owned()));
            assert!(client.is_err(), "{pem:?}");
        }
    }
}
