//! Pipelines and releases for tests, and one file for each rule.

mod check;
mod completion;
mod poll;
mod promotion;
mod retention;
mod rollback;
mod rounds;
mod stage;
mod timetable;
mod trust;

use brickline_crds::{
    Artifact, ArtifactFrom, DatabricksRelease, GitSource, LocalRef, Phase, PhaseState, PhaseStatus, PipelineStage,
    Reason, ReleasePipeline, ReleaseReason, ReleaseResult, ReleaseState, labels,
};
use jiff::{Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::events::{Recorder, Reporter};

use super::ask::Forge;
use super::follow::Follow;
use super::lineage::{Releases, by_name};
use super::reconcile::{Tools, look};
use crate::creation::{Draft, Occasion};
use crate::forge::event::Push;
use crate::forge::refs::Refs;
use crate::receiver::samples;
use crate::secret::Watches;
use crate::trouble::Trouble;

/// A repository that is never asked.
struct Nowhere;

impl Forge for Nowhere {
    async fn tips(&self, _: &ReleasePipeline, _: &[String]) -> Result<Refs, Trouble> {
        Err(Trouble::passing(Reason::DependencyNotReady, "away"))
    }
}

/// One whole reconcile.
pub(crate) async fn reconcile(
    pipeline: &ReleasePipeline,
    kube: &kube::Client,
    follow: &Follow,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let recorder = Recorder::new(kube.clone(), Reporter { controller: "brickline".to_owned(), instance: None });
    let secrets = Watches::new(kube.clone());
    let tools = Tools { kube, recorder: &recorder, follow, forge: &Nowhere, secrets: &secrets };
    look(pipeline, &tools, now).await.map(drop)
}

/// Minutes after the pipeline was created.
pub(super) fn at(minute: i64) -> Timestamp {
    "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap() + minute.minutes()
}

/// `sha256:aaa...` for `a`.
pub(super) fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// A pipeline with these stages, each after the ones named.
pub(crate) fn pipeline(stages: &[(&str, &[&str])]) -> ReleasePipeline {
    let mut pipeline = samples::pipeline();
    let stage = |(name, after): &(&str, &[&str])| PipelineStage {
        name: (*name).to_owned(),
        workspace_ref: LocalRef::new(*name),
        depends_on: after.iter().map(|name| (*name).to_owned()).collect(),
        ..PipelineStage::default()
    };
    pipeline.spec.stages = stages.iter().map(stage).collect();
    pipeline.metadata.creation_timestamp = Some(Time(at(0)));
    pipeline
}

/// First staging, then production.
pub(crate) fn two_stages() -> ReleasePipeline {
    pipeline(&[("staging", &[]), ("production", &["staging"])])
}

/// A release that a merge made, as it stands in the stage that merges begin with.
pub(super) fn built(pipeline: &ReleasePipeline, name: &str, minute: i64, letter: char) -> DatabricksRelease {
    let push = Push { commit: letter.to_string().repeat(40), ..samples::push() };
    let mut release = Draft::building(pipeline, Occasion::push(pipeline, &push)).release(pipeline, 12).unwrap();
    dress(&mut release, name, minute);
    release.status.get_or_insert_default().artifact = Some(Artifact { digest: digest(letter), ..Artifact::default() });
    release
}

/// A release of an artifact that another one built.
pub(super) fn promoted(
    pipeline: &ReleasePipeline,
    name: &str,
    minute: i64,
    root: &DatabricksRelease,
    stage: &str,
) -> DatabricksRelease {
    let mut release = built(pipeline, name, minute, 'x');
    let digest = root.status.as_ref().unwrap().artifact.clone().unwrap();
    let mut origin: Option<GitSource> = None;
    std::mem::swap(&mut release.spec.source.git, &mut origin);
    release.spec.source.artifact_from =
        vec![ArtifactFrom { release: root.metadata.name.clone().unwrap(), digest: digest.digest.clone() }];
    release.spec.reason = ReleaseReason::Promotion;
    release.spec.stage = Some(stage.to_owned());
    release.spec.workspace_ref = Some(LocalRef::new(stage));
    let status = release.status.as_mut().unwrap();
    (status.artifact, status.origin) = (Some(digest), root.spec.source.git.clone());
    release
}

fn dress(release: &mut DatabricksRelease, name: &str, minute: i64) {
    release.metadata.name = Some(name.to_owned());
    release.metadata.uid = Some(format!("uid of {name}"));
    release.metadata.creation_timestamp = Some(Time(at(minute)));
    release.metadata.labels.get_or_insert_default().insert(labels::PIPELINE.to_owned(), "dbxdemo".to_owned());
    release.status.get_or_insert_default().run = format!("20261121.{minute}");
}

/// The same release, ended.
pub(super) fn ended(mut release: DatabricksRelease, result: ReleaseResult) -> DatabricksRelease {
    let created = release.metadata.creation_timestamp.clone();
    let status = release.status.get_or_insert_default();
    (status.state, status.result) = (ReleaseState::Finished, result);
    status.completion_time = created.map(|time| Time(time.0 + 1.minute()));
    let mut deploy = PhaseStatus::pending(Phase::Deploy);
    deploy.state = PhaseState::Succeeded;
    deploy.start_time.clone_from(&status.completion_time);
    let mut test = PhaseStatus::pending(Phase::Test);
    (test.state, test.reason) = match result {
        ReleaseResult::Failed => (PhaseState::Failed, Some(Reason::InnerTestsFailed)),
        ReleaseResult::TimedOut => (PhaseState::TimedOut, Some(Reason::TimedOut)),
        _ => (PhaseState::Succeeded, Some(Reason::Succeeded)),
    };
    "notebooks/a.py: test_x".clone_into(&mut test.message);
    status.phases = vec![deploy, test];
    release
}

pub(super) fn good(release: DatabricksRelease) -> DatabricksRelease {
    ended(release, ReleaseResult::Succeeded)
}

pub(super) fn failed(release: DatabricksRelease) -> DatabricksRelease {
    ended(release, ReleaseResult::Failed)
}

/// Calls `look` with the releases.
pub(super) fn with<T>(all: &[DatabricksRelease], look: impl FnOnce(Releases) -> T) -> T {
    look(Releases::new(all, &by_name(all)))
}
