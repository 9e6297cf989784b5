//! What one Job and its pod say: pure.

use brickline_artifact::layout;
use brickline_artifact::result::{BuildResult, Outcome as Verdict, Reason as BuildReason, SkipReason};
use brickline_crds::{Build, GoDuration, PhaseState, Reason};

use super::super::{Ending, job};
use super::{Ended, Look};

/// A job's attempt that is judged.
pub(super) struct Attempt<'a> {
    /// `artifact`, or a further job.
    pub(super) job: &'a str,
    /// Its Job's name.
    pub(super) name: &'a str,
    /// How long it may take.
    pub(super) limit: GoDuration,
}

/// Where an attempt is.
#[derive(Debug)]
pub(super) enum Judged<'a> {
    /// There is no Job.
    Missing,
    /// It goes on; why it can't start, if it can't.
    Active(Option<&'a str>),
    /// The pod is gone without a verdict; why.
    Lost(String),
    /// It is over.
    Over(Ending, Option<&'a BuildResult>),
}

/// Judges an attempt by what a look shows.
pub(super) fn judge<'a>(look: &'a Look, attempt: &Attempt) -> Judged<'a> {
    if let Some(result) = look.sealed() {
        return Judged::Over(sealed(result, attempt), Some(result));
    }
    match &look.job {
        job::State::Missing => Judged::Missing,
        job::State::Active => Judged::Active(look.pod.as_ref().and_then(|pod| pod.waiting.as_deref())),
        job::State::Complete => Judged::Over(handed_in_nothing(attempt.name), None),
        job::State::Failed { reason, message } => without_result(look, attempt, reason, message),
    }
}

/// The pod handed everything in: its own verdict counts.
fn sealed(result: &BuildResult, attempt: &Attempt) -> Ending {
    let first = result.first_failures.first().map(|f| (f.name.as_str(), f.message.as_str()));
    match (&result.outcome, &result.artifact) {
        (Verdict::Succeeded, Some(artifact)) => Ending::succeeded(format!("artifact {}", artifact.digest)),
        (Verdict::Succeeded, None) if attempt.job == Build::ARTIFACT => handed_in_nothing(attempt.name),
        (verdict, _) => ending(verdict, first),
    }
}

fn ending(verdict: &Verdict, first: Option<(&str, &str)>) -> Ending {
    match verdict {
        Verdict::Succeeded => Ending::succeeded("all steps succeeded"),
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
fn without_result<'a>(look: &Look, attempt: &Attempt, reason: &str, message: &str) -> Judged<'a> {
    let pod = look.pod.clone().unwrap_or_default();
    let ending = match (reason, &pod.verdict) {
        ("DeadlineExceeded", _) => Ending {
            state: PhaseState::TimedOut,
            reason: Reason::TimedOut,
            message: format!("Job {} ran longer than {}", attempt.name, attempt.limit),
        },
        (_, Some(verdict)) if *verdict != Verdict::Succeeded => ending(verdict, None),
        _ => match (&pod.disrupted, &pod.ended) {
            (None, Some(ended)) if ended.container == layout::CONTAINER_STEPS => killed(ended),
            (None, Some(ended)) => return Judged::Lost(format!("container {}: {}", ended.container, ended.why)),
            (disrupted, _) => return Judged::Lost(disrupted.as_deref().unwrap_or(message).to_owned()),
        },
    };
    Judged::Over(ending, None)
}

/// The steps were killed from outside, most often for their memory: another attempt would end alike.
fn killed(ended: &Ended) -> Ending {
    let Ended { container, exit_code, why } = ended;
    let hint = if why.starts_with("OOMKilled") { ": raise build.resources.limits.memory" } else { "" };
    Ending::failed(Reason::BuildFailed, format!("container {container} ended with exit code {exit_code} ({why}){hint}"))
}

fn handed_in_nothing(job: &str) -> Ending {
    let message = format!("Job {job} ended well but handed in no artifact; see `kubectl logs job/{job} -c collect`");
    Ending::failed(Reason::ArtifactFailed, message)
}
