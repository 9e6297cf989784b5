//! What the controller takes for granted of Databricks: of the simulator's, of the emulator, and of Databricks itself.
//!
//! Each case tells only what the controller leans on. Workspaces may be slow, and others may work in them: what comes
//! with time is waited for, and what is not the case's own is left alone.

mod clusters;
mod files;
mod jobs;
mod runs;

use crate::databricks::clusters::ActiveRun;
use crate::databricks::libraries::Library;
use crate::phase::install::{Call, Cluster};
use crate::phase::operate::{Changes, Found, Operated, Wanted};
use crate::phase::test::Sight;
use crate::trouble::Trouble;

/// How often a case looks before it gives up.
const LOOKS: usize = 3_000;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// It ends well within moments.
    Quick,
    /// It goes on for longer than any case.
    Endless,
}

/// How many files a deployment has added, changed and removed.
pub(crate) type Counts = (u32, u32, u32);

/// A workspace with one cluster, as the phases use it: each function does what one call of theirs does.
pub(crate) trait Databricks {
    /// Lets a moment pass.
    async fn pause(&self);

    /// Submits a run on the cluster.
    async fn submit(&self, token: &str, duty: Duty) -> Result<i64, Trouble>;
    /// Looks at runs, in this order.
    async fn sights(&self, runs: &[i64]) -> Result<Vec<Sight>, Trouble>;
    /// Everybody's runs that are not over.
    async fn under_way(&self) -> Result<Vec<ActiveRun>, Trouble>;
    /// Asks a run to stop.
    async fn cancel(&self, run: i64) -> Result<(), Trouble>;
    /// Somebody deletes a run: whether Databricks did so.
    async fn delete(&self, run: i64) -> bool;

    /// The cluster as it is.
    async fn cluster(&self) -> Result<Cluster, Trouble>;
    /// Asks something of a cluster.
    async fn call(&self, call: &Call) -> Result<(), Trouble>;
    /// Puts the one wheel that is tried to its place, or takes it away from there.
    async fn wheel(&self, is_there: bool) -> Result<Library, Trouble>;

    /// How a job of ours is to be.
    fn wanted(&self, name: &str) -> Wanted;
    /// Our jobs.
    async fn jobs(&self) -> Result<Vec<Found>, Trouble>;
    /// Changes jobs.
    async fn change(&self, changes: &Changes) -> Result<Vec<Operated>, Trouble>;
    /// There is a job with other settings, ours or somebody else's.
    async fn put_job(&self, name: &str, ours: bool) -> Result<i64, Trouble>;

    /// Deploys these notebooks as a release of this uid, and removes what an earlier one has left. It writes so many times,
    /// and hears of the last one.
    async fn deploy(&self, uid: &str, notebooks: &[(&str, &str)], tries: u32) -> Result<Counts, Trouble>;
    /// The notebooks there are, in order.
    async fn notebooks(&self) -> Result<Vec<String>, Trouble>;
    /// Whether this is what a notebook says.
    async fn says(&self, notebook: &str, text: &str) -> Result<bool, Trouble>;
    /// Somebody else writes a notebook, or takes it away.
    async fn edit(&self, notebook: &str, text: Option<&str>) -> Result<(), Trouble>;
}

/// The cases by name.
pub(crate) const CASES: [&str; 25] = [
    "a token begins one run",
    "a run ends by itself",
    "a run that is canceled ends so, however often it is asked to",
    "canceling what is over changes nothing",
    "a run under way is not deleted",
    "a run that was deleted is gone, and its token refused",
    "a run that never was is gone",
    "several runs are seen as each of them is",
    "a run under way is listed with its cluster",
    "a cluster that runs is not started",
    "a restart makes another context, and no second one is taken meanwhile",
    "a cluster that is not there takes nothing",
    "a library is on its way, and then installed",
    "what is installed already stays as it is",
    "what is kept is installed again after a restart",
    "a library that can't be installed says why, and a restart tries it again",
    "what is taken off goes with the next restart",
    "a job is found again by its tags, and nobody else's is",
    "two jobs of one name are two",
    "a job that is reset keeps its id",
    "a job that is gone counts as deleted, and can't be reset",
    "what is deployed is there, and once",
    "a deployment that is asked for again and again is one",
    "another content is written over the one before",
    "what nobody wants any more is removed, and what others have put stays",
];

/// Shows one case to a workspace.
///
/// # Errors
/// What it did otherwise than the controller takes for granted, in words.
pub(crate) async fn check(case: &str, workspace: &impl Databricks) -> Result<(), String> {
    match case {
        "a token begins one run" => runs::once(workspace).await,
        "a run ends by itself" => runs::ends(workspace).await,
        "a run that is canceled ends so, however often it is asked to" => runs::canceled(workspace).await,
        "canceling what is over changes nothing" => runs::canceled_late(workspace).await,
        "a run under way is not deleted" => runs::kept(workspace).await,
        "a run that was deleted is gone, and its token refused" => runs::deleted(workspace).await,
        "a run that never was is gone" => runs::unknown(workspace).await,
        "several runs are seen as each of them is" => runs::several(workspace).await,
        "a run under way is listed with its cluster" => runs::listed(workspace).await,
        "a cluster that runs is not started" => clusters::started(workspace).await,
        "a restart makes another context, and no second one is taken meanwhile" => clusters::restarted(workspace).await,
        "a cluster that is not there takes nothing" => clusters::unknown(workspace).await,
        "a library is on its way, and then installed" => clusters::installed(workspace).await,
        "what is installed already stays as it is" => clusters::installed_twice(workspace).await,
        "what is taken off goes with the next restart" => clusters::taken_off(workspace).await,
        "what is kept is installed again after a restart" => clusters::kept(workspace).await,
        "a library that can't be installed says why, and a restart tries it again" => {
            clusters::missing(workspace).await
        }
        "a job is found again by its tags, and nobody else's is" => jobs::found(workspace).await,
        "two jobs of one name are two" => jobs::twins(workspace).await,
        "a job that is reset keeps its id" => jobs::reset(workspace).await,
        "a job that is gone counts as deleted, and can't be reset" => jobs::gone(workspace).await,
        "what is deployed is there, and once" => files::deployed(workspace).await,
        "a deployment that is asked for again and again is one" => files::asked_again(workspace).await,
        "another content is written over the one before" => files::overwritten(workspace).await,
        "what nobody wants any more is removed, and what others have put stays" => files::removed(workspace).await,
        other => Err(format!("there is no case {other}")),
    }
}

/// Looks again and again until something is found.
async fn until<T>(
    workspace: &impl Databricks,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    for _ in 0..LOOKS {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        workspace.pause().await;
    }
    Err(format!("waited in vain until {what}"))
}

fn granted<T>(what: &str, answer: Result<T, Trouble>) -> Result<T, String> {
    answer.map_err(|trouble| format!("{what}: {}", trouble.message))
}

/// Refused, and it may heal by itself or not.
fn refused<T: std::fmt::Debug>(what: &str, transient: bool, answer: Result<T, Trouble>) -> Result<(), String> {
    match answer {
        Err(trouble) if trouble.transient == transient => Ok(()),
        Err(trouble) => Err(format!("{what}: refused, transient: {}: {}", trouble.transient, trouble.message)),
        Ok(granted) => Err(format!("{what}: granted: {granted:?}")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}")) }
}

/// A word that nobody has used in this workspace.
fn unused(word: &str) -> String {
    format!("{word}-{:016x}", rand::random::<u64>())
}
