//! An artifact that was built elsewhere.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::LocalRef;

/// The address of a file: its host stands between the slashes alone, so that no user name hides in front of it.
const URL: &str = "self.matches('^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]+$')";
/// What a user reads whose URL is another.
const URL_MESSAGE: &str = "url is the https:// address of a file, without user name, password, spaces or '#': put credentials into \
     credentialsRef";

/// An artifact that another installation of Brickline built, wherever it lies now.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteArtifact {
    /// Where the zip lies. Its host must be one of those that the chart's `artifactSources.allowedHosts` lists; plain
    /// `http` only for one that is listed with it. Redirects are followed to listed hosts alone. What stands behind `?`
    /// is shown by nothing but this field, yet to everybody who may read the release. Example:
    /// `https://artifacts.example.com/dbxdemo/20261121.1.zip`.
    #[schemars(length(min = 10, max = 2048))]
    #[x_kube(validation = Rule::new(URL).message(URL_MESSAGE))]
    pub url: String,
    /// The digest of the zip: `status.artifact.digest` of the release that built it, or `sha256:` and what `sha256sum`
    /// prints. Whatever else lies at the URL is refused. Example:
    /// `sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`.
    #[schemars(length(min = 71, max = 71))]
    #[x_kube(validation = Rule::new("self.matches('^sha256:[0-9a-f]{64}$')").message("artifact.digest is that of the zip: sha256: and 64 hex characters in lower case (sha256sum)"))]
    pub digest: String,
    /// A Secret of this namespace for the host: keys `username` and `password`, or `token` (sent as a bearer token);
    /// `ca.crt` for a host with a certificate of its own authority. With it no redirect is followed. None: nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalRef>,
}
