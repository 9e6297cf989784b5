//! What to do next for an asset bundle: create its Job, wait for it, read its log, or take its verdict.

use std::time::Duration;

use brickline_artifact::layout::FETCH_REFUSED;
use brickline_crds::{BundleTicket, DatabricksReleaseStatus, PhaseState, Reason, Ticket};

use super::words::tail;
use super::{Effect, Ended, Pod, View, job_name, ticket};
use crate::phase::deploy::{Effect as DeployEffect, decide::summary};
use crate::phase::job::{self, State};
use crate::phase::{Effect as AnyEffect, Ending, Outcome, Step, Turn};

/// How often a Job is looked at of which no watch tells anything.
const LOOK: Duration = Duration::from_secs(30);

/// One step for a bundle whose ticket is written.
pub(in crate::phase::deploy) fn decide(turn: &Turn, known: &BundleTicket, view: &View) -> Step {
    let attempt = turn.phase.attempts;
    let name = job_name(turn.release, attempt);
    match &view.job {
        State::Missing if !known.created => act(Effect::Create { attempt }),
        // Two at once would deploy over each other.
        State::Missing if view.pod.as_ref().is_some_and(|pod| pod.alive) => {
            turn.wait_saying(&format!("Job {name} was deleted: waiting for its pod to go"), Some(LOOK))
        }
        State::Missing => lost(turn, &name, "somebody deleted it"),
        State::Active if !known.created => Step::Record(running(turn, &name)),
        State::Active => turn.wait_saying(&waiting(view, &name), Some(LOOK)),
        _ if turn.outcome != Some(&Outcome::Read) => act(Effect::Read { attempt }),
        State::Complete => ended(turn),
        State::Failed { reason, message } => failed(turn, view, &name, reason, message),
    }
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Deploy(DeployEffect::Bundle(effect)))
}

/// From now on a Job that is missing was taken away.
fn running(turn: &Turn, job: &str) -> Box<DatabricksReleaseStatus> {
    turn.with_phase(|phase| {
        let bundle = Some(BundleTicket { job: job.to_owned(), created: true });
        phase.ticket = Some(Ticket { bundle, ..phase.ticket.clone().unwrap_or_default() });
        phase.message = runs(job);
    })
}

fn waiting(view: &View, job: &str) -> String {
    match view.pod.as_ref().and_then(|pod| pod.waiting.as_deref()) {
        Some(why) => format!("Job {job} can't start: {why}"),
        None => runs(job),
    }
}

fn runs(job: &str) -> String {
    format!("Job {job} deploys the bundle")
}

/// The CLI's exit code is the verdict; what others had changed of the files is an issue as ever.
fn ended(turn: &Turn) -> Step {
    let status = Box::new(turn.status.clone());
    let target = turn.spec().deploy.bundle.as_ref().map(|bundle| bundle.target.as_str()).unwrap_or_default();
    let files = status.changes.as_ref().map(|changes| format!("; files: {}", summary(changes))).unwrap_or_default();
    let message = format!("bundle deployed to target {target}{files}");
    let drifted = status.issues.iter().filter(|issue| issue.reason == Reason::Drifted).count();
    if drifted == 0 {
        return Step::Ended(status, Ending::succeeded(message));
    }
    let message = format!("{message}; somebody else had changed some of them: see status.issues");
    let (state, reason) = (PhaseState::SucceededWithIssues, Reason::Drifted);
    Step::Ended(status, Ending { state, reason, message })
}

fn failed(turn: &Turn, view: &View, job: &str, reason: &str, message: &str) -> Step {
    let pod = view.pod.clone().unwrap_or_default();
    let ending = match (reason, pod) {
        ("DeadlineExceeded", _) if turn.spec().timeouts.deploy_attempt.is_some() => {
            return lost(turn, job, "it took longer than timeouts.deployAttempt");
        }
        ("DeadlineExceeded", _) => Ending {
            state: PhaseState::TimedOut,
            reason: Reason::TimedOut,
            message: format!("Job {job} ran longer than {}", turn.spec().timeouts.deploy),
        },
        (_, Pod { disrupted: Some(why), .. }) => return lost(turn, job, &why),
        (_, Pod { bundle: Some(ended), .. }) => refused(&ended),
        (_, Pod { fetch: Some(ended), .. }) if ended.exit_code == i32::from(FETCH_REFUSED) => {
            Ending::failed(Reason::ArtifactFailed, tail(&ended.said))
        }
        (_, Pod { fetch: Some(ended), .. }) => return lost(turn, job, &tail(&ended.said)),
        _ => return lost(turn, job, message),
    };
    Step::Ended(Box::new(turn.status.clone()), ending)
}

/// The CLI said no, or was killed, most often for its memory: another attempt would end alike.
fn refused(ended: &Ended) -> Ending {
    let Ended { exit_code, why, said } = ended;
    let what = match why.as_str() {
        "OOMKilled" => "ran out of memory: raise deploy.bundle.resources.limits.memory".to_owned(),
        "" | "Error" => format!("ended with exit code {exit_code}"),
        why => format!("ended with exit code {exit_code} ({why})"),
    };
    let said = tail(said);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    Ending::failed(Reason::DeployFailed, format!("databricks bundle deploy {what}{said}"))
}

/// The pod is gone without a verdict. What a bundle deployed already it finds again by its own state in the workspace.
fn lost(turn: &Turn, job: &str, why: &str) -> Step {
    job::lost(turn, job, why, "deploying the bundle again", |before, attempt| Ticket {
        bundle: Some(ticket(turn.release, attempt)),
        ..before
    })
}
