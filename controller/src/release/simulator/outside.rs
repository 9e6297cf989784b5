//! What the outside does when it is looked at and when it is asked for something.

use brickline_crds::labels::FINALIZER;
use brickline_crds::{DatabricksRelease, Phase, PhaseStatus, Reason, labels};
use jiff::SignedDuration;
use kube::ResourceExt;
use serde_json::json;

use super::elsewhere::Elsewhere;
use super::script::runs_of;
use super::tasks;
use super::ticket;
use super::world::Outside;
use crate::phase::deploy::bundle;
use crate::phase::finish::result;
use crate::phase::{self, Effect, Outcome, Trouble, View, begin, build, deploy, finish, operate, test};

impl Outside {
    pub(super) fn view(&mut self, release: &DatabricksRelease, phase: Phase) -> View {
        let status = release.status.clone().unwrap_or_default();
        match phase {
            Phase::Build => {
                let looks = building(release).into_iter().map(|running| {
                    let look = self.jobs.look(&running.name, &self.script, self.now);
                    (running.job, look)
                });
                View::Build(Box::new(build::View(looks.collect())))
            }
            Phase::Install => {
                View::Install(self.databricks.clusters.view(self.now, self.databricks.active_runs(self.now)))
            }
            Phase::Test => {
                let ids = runs_of(&status).into_iter().filter_map(|run| Some((run.index, run.run_id?)));
                let runs = ids.map(|(index, id)| (index, self.databricks.sight(id, self.now))).collect();
                View::Test(test::View { items: self.databricks.items(), place: self.databricks.place(), runs })
            }
            Phase::Operate => View::Operate(self.databricks.saved.view(release)),
            Phase::Deploy => View::Deploy(self.bundles.view(release, self.script.bundle, self.now)),
        }
    }

    pub(super) fn act(&mut self, release: &DatabricksRelease, effect: &Effect) -> Outcome {
        let stored = self.stored().ok();
        self.problems.extend(stored.as_ref().and_then(|stored| ticket::missing(release, stored, effect)));
        self.problems.extend(stored.and_then(|stored| ticket::unlocked(&stored, effect, &self.locks.held)));
        match self.script.fault(effect) {
            Some((trouble, is_done)) => {
                if is_done {
                    let _ = self.carry_out(release, effect);
                }
                Outcome::Trouble(trouble)
            }
            None => self.carry_out(release, effect).unwrap_or_else(Outcome::Trouble),
        }
    }

