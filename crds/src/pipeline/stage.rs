//! Where a pipeline releases to, with which values, and how many at a time.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::release::{same_cluster, within};
use crate::{Deploy, Install, LocalRef, OnFailure, Operate, Retries, Test, Timeouts, WaitLimits, pattern};

/// One place to release to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineStage {
    /// The stage's name. Example: `staging`.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(pattern::WORD).message("a stage's name is a lower-case word of a-z, 0-9 and '-'"))]
    pub name: String,
    /// The workspace to release to.
    pub workspace_ref: LocalRef,
    /// The stages that must have ended before this one begins. Default: none, it begins with the merge. Example:
    /// `[staging]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 15), inner(length(min = 1, max = 40)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub depends_on: Vec<String>,
    /// Whether this stage begins once those have ended, in CEL over `stages.NAME.result`, `.commit`, `.artifact`,
    /// `.reason` and `release.branch`, `.commit`, `.reason`. Default: each of them succeeded, with or without issues.
    /// Example: `stages.staging.result == 'Succeeded'`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub condition: Option<String>,
    /// Approvals beyond those that the workspace asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ExtraApprovals>,
    /// Values of the pipeline's parameters for this stage. Default: the pipeline's. Example: `{env: production}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub parameters: BTreeMap<String, String>,
    /// Parts of the template that are different in this stage. A part given here replaces the template's as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}

/// Approvals that a stage asks for. A stage can only add to what its workspace asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtraApprovals {
    /// How many people must approve. The workspace's number counts if it is higher. Default: 0.
    #[schemars(range(min = 0, max = 10))]
    pub required: u32,
}

/// Parts of a release's spec that a stage has its own version of.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": same_cluster::OVERRIDES, "message": same_cluster::MESSAGE},
    {"rule": same_cluster::JOBS_OF_OVERRIDES, "message": same_cluster::JOBS_MESSAGE},
    {"rule": within::TESTS_OF_OVERRIDES, "message": within::TESTS_MESSAGE},
]))]
pub struct Overrides {
    /// Instead of `template.spec.deploy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deploy>,
    /// Instead of `template.spec.install`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// Instead of `template.spec.test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// Instead of `template.spec.operate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operate: Option<Operate>,
    /// Instead of `template.spec.timeouts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// Instead of `template.spec.waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitLimits>,
    /// Instead of `template.spec.retries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Instead of `template.spec.onFailure`. None: that one.
    // The field's own words, not those of its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnFailure")]
    pub on_failure: Option<OnFailure>,
}

/// One value that releases are given.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.default) || !has(self.enum) || self.default in self.enum").message("a parameter's default must be one of its enum"))]
#[x_kube(validation = Rule::new("!has(self.default) || !has(self.type) || self.type == 'string' || (self.type == 'boolean' ? self.default in ['true', 'false'] : self.default.matches('^-?[0-9]{1,18}([.][0-9]{1,18})?$'))").message("a parameter's default must be of its type: true or false for boolean, digits for number"))]
pub struct Parameter {
    /// Its name, used as `$(params.NAME)`. Example: `env`.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z_][A-Za-z0-9_]*$')").message("a parameter's name is a word of letters, digits and '_'"))]
    pub name: String,
    /// What values it takes. Default: `string`.
    #[serde(default, rename = "type")]
    pub type_: ParameterType,
    /// The only values it takes. Empty: any of its type. Example: `[staging, production]`.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub enum_: Vec<String>,
    /// Its value where a stage or a release gives none. None: a release without a value for it ends `InvalidSpec`.
    /// Example: `staging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub default: Option<String>,
    /// What it is for. Default: none. Example: `Which environment is released to`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub description: String,
}

/// What values a parameter takes. All are written as strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ParameterType {
    /// Any text.
    #[default]
    String,
    /// Digits, with a sign and a decimal point if need be.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// How many releases of one stage go on at the same time, and what becomes of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Concurrency {
    /// What becomes of releases beyond the limit. Default: `Queue`.
    pub policy: ConcurrencyPolicy,
    /// How many go on at the same time. Default: 1. Example: 1.
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
    /// For `Supersede`: cancel a running release even after its Deploy began. It goes on to its end otherwise. Default: false.
    pub cancel_after_deploy: bool,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { policy: ConcurrencyPolicy::default(), limit: 1, cancel_after_deploy: false }
    }
}

/// What becomes of releases beyond the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// They wait for their turn, the oldest first.
    #[default]
    Queue,
    /// The newest wins: older ones that wait end `Skipped`, and one that runs is canceled if Deploy has not begun.
    Supersede,
    /// There is no limit.
    Parallel,
}
