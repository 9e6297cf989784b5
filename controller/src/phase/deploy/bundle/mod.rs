//! An asset bundle: deployed by the Databricks CLI in a pod of its own, after the files and libraries. The pod has the
//! workspace's credentials and runs what the commit's `databricks.yml` says, so it is never the build's, and its workspace
//! must allow it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `pod.rs` | the Job of one attempt, whose main container has the workspace's credentials. Pure |
//! | `decide.rs`, `observe.rs`, `act.rs` | the one shape of all phases |
//! | `words.rs` | what people are told of what the CLI said. Pure |

mod act;
mod decide;
mod observe;
mod pod;
#[cfg(test)]
mod tests;
mod words;

use brickline_artifact::{ArtifactPath, Manifest};
use brickline_crds::{Bundle, BundleTicket, DatabricksRelease, DatabricksWorkspace, Phase, Reason};

use crate::context::Settings;
use crate::phase::job;
use crate::trouble::Trouble;

pub(crate) use act::{act, alive, stop};
pub(super) use decide::decide;
pub(crate) use observe::observe;

/// How the CLI's own configuration file may be called: `bundle/config/filename.go` of its sources.
const FILES: [&str; 4] = ["databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml"];

/// What can be done. Both are harmless when repeated: the Job's name is derived from the release and the attempt, and a
/// log that is read again is only told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Create the attempt's Job.
    Create { attempt: u32 },
    /// Put what the CLI said into the phase's log.
    Read { attempt: u32 },
}

/// What a look shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) job: job::State,
    /// What the pod's containers say of themselves.
    pub(crate) pod: Option<Pod>,
}

/// What a pod's status tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pod {
    /// Whether one of its containers may still do something.
    pub(crate) alive: bool,
    /// Why a container can't start, such as an image that can't be pulled; or why no node takes the pod.
    pub(crate) waiting: Option<String>,
    /// How `fetch` ended, if badly.
    pub(crate) fetch: Option<Ended>,
    /// How the CLI ended, if badly.
    pub(crate) bundle: Option<Ended>,
    /// The node or the kubelet took the pod away: evicted, preempted, lost.
    pub(crate) disrupted: Option<String>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    /// Kubernetes' word, such as `OOMKilled`.
    pub(crate) why: String,
    /// The last lines of its output.
    pub(crate) said: String,
}

/// The Job of one attempt.
pub(crate) fn job_name(release: &DatabricksRelease, attempt: u32) -> String {
    job::name(release, "bundle", attempt)
}

/// What lets the phase find the Job that it is about to create.
pub(super) fn ticket(release: &DatabricksRelease, attempt: u32) -> BundleTicket {
    BundleTicket { job: job_name(release, attempt), created: false }
}

/// The ticket, if the release has come to its bundle.
pub(crate) fn ticket_of(release: &DatabricksRelease) -> Option<BundleTicket> {
    let deploy = release.status.as_ref()?.phase(Phase::Deploy)?;
    deploy.ticket.as_ref()?.bundle.clone()
}

/// What the CLI's container needs to be the workspace's service principal.
///
/// # Errors
/// `InvalidSpec` if the CLI has no way to log in as the workspace says.
pub(crate) fn credentials(workspace: &DatabricksWorkspace, settings: &Settings) -> Result<job::Credentials, Trouble> {
    job::credentials(workspace, "deploy.bundle", settings)
}

/// Whether the artifact has the bundle at all: found out before anything is written.
///
/// # Errors
/// `InvalidSpec` if no `databricks.yml` lies in its folder.
pub(super) fn check(bundle: &Bundle, manifest: &Manifest) -> Result<(), Trouble> {
    let folder = if bundle.path == "." { "" } else { &bundle.path };
    let lies_there = |path: &ArtifactPath| path.parent() == folder && FILES.contains(&path.file_name());
    if manifest.files.iter().any(|file| lies_there(&file.path)) {
        return Ok(());
    }
    let message = format!(
        "the artifact has no databricks.yml in the folder {:?} of spec.deploy.bundle.path: see build.include too",
        bundle.path
    );
    Err(Trouble::lasting(Reason::InvalidSpec, message))
}
