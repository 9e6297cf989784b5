//! What to do next for the jobs: all of it at once. What an effect left half done is seen by the next look.

use brickline_crds::JobStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn};
use super::plan::next_run;
use super::{Changes, Effect, Operated, View};

/// One step of the Operate phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    if let Some(Outcome::Operated { jobs, changes }) = turn.outcome {
        return ended(turn, jobs, changes);
    }
    let changes = Changes::between(view, turn.spec().operate.prune);
    if changes.is_empty() {
        return ended(turn, &changes.keep, &changes);
    }
    Step::Act(AnyEffect::Operate(Effect::Apply(changes)))
}

/// The status names every job that is asked for, in the spec's order.
fn ended(turn: &Turn, jobs: &[Operated], changes: &Changes) -> Step {
    let mut status = Box::new(turn.status.clone());
    let known = |name: &str| jobs.iter().find(|job| job.name == name).map(|job| job.id);
    let asked = turn.spec().operate.jobs.iter();
    status.jobs = asked
        .filter_map(|job| {
            let next_run = next_run(job, turn.now).map(Time);
            Some(JobStatus { name: job.name.clone(), id: known(&job.name)?, next_run })
        })
        .collect();
    Step::Ended(status, Ending::succeeded(summary(jobs.len(), changes)))
}

fn summary(jobs: usize, changes: &Changes) -> String {
    let (created, reset, deleted) = (changes.create.len(), changes.reset.len(), changes.delete.len());
    format!("{jobs} jobs: {created} created, {reset} reset, {deleted} deleted")
}
