//! Makes a release ours, numbers it, and looks up what its spec refers to.

use std::sync::Arc;

use brickline_artifact::Digest;
use brickline_crds::{
    Artifact, DatabricksRelease, DatabricksWorkspace, GitSource, Reason, ReleasePipeline, ReleasePipelineSpec, labels,
};
use kube::{Api, ResourceExt};

use super::labels::labels_of;
use super::origin::{joined, of_release, of_stage};
use super::{Effect, Resolved};
use crate::context::Context;
use crate::phase::Outcome;
use crate::record;
use crate::release::variables;
use crate::trouble::Trouble;

/// How a use of the workspace's variables begins in a spec.
const WORKSPACE: &str = "$(workspace.";

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: Effect, context: &Context) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Adopt => {
            record::ownership(release, labels_of(release), true, context).await?;
            let pipeline = context.pipeline_of(release);
            context.queue.arrived(release, pipeline.as_ref().map(|pipeline| &pipeline.spec.concurrency));
            Ok(Outcome::Done)
        }
        Effect::Resolve => Ok(Outcome::Resolved(Box::new(resolve(release, context).await?))),
    }
}

async fn resolve(release: &DatabricksRelease, context: &Context) -> Result<Resolved, Trouble> {
    let pipeline = pipeline(release, context).await?;
    let workspace = workspace(release, context).await?;
    let taken = match taken(release, context).await {
        Err(trouble) if !trouble.transient => Err((trouble.reason, trouble.message)),
        Err(trouble) => return Err(trouble),
        Ok(taken) => Ok(taken),
    };
    let mut resolved = Resolved { run: crate::pipeline::number(release, context).await?, ..Resolved::default() };
    match taken {
        Err(refusal) => resolved.refusal = Some(refusal),
        Ok(None) => {}
        Ok(Some((origin, artifact))) => (resolved.origin, resolved.artifact) = (origin, Some(artifact)),
    }
    let workspace = workspace.as_ref().map(|workspace| &workspace.spec);
    let scope = |pipeline: Option<&ReleasePipeline>| {
        let spec: Option<&ReleasePipelineSpec> = pipeline.map(|pipeline| &pipeline.spec);
        variables::scope(release, resolved.origin.as_ref(), &resolved.run, spec, workspace)
    };
    let variables = match scope(pipeline.as_deref()) {
        // The watch may not have told yet what was written right before the release.
        Err(_) if pipeline.is_some() => scope(stored(release, context).await?.as_deref()),
        variables => variables,
    };
    match variables {
        Ok(variables) => resolved.variables = variables,
        // The first refusal tells the cause: without an artifact nothing is known of its commit.
        Err(_) if resolved.refusal.is_some() => {}
        Err(sentences) => resolved.refusal = Some((Reason::InvalidSpec, sentences.join("; "))),
    }
    Ok(resolved)
}

/// The release's pipeline: as the watch knows it, or as it is stored, since a watch may lag behind a new one.
async fn pipeline(release: &DatabricksRelease, context: &Context) -> Result<Option<Arc<ReleasePipeline>>, Trouble> {
    match context.pipeline_of(release) {
        None => stored(release, context).await,
        known => Ok(known),
    }
}

async fn stored(release: &DatabricksRelease, context: &Context) -> Result<Option<Arc<ReleasePipeline>>, Trouble> {
    let Some(name) = release.labels().get(labels::PIPELINE) else { return Ok(None) };
    let pipelines: Api<ReleasePipeline> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    Ok(pipelines.get_opt(name).await?.map(Arc::new))
}

/// The workspace, if its variables are used.
async fn workspace(release: &DatabricksRelease, context: &Context) -> Result<Option<DatabricksWorkspace>, Trouble> {
    let uses = serde_json::to_string(&release.spec).is_ok_and(|spec| spec.contains(WORKSPACE));
    let Some(reference) = release.spec.workspace_ref.as_ref().filter(|_| uses) else { return Ok(None) };
    let namespace = release.namespace().unwrap_or_default();
    let workspaces: Api<DatabricksWorkspace> = Api::namespaced(context.kube.clone(), &namespace);
    let found = workspaces.get_opt(&reference.name).await?;
    let missing = || {
        let message = format!("DatabricksWorkspace {namespace}/{} does not exist", reference.name);
        Trouble::passing(Reason::DependencyNotReady, message)
    };
    found.map(Some).ok_or_else(missing)
}

/// What other releases built, and from what. A source is believed only if that release has it in its status, or the
/// pipeline in its own: nobody but the controller writes either.
async fn taken(
    release: &DatabricksRelease,
    context: &Context,
) -> Result<Option<(Option<GitSource>, Artifact)>, Trouble> {
    let source = &release.spec.source;
    if source.artifact_from.is_empty() {
        return Ok(None);
    }
    let releases: Api<DatabricksRelease> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    let (mut digests, mut origins) = (Vec::new(), Vec::new());
    for from in &source.artifact_from {
        let built = match releases.get_opt(&from.release).await? {
            Some(found) => of_release(&found, from),
            // What a stage has may be deployed again although its release was deleted: the store keeps it.
            None => stored(release, context).await?.and_then(|pipeline| of_stage(&pipeline, from)),
        };
        let Some(built) = built else {
            let message = format!("release {} has no artifact {}: see its status.artifact", from.release, from.digest);
            return Err(Trouble::lasting(Reason::ArtifactFailed, message));
        };
        origins.push(built.from);
        let digest: Result<Digest, _> = from.digest.parse();
        digests.push(digest.map_err(|error| Trouble::lasting(Reason::InvalidSpec, format!("artifactFrom: {error}")))?);
    }
    let origin = joined(origins).map_err(|sentence| Trouble::lasting(Reason::InvalidSpec, sentence))?;
    let artifact = context.artifacts.compose(&digests, source.precedence).await?;
    Ok(Some((origin, artifact)))
}
