//! A release to be: what a pipeline makes of an occasion. Pure.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::{
    Build, BuildOnly, Cause, DatabricksRelease, DatabricksReleaseSpec, GitSource, OnFailure, PipelineStage,
    ReleasePipeline, ReleaseReason, Source, StoredArtifact, annotations, labels,
};
use jiff::Timestamp;
use kube::{ResourceExt, api::ObjectMeta};

use super::name::{Origin, name};
use super::{parameters, pull_request, stages};
use crate::forge::address::Address;
use crate::forge::event::PullRequest;
use crate::forge::event::Push;

/// Labels and annotations with this prefix are the controller's own.
const OWN: &str = "brickline.dev/";

/// What happened, and what is to be released because of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Occasion {
    /// What is released.
    pub(crate) source: Source,
    /// What it was built from, if that is known: for the labels and the name.
    pub(crate) origin: Option<GitSource>,
    pub(crate) reason: ReleaseReason,
    pub(crate) cause: Option<Cause>,
    /// Who merged or pushed.
    pub(crate) requested_for: Option<String>,
    /// Everybody who asked for the releases that this one follows from.
    pub(crate) requesters: BTreeSet<String>,
    /// What tells apart releases of one commit to one stage: empty for a push and a poll.
    pub(crate) trigger: String,
    /// The release that built the artifacts. None: this one builds.
    pub(crate) root: Option<Root>,
    /// The pull request whose commit it is; none for what is on a branch.
    pub(crate) pull_request: Option<u64>,
    /// When a webhook told of it, and where the branch was before. None: nobody told, it was found out.
    pub(crate) told: Option<Told>,
}

/// What tells the order of two pushes that come within a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// When the webhook arrived.
    pub(crate) arrived: Timestamp,
    pub(crate) before: Option<String>,
}

/// The release that built an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) name: String,
    /// When it was created.
    pub(crate) created: Timestamp,
}

impl Occasion {
    /// A branch moved. The address is the pipeline's, never the push's: who may send a webhook must not choose what is
    /// checked out.
    pub(crate) fn push(pipeline: &ReleasePipeline, push: &Push) -> Self {
        Self { requested_for: push.pusher.clone(), ..Self::commit(pipeline, &push.reference, &push.commit) }
    }

    /// A pull request was opened, or has a new commit. One that comes to a commit again is released again: the release that
    /// was there may have been canceled.
    pub(crate) fn pull_request(pipeline: &ReleasePipeline, request: &PullRequest) -> Self {
        Self {
            reason: ReleaseReason::PullRequest,
            requested_for: request.author.clone(),
            trigger: request.again.map(|time| format!("again {time}")).unwrap_or_default(),
            pull_request: Some(request.number),
            ..Self::commit(pipeline, &request.reference(), &request.commit)
        }
    }

    fn commit(pipeline: &ReleasePipeline, reference: &str, commit: &str) -> Self {
        let git = of_repository(pipeline, reference, commit);
        Self {
            source: Source { git: Some(git.clone()), ..Source::default() },
            origin: Some(git),
            reason: ReleaseReason::Push,
            cause: None,
            requested_for: None,
            requesters: BTreeSet::new(),
            trigger: String::new(),
            root: None,
            pull_request: None,
            told: None,
        }
    }

    /// The same, told by a webhook that arrived at this time.
    pub(crate) fn told(self, before: Option<&String>, arrived: Timestamp) -> Self {
        Self { told: Some(Told { arrived, before: before.cloned() }), ..self }
    }
}

/// A release of a pipeline that may have to be created.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// None: it only builds.
    pub(crate) stage: Option<PipelineStage>,
    pub(crate) occasion: Occasion,
}

impl Draft {
    /// The release that builds a commit: to the stage that pipelines begin with, or on its own.
    pub(crate) fn building(pipeline: &ReleasePipeline, occasion: Occasion) -> Self {
        Self { stage: stages::entry(pipeline).cloned(), occasion }
    }

    /// The object, named with `length` characters of its hash.
    ///
    /// # Errors
    /// A sentence for the user if the stage's parameters are not the pipeline's.
    pub(crate) fn release(&self, pipeline: &ReleasePipeline, length: usize) -> Result<DatabricksRelease, String> {
        let mut release = DatabricksRelease::new(&self.name(pipeline, length), self.spec(pipeline)?);
        let annotations = self.annotations(pipeline);
        release.metadata = ObjectMeta {
            namespace: pipeline.namespace(),
            labels: Some(self.labels(pipeline)),
            annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
            ..release.metadata
        };
        Ok(release)
    }

    fn stage_name(&self) -> Option<&str> {
        self.stage.as_ref().map(|stage| stage.name.as_str())
    }

    fn name(&self, pipeline: &ReleasePipeline, length: usize) -> String {
        let git = self.occasion.origin.as_ref();
        let origin = Origin {
            pipeline: &pipeline.name_any(),
            pipeline_uid: pipeline.metadata.uid.as_deref().unwrap_or_default(),
            stage: self.stage_name().unwrap_or_default(),
            repository: &canonical(&pipeline.spec.repository.url),
            reference: git.map(|git| git.reference.as_str()).unwrap_or_default(),
            commit: git.map(|git| git.commit.as_str()).unwrap_or_default(),
            trigger: &self.occasion.trigger,
        };
        name(&origin, length)
    }

