//! The repository of a pipeline, and what its forge is told.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{LocalRef, clone_url};

/// A git repository and its forge.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// The clone URL, without credentials in it. Example: `https://git.example.com/data/dbxdemo.git`.
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(validation = Rule::new(clone_url::RULE).message(clone_url::MESSAGE))]
    pub url: String,
    /// The forge's kind: decides how webhooks are authenticated and read, and how commit statuses are sent. Default:
    /// `generic`.
    #[serde(default)]
    pub provider: Provider,
    /// A Secret for the checkout and the commit status, keys `username` and `password`, or `token`, or `identity`
    /// (an SSH key) with `known_hosts`; `ca.crt` for a forge with a certificate of its own authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalRef>,
}

/// A kind of forge.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Provider {
    /// Gitea or Forgejo.
    Gitea,
    /// GitHub or GitHub Enterprise.
    Github,
    /// Any git server: no webhooks, no commit status.
    #[default]
    Generic,
}

/// What the forge is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Reporting {
    /// Send a commit status: pending, then success or failure with the first failing test. Default: true.
    pub commit_status: bool,
}

impl Default for Reporting {
    fn default() -> Self {
        Self { commit_status: true }
    }
}
