//! What must hold when a run is over, wherever it was killed.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::condition::{READY, find};
use brickline_crds::{DatabricksRelease, Phase, PhaseState, Provider, Reason, ReleaseResult, TestCounts, labels};
use kube::ResourceExt;

use super::bundles::Bundle;
use super::run::Run;
use super::saved::{Saved, US, digest};
use super::scenarios::Scenario;
use super::tasks;
use crate::forge::ReportState;
use crate::phase::Effect;
use crate::phase::install::Installed;
use crate::phase::test::History;

/// How a release ended, as far as a kill must not change it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    result: ReleaseResult,
    phases: Vec<(Phase, PhaseState, Option<Reason>)>,
    ready: Option<String>,
    tests: (Option<TestCounts>, Option<TestCounts>, Vec<String>),
    artifact: Option<String>,
    label: Option<String>,
    libraries: Vec<Vec<Installed>>,
    /// What lies in the workspace, if the deployment succeeded.
    deployed: Option<BTreeMap<String, String>>,
    /// All jobs of the workspace, unless they were being changed when it ended.
    jobs: Vec<(String, String, bool)>,
    /// Those that the status names.
    operated: Vec<String>,
    restarts: Vec<usize>,
    starts: Vec<usize>,
    /// How long tests took, this release's among them: written once, however often it is.
    history: History,
}

impl Verdict {
    pub(super) fn of(run: &Run) -> Self {
        let status = run.release.status.clone().unwrap_or_default();
        let failures = status.tests.first_failures.iter().map(|failure| failure.name.clone());
        let databricks = &run.outside.databricks;
        // One that was cut off may have written something or not.
        let succeeded = |name| status.phase(name).is_some_and(|phase| phase.state == PhaseState::Succeeded);
        let cut_off = |name| {
            let state = status.phase(name).map(|phase| phase.state);
            matches!(state, Some(PhaseState::Canceled | PhaseState::TimedOut))
        };
        Self {
            result: status.result,
            phases: status.phases.iter().map(|phase| (phase.name, phase.state, phase.reason)).collect(),
            ready: find(&status.conditions, READY).map(|ready| ready.reason.clone()),
            tests: (status.tests.build, status.tests.notebooks, failures.collect()),
            artifact: status.artifact.as_ref().map(|artifact| artifact.digest.clone()),
            label: run.release.labels().get(labels::RESULT).cloned(),
            libraries: databricks.clusters.all.iter().map(|cluster| cluster.libraries.clone()).collect(),
            deployed: succeeded(Phase::Deploy).then(|| databricks.workspace.files.clone()),
            jobs: if cut_off(Phase::Operate) { Vec::new() } else { databricks.saved.all() },
            operated: status.jobs.iter().map(|job| job.name.clone()).collect(),
            restarts: databricks.clusters.all.iter().map(|cluster| cluster.restarts).collect(),
            starts: databricks.clusters.all.iter().map(|cluster| cluster.starts).collect(),
            history: databricks.history.clone(),
        }
    }
}

/// Whether the scenario itself ended as it should.
pub(super) fn expected(scenario: &Scenario, run: &Run) -> Vec<String> {
    let ended = Verdict::of(run);
    let reason = ended.ready.clone().unwrap_or_default();
    let as_wanted = ended.result == scenario.ends.0 && reason == scenario.ends.1.to_string();
    let problem = format!("ended {} ({reason}), not {} ({})", ended.result, scenario.ends.0, scenario.ends.1);
    (!as_wanted).then_some(problem).into_iter().collect()
}