    fn carry_out(&mut self, release: &DatabricksRelease, effect: &Effect) -> Result<Outcome, Trouble> {
        let now = self.now;
        match effect {
            Effect::Begin(begin::Effect::Adopt) => {
                let stored = self.stored().ok().and_then(|stored| stored.resource_version());
                if stored == release.resource_version() {
                    self.change(&json!({"metadata": {"finalizers": [FINALIZER]}}));
                }
            }
            Effect::Begin(begin::Effect::Resolve) => {
                self.numbered += 1;
                let run = format!("20261121.{}", self.numbered);
                let resolved = self.script.resolved.clone().unwrap_or_default();
                let resolved = begin::Resolved { run, ..resolved };
                return Ok(Outcome::Resolved(Box::new(resolved)));
            }
            Effect::Gate(effect) => return Ok(Outcome::Gate(self.locks.pass(effect))),
            Effect::Build(build::Effect::CreateJob { job, name, .. }) => {
                // A conflict: the attempt has its Job.
                let _ = self.jobs.create(name, job, now);
            }
            Effect::Build(build::Effect::Slots { jobs }) => {
                return Ok(Outcome::Slots(self.locks.slots(release, jobs)));
            }
            Effect::Build(build::Effect::Fetch) => return self.fetch(release),
            Effect::Deploy(deploy::Effect::Plan | deploy::Effect::Write(_))
                if self.databricks.behaviour.hangs == Some(Phase::Deploy) =>
            {
                self.wait(release.spec.timeouts.deploy.get().try_into().expect("a time"));
                return Err(Trouble::passing(Reason::TimedOut, "the deployment was cut off by timeouts.deploy"));
            }
            Effect::Deploy(deploy::Effect::Bundle(effect)) => return Ok(self.bundle(release, *effect)),
            Effect::Deploy(effect) => {
                return self.databricks.workspace.act(*effect, &release.uid().unwrap_or_default());
            }
            Effect::Install(effect) => self.databricks.clusters.change(effect, now)?,
            Effect::Test(effect) => return self.test(release, effect),
            Effect::Operate(_) if self.databricks.behaviour.hangs == Some(Phase::Operate) => {
                self.wait(release.spec.timeouts.operate.get().try_into().expect("a time"));
                return Err(Trouble::passing(Reason::TimedOut, "Operate was cut off"));
            }
            Effect::Operate(operate::Effect::Apply(changes)) => return self.databricks.saved.apply(changes),
            Effect::Stop(phase) => self.stop(release, *phase)?,
            Effect::Finish(finish::Effect::Report(report)) => {
                let sent = self.forge.tell(report, self.script.forge_is_down).is_ok();
                return Ok(Outcome::Told { sent });
            }
            Effect::Finish(finish::Effect::Unlock { keep }) => {
                if !keep {
                    self.locks.held.clear();
                }
                return Ok(Outcome::Unlocked);
            }
            Effect::Finish(finish::Effect::Settle) => {
                let ended = result(&release.status.clone().unwrap_or_default()).to_string().to_lowercase();
                // One that somebody has changed meanwhile is left as it is.
                let stored = self.stored().ok().and_then(|stored| stored.resource_version());
                if stored == release.resource_version() {
                    self.change(&json!({"metadata": {"labels": {labels::RESULT: ended}, "finalizers": []}}));
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// A host that never comes to an end is cut off, by the timeout or by a user.
    fn fetch(&mut self, release: &DatabricksRelease) -> Result<Outcome, Trouble> {
        if self.script.elsewhere == Elsewhere::Hangs {
            let is_canceled = |outside: &Self| outside.stored().is_ok_and(|stored| stored.is_canceled().is_some());
            let left = release.spec.timeouts.build.get().as_secs();
            for _ in 0..left.div_ceil(60) {
                if is_canceled(self) {
                    return Err(Trouble::passing(Reason::Canceled, "the download was cut off"));
                }
                self.wait(SignedDuration::from_mins(1));
            }
            return Err(Trouble::passing(Reason::TimedOut, "the download was cut off by timeouts.build"));
        }
        self.shelf.fetch(release, self.script.elsewhere)
    }

    fn bundle(&mut self, release: &DatabricksRelease, effect: bundle::Effect) -> Outcome {
        match effect {
            bundle::Effect::Create { attempt } => {
                // A conflict: the attempt has its Job.
                let _ = self.bundles.create(&bundle::job_name(release, attempt), self.script.bundle, self.now);
                Outcome::Done
            }
            bundle::Effect::Read { attempt } => {
                self.bundles.read(&bundle::job_name(release, attempt));
                Outcome::Read
            }
        }
    }

    fn test(&mut self, release: &DatabricksRelease, effect: &test::Effect) -> Result<Outcome, Trouble> {
        Ok(match effect {
            test::Effect::Submit { index, try_ } => {
                Outcome::Submitted { index: *index, run_id: self.submit(release, *index, *try_)? }
            }
            test::Effect::Collect { index, run_id } => {
                let own = release.uid().unwrap_or_default();
                let collected = self.databricks.collect(&own, *index, *run_id, self.now);
                Outcome::Collected { index: *index, collected: Box::new(collected) }
            }
            test::Effect::Publish { notebooks } => {
                let own = release.uid().unwrap_or_default();
                Outcome::Published { uri: self.databricks.publish(&own, *notebooks)? }
            }
        })
    }

    fn submit(&mut self, release: &DatabricksRelease, index: u32, try_: u32) -> Result<i64, Trouble> {
        let attempt = release.status.as_ref().and_then(|s| s.phase(Phase::Test)).map_or(1, |phase| phase.attempts);
        let token = phase::test::token(release, attempt, index, try_);
        let item = self.databricks.items().swap_remove(index as usize);
        let sent = tasks::sent(&release.spec, &item)?;
        self.databricks.submit(&token, (index, try_), sent, self.now)
    }

    /// As the real one: the attempt's Job is deleted, every run of the ticket canceled, found by its token if need be.
    fn stop(&mut self, release: &DatabricksRelease, phase: Phase) -> Result<(), Trouble> {
        let status = release.status.clone().unwrap_or_default();
        match phase {
            Phase::Build => {
                for running in building(release) {
                    // One that is gone is what was asked for.
                    let _ = self.jobs.delete(&running.name);
                }
            }
            Phase::Test => {
                for run in test::to_stop(release, &status) {
                    let id = run.run_id.map_or_else(|| self.submit(release, run.index, run.try_), Ok)?;
                    self.databricks.cancel(id, self.now);
                }
            }
            Phase::Deploy => {
                if let Some(ticket) = bundle::ticket_of(release) {
                    let _ = self.bundles.delete(&ticket.job, self.script.bundle);
                }
            }
            Phase::Install | Phase::Operate => {}
        }
        Ok(())
    }

    /// What was asked to stop and did not yet.
    pub(super) fn alive(&mut self, release: &DatabricksRelease, phase: Phase) -> Result<View, Trouble> {
        let status = release.status.clone().unwrap_or_default();
        let mut alive = Vec::new();
        match phase {
            Phase::Build => {
                let jobs = building(release).into_iter().map(|running| running.name);
                alive.extend(jobs.filter(|job| self.jobs.exists(job)));
            }
            Phase::Test => {
                for run in test::to_stop(release, &status) {
                    let id = run.run_id.map_or_else(|| self.submit(release, run.index, run.try_), Ok)?;
                    alive.extend(self.databricks.is_alive(id, self.now).then(|| format!("run {id}")));
                }
            }
            Phase::Deploy => {
                let job = bundle::ticket_of(release).map(|ticket| ticket.job);
                alive.extend(job.filter(|job| self.bundles.exists(job)));
            }
            Phase::Install | Phase::Operate => {}
        }
        if phase == Phase::Test {
            let teardown = test::owed(release, &status).map(|index| self.teardown(&status, index));
            return Ok(View::Ebb(test::Ebb { alive, teardown, place: self.databricks.place() }));
        }
        Ok(View::Alive(alive))
    }

    fn teardown(&self, status: &brickline_crds::DatabricksReleaseStatus, index: u32) -> test::Owed {
        let run = runs_of(status).into_iter().find(|run| run.index == index).and_then(|run| run.run_id);
        test::Owed { index, run: run.map(|id| (id, self.databricks.sight(id, self.now))) }
    }
}

/// The jobs of the build that are under way.
fn building(release: &DatabricksRelease) -> Vec<build::Running> {
    let build = release.status.as_ref().and_then(|status| status.phase(Phase::Build));
    build::under_way(release, &build.cloned().unwrap_or_else(|| PhaseStatus::pending(Phase::Build)))
}