    /// The spec of the release; the pipeline's template, with what the stage has of its own.
    ///
    /// # Errors
    /// A sentence for the user if the stage's parameters are not the pipeline's.
    pub(crate) fn spec(&self, pipeline: &ReleasePipeline) -> Result<DatabricksReleaseSpec, String> {
        let stage = self.stage.as_ref();
        let template = pipeline.spec.template.spec.clone();
        let overrides = stage.and_then(|stage| stage.overrides.clone()).unwrap_or_default();
        let trigger = &pipeline.spec.trigger;
        let only = BuildOnly {
            include_paths: trigger.paths.include.clone(),
            exclude_paths: trigger.paths.exclude.clone(),
            merges_only: trigger.merges_only,
        };
        let occasion = self.occasion.clone();
        let on_failure = overrides.on_failure.unwrap_or(template.on_failure);
        // A rollback that fails is not rolled back.
        let is_rollback = occasion.reason == ReleaseReason::Rollback;
        let pull_request = occasion.pull_request;
        let spec = DatabricksReleaseSpec {
            source: occasion.source,
            stage: self.stage_name().map(str::to_owned),
            reason: occasion.reason,
            cause: occasion.cause,
            tags: template.tags,
            requested_by: None,
            requested_for: occasion.requested_for,
            workspace_ref: stage.map(|stage| stage.workspace_ref.clone()),
            parameters: parameters::of(pipeline, stage)?,
            start_at: None,
            approvals: stage.and_then(|stage| stage.approvals.clone()),
            build: Build { only, ..template.build },
            deploy: overrides.deploy.unwrap_or(template.deploy),
            install: overrides.install.unwrap_or(template.install),
            test: overrides.test.unwrap_or(template.test),
            // Jobs belong to a workspace: a release that only builds leaves none.
            operate: stage.map(|_| overrides.operate.unwrap_or(template.operate)).unwrap_or_default(),
            reporting: pipeline.spec.reporting.clone(),
            timeouts: overrides.timeouts.unwrap_or(template.timeouts),
            waiting: overrides.waiting.unwrap_or(template.waiting),
            retries: overrides.retries.unwrap_or(template.retries),
            on_failure: if is_rollback { OnFailure::None } else { on_failure },
            suspend: false,
            cancel: false,
        };
        Ok(match pull_request {
            Some(number) => pull_request::adapted(spec, pipeline, number),
            None => spec,
        })
    }

    fn labels(&self, pipeline: &ReleasePipeline) -> BTreeMap<String, String> {
        let git = self.occasion.origin.as_ref();
        let own = [
            (labels::PIPELINE, Some(labels::value(&pipeline.name_any()))),
            (labels::BRANCH, git.map(|git| labels::value(labels::branch_of(&git.reference)))),
            (labels::COMMIT, git.map(|git| labels::short_commit(&git.commit))),
            (labels::REASON, Some(self.occasion.reason.to_string())),
            (labels::STAGE, self.stage_name().map(labels::value)),
            (labels::MANAGED_BY, Some("brickline".to_owned())),
        ];
        let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        foreign(&pipeline.spec.template.metadata.labels).chain(own).collect()
    }

    fn annotations(&self, pipeline: &ReleasePipeline) -> BTreeMap<String, String> {
        let root = |root: &Root| {
            [(annotations::ROOT, root.name.clone()), (annotations::ROOT_CREATED, root.created.to_string())]
        };
        let told = |told: &Told| {
            [(annotations::ARRIVED, Some(told.arrived.to_string())), (annotations::BEFORE, told.before.clone())]
        };
        let told = self.occasion.told.as_ref().map(told).into_iter().flatten();
        let told = told.filter_map(|(key, value)| Some((key, value?)));
        let names = Some(&self.occasion.requesters).filter(|names| !names.is_empty());
        let requesters = names.and_then(|names| Some((annotations::REQUESTERS, serde_json::to_string(names).ok()?)));
        let own = self.occasion.root.as_ref().map(root).into_iter().flatten().chain(told).chain(requesters);
        let own = own.map(|(key, value)| (key.to_owned(), value));
        foreign(&pipeline.spec.template.metadata.annotations).chain(own).collect()
    }
}

/// Whether both release the same to the same stage of the same pipeline, for the same reason.
pub(super) fn is_same(one: &DatabricksRelease, other: &DatabricksRelease) -> bool {
    let pipeline = |release: &DatabricksRelease| release.labels().get(labels::PIPELINE).cloned();
    let git = |release: &DatabricksRelease| {
        let git = release.spec.source.git.clone()?;
        Some((canonical(&git.url), git.reference, git.commit))
    };
    let digests = |release: &DatabricksRelease| -> Vec<String> {
        release.spec.source.artifact_from.iter().map(|from| from.digest.clone()).collect()
    };
    one.spec.stage == other.spec.stage
        && one.spec.reason == other.spec.reason
        // One that a person made beforehand, under the name to come, may hold another plan.
        && one.spec.requested_by == other.spec.requested_by
        && pipeline(one) == pipeline(other)
        && git(one) == git(other)
        && digests(one) == digests(other)
}

