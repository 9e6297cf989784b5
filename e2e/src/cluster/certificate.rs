//! Certificates: one authority made for each cluster, and the papers it signs for the parts that must know each other.

use std::{fs, io, path::Path};

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;
use thiserror::Error;

/// Why papers could not be made.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// Signing failed.
    #[error("certificate: {0}")]
    Sign(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("certificate: {0}")]
    Write(#[from] io::Error),
}

/// Whom a certificate is for, in the words the API server reads: the common name is the user, organizations are groups.
pub(crate) struct Subject<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The user's group, or none.
    pub group: Option<&'a str>,
    /// Names and addresses it may serve at; none for a mere client.
    pub served_at: &'a [&'a str],
}

impl<'a> Subject<'a> {
    /// One that only connects to others.
    pub const fn client(user: &'a str, group: Option<&'a str>) -> Self {
        Self { user, group, served_at: &[] }
    }
}

/// A certificate with its private key, both as PEM.
pub(crate) struct Paper {
    certificate: String,
    key: String,
}

impl Paper {
    /// Writes `NAME.crt` and `NAME.key`, the key readable by the owner only.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(), CertificateError> {
        fs::write(folder.join(format!("{name}.crt")), &self.certificate)?;
        write_secret(&folder.join(format!("{name}.key")), &self.key)?;
        Ok(())
    }
}

/// The authority that the cluster trusts.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    paper: Paper,
}

impl Authority {
    /// Makes a new authority.
    pub fn new() -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        let mut params = params("brickline", None, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        let paper = Paper { certificate, key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), paper })
    }

    /// The authority's own certificate and key.
    pub fn paper(&self) -> &Paper {
        &self.paper
    }

    /// Signs a certificate.
    pub fn sign(&self, subject: &Subject<'_>) -> Result<Paper, CertificateError> {
        let key = KeyPair::generate()?;
        let mut params = params(subject.user, subject.group, subject.served_at)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Paper { certificate, key: key.serialize_pem() })
    }

    /// Writes a kubeconfig with which `subject` reaches the API server at `server`. Everything is inside, so it can be copied.
    pub fn kubeconfig(&self, path: &Path, server: &str, subject: &Subject<'_>) -> Result<(), CertificateError> {
        let paper = self.sign(subject)?;
        let encode = |pem: &str| BASE64.encode(pem.as_bytes());
        let cluster = json!({"server": server, "certificate-authority-data": encode(&self.paper.certificate)});
        let user = json!({
            "client-certificate-data": encode(&paper.certificate),
            "client-key-data": encode(&paper.key),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "brickline", "cluster": cluster}],
            "users": [{"name": subject.user, "user": user}],
            "contexts": [{"name": "brickline", "context": {"cluster": "brickline", "user": subject.user}}],
            "current-context": "brickline",
        });
        // JSON is YAML.
        Ok(write_secret(path, &format!("{config:#}"))?)
    }
}

/// Writes the key pair that signs service account tokens: `NAME.key` and `NAME.pub`.
pub(crate) fn write_token_keys(folder: &Path, name: &str) -> Result<(), CertificateError> {
    let key = KeyPair::generate()?;
    write_secret(&folder.join(format!("{name}.key")), &key.serialize_pem())?;
    fs::write(folder.join(format!("{name}.pub")), key.public_key_pem())?;
    Ok(())
}

fn params(user: &str, group: Option<&str>, served_at: &[&str]) -> Result<CertificateParams, CertificateError> {
    let names: Vec<String> = served_at.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    Ok(params)
}

fn write_secret(path: &Path, content: &str) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())
}
