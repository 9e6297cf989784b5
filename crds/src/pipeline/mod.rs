//! `ReleasePipeline`: what happens on a merge.

mod pull_requests;
mod repository;
mod retention;
mod stage;
mod status;
mod template;
mod trigger;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::release::{connect, same_cluster, within};

pub use pull_requests::{Forks, PullRequests};
pub use repository::{Provider, Reporting, Repository};
pub use retention::Retention;
pub use stage::{Concurrency, ConcurrencyPolicy, ExtraApprovals, Overrides, Parameter, ParameterType, PipelineStage};
pub use status::{ObservedArtifact, ObservedCommit, ReleasePipelineStatus, RunCounter, StageStatus, StoredArtifact};
pub use template::{ReleaseTemplate, TemplateMetadata, TemplateSpec};
pub use trigger::{ArtifactTrigger, Paths, Poll, Trigger, Webhook};

/// What happens on a merge: which repository and branches, and the release to create.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    printcolumn(name = "Last", type_ = "string", json_path = ".status.last", priority = 1),
    printcolumn(name = "Next-Run", type_ = "string", json_path = ".status.nextScheduleTime", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name may have at most 63 characters: it is a label of every release"),
    validation = Rule::new("!has(self.spec.trigger.artifacts) || self.spec.trigger.artifacts.all(a, a.pipeline != self.metadata.name)").message("trigger.artifacts names other pipelines: this one's own releases would start it for ever")
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.trigger.webhook) || self.repository.provider != 'generic'").message("trigger.webhook needs repository.provider, such as gitea or github: it says how deliveries prove themselves"))]
#[x_kube(validation = Rule::new("(!has(self.trigger.poll) && !has(self.trigger.schedules)) || self.repository.url.matches('^https?://')").message("trigger.poll and trigger.schedules need a repository.url with https://: the controller asks it for the newest commit"))]
#[x_kube(validation = Rule::new("!has(self.trigger.pullRequests) || !self.trigger.pullRequests.enabled || has(self.trigger.webhook)").message("trigger.pullRequests needs trigger.webhook: only the forge tells of pull requests"))]
#[x_kube(validation = Rule::new("!has(self.trigger.pullRequests) || !has(self.trigger.pullRequests.workspaceRef) || !has(self.stages) || self.stages.all(stage, stage.workspaceRef.name != self.trigger.pullRequests.workspaceRef.name)").message("trigger.pullRequests.workspaceRef is a workspace of its own, and none of a stage: what nobody has merged stays away from what is released"))]
#[x_kube(validation = Rule::new("!has(self.stages) || self.stages.all(stage, !has(stage.parameters) || stage.parameters.all(name, has(self.parameters) && self.parameters.exists(p, p.name == name && (!has(p.enum) || stage.parameters[name] in p.enum))))").message("a stage's parameters are those of the pipeline's parameters, with one of the values of their enum"))]
#[x_kube(validation = Rule::new(same_cluster::STAGES).message(same_cluster::MESSAGE))]
#[x_kube(validation = Rule::new(same_cluster::JOBS_OF_STAGES).message(same_cluster::JOBS_MESSAGE))]
#[x_kube(validation = Rule::new(same_cluster::CONNECT_OF_STAGES).message(same_cluster::CONNECT_MESSAGE))]
#[x_kube(validation = Rule::new(within::TESTS_OF_STAGES).message(within::TESTS_MESSAGE))]
#[x_kube(validation = Rule::new(within::JOBS_OF_STAGES).message(within::JOBS_MESSAGE))]
#[x_kube(validation = Rule::new(connect::STAGE).message(connect::STAGE_MESSAGE))]
#[x_kube(validation = Rule::new(connect::PULL_REQUESTS).message(connect::PULL_REQUESTS_MESSAGE))]
pub struct ReleasePipelineSpec {
    /// The repository whose merges are released.
    pub repository: Repository,
    /// Which pushes become releases.
    #[serde(default)]
    pub trigger: Trigger,
    /// How many releases of one stage go on at the same time, and what becomes of the others.
    #[serde(default)]
    pub concurrency: Concurrency,
    /// Where to release to. None: releases end after Build. The artifact is built once, in the first stage (or on its
    /// own, if several stages depend on none), and promoted to the others by its digest. Example: `[{name: staging,
    /// workspaceRef: {name: staging}}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(validation = Rule::new("self.all(stage, !has(stage.dependsOn) || stage.dependsOn.all(name, name != stage.name && self.exists(other, other.name == name)))").message("dependsOn names other stages of this pipeline"))]
    pub stages: Vec<PipelineStage>,
    /// Values that releases are given: typed, with defaults, used as `$(params.NAME)`. Default: none. Example: `[{name:
    /// env, enum: [staging, production], default: staging}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Parameter>,
    /// How many finished releases are kept.
    #[serde(default)]
    pub retention: Retention,
    /// What the forge is told.
    #[serde(default)]
    pub reporting: Reporting,
    /// Stops new releases; webhooks are answered 503 so that a forge that retries does. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// A release's spec without source and workspace, and labels for every release.
    #[serde(default)]
    pub template: ReleaseTemplate,
}

#[cfg(test)]
mod tests;
