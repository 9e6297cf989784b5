//! Fetches the artifact into the store.

use brickline_artifact::plan::Limits;
use brickline_crds::{DatabricksRelease, Reason};
use kube::ResourceExt;

use super::{address, refused, remote};
use crate::artifact::{PATIENCE, Remote};
use crate::context::Context;
use crate::forge;
use crate::phase::Outcome;
use crate::trouble::Trouble;

/// Fetches it. `stop` ends when the phase must, and says why; what has come until then is thrown away.
pub(crate) async fn act(
    release: &DatabricksRelease,
    stop: impl Future<Output = Trouble>,
    context: &Context,
) -> Result<Outcome, Trouble> {
    tokio::select! {
        fetched = fetch(release, context) => fetched,
        why = stop => Err(why),
    }
}

async fn fetch(release: &DatabricksRelease, context: &Context) -> Result<Outcome, Trouble> {
    let invalid = |message: String| Trouble::lasting(Reason::InvalidSpec, message);
    let source = remote(release).ok_or_else(|| invalid("spec.source.artifact is missing".to_owned()))?;
    let hosts = &context.settings.args.artifact_hosts;
    if let Some(refusal) = refused(release, hosts) {
        return Err(refusal);
    }
    let namespace = release.namespace().unwrap_or_default();
    let (http, proof) = forge::access(source.credentials_ref.as_ref(), &namespace, context).await?;
    let remote = Remote {
        namespace: &namespace,
        url: address(source)?,
        digest: source.digest.parse().map_err(|error| invalid(format!("source.artifact.digest: {error}")))?,
        http,
        proof,
        hosts,
        patience: PATIENCE,
        limit: Limits::default().artifact_bytes,
    };
    Ok(Outcome::Fetched(Box::new(context.artifacts.fetch(&remote).await?)))
}
