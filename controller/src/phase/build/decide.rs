//! What to do next for a build: create its Job, wait for it, or read its verdict.

use std::time::Duration;

use brickline_artifact::layout;
use brickline_artifact::result::{BuildResult, Outcome as Verdict, Reason as BuildReason, SkipReason};
use brickline_crds::{Artifact, DatabricksRelease, FirstFailure, PhaseState, Reason, TestCounts, Ticket};

use super::super::{Ending, Step, Turn, job};
use super::{Effect, Ended, View};
use crate::artifact::place;

/// How often a build is looked at of which no watch tells anything.
const LOOK: Duration = Duration::from_secs(30);

/// The Job of one attempt.
pub(crate) fn job_name(release: &DatabricksRelease, attempt: u32) -> String {
    job::name(release, "build", attempt)
}

/// What lets the build find its Job.
pub(crate) fn ticket(release: &DatabricksRelease, attempt: u32) -> Ticket {
    Ticket { job: Some(job_name(release, attempt)), ..Ticket::default() }
}

/// One step of the Build phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    let name = job_name(turn.release, turn.phase.attempts);
    if turn.ticket().job.as_deref() != Some(&name) {
        return Step::Record(turn.with_ticket(ticket(turn.release, turn.phase.attempts)));
    }
    if let Some(result) = view.sealed() {
        return ended(turn, result);
    }
    match &view.job {
        job::State::Missing => {
            Step::Act(super::super::Effect::Build(Effect::CreateJob { name, attempt: turn.phase.attempts }))
        }
        // The watches of Jobs and pods tell; a look is cheap, and finds out what they missed.
        job::State::Active => turn.wait_saying(&waiting(view, &name), Some(LOOK)),
        job::State::Complete => lost_artifact(turn, &name),
        job::State::Failed { reason, message } => failed_without_result(turn, view, &name, reason, message),
    }
}

fn waiting(view: &View, job: &str) -> String {
    match view.pod.as_ref().and_then(|pod| pod.waiting.as_deref()) {
        Some(why) => format!("Job {job} can't start: {why}"),
        None => runs(job),
    }
}

/// What a build says of itself while nothing keeps it from going on.
pub(crate) fn runs(job: &str) -> String {
    format!("Job {job} runs")
}

/// The pod handed everything in: its own verdict counts.
fn ended(turn: &Turn, result: &BuildResult) -> Step {
    let mut status = Box::new(turn.status.clone());
    status.tests.build = result.tests.map(|tests| TestCounts {
        total: count(tests.total),
        passed: count(tests.passed),
        failed: count(tests.failed),
        skipped: count(tests.skipped),
    });
    let failures = result.first_failures.iter().take(10);
    status.tests.first_failures =
        failures.map(|f| FirstFailure { name: f.name.clone(), message: f.message.clone(), page: None }).collect();
    status.tests.report = result.tests.map(|_| place::report_uri(turn.release, turn.phase.attempts));
    status.artifact = result.artifact.as_ref().map(|artifact| Artifact {
        digest: artifact.digest.to_string(),
        size: i64::try_from(artifact.size).unwrap_or(i64::MAX),
        uri: place::artifact(&artifact.digest).to_string(),
    });
    let ending = match (&result.outcome, &status.artifact) {
        (Verdict::Succeeded, None) => return lost_artifact(turn, "that"),
        (Verdict::Succeeded, Some(artifact)) => Ending::succeeded(format!("artifact {}", artifact.digest)),
        (verdict, _) => ending(verdict, result.first_failures.first().map(|f| (f.name.as_str(), f.message.as_str()))),
    };
    Step::Ended(status, ending)
}

fn ending(verdict: &Verdict, first: Option<(&str, &str)>) -> Ending {
    match verdict {
        Verdict::Succeeded => Ending::succeeded("built"),
        Verdict::Failed { reason, message } => {
            let first = first.map(|(name, why)| format!("; first failure: {name}: {why}")).unwrap_or_default();
            Ending::failed(reason_of(*reason), format!("{message}{first}"))
        }
        Verdict::Skipped { reason, message } => {
            let reason = match reason {
                SkipReason::OutOfDate => Reason::OutOfDate,
                SkipReason::PathsNotMatched => Reason::PathsNotMatched,
                SkipReason::NotAMerge => Reason::NotAMerge,
            };
            Ending { state: PhaseState::Skipped, reason, message: message.clone() }
        }
    }
}

fn reason_of(reason: BuildReason) -> Reason {
    match reason {
        BuildReason::CheckoutFailed => Reason::CheckoutFailed,
        BuildReason::RuntimeMismatch => Reason::RuntimeMismatch,
        BuildReason::BuildFailed => Reason::BuildFailed,
        BuildReason::TestsFailed => Reason::TestsFailed,
        BuildReason::NoTestReport => Reason::NoTestReport,
        BuildReason::ArtifactFailed => Reason::ArtifactFailed,
    }
}

/// Nothing was handed in: the pod's own words count, then the Job's.
fn failed_without_result(turn: &Turn, view: &View, job: &str, reason: &str, message: &str) -> Step {
    let pod = view.pod.clone().unwrap_or_default();
    let ending = match (reason, &pod.verdict) {
        ("DeadlineExceeded", _) => Ending {
            state: PhaseState::TimedOut,
            reason: Reason::TimedOut,
            message: format!("Job {job} ran longer than {}", turn.spec().timeouts.build),
        },
        (_, Some(verdict)) if *verdict != Verdict::Succeeded => ending(verdict, None),
        _ => match (&pod.disrupted, &pod.ended) {
            (None, Some(ended)) if ended.container == layout::CONTAINER_STEPS => killed(ended),
            (None, Some(ended)) => return lost(turn, job, &format!("container {}: {}", ended.container, ended.why)),
            (disrupted, _) => return lost(turn, job, disrupted.as_deref().unwrap_or(message)),
        },
    };
    Step::Ended(Box::new(turn.status.clone()), ending)
}

/// The steps were killed from outside, most often for their memory: another attempt would end alike.
fn killed(ended: &Ended) -> Ending {
    let Ended { container, exit_code, why } = ended;
    let hint = if why.starts_with("OOMKilled") { ": raise build.resources.limits.memory" } else { "" };
    Ending::failed(Reason::BuildFailed, format!("container {container} ended with exit code {exit_code} ({why}){hint}"))
}

/// The pod is gone without a verdict.
fn lost(turn: &Turn, job: &str, why: &str) -> Step {
    job::lost(turn, job, why, "building again", |_, attempt| ticket(turn.release, attempt))
}

fn lost_artifact(turn: &Turn, job: &str) -> Step {
    let message = format!("Job {job} ended well but handed in no artifact; see `kubectl logs job/{job} -c collect`");
    Step::Ended(Box::new(turn.status.clone()), Ending::failed(Reason::ArtifactFailed, message))
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
