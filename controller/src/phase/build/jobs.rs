//! What to do next for a build with further jobs: each is created, waited for and judged by itself.
//!
//! A job's line in the status is its ticket: `Running` with an attempt stands there before its Job is created. Jobs begin
//! when those that they depend on have ended and a slot of their pool is free; a job that failed keeps no other from
//! going on that does not depend on it, so that a user sees all that is wrong at once.

use std::collections::BTreeSet;
use std::time::Duration;

use brickline_crds::condition::{MAX_MESSAGE, truncate};
use brickline_crds::labels::branch_of;
use brickline_crds::{
    Build, BuildJobStatus, DatabricksReleaseStatus, GoDuration, Issue, Phase, PhaseState, PlannedJob, Reason,
    TestVerdict, Ticket,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn, after, backoff, idle, left};
use super::decide::{LOOK, limit};
use super::judge::{Attempt, Judged, judge};
use super::name::{begin, start, ticket};
use super::order::{Fate, fate, is_not_due};
use super::record::record;
use super::{Effect, View, job_name};
use crate::condition::ReleaseView;
use crate::queue::Slots;

/// The longest message of a job in the status, in characters.
const MESSAGE: usize = 64;
/// The most issues that a status names.
const ISSUES: usize = 20;

/// One step of a build with further jobs.
pub(super) fn decide(turn: &Turn, view: &View) -> Step {
    if turn.phase.jobs.is_empty() {
        return Step::Record(turn.with_phase(|phase| begin(turn.release, phase, turn.now)));
    }
    let mut round = Round::new(turn, view);
    round.judge_running();
    if let Some(create) = round.create {
        return Step::Act(AnyEffect::Build(create));
    }
    round.settle_pending();
    if let Some(ending) = all_ended(round.jobs(), round.verdict()) {
        return Step::Ended(round.status, ending);
    }
    let due = round.due();
    match turn.outcome {
        Some(Outcome::Slots(Slots { granted, waiting })) => {
            round.start(&due, granted);
            round.finish(waiting.as_deref())
        }
        // What was seen is written first; then slots are asked for.
        _ if !due.is_empty() && !round.is_news() => Step::Act(AnyEffect::Build(Effect::Slots { jobs: due })),
        _ => round.finish(None),
    }
}

/// One look at all jobs, and the status that follows from it.
struct Round<'a> {
    turn: &'a Turn<'a>,
    view: &'a View,
    planned: Vec<PlannedJob<'a>>,
    status: Box<DatabricksReleaseStatus>,
    /// The Job to create next.
    create: Option<Effect>,
    /// Why jobs can't start, by name.
    held_up: Vec<(String, String)>,
}

impl<'a> Round<'a> {
    fn new(turn: &'a Turn<'a>, view: &'a View) -> Self {
        let planned = turn.release.spec.build.planned();
        Self { turn, view, planned, status: Box::new(turn.status.clone()), create: None, held_up: Vec::new() }
    }

    /// The phase's jobs as they are now.
    fn jobs(&self) -> &[BuildJobStatus] {
        self.status.phase(Phase::Build).map_or(&[], |phase| &phase.jobs)
    }

