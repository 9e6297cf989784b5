//! Tells the forge, and settles the release's labels.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, FIELD_MANAGER, GROUP, VERSION, labels};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};

use super::{Effect, Report};
use crate::context::Context;
use crate::forge;
use crate::phase::Outcome;
use crate::release::result;
use crate::trouble::Trouble;

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Report(report) => told(release, report, context).await?,
        Effect::Label => label(release, context).await?,
    }
    Ok(Outcome::Done)
}

async fn told(release: &DatabricksRelease, report: &Report, context: &Context) -> Result<(), Trouble> {
    let sent = forge::report(release, report, context).await;
    if let Err(trouble) = &sent {
        let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
        tracing::warn!(%namespace, release = %name, error = %trouble.message, "the forge was not told");
    }
    sent
}

/// The result as a label, for `kubectl get dbrel -l brickline.dev/result=failed`.
async fn label(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    let ended = result(&release.status.clone().unwrap_or_default()).to_string().to_lowercase();
    let releases: Api<DatabricksRelease> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    let patch = serde_json::json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": DatabricksRelease::kind(&()),
        "metadata": {"labels": BTreeMap::from([(labels::RESULT, ended)])},
    });
    let settle = PatchParams::apply(&format!("{FIELD_MANAGER}-labels")).force();
    releases.patch_metadata(&release.name_any(), &settle, &Patch::Apply(patch)).await?;
    Ok(())
}
