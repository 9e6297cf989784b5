//! What to do next for a build that is one Job: create it, wait for it, or read its verdict.

use std::time::Duration;

use brickline_crds::{Build, DatabricksRelease};

use super::super::{Effect as AnyEffect, Step, Turn, job};
use super::judge::{Attempt, Judged, judge};
use super::name::{runs, ticket};
use super::record::record;
use super::{Effect, View, job_name, jobs};

/// How often a build is looked at of which no watch tells anything.
pub(super) const LOOK: Duration = Duration::from_secs(30);

/// One step of the Build phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    if turn.spec().build.jobs.is_empty() { alone(turn, view) } else { jobs::decide(turn, view) }
}

fn alone(turn: &Turn, view: &View) -> Step {
    let attempt = turn.phase.attempts;
    let name = job_name(turn.release, Build::ARTIFACT, attempt);
    if turn.ticket().job.as_deref() != Some(&name) {
        return Step::Record(turn.with_ticket(ticket(turn.release, attempt)));
    }
    let Some(look) = view.0.get(Build::ARTIFACT) else { return Step::Wait(Some(Duration::ZERO)) };
    let limit = limit(turn.release);
    match judge(look, &Attempt { job: Build::ARTIFACT, name: &name, limit }) {
        Judged::Missing => {
            Step::Act(AnyEffect::Build(Effect::CreateJob { job: Build::ARTIFACT.to_owned(), name, attempt }))
        }
        // The watches of Jobs and pods tell; a look is cheap, and finds out what they missed.
        Judged::Active(None) => turn.wait_saying(&runs(&name), Some(LOOK)),
        Judged::Active(Some(why)) => turn.wait_saying(&format!("Job {name} can't start: {why}"), Some(LOOK)),
        Judged::Lost(why) => job::lost(turn, &name, &why, "building again", |_, attempt| ticket(turn.release, attempt)),
        Judged::Over(ending, result) => {
            let mut status = Box::new(turn.status.clone());
            if let Some(result) = result {
                record(&mut status, turn.release, (Build::ARTIFACT, attempt), result);
            }
            Step::Ended(status, ending)
        }
    }
}

/// How long an attempt may take.
pub(super) fn limit(release: &DatabricksRelease) -> brickline_crds::GoDuration {
    let timeouts = &release.spec.timeouts;
    timeouts.build_attempt.unwrap_or(timeouts.build)
}
