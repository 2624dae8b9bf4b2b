//! A throw-away certificate authority and a server certificate for `127.0.0.1` and `localhost`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

/// Paths of the PEM files.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate: what a client trusts.
    pub ca: PathBuf,
    /// Certificate and key of the server in one file, good for server and client use.
    pub server: PathBuf,
    /// A second authority that has signed nothing: for tests of mistrust.
    pub other_ca: PathBuf,
}

impl Certificates {
    /// Makes new ones in `folder`.
    pub fn generate(folder: &Path) -> anyhow::Result<Certificates> {
        let paths = Certificates { ca: folder.join("ca.pem"), server: folder.join("server.pem"), other_ca: folder.join("other-ca.pem") };
        let (ca_params, ca_key) = authority("Oplogue test authority")?;
        std::fs::write(&paths.ca, ca_params.self_signed(&ca_key)?.pem()).context("writing ca.pem")?;
        let (other_params, other_key) = authority("Another authority")?;
        std::fs::write(&paths.other_ca, other_params.self_signed(&other_key)?.pem()).context("writing other-ca.pem")?;

        let mut leaf = CertificateParams::new(vec!["localhost".to_string()])?;
        leaf.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.distinguished_name.push(DnType::OrganizationName, "Oplogue tests");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        leaf.use_authority_key_identifier_extension = true;
        let leaf_key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&leaf_key, &Issuer::new(ca_params, ca_key))?;
        std::fs::write(&paths.server, certificate.pem() + &leaf_key.serialize_pem()).context("writing server.pem")?;
        Ok(paths)
    }
}

fn authority(name: &str) -> anyhow::Result<(CertificateParams, KeyPair)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok((params, KeyPair::generate()?))
}