/// The promises that this run broke. It may have taken at most so many `effects`.
pub(super) fn broken(run: &Run, effects: usize, expected: &Verdict) -> Vec<String> {
    let mut broken = run.outside.problems.clone();
    let verdict = Verdict::of(run);
    if verdict != *expected {
        broken.push(format!("another verdict: {verdict:?} instead of {expected:?}"));
    }
    broken.extend(jobs(run));
    broken.extend(bundles(run));
    broken.extend(fetched(run));
    if verdict.deployed.is_some() && !run.outside.databricks.workspace.is_deployed() {
        broken.push("the workspace does not hold what was deployed, or something else is gone".to_owned());
    }
    broken.extend(runs(run));
    broken.extend(run.outside.databricks.sent().find_map(|sent| tasks::misplaced(&run.release.spec, sent)));
    broken.extend(clusters(run));
    broken.extend(saved(run));
    broken.extend(torn_down(run));
    broken.extend(told(run));
    broken.extend(locks(run));
    let asked = run.effects().count();
    if asked > effects {
        broken.push(format!("{asked} effects, at most {effects} are wanted"));
    }
    let going_on = run.outside.going_on();
    let deaf = run.outside.databricks.behaviour.deaf || run.outside.script.bundle == Bundle::IsDeaf;
    if !going_on.is_empty() && !deaf {
        broken.push(format!("work goes on: {going_on}"));
    }
    broken
}

/// Exactly one Job per attempt of each job of the build; one that somebody deleted may come again.
fn jobs(run: &Run) -> Option<String> {
    let status = run.release.status.as_ref()?;
    let attempts = status.phase(Phase::Build).map_or(0, |phase| match phase.jobs.as_slice() {
        [] => phase.attempts,
        jobs => jobs.iter().map(|job| job.attempts).sum(),
    }) as usize;
    let jobs = &run.outside.jobs;
    let created: usize = jobs.created.values().sum();
    let right = jobs.created.len() <= attempts && created <= jobs.created.len() + jobs.taken_away;
    (!right).then(|| format!("Jobs of {attempts} attempts: {:?}", jobs.created))
}

/// What a status names as fetched is in the store, and a release that builds fetches nothing.
fn fetched(run: &Run) -> Option<String> {
    let status = run.release.status.as_ref()?;
    let shelf = &run.outside.shelf;
    let Some(remote) = &run.release.spec.source.artifact else {
        return (shelf.fetched > 0).then(|| "something was fetched that nobody asked for".to_owned());
    };
    let named = status.artifact.as_ref().map(|artifact| &artifact.digest);
    let built = status.phase(Phase::Build).is_some_and(|phase| phase.state == PhaseState::Succeeded);
    let right = built == named.is_some()
        && named.is_none_or(|digest| *digest == remote.digest && shelf.stored.contains(digest))
        && run.outside.jobs.created.is_empty();
    (!right).then(|| format!("{named:?} is named, the store has {:?}", shelf.stored))
}

/// Exactly one Job of the bundle per attempt, never two that may deploy at once, and nobody is left without a log.
fn bundles(run: &Run) -> Option<String> {
    let deploy = run.release.status.as_ref()?.phase(Phase::Deploy)?;
    let super::bundles::Bundles { created, read, together, taken_away, .. } = &run.outside.bundles;
    let times: usize = created.values().sum();
    let asked = run.release.spec.deploy.bundle.is_some();
    let last = deploy.ticket.as_ref().and_then(|ticket| ticket.bundle.clone()).map(|bundle| bundle.job);
    let told = last.is_some_and(|job| read.contains_key(&job));
    let right = *together == 0
        && created.len() <= deploy.attempts as usize
        && times <= created.len() + taken_away
        && (asked || created.is_empty())
        && (!asked || told || deploy.state != PhaseState::Succeeded);
    (!right).then(|| format!("Jobs of {} attempts: {created:?}, read {read:?}, together {together}", deploy.attempts))
}

/// Exactly one run per notebook and try.
fn runs(run: &Run) -> Option<String> {
    let ran = run.outside.databricks.ran();
    let notebooks: BTreeSet<(u32, u32)> = ran.iter().copied().collect();
    (notebooks.len() != ran.len()).then(|| format!("notebooks ran more than once: {ran:?}"))
}

/// One restart for each cluster, and none under other people's work if the release waits for it.
fn clusters(run: &Run) -> Vec<String> {
    let clusters = &run.outside.databricks.clusters;
    let twice = clusters.all.iter().filter(|cluster| cluster.restarts > 1);
    let mut broken: Vec<String> =
        twice.map(|cluster| format!("{} was restarted {} times", cluster.id, cluster.restarts)).collect();
    if clusters.disturbed > 0 && run.release.spec.install.when_idle.is_some() {
        broken.push(format!("{} restarts ended other people's runs", clusters.disturbed));
    }
    if clusters.repeated > 0 {
        broken.push(format!("{} libraries were installed while they were on their way", clusters.repeated));
    }
    broken
}