/// The one spelling of a repository's address.
pub(crate) fn canonical(url: &str) -> String {
    Address::parse(url).map_or_else(|| url.to_owned(), |address| address.canonical())
}

fn foreign(template: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    template.iter().filter(|(key, _)| !key.starts_with(OWN)).map(|(key, value)| (key.clone(), value.clone()))
}

/// A commit of the pipeline's repository.
fn of_repository(pipeline: &ReleasePipeline, reference: &str, commit: &str) -> GitSource {
    let repository = &pipeline.spec.repository;
    GitSource {
        url: repository.url.clone(),
        reference: reference.to_owned(),
        commit: commit.to_owned(),
        provider: repository.provider,
        credentials_ref: repository.credentials_ref.clone(),
    }
}

/// What an artifact was built from whose release may be gone; none if the pipeline knows no commit of it.
pub(crate) fn remembered(pipeline: &ReleasePipeline, stored: &StoredArtifact) -> Option<GitSource> {
    (!stored.commit.is_empty()).then(|| of_repository(pipeline, &stored.reference, &stored.commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::samples;
    use brickline_crds::ArtifactFrom;

    fn release(pipeline: &ReleasePipeline, push: &Push) -> DatabricksRelease {
        Draft::building(pipeline, Occasion::push(pipeline, push)).release(pipeline, 12).unwrap()
    }

    #[test]
    fn takes_the_address_from_the_pipeline() {
        let push = Push { repository_urls: vec!["https://evil.example.com/x.git".to_owned()], ..samples::push() };
        let release = release(&samples::pipeline(), &push);
        assert_eq!(release.spec.source.git.unwrap().url, "https://git.example.com/data/dbxdemo.git");
    }

    #[test]
    fn carries_the_template_and_the_labels() {
        let mut pipeline = samples::pipeline();
        let metadata = &mut pipeline.spec.template.metadata;
        metadata.labels.insert("team".to_owned(), "data".to_owned());
        metadata.labels.insert(labels::RESULT.to_owned(), "succeeded".to_owned());
        metadata.annotations.insert("note".to_owned(), "x".to_owned());
        let push = Push { reference: "refs/heads/release/1".to_owned(), ..samples::push() };
        insta::assert_json_snapshot!(release(&pipeline, &push));
    }

    #[test]
    fn without_one_stage_to_begin_with_the_release_only_builds() {
        let mut pipeline = samples::pipeline();
        let mut second = pipeline.spec.stages[0].clone();
        second.name = "second".to_owned();
        pipeline.spec.stages.push(second);
        let two = release(&pipeline, &samples::push());
        pipeline.spec.stages.clear();
        let none = release(&pipeline, &samples::push());
        for release in [two, none] {
            assert_eq!((release.spec.workspace_ref, release.spec.stage), (None, None));
        }
    }

    #[test]
    fn another_spelling_of_the_address_is_the_same_release() {
        let (mut pipeline, push) = (samples::pipeline(), samples::push());
        let one = release(&pipeline, &push);
        pipeline.spec.repository.url = "git@git.example.com:data/dbxdemo.git".to_owned();
        let other = release(&pipeline, &push);
        assert_eq!(one.name_any(), other.name_any());
        assert!(is_same(&one, &other));
        let next = release(&pipeline, &Push { commit: "a".repeat(40), ..push });
        assert!(!is_same(&one, &next));
    }

    #[test]
    fn what_was_built_before_is_named_with_its_digest_and_its_root() {
        let pipeline = samples::pipeline();
        let from = ArtifactFrom { release: "dbxdemo-1".to_owned(), digest: format!("sha256:{}", "a".repeat(64)) };
        let push = Occasion::push(&pipeline, &samples::push());
        let root = Root { name: "dbxdemo-1".to_owned(), created: "2026-11-21T10:00:00Z".parse().unwrap() };
        let occasion = Occasion {
            source: Source { artifact_from: vec![from.clone()], ..Source::default() },
            reason: ReleaseReason::Rollback,
            root: Some(root),
            trigger: "again".to_owned(),
            ..push
        };
        let mut overriding = pipeline.clone();
        overriding.spec.template.spec.on_failure = OnFailure::Rollback;
        let release =
            Draft { stage: overriding.spec.stages.first().cloned(), occasion }.release(&overriding, 12).unwrap();
        assert_eq!(release.spec.source.artifact_from, [from]);
        assert_eq!(release.spec.on_failure, OnFailure::None, "a rollback is not rolled back");
        assert_eq!(release.labels()[labels::BRANCH], "release");
        assert_eq!(release.annotations()[annotations::ROOT], "dbxdemo-1");
        assert_eq!(release.annotations()[annotations::ROOT_CREATED], "2026-11-21T10:00:00Z");
    }
}
