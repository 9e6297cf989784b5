//! Clusters: started once, restarted once, and what becomes of their libraries.

use super::{Databricks, granted, refused, same, until};
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::{InstallState, Library};
use crate::phase::install::{Call, Cluster, Installed};

async fn seen(workspace: &impl Databricks) -> Result<Cluster, String> {
    granted("the cluster", workspace.cluster().await)
}

/// The cluster once it runs. One that is down is started.
async fn ready(workspace: &impl Databricks) -> Result<Cluster, String> {
    let look = async || {
        let now = seen(workspace).await?;
        if now.state == ClusterState::Terminated {
            granted("start", workspace.call(&Call::Start { cluster: now.id.clone() }).await)?;
        }
        Ok(now.state.is_ready().then_some(now))
    };
    until(workspace, "the cluster runs", look).await
}

/// Restarts the cluster, and answers it as it then is. Until it runs again it has no other context.
async fn restart(workspace: &impl Databricks) -> Result<Cluster, String> {
    let before = ready(workspace).await?;
    granted("restart", workspace.call(&Call::Restart { cluster: before.id.clone() }).await)?;
    let look = async || {
        let now = seen(workspace).await?;
        let is_other = !now.context.is_empty() && now.context != before.context;
        if is_other && !now.state.is_ready() {
            return Err(format!("another context although it is {:?}", now.state));
        }
        Ok(is_other.then_some(now))
    };
    until(workspace, "the cluster has another context", look).await
}

/// The library's one line.
fn line<'a>(cluster: &'a Cluster, library: &Library) -> Result<Option<&'a Installed>, String> {
    let mut lines = cluster.libraries.iter().filter(|one| one.library == *library);
    let first = lines.next();
    if lines.next().is_some() { Err(format!("{library:?} is there twice")) } else { Ok(first) }
}

fn is_on_its_way(state: InstallState) -> bool {
    matches!(state, InstallState::Pending | InstallState::Resolving | InstallState::Installing)
}

/// The library once it is on its way no more; it never goes meanwhile.
async fn settled(workspace: &impl Databricks, library: &Library) -> Result<Installed, String> {
    let look = async || {
        let now = seen(workspace).await?;
        let one = line(&now, library)?.ok_or_else(|| format!("{library:?} is not there"))?;
        Ok((!is_on_its_way(one.state)).then(|| one.clone()))
    };
    until(workspace, "a library is settled", look).await
}

async fn install(workspace: &impl Databricks, library: &Library) -> Result<(), String> {
    let (cluster, libraries) = (ready(workspace).await?.id, vec![library.clone()]);
    granted("install", workspace.call(&Call::Install { cluster, libraries }).await)
}

async fn uninstall(workspace: &impl Databricks, library: &Library) -> Result<(), String> {
    let (cluster, libraries) = (ready(workspace).await?.id, vec![library.clone()]);
    granted("uninstall", workspace.call(&Call::Uninstall { cluster, libraries }).await)
}

fn is_usable(one: &Installed) -> Result<(), String> {
    let usable = matches!(one.state, InstallState::Installed | InstallState::Restored);
    if usable { Ok(()) } else { Err(format!("it is {:?}: {}", one.state, one.messages)) }
}

/// A wheel that the cluster has.
async fn some_wheel(workspace: &impl Databricks) -> Result<Library, String> {
    let wheel = granted("a wheel", workspace.wheel(true).await)?;
    // An earlier case may have left it to go.
    let leaves =
        line(&ready(workspace).await?, &wheel)?.is_some_and(|one| one.state == InstallState::UninstallOnRestart);
    if leaves {
        restart(workspace).await?;
    }
    install(workspace, &wheel).await?;
    is_usable(&settled(workspace, &wheel).await?)?;
    Ok(wheel)
}

/// The wheel, which the cluster does not have.
async fn without_wheel(workspace: &impl Databricks) -> Result<Library, String> {
    let wheel = granted("a wheel", workspace.wheel(true).await)?;
    uninstall(workspace, &wheel).await?;
    let cleared = restart(workspace).await?;
    same("the library before", &line(&cleared, &wheel)?, &None)?;
    Ok(wheel)
}