    /// The first failure.
    fn verdict(&self) -> Option<&TestVerdict> {
        self.status.phase(Phase::Build)?.ticket.as_ref()?.verdict.as_ref()
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut BuildJobStatus)) {
        let jobs = self.status.phase_mut(Phase::Build).map(|phase| phase.jobs.iter_mut());
        if let Some(job) = jobs.into_iter().flatten().find(|job| job.name == name) {
            change(job);
        }
    }

    /// Reads the verdicts of the jobs under way. Those that have no Job get one, one at a time.
    fn judge_running(&mut self) {
        let running = self.jobs().iter().filter(|job| job.state == PhaseState::Running).cloned();
        for job in running.collect::<Vec<_>>() {
            let Some(look) = self.view.0.get(&job.name) else { continue };
            let name = job_name(self.turn.release, &job.name, job.attempts);
            let attempt = Attempt { job: &job.name, name: &name, limit: self.limit_of(&job.name) };
            match judge(look, &attempt) {
                Judged::Missing if left(job.retry_at.as_ref(), self.turn.now).is_some() => {}
                Judged::Missing => {
                    let create = Effect::CreateJob { job: job.name.clone(), name, attempt: job.attempts };
                    self.create.get_or_insert(create);
                }
                Judged::Active(why) => {
                    self.held_up.extend(why.map(|why| (job.name.clone(), why.to_owned())));
                    self.change(&job.name, |job| job.retry_at = None);
                }
                Judged::Lost(why) => self.lost(&job, &name, &why),
                Judged::Over(ending, result) => {
                    if let Some(result) = result {
                        record(&mut self.status, self.turn.release, (&job.name, job.attempts), result);
                    }
                    self.end(&job.name, ending);
                }
            }
        }
    }

    fn limit_of(&self, name: &str) -> GoDuration {
        let job = self.planned.iter().find(|planned| planned.name == name).and_then(|planned| planned.job);
        job.and_then(|job| job.timeout).unwrap_or_else(|| limit(self.turn.release))
    }

    /// Another attempt after a pause, within the phase's limit, which holds for each job.
    fn lost(&mut self, job: &BuildJobStatus, name: &str, why: &str) {
        let limit = self.turn.spec().retries.limit_of(Phase::Build);
        if job.attempts > limit {
            let message = format!("Job {name} was lost ({why}), as were the {limit} attempts before it");
            return self.end(&job.name, Ending::failed(Reason::RunnerLost, message));
        }
        let attempts = job.attempts + 1;
        let retry_at = after(self.turn.now, backoff(self.turn.release, name, job.attempts));
        let message = format!("Job {name} was lost ({why}); building again");
        self.change(&job.name, |job| {
            job.attempts = attempts;
            job.retry_at = retry_at;
            job.reason = Some(Reason::ProgressingWithRetry);
            job.message = truncate(&message, MESSAGE);
        });
        if job.name == Build::ARTIFACT {
            let release = self.turn.release;
            if let Some(phase) = self.status.phase_mut(Phase::Build) {
                phase.attempts = attempts;
                let before = phase.ticket.take().unwrap_or_default();
                phase.ticket = Some(Ticket { job: ticket(release, attempts).job, ..before });
            }
        }
    }

    /// Writes a job's end down. What may fail is an issue then.
    fn end(&mut self, name: &str, mut ending: Ending) {
        let planned = self.planned.iter().find(|planned| planned.name == name);
        let may_fail = planned.and_then(|planned| planned.job).is_some_and(|job| job.continue_on_error);
        if may_fail && matches!(ending.state, PhaseState::Failed | PhaseState::TimedOut) {
            ending.state = PhaseState::SucceededWithIssues;
            self.status.issue_count += 1;
            if self.status.issues.len() < ISSUES {
                let issue =
                    Issue { reason: ending.reason, name: format!("job {name}"), message: ending.message.clone() };
                self.status.issues.push(issue);
            }
        }
        let now = self.turn.now;
        // Its own line in the status has no room for the whole text.
        if matches!(ending.state, PhaseState::Failed | PhaseState::TimedOut)
            && let Some(phase) = self.status.phase_mut(Phase::Build)
        {
            let message = truncate(&format!("job {name}: {}", ending.message), MAX_MESSAGE);
            let verdict = TestVerdict { reason: ending.reason, message };
            phase.ticket.get_or_insert_default().verdict.get_or_insert(verdict);
        }
        self.change(name, |job| {
            job.state = ending.state;
            job.reason = Some(ending.reason);
            job.message = truncate(&ending.message, MESSAGE);
            job.completion_time = Some(Time(now));
            job.retry_at = None;
        });
    }

    /// Ends the jobs that will never begin, and those that depend on them.
    fn settle_pending(&mut self) {
        // What ends may end others that depend on it.
        for _ in 0..self.planned.len() {
            for planned in self.planned.clone() {
                if !self.jobs().iter().any(|job| job.name == planned.name && job.state == PhaseState::Pending) {
                    continue;
                }
                if let Fate::Ends(ending) = self.fate(&planned) {
                    self.end(&planned.name, ending);
                }
            }
        }
    }

    fn fate(&self, planned: &PlannedJob) -> Fate {
        fate(planned, self.jobs(), &release_view(self.turn))
    }

    /// The jobs that may begin; of one with a matrix no more copies than its strategy allows.
    fn due(&self) -> BTreeSet<String> {
        let pending = |name: &str| self.jobs().iter().any(|job| job.name == name && job.state == PhaseState::Pending);
        let planned = self.planned.iter().filter(|planned| pending(&planned.name));
        planned.filter(|planned| self.fate(planned) == Fate::Due).map(|planned| planned.name.clone()).collect()
    }

    fn start(&mut self, due: &BTreeSet<String>, granted: &[String]) {
        let now = self.turn.now;
        for name in granted.iter().filter(|name| due.contains(*name)) {
            let planned = self.planned.iter().find(|planned| planned.name == *name).cloned();
            // Those that began a moment ago count against the strategy of this one.
            if planned.is_some_and(|planned| self.fate(&planned) == Fate::Due) {
                self.change(name, |job| start(job, now));
            }
        }
    }

    /// Until a job that was lost is due again, or its turn to be looked at has come.
    fn pause(&self) -> Duration {
        let due = self.jobs().iter().filter_map(|job| left(job.retry_at.as_ref(), self.turn.now));
        due.min().unwrap_or(LOOK).min(LOOK)
    }

    /// Whether the look has told anything that is not written yet.
    fn is_news(&self) -> bool {
        *self.status != *self.turn.status
    }

    /// Writes down what is new, or waits. No time counts in which all jobs that could begin wait for a slot.
    fn finish(mut self, waiting: Option<&str>) -> Step {
        let idle = waiting.is_some() && !self.jobs().iter().any(|job| job.state == PhaseState::Running);
        let mut message = says(self.jobs());
        if let Some((job, why)) = self.held_up.first() {
            message = format!("{message}; job {job} can't start: {why}");
        } else if let Some(why) = waiting {
            message = format!("{message}; {why}");
        }
        let now = self.turn.now;
        if let Some(phase) = self.status.phase_mut(Phase::Build) {
            idle::keep(phase.ticket.get_or_insert_default(), idle, now);
            phase.message = message;
        }
        if self.is_news() { Step::Record(self.status) } else { Step::Wait(Some(self.pause())) }
    }
}

