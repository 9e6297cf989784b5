//! The certificate of the upload endpoint: made by the controller itself, shared by its replicas through a Secret.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// The Secret's name.
const SECRET: &str = "brickline-artifacts-tls";
/// Until when and for which host the certificate is good, as an annotation of the Secret.
const GOOD_UNTIL: &str = "brickline.dev/not-after";
const GOOD_FOR: &str = "brickline.dev/host";
/// How long a certificate is good.
const DAYS: i64 = 365;
/// With less than this left a start makes a new one.
const RENEW_DAYS: i64 = 90;

/// A certificate, its key and the authority that signed it, all in PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) ca: String,
    pub(crate) certificate: String,
    pub(crate) key: secrecy::SecretString,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Kubernetes refused or did not answer.
    #[error("Secret {SECRET}: {0}")]
    Kubernetes(#[from] kube::Error),
    /// It could not be made.
    #[error("making a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// The Secret holds something else.
    #[error("Secret {SECRET} does not hold a certificate: delete it and restart the controller")]
    Unreadable,
}

/// The certificate for `host`: the stored one if it is still good, else a new one.
pub(crate) async fn identity(kube: &Client, namespace: &str, host: &str) -> Result<Identity, Error> {
    let secrets: Api<Secret> = Api::namespaced(kube.clone(), namespace);
    if let Some(stored) = secrets.get_opt(SECRET).await? {
        if is_good(&stored, host) {
            return read(&stored);
        }
        let made = secret(host)?;
        let stored = secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(made)).await?;
        return read(&stored);
    }
    match secrets.create(&PostParams::default(), &secret(host)?).await {
        Ok(stored) => read(&stored),
        // Another replica was faster: its certificate counts.
        Err(kube::Error::Api(status)) if status.is_already_exists() => read(&secrets.get(SECRET).await?),
        Err(error) => Err(error.into()),
    }
}

fn is_good(secret: &Secret, host: &str) -> bool {
    let until = secret.annotations().get(GOOD_UNTIL).and_then(|until| until.parse::<Timestamp>().ok());
    let renew = Timestamp::now() + (RENEW_DAYS * 24).hours();
    until.is_some_and(|until| until > renew) && secret.annotations().get(GOOD_FOR).is_some_and(|good| good == host)
}

fn read(secret: &Secret) -> Result<Identity, Error> {
    let data = secret.data.as_ref().ok_or(Error::Unreadable)?;
    let text = |key: &str| {
        let bytes = data.get(key).ok_or(Error::Unreadable)?;
        String::from_utf8(bytes.0.clone()).map_err(|_| Error::Unreadable)
    };
    Ok(Identity { ca: text("ca.crt")?, certificate: text("tls.crt")?, key: text("tls.key")?.into() })
}

fn secret(host: &str) -> Result<Secret, Error> {
    let until = Timestamp::now() + (DAYS * 24).hours();
    let (ca, certificate, key) = make(host, until)?;
    let bytes = |text: String| ByteString(text.into_bytes());
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.to_owned()),
            labels: Some(BTreeMap::from([(brickline_crds::labels::MANAGED_BY.to_owned(), "brickline".to_owned())])),
            annotations: Some(BTreeMap::from([
                (GOOD_UNTIL.to_owned(), until.to_string()),
                (GOOD_FOR.to_owned(), host.to_owned()),
            ])),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(BTreeMap::from([
            ("ca.crt".to_owned(), bytes(ca)),
            ("tls.crt".to_owned(), bytes(certificate)),
            ("tls.key".to_owned(), bytes(key)),
        ])),
        ..Secret::default()
    })
}

/// An authority that signs one certificate and is then forgotten.
fn make(host: &str, until: Timestamp) -> Result<(String, String, String), Error> {
    let until = std::time::SystemTime::from(until).into();
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Brickline artifact uploads");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.not_after = until;
    let authority_key = KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?.pem();
    let mut server = CertificateParams::new(vec![host.to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, host.chars().take(64).collect::<String>());
    server.not_after = until;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?.pem();
    Ok((ca, certificate, key.serialize_pem()))
}
