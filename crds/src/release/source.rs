//! What a release releases, and why it exists.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RemoteArtifact;
use crate::{LocalRef, Provider, clone_url, pattern};

/// What is released. Exactly one of `git`, `artifactFrom` and `artifact` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// One commit of a git repository, which the release builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    /// What other releases of this namespace built: exactly those artifacts are deployed, and nothing is built. None: a
    /// commit is built. Example: `[{release: dbxdemo-4f2c91d0a7be, digest: "sha256:2c26..."}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["release"]))]
    pub artifact_from: Vec<ArtifactFrom>,
    /// Several artifacts may carry one path or one distribution with different contents: the first in the list wins. The
    /// release is refused otherwise. Default: false.
    #[serde(default)]
    pub precedence: bool,
    /// What was built elsewhere, such as by another cluster's Brickline: that artifact is fetched in the place of a build,
    /// and nothing is built. Such a release has no branch and no commit, whatever the artifact says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<RemoteArtifact>,
}

/// The artifact of another release, pinned by its digest.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactFrom {
    /// The release that has it, of the same namespace. Example: `dbxdemo-4f2c91d0a7be`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(pattern::OBJECT).message(pattern::OBJECT_MESSAGE))]
    pub release: String,
    /// The artifact's digest, as in that release's `status.artifact.digest`. Example:
    /// `sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`.
    #[schemars(length(min = 71, max = 71))]
    #[x_kube(validation = Rule::new("self.matches('^sha256:[0-9a-f]{64}$')").message("digest is status.artifact.digest of that release: sha256: and 64 hex characters"))]
    pub digest: String,
}

/// One commit of a git repository.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitSource {
    /// The clone URL, without credentials in it. Example: `https://git.example.com/data/dbxdemo.git`.
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(validation = Rule::new(clone_url::RULE).message(clone_url::MESSAGE))]
    pub url: String,
    /// The ref the commit is on. Example: `refs/heads/release`; of a pull request: `refs/pull/12/head`.
    #[serde(rename = "ref")]
    #[schemars(length(min = 6, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^refs/((heads|tags)/[^[:space:]~^:?*]+|(pull|merge-requests)/[1-9][0-9]{0,17}/head)$') && !self.contains('[') && !self.contains('\\\\') && !self.contains('..')").message("ref is a full ref such as refs/heads/release, refs/tags/v1 or refs/pull/12/head"))]
    pub reference: String,
    /// The commit's full id, 40 hex characters (64 for SHA-256 repositories). Example:
    /// `9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d`.
    #[schemars(length(min = 40, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9a-f]{40}|[0-9a-f]{64})$')").message("commit is the full commit id in lower case: 40 hex characters (git rev-parse HEAD)"))]
    pub commit: String,
    /// The forge's kind, for the commit status. Default: `generic`, which tells nobody.
    #[serde(default)]
    pub provider: Provider,
    /// A Secret for the checkout and the commit status, as in `ReleasePipeline.spec.repository.credentialsRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalRef>,
}

/// Why a release exists.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display, strum::IntoStaticStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum ReleaseReason {
    /// A merge or push, by webhook or poll. Set by the controller.
    Push,
    /// Created by a person.
    #[default]
    Manual,
    /// A pull request was opened, or has a new commit. Set by the controller.
    PullRequest,
    /// A schedule of the pipeline came due. Set by the controller.
    Schedule,
    /// Another pipeline's release ended well. Set by the controller.
    BuildCompletion,
    /// The stages before this one ended as its condition asks. Set by the controller.
    Promotion,
    /// An artifact that was released well before is deployed again.
    Rollback,
    /// An earlier release runs again, whole or from one phase on.
    Retry,
}

/// The release that this one follows from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Its name, in the same namespace. Example: `dbxdemo-4f2c91d0a7be`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(pattern::OBJECT).message(pattern::OBJECT_MESSAGE))]
    pub release: String,
    /// Its uid: another release may have its name later. Without it the cause is the release that had the name then. None:
    /// nobody knows. Example: `6a2f41c3-a54c-fce8-32d2-0324e1c32e22`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub uid: Option<String>,
    /// What happened to it. Example: `Test failed: InnerTestsFailed`. None: nothing but its name is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
}
