//! Creates a release, once by its name: an existing one is found, not created again.

use brickline_crds::{DatabricksRelease, Reason, ReleasePipeline};
use kube::{Api, ResourceExt, api::PostParams};

use super::name::LENGTHS;
use super::release::{Draft, is_same};
use super::stages;
use crate::trouble::Trouble;

/// What became of a draft.
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
    /// The pipeline can't be carried out as written.
    #[error("{0}")]
    Invalid(String),
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

impl From<CreationError> for Trouble {
    fn from(error: CreationError) -> Self {
        let message = error.to_string();
        match error {
            CreationError::Kube { source: kube::Error::Api(status), .. } if status.is_invalid() => {
                Self::lasting(Reason::InvalidSpec, message)
            }
            CreationError::Invalid(_) => Self::lasting(Reason::InvalidSpec, message),
            CreationError::Kube { .. } | CreationError::Taken(_) => Self::passing(Reason::InternalError, message),
        }
    }
}

/// Creates the release of `draft`.
pub(crate) async fn create(
    client: &kube::Client,
    pipeline: &ReleasePipeline,
    draft: &Draft,
) -> Result<Creation, CreationError> {
    let api = Api::namespaced(client.clone(), &pipeline.namespace().unwrap_or_default());
    if let Some(cycle) = stages::cycle(&pipeline.spec.stages) {
        return Err(CreationError::Invalid(format!("stages wait for each other: {cycle}")));
    }
    let mut last = String::new();
    for length in LENGTHS {
        let wanted = draft.release(pipeline, length).map_err(CreationError::Invalid)?;
        last = wanted.name_any();
        if let Some(creation) = claim(&api, &wanted).await? {
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
    // Gone in between is an error like any other here: the forge or the pipeline's reconcile comes again.
    let found = api.get(&name).await.map_err(failed)?;
    Ok(is_same(&found, wanted).then_some(Creation::Duplicate(name)))
}
