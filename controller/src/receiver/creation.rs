//! A creation: the one place where pushes become `DatabricksRelease` objects. Webhooks and polls share it.

use brickline_crds::{DatabricksRelease, PipelineStage, ReleasePipeline};
use kube::{Api, ResourceExt, api::PostParams};

use super::name::LENGTHS;
use super::push::Push;
use super::release::{is_same, release, stages};

/// What became of one push to one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The release with this name exists now.
    Created(String),
    /// It did already.
    Duplicate(String),
}

/// Why a release could not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreationError {
    /// The API server refused or did not answer.
    #[error("the API server did not take release {name}: {source}")]
    Kube {
        /// The release's name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// Every name the release may have belongs to another one.
    #[error("every name of the release is taken, {0} the last")]
    Taken(String),
}

/// Creates the releases of `push`, one for each stage. Once by name: an existing one is found, not created again.
pub(crate) async fn create(
    client: &kube::Client,
    pipeline: &ReleasePipeline,
    push: &Push,
) -> Result<Vec<Creation>, CreationError> {
    let api = Api::namespaced(client.clone(), &pipeline.namespace().unwrap_or_default());
    let mut creations = Vec::new();
    for stage in stages(pipeline) {
        creations.push(create_one(&api, pipeline, stage, push).await?);
    }
    Ok(creations)
}

async fn create_one(
    api: &Api<DatabricksRelease>,
    pipeline: &ReleasePipeline,
    stage: Option<&PipelineStage>,
    push: &Push,
) -> Result<Creation, CreationError> {
    let mut last = String::new();
    for length in LENGTHS {
        let wanted = release(pipeline, stage, push, length);
        last = wanted.name_any();
        if let Some(creation) = claim(api, &wanted).await? {
            return Ok(creation);
        }
    }
    Err(CreationError::Taken(last))
}

/// Takes the name for the release; none if another release has it.
async fn claim(api: &Api<DatabricksRelease>, wanted: &DatabricksRelease) -> Result<Option<Creation>, CreationError> {
    let name = wanted.name_any();
    let failed = |source| CreationError::Kube { name: name.clone(), source };
    match api.create(&PostParams::default(), wanted).await {
        Ok(_) => return Ok(Some(Creation::Created(name))),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(failed(error)),
    }
    // Gone in between is an error like any other here: the forge or the poll comes again.
    let found = api.get(&name).await.map_err(failed)?;
    Ok(is_same(&found, wanted).then_some(Creation::Duplicate(name)))
}
