//! Brings the artifact into the workspace: folders, notebooks and files in parallel, then wheels.

use std::{collections::BTreeMap, io::Cursor};

use brickline_artifact::manifest::Wheel;
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, ItemKind, Reason};
use futures::{StreamExt, TryStreamExt, stream};

use super::{Deployed, target::Target, target::form, targets};
use crate::artifact::{Content, wheel_location};
use crate::context::Context;
use crate::databricks::{Client, workspace::Import};
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
    let opened = context.artifacts.open(status.artifact.as_ref()).await?;
    let targets = targets(&release.spec.deploy, opened.manifest());
    if targets.is_empty() && opened.manifest().wheels.is_empty() {
        return Err(nothing(release));
    }
    let deployed = Deployed {
        notebooks: targets.iter().filter(|target| target.kind == ItemKind::Notebook).count(),
        files: targets.iter().filter(|target| target.kind == ItemKind::File).count(),
        wheels: opened.manifest().wheels.len(),
    };
    let by_path = group(&targets);
    let writes: Vec<_> = by_path.into_iter().map(|(path, targets)| write(client, &opened, path, targets)).collect();
    stream::iter(writes).buffer_unordered(parallel).try_collect::<()>().await?;
    let root = &release.spec.deploy.libraries.to;
    let wheels = opened.manifest().wheels.iter().map(|wheel| put_wheel(client, &opened, root, wheel));
    let wheels: Vec<_> = wheels.collect();
    stream::iter(wheels).buffer_unordered(parallel).try_collect::<()>().await?;
    Ok(Outcome::Deployed(deployed))
}

fn nothing(release: &DatabricksRelease) -> Trouble {
    let globs: Vec<&str> = release.spec.deploy.items.iter().map(|item| item.from.as_str()).collect();
    Trouble::lasting(
        Reason::DeployFailed,
        format!("nothing to deploy: no wheel was built and no file of the commit matches {}", globs.join(", ")),
    )
}

fn group(targets: &[Target]) -> BTreeMap<&str, Vec<&Target>> {
    let mut by_path: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
    for target in targets {
        by_path.entry(&target.path).or_default().push(target);
    }
    by_path
}

/// One file of the artifact to each of its places.
async fn write(client: &Client, content: &Content, path: &str, targets: Vec<&Target>) -> Result<(), Trouble> {
    let bytes = content.file(path).await?;
    for target in targets {
        if let (ItemKind::Notebook, Some((format, language))) = (target.kind, form(path)) {
            let import = Import { path: &target.to, format, language, overwrite: true, content: &bytes };
            client.import_notebook(import).await?;
        } else {
            let size = bytes.len() as u64;
            client.upload(&file_location(&target.to), Cursor::new(bytes.clone()), size).await?;
        }
    }
    Ok(())
}

/// Workspace files live below `/Workspace`, whatever short form the target has.
fn file_location(to: &str) -> String {
    let rooted = to.starts_with("/Workspace/") || to.starts_with("/Volumes/");
    if rooted { to.to_owned() } else { format!("/Workspace{to}") }
}

/// A wheel at a place named by its content is never written twice.
async fn put_wheel(client: &Client, content: &Content, root: &str, wheel: &Wheel) -> Result<(), Trouble> {
    let location = wheel_location(root, wheel);
    if client.stored_size(&location).await? == Some(wheel.size) {
        return Ok(());
    }
    let bytes = content.wheel(wheel).await?;
    Ok(client.upload(&location, Cursor::new(bytes), wheel.size).await?)
}