pub(super) async fn started(workspace: &impl Databricks) -> Result<(), String> {
    let cluster = ready(workspace).await?;
    refused("start", true, workspace.call(&Call::Start { cluster: cluster.id }).await)?;
    same("the context", &ready(workspace).await?.context, &cluster.context)
}

pub(super) async fn restarted(workspace: &impl Databricks) -> Result<(), String> {
    let before = ready(workspace).await?;
    let call = Call::Restart { cluster: before.id };
    granted("restart", workspace.call(&call).await)?;
    refused("a second restart", true, workspace.call(&call).await)?;
    let look = async || Ok(Some(seen(workspace).await?).filter(|now| now.state.is_ready()));
    let after = until(workspace, "the cluster runs again", look).await?;
    if after.context == before.context || after.context.is_empty() {
        return Err(format!("it runs again, and the context is {:?}", after.context));
    }
    workspace.pause().await;
    same("the context", &seen(workspace).await?.context, &after.context)?;
    restart(workspace).await.map(drop)
}

pub(super) async fn unknown(workspace: &impl Databricks) -> Result<(), String> {
    let cluster = || "0000-000000-nothing".to_owned();
    let libraries = vec![granted("a wheel", workspace.wheel(true).await)?];
    refused("start", false, workspace.call(&Call::Start { cluster: cluster() }).await)?;
    refused("restart", false, workspace.call(&Call::Restart { cluster: cluster() }).await)?;
    refused("install", false, workspace.call(&Call::Install { cluster: cluster(), libraries }).await)
}

pub(super) async fn installed(workspace: &impl Databricks) -> Result<(), String> {
    let wheel = without_wheel(workspace).await?;
    install(workspace, &wheel).await?;
    // Asked for again on its way, it is still once there.
    install(workspace, &wheel).await?;
    is_usable(&settled(workspace, &wheel).await?)
}

pub(super) async fn installed_twice(workspace: &impl Databricks) -> Result<(), String> {
    let wheel = some_wheel(workspace).await?;
    let before = ready(workspace).await?;
    install(workspace, &wheel).await?;
    let after = seen(workspace).await?;
    same("the library", &line(&after, &wheel)?, &line(&before, &wheel)?)?;
    same("the number of libraries", &after.libraries.len(), &before.libraries.len())
}

pub(super) async fn taken_off(workspace: &impl Databricks) -> Result<(), String> {
    let wheel = some_wheel(workspace).await?;
    let is_leaving = |cluster: &Cluster| {
        let state = line(cluster, &wheel)?.map(|one| one.state);
        same("the library", &state, &Some(InstallState::UninstallOnRestart))
    };
    uninstall(workspace, &wheel).await?;
    is_leaving(&seen(workspace).await?)?;
    workspace.pause().await;
    is_leaving(&seen(workspace).await?)?;
    let after = restart(workspace).await?;
    same("the library after the restart", &line(&after, &wheel)?, &None)?;
    // What is not there is no error.
    uninstall(workspace, &wheel).await?;
    same("the library", &line(&seen(workspace).await?, &wheel)?, &None)
}

pub(super) async fn kept(workspace: &impl Databricks) -> Result<(), String> {
    let wheel = some_wheel(workspace).await?;
    restart(workspace).await?;
    is_usable(&settled(workspace, &wheel).await?)
}

/// It says so after each try. A restart tries it by itself, and finds what has come meanwhile.
pub(super) async fn missing(workspace: &impl Databricks) -> Result<(), String> {
    without_wheel(workspace).await?;
    let wheel = granted("no wheel", workspace.wheel(false).await)?;
    for _ in 0..2 {
        install(workspace, &wheel).await?;
        is_failed(&settled(workspace, &wheel).await?)?;
    }
    restart(workspace).await?;
    is_failed(&settled(workspace, &wheel).await?)?;
    granted("the wheel", workspace.wheel(true).await)?;
    restart(workspace).await?;
    is_usable(&settled(workspace, &wheel).await?)
}

fn is_failed(one: &Installed) -> Result<(), String> {
    same("the library", &one.state, &InstallState::Failed)?;
    same("whether it says nothing", &one.messages.is_empty(), &false)
}