/// Exactly one job per name, the one that the status names, and nobody else's is touched.
fn saved(run: &Run) -> Option<String> {
    let status = run.release.status.as_ref()?;
    let Saved { jobs, foreign, .. } = &run.outside.databricks.saved;
    if *foreign > 0 {
        return Some(format!("{foreign} jobs of others were changed"));
    }
    let began = status.phase(Phase::Operate).is_some_and(|phase| phase.attempts > 0);
    if !began && run.effects().any(|effect| matches!(effect, Effect::Operate(_))) {
        return Some("jobs were changed although Operate never began".to_owned());
    }
    if status.phase(Phase::Operate).is_none_or(|phase| phase.state != PhaseState::Succeeded) {
        return (!status.jobs.is_empty()).then(|| "a status names jobs that Operate has not left".to_owned());
    }
    let right = run.release.spec.operate.jobs.iter().zip(&status.jobs).all(|(wanted, named)| {
        let ours = jobs.iter().filter(|(_, job)| job.ours && job.creator == US && job.name == wanted.name);
        let ids: Vec<i64> = ours.filter(|(_, job)| job.digest == digest(&job.name)).map(|(id, _)| *id).collect();
        ids == [named.id] && named.name == wanted.name && named.next_run.is_some()
    });
    let complete = status.jobs.len() == run.release.spec.operate.jobs.len();
    (!right || !complete).then(|| format!("the jobs are {jobs:?}, and the status says {:?}", status.jobs))
}

/// The teardown ran if anything did.
fn torn_down(run: &Run) -> Option<String> {
    run.release.spec.test.teardown.as_ref()?;
    let test = run.release.status.as_ref()?.phase(Phase::Test)?;
    let last = test.ticket.as_ref()?.notebooks.checked_sub(1)?;
    let ran = run.outside.databricks.ran();
    let owed = test.state.is_terminal() && !ran.is_empty();
    (owed && !ran.contains(&(last, 0))).then(|| format!("nothing was torn down: {ran:?}"))
}

/// The locks are free at the end, or kept on purpose; and nobody is kept from deleting the release.
pub(super) fn locks(run: &Run) -> Option<String> {
    let status = run.release.status.clone().unwrap_or_default();
    let kept = status.locks.iter().filter(|lock| lock.kept).count();
    let held = run.outside.locks.held.len();
    if held != kept || status.locks.len() != kept {
        return Some(format!("{held} locks are held, {kept} of {} are meant to be", status.locks.len()));
    }
    if !run.release.finalizers().is_empty() {
        return Some("the finalizer is still there".to_owned());
    }
    let is_labeled = run.release.labels().contains_key(labels::RESULT);
    (!is_labeled).then(|| "no label tells the result".to_owned())
}

/// The forge's last word is the verdict, and `pending` never follows it.
fn told(run: &Run) -> Option<String> {
    if !is_told(&run.release) || run.outside.script.forge_is_down {
        return None;
    }
    let status = run.release.status.clone().unwrap_or_default();
    let good =
        matches!(status.result, ReleaseResult::Succeeded | ReleaseResult::SucceededWithIssues | ReleaseResult::Skipped);
    let verdict = if good { ReportState::Success } else { ReportState::Failure };
    let told: Vec<ReportState> = run.outside.forge.told.iter().map(|report| report.state).collect();
    let mut once = told.clone();
    once.dedup();
    let right = once == [ReportState::Pending, verdict] || once == [verdict];
    (!right).then(|| format!("the forge was told {told:?}"))
}

fn is_told(release: &DatabricksRelease) -> bool {
    let provider = release.spec.source.git.as_ref().map(|git| git.provider);
    release.spec.reporting.commit_status && provider.is_some_and(|provider| provider != Provider::Generic)
}
