//! The API of Brickline: `brickline.dev/v1alpha1`.
//!
//! This crate holds the words that the controller, the plugin, the tests and the generated YAML share: one file a
//! kind, the phases, the conditions and the labels. It does no I/O.

pub mod annotations;
mod approval;
mod clone_url;
pub mod condition;
mod duration;
#[cfg(test)]
mod examples;
pub mod labels;
mod pattern;
mod phase;
mod pipeline;
#[cfg(test)]
#[path = "../../tests/src/place.rs"]
mod place;
mod protection;
mod reference;
mod release;
mod schedule;
mod workspace;

pub use approval::{Decision, ReleaseApproval, ReleaseApprovalSpec, ReleaseRef};
pub use duration::GoDuration;
pub use phase::{Phase, PhaseState, Reason};
pub use pipeline::{
    ArtifactTrigger, Concurrency, ConcurrencyPolicy, ExtraApprovals, Forks, ObservedArtifact, ObservedCommit,
    Overrides, Parameter, ParameterType, Paths, PipelineStage, Poll, Provider, PullRequests, ReleasePipeline,
    ReleasePipelineSpec, ReleasePipelineStatus, ReleaseTemplate, Reporting, Repository, Retention, RunCounter,
    StageStatus, StoredArtifact, TemplateMetadata, TemplateSpec, Trigger, Webhook,
};
pub use protection::{Approvals, Day, Protection, Window};
pub use reference::{LocalRef, SecretKeyRef};
pub use release::{
    ApprovalRecord, Artifact, ArtifactFrom, Autoscale, Backoff, Build, BuildJob, BuildJobStatus, BuildOnly, BuildStep,
    BuildTests, Bundle, BundleTicket, Cause, Changes, Compute, ComputeKind, DataSecurityMode, DatabricksConnect,
    DatabricksJob, DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, Deploy, DeployItem,
    DeployLibraries, DeployTicket, Drift, FirstFailure, Fixture, Framework, GitProvider, GitSource, InnerTests,
    Install, InstallLibrary, Issue, ItemKind, JobSchedule, JobStatus, JobTask, LockTicket, MatrixCopy, MavenLibrary,
    MaxDuration, NewCluster, NotebookSource, NotebookTest, OnDrift, OnFailure, Operate, PackageLibrary, PhaseRetries,
    PhaseStatus, PlannedJob, PythonWheel, Regression, ReleaseReason, ReleaseResult, ReleaseState, RemoteArtifact,
    Required, Resources, Restart, RestartTicket, Retries, Rules, RunTicket, Runs, RuntimeEngine, Select, Serverless,
    Source, SparkPython, StartTicket, StepCondition, Stopping, Strategy, TaskTest, Test, TestCounts, TestSource,
    TestVerdict, Tests, Ticket, Timeouts, WaitLimits, Waited, Waiting, WhenIdle,
};
pub use schedule::Schedule;
pub use workspace::{
    Auth, Azure, Bundles, Cluster, ConnectSessions, DatabricksWorkspace, DatabricksWorkspaceSpec,
    DatabricksWorkspaceStatus, FamilyLimits, Federation, Identity, Limits, NewClusters, OAuth, Token, Variable,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

/// The API group of every kind.
pub const GROUP: &str = "brickline.dev";
/// The API version of every kind.
pub const VERSION: &str = "v1alpha1";
/// The field manager of every server-side apply the controller makes.
pub const FIELD_MANAGER: &str = "brickline";

/// Every CustomResourceDefinition of this version, in the order a reader meets the kinds.
#[must_use]
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let kinds = [DatabricksWorkspace::crd(), ReleasePipeline::crd(), DatabricksRelease::crd(), ReleaseApproval::crd()];
    kinds.map(without_foreign_formats).map(unseen_at_first).into()
}

/// An object that nobody has looked at yet is not current: without a status, kstatus (`helm --wait`, Flux, Argo) takes it
/// for one. So the API server gives it one at once, whose generation is not the object's.
fn unseen_at_first(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let properties = schema.and_then(|schema| schema.properties.as_mut());
        if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}

/// Rust's integer formats (`uint32`) are unknown to Kubernetes, which would warn at every apply.
fn without_foreign_formats(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            strip_foreign_formats(schema);
        }
    }
    crd
}

fn strip_foreign_formats(schema: &mut JSONSchemaProps) {
    schema.format = schema.format.take().filter(|format| !format.starts_with("uint"));
    schema.properties.iter_mut().flat_map(|all| all.values_mut()).for_each(strip_foreign_formats);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        strip_foreign_formats(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        strip_foreign_formats(values);
    }
}