fn release_view(turn: &Turn) -> ReleaseView {
    let git = turn.spec().source.git.as_ref();
    ReleaseView {
        branch: git.map(|git| branch_of(&git.reference).to_owned()).unwrap_or_default(),
        commit: git.map(|git| git.commit.clone()).unwrap_or_default(),
        reason: turn.spec().reason.to_string(),
    }
}

/// What a build says of its jobs: how many ended, and which go on.
pub(super) fn says(jobs: &[BuildJobStatus]) -> String {
    let ended = jobs.iter().filter(|job| job.state.is_terminal()).count();
    let running: Vec<&str> =
        jobs.iter().filter(|job| job.state == PhaseState::Running).map(|job| job.name.as_str()).collect();
    let running = if running.is_empty() { "none runs".to_owned() } else { format!("{} run", running.join(", ")) };
    format!("{ended} of {} jobs ended; {running}", jobs.len())
}

/// How the phase ends, once all of its jobs have: any failure fails it, and what was not due at all is skipped. `verdict`
/// is the first failure.
pub(super) fn all_ended(jobs: &[BuildJobStatus], verdict: Option<&TestVerdict>) -> Option<Ending> {
    if jobs.is_empty() || jobs.iter().any(|job| !job.state.is_terminal()) {
        return None;
    }
    let named = |state: &[PhaseState]| -> Vec<&str> {
        jobs.iter().filter(|job| state.contains(&job.state)).map(|job| job.name.as_str()).collect()
    };
    let failed = named(&[PhaseState::Failed, PhaseState::TimedOut]);
    if let (Some(first), false) = (verdict, failed.is_empty()) {
        let is_late = named(&[PhaseState::Failed]).is_empty();
        let state = if is_late { PhaseState::TimedOut } else { PhaseState::Failed };
        let all = if failed.len() > 1 { format!("; failed: {}", failed.join(", ")) } else { String::new() };
        return Some(Ending { state, reason: first.reason, message: format!("{}{all}", first.message) });
    }
    let artifact = jobs.iter().find(|job| job.name == Build::ARTIFACT)?;
    if !artifact.state.is_good() {
        let told = jobs.iter().find(|job| is_not_due(job));
        return Some(told.map_or_else(|| without_artifact(artifact), not_due));
    }
    let message = format!("{}, {} jobs", artifact.message, jobs.len());
    let issues = named(&[PhaseState::SucceededWithIssues]);
    if issues.is_empty() {
        return Some(Ending::succeeded(message));
    }
    Some(Ending {
        state: PhaseState::SucceededWithIssues,
        reason: Reason::SucceededWithIssues,
        message: format!("{message}; failed, and may: {}", issues.join(", ")),
    })
}

/// A checkout said that the commit is not to be built.
fn not_due(told: &BuildJobStatus) -> Ending {
    let reason = told.reason.unwrap_or(Reason::OutOfDate);
    Ending { state: PhaseState::Skipped, reason, message: told.message.clone() }
}

/// Nothing failed, and nothing was made.
fn without_artifact(artifact: &BuildJobStatus) -> Ending {
    let message = format!("no artifact was made: {}; see build.dependsOn", artifact.message);
    Ending::failed(Reason::BuildFailed, message)
}
