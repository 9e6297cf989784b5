//! A release to be: what a pipeline makes of a push. Pure; webhooks and polls share it.

use std::collections::BTreeMap;

use brickline_crds::{
    Build, BuildOnly, DatabricksRelease, DatabricksReleaseSpec, GitSource, PipelineStage, ReleasePipeline,
    ReleaseReason, Source, labels,
};
use kube::{ResourceExt, api::ObjectMeta};

use super::name::{Origin, name};
use super::push::Push;
use crate::forge::address::Address;

/// Labels and annotations with this prefix are the controller's own.
const OWN: &str = "brickline.dev/";

/// What is released to: each stage, or none if the pipeline only builds.
pub(crate) fn stages(pipeline: &ReleasePipeline) -> Vec<Option<&PipelineStage>> {
    match pipeline.spec.stages.as_slice() {
        [] => vec![None],
        stages => stages.iter().map(Some).collect(),
    }
}

/// The release of `push` to `stage`, named with `length` characters of its hash.
pub(crate) fn release(
    pipeline: &ReleasePipeline,
    stage: Option<&PipelineStage>,
    push: &Push,
    length: usize,
) -> DatabricksRelease {
    let mut release = DatabricksRelease::new(&name_of(pipeline, stage, push, length), spec(pipeline, stage, push));
    let template = &pipeline.spec.template.metadata;
    release.metadata = ObjectMeta {
        namespace: pipeline.namespace(),
        labels: Some(labels_of(pipeline, stage, push)),
        annotations: Some(foreign(&template.annotations)).filter(|annotations| !annotations.is_empty()),
        ..release.metadata
    };
    release
}

/// Whether both release the same commit of the same branch and repository to the same stage of the same pipeline.
pub(crate) fn is_same(one: &DatabricksRelease, other: &DatabricksRelease) -> bool {
    let pipeline = |release: &DatabricksRelease| release.labels().get(labels::PIPELINE).cloned();
    let source = |release: &DatabricksRelease| {
        let git = release.spec.source.git.clone()?;
        Some((canonical(&git.url), git.reference, git.commit))
    };
    one.spec.stage == other.spec.stage && pipeline(one) == pipeline(other) && source(one) == source(other)
}

fn name_of(pipeline: &ReleasePipeline, stage: Option<&PipelineStage>, push: &Push, length: usize) -> String {
    let origin = Origin {
        pipeline: &pipeline.name_any(),
        pipeline_uid: pipeline.metadata.uid.as_deref().unwrap_or_default(),
        stage: stage.map(|stage| stage.name.as_str()).unwrap_or_default(),
        repository: &canonical(&pipeline.spec.repository.url),
        reference: &push.reference,
        commit: &push.commit,
        trigger: "",
    };
    name(&origin, length)
}

fn canonical(url: &str) -> String {
    Address::parse(url).map_or_else(|| url.to_owned(), |address| address.canonical())
}

fn spec(pipeline: &ReleasePipeline, stage: Option<&PipelineStage>, push: &Push) -> DatabricksReleaseSpec {
    let template = pipeline.spec.template.spec.clone();
    let overrides = stage.and_then(|stage| stage.overrides.clone()).unwrap_or_default();
    let trigger = &pipeline.spec.trigger;
    let only = BuildOnly {
        include_paths: trigger.paths.include.clone(),
        exclude_paths: trigger.paths.exclude.clone(),
        merges_only: trigger.merges_only,
    };
    DatabricksReleaseSpec {
        source: Source { git: Some(source(pipeline, push)), ..Source::default() },
        stage: stage.map(|stage| stage.name.clone()),
        reason: ReleaseReason::Push,
        cause: None,
        tags: template.tags,
        requested_by: None,
        requested_for: push.pusher.clone(),
        workspace_ref: stage.map(|stage| stage.workspace_ref.clone()),
        parameters: stage.map(|stage| stage.parameters.clone()).unwrap_or_default(),
        start_at: None,
        approvals: stage.and_then(|stage| stage.approvals.clone()),
        build: Build { only, ..template.build },
        deploy: overrides.deploy.unwrap_or(template.deploy),
        install: overrides.install.unwrap_or(template.install),
        test: overrides.test.unwrap_or(template.test),
        reporting: pipeline.spec.reporting.clone(),
        timeouts: overrides.timeouts.unwrap_or(template.timeouts),
        waiting: overrides.waiting.unwrap_or(template.waiting),
        retries: overrides.retries.unwrap_or(template.retries),
        on_failure: overrides.on_failure.unwrap_or(template.on_failure),
        suspend: false,
        cancel: false,
    }
}

/// The address is the pipeline's, never the push's: who may send a webhook must not choose what is checked out.
fn source(pipeline: &ReleasePipeline, push: &Push) -> GitSource {
    let repository = &pipeline.spec.repository;
    GitSource {
        url: repository.url.clone(),
        reference: push.reference.clone(),
        commit: push.commit.clone(),
        provider: repository.provider,
        credentials_ref: repository.credentials_ref.clone(),
    }
}

fn labels_of(pipeline: &ReleasePipeline, stage: Option<&PipelineStage>, push: &Push) -> BTreeMap<String, String> {
    let own = [
        (labels::PIPELINE, labels::value(&pipeline.name_any())),
        (labels::BRANCH, labels::value(push.branch())),
        (labels::COMMIT, labels::short_commit(&push.commit)),
        (labels::REASON, ReleaseReason::Push.to_string()),
        (labels::MANAGED_BY, "brickline".to_owned()),
    ];
    let stage = stage.map(|stage| (labels::STAGE, labels::value(&stage.name)));
    let own = own.into_iter().chain(stage).map(|(key, value)| (key.to_owned(), value));
    foreign(&pipeline.spec.template.metadata.labels).into_iter().chain(own).collect()
}

fn foreign(template: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    template.iter().filter(|(key, _)| !key.starts_with(OWN)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::samples;

    #[test]
    fn takes_the_address_from_the_pipeline() {
        let push = Push { repository_urls: vec!["https://evil.example.com/x.git".to_owned()], ..samples::push() };
        let release = release(&samples::pipeline(), None, &push, 12);
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
        let stage = stages(&pipeline)[0];
        insta::assert_json_snapshot!(release(&pipeline, stage, &push, 12));
    }

    #[test]
    fn without_stages_there_is_one_release_without_workspace() {
        let mut pipeline = samples::pipeline();
        pipeline.spec.stages.clear();
        assert_eq!(stages(&pipeline), [None]);
        let release = release(&pipeline, None, &samples::push(), 12);
        assert_eq!((release.spec.workspace_ref, release.spec.stage), (None, None));
    }

    #[test]
    fn another_spelling_of_the_address_is_the_same_release() {
        let (mut pipeline, push) = (samples::pipeline(), samples::push());
        let one = release(&pipeline, None, &push, 12);
        pipeline.spec.repository.url = "git@git.example.com:data/dbxdemo.git".to_owned();
        let other = release(&pipeline, None, &push, 12);
        assert_eq!(one.name_any(), other.name_any());
        assert!(is_same(&one, &other));
        let next = release(&pipeline, None, &Push { commit: "a".repeat(40), ..push }, 12);
        assert!(!is_same(&one, &next));
    }
}
