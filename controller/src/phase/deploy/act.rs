//! Brings the artifact into the workspace: folders, notebooks and files in parallel, then wheels.

use std::sync::Arc;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, ItemKind, Reason};
use futures::{StreamExt, TryStreamExt, stream};

use super::check::check;
use super::target::{Form, Library, Target, libraries};
use super::{Deployed, targets};
use crate::artifact::{Content, Entry};
use crate::context::Context;
use crate::databricks::workspace::Format;
use crate::databricks::{Client, Upload};
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// Writes everything the spec asks for. Harmless when repeated.
pub(crate) async fn act(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<Outcome, Trouble> {
    let connection = workspace::connect(release, context).await?;
    let (client, parallel) = (&connection.client, connection.uploads());
    let artifact = Arc::new(context.artifacts.open(status.artifact.as_ref()).await?);
    let deploy = &release.spec.deploy;
    let (targets, libraries) = (targets(deploy, artifact.manifest()), libraries(deploy, artifact.manifest()));
    if targets.is_empty() && libraries.is_empty() {
        return Err(nothing(release));
    }
    let places = check(&targets, &libraries)?;
    let writes: Vec<_> = places.values().map(|target| write(client, &artifact, target)).collect();
    stream::iter(writes).buffer_unordered(parallel).try_collect::<()>().await?;
    let puts: Vec<_> = libraries.iter().map(|library| put(client, &artifact, library)).collect();
    stream::iter(puts).buffer_unordered(parallel).try_collect::<()>().await?;
    let notebooks = places.values().filter(|target| target.kind == ItemKind::Notebook).count();
    let deployed = Deployed { notebooks, files: places.len() - notebooks, libraries: libraries.len() };
    Ok(Outcome::Deployed(deployed))
}

fn nothing(release: &DatabricksRelease) -> Trouble {
    let globs: Vec<&str> = release.spec.deploy.items.iter().map(|item| item.from.as_str()).collect();
    Trouble::lasting(
        Reason::DeployFailed,
        format!("nothing to deploy: no wheel was built and no file of the commit matches {}", globs.join(", ")),
    )
}

/// One file of the artifact to its place.
async fn write(client: &Client, content: &Arc<Content>, target: &Target) -> Result<(), Trouble> {
    let upload = upload(content, &target.entry);
    match target.form {
        Form::Notebook(format, language) => client.import(&target.to, format, language, &upload).await?,
        Form::Raw => client.import(&target.to, Format::Raw, None, &upload).await?,
        Form::File => client.upload(&file_location(&target.to), &upload).await?,
    }
    Ok(())
}

fn upload(content: &Arc<Content>, entry: &Entry) -> Upload {
    let (content, entry) = (Arc::clone(content), entry.clone());
    Upload::new(entry.size, move || content.parts(&entry))
}

/// Workspace files live below `/Workspace`, whatever short form the target has.
fn file_location(to: &str) -> String {
    let rooted = to.starts_with("/Workspace/") || to.starts_with("/Volumes/");
    if rooted { to.to_owned() } else { format!("/Workspace{to}") }
}

/// A library at a place named by its content is never written twice.
async fn put(client: &Client, content: &Arc<Content>, library: &Library) -> Result<(), Trouble> {
    if client.stored_size(&library.location).await? == Some(library.entry.size) {
        return Ok(());
    }
    Ok(client.upload(&library.location, &upload(content, &library.entry)).await?)
}
