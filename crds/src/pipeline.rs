//! `ReleasePipeline`: what happens on a merge.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Build, Deploy, Install, LocalRef, Retries, Test, Timeouts, clone_url};

/// What happens on a merge: which repository and branches, and the release to create.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "brickline.dev",
    version = "v1alpha1",
    kind = "ReleasePipeline",
    namespaced,
    status = "ReleasePipelineStatus",
    shortname = "dbpipe",
    category = "brickline",
    derive = "PartialEq",
    doc = "What happens on a merge: repository, branches, stages and the template of the releases it creates.",
    printcolumn(name = "Repository", type_ = "string", json_path = ".spec.repository.url"),
    printcolumn(name = "Branches", type_ = "string", json_path = ".spec.trigger.branches"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name may have at most 63 characters: it is a label of every release")
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct ReleasePipelineSpec {
    /// The repository whose merges are released.
    pub repository: Repository,
    /// Which pushes become releases.
    #[serde(default)]
    pub trigger: Trigger,
    /// Where to release to, in order. None: releases end after Build. One stage today; more will be promotions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub stages: Vec<PipelineStage>,
    /// What the forge is told.
    #[serde(default)]
    pub reporting: Reporting,
    /// Stops new releases; webhooks are answered 503 so that a forge that retries does.
    #[serde(default)]
    pub suspend: bool,
    /// A release's spec without source and workspace, and labels for every release.
    #[serde(default)]
    pub template: ReleaseTemplate,
}

/// A git repository and its forge.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// The clone URL, without credentials in it. Example: `https://git.example.com/data/dbxdemo.git`.
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(validation = Rule::new(clone_url::RULE).message(clone_url::MESSAGE))]
    pub url: String,
    /// The forge's kind: decides how webhooks are authenticated and read, and how commit statuses are sent.
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

/// Which pushes become releases.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trigger {
    /// Branches, as names or globs. Default: `release`. Example: `["release", "release/*"]`.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 255)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.all(b, !b.startsWith('refs/') && !b.startsWith('/') && !b.contains('..') && !b.contains(' '))", "message": "branches are names or globs such as release or release/*, without refs/heads/, spaces or '..'"}]))]
    pub branches: Vec<String>,
    /// The forge's push webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

impl Default for Trigger {
    fn default() -> Self {
        Self { branches: vec!["release".to_owned()], webhook: None }
    }
}

/// How the forge's webhook proves itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// A Secret whose key `token` is the webhook's secret, and `previous-token` the old one while rotating.
    pub secret_ref: LocalRef,
}

/// One place to release to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineStage {
    /// The stage's name. Example: `staging`.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')").message("a stage's name is a lower-case word of a-z, 0-9 and '-'"))]
    pub name: String,
    /// The workspace to release to.
    pub workspace_ref: LocalRef,
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

/// What every release of a pipeline is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseTemplate {
    /// Labels and annotations for every release.
    pub metadata: TemplateMetadata,
    /// A release's spec without source and workspace.
    pub spec: TemplateSpec,
}

/// Labels and annotations a pipeline puts on its releases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateMetadata {
    /// Labels; those of `brickline.dev/` are set by the controller.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 63}), extend("x-kubernetes-validations" = [{
        "rule": "self.all(name, self[name].matches('^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'))",
        "message": "label values are letters, digits, '-', '_' and '.', and begin and end with a letter or digit",
    }]))]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub annotations: BTreeMap<String, String>,
}

/// The parts of a release's spec that a pipeline decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateSpec {
    /// How the artifact is built.
    pub build: Build,
    /// What goes where in the workspace.
    pub deploy: Deploy,
    /// Libraries on clusters.
    pub install: Install,
    /// Notebooks that are run as tests.
    pub test: Test,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// How often a fault that can heal is tried again.
    pub retries: Retries,
}

/// What the controller knows of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleasePipelineStatus {
    /// The generation last looked at; -1 until then.
    pub observed_generation: i64,
    /// Where to point the forge's webhook: paths on the controller's webhook address.
    #[schemars(length(max = 4), inner(length(max = 600)))]
    pub webhook_paths: Vec<String>,
    /// The last run number given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_counter: Option<RunCounter>,
    /// `Ready`: the pipeline is valid and its webhook's secret is there.
    #[schemars(schema_with = "crate::condition::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for ReleasePipelineStatus {
    fn default() -> Self {
        Self { observed_generation: -1, webhook_paths: Vec::new(), run_counter: None, conditions: Vec::new() }
    }
}

/// The last run number given out: `20261121.4` is day `20261121`, run 4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunCounter {
    /// The day in UTC, `YYYYMMDD`.
    #[schemars(length(max = 8))]
    pub date: String,
    /// The number of the last run of that day.
    pub last: u32,
}
