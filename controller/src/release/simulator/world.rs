//! The fake world: everything outside the reconciler, and the point at which its process is killed.

use std::cell::{RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::rc::Rc;

use brickline_crds::labels::FINALIZER;
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, Reason, labels};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::core::Status;
use serde::Deserialize;
use serde_json::json;

use super::super::observe::Look;
use super::super::queue::Newer;
use super::super::status::result;
use super::super::world::World;
use super::databricks::Databricks;
use super::forge::Forge;
use super::jobs::Jobs;
use super::kill::{Kill, Side};
use super::locks::Locks;
use super::script::{Script, User, runs_of};
use super::server::Server;
use super::{rules, ticket};
use crate::phase::{self, Effect, Outcome, Trouble, View, begin, build, finish, gate, test};

/// One thing that was asked of the outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Effect(Effect),
    Write,
}

/// Everything outside.
pub(crate) struct Outside {
    pub(crate) now: Timestamp,
    pub(crate) server: Server,
    pub(crate) jobs: Jobs,
    pub(crate) databricks: Databricks,
    pub(crate) forge: Forge,
    pub(crate) locks: Locks,
    pub(crate) script: Script,
    /// What was asked, in order; a call that a kill has prevented is not in it.
    pub(crate) calls: Vec<Call>,
    /// What must not have happened.
    pub(crate) problems: Vec<String>,
    /// The run number last given.
    numbered: u32,
    users: VecDeque<User>,
    name: String,
    /// Versions that were read already: reading JSON is most of a run's time.
    read: RefCell<HashMap<String, Rc<DatabricksRelease>>>,
    pub(super) kill: Option<Kill>,
}

/// The world as one process sees it.
pub(crate) struct FakeWorld(RefCell<Outside>);

impl FakeWorld {
    pub(super) fn new(release: &DatabricksRelease, script: Script, kill: Option<Kill>) -> Self {
        let mut server = Server::default();
        let object = serde_json::to_value(release).expect("a release is JSON");
        server.create(object).expect("the first of its name");
        let mut outside = Outside {
            now: "2026-11-21T12:00:00Z".parse().expect("a time"),
            server,
            jobs: Jobs::default(),
            databricks: Databricks::new(script.databricks.clone()),
            forge: Forge::default(),
            locks: Locks::default(),
            calls: Vec::new(),
            problems: Vec::new(),
            numbered: 0,
            users: script.users.clone().into(),
            name: release.name_any(),
            read: RefCell::default(),
            kill,
            script,
        };
        if let Some(prepare) = outside.script.prepare {
            prepare(&mut outside);
        }
        Self(RefCell::new(outside))
    }

    pub(super) fn into_outside(self) -> Outside {
        self.0.into_inner()
    }

    pub(crate) fn outside(&self) -> RefMut<'_, Outside> {
        self.0.borrow_mut()
    }

    /// One call: the process may die before it, or after it without having learnt what became of it.
    async fn call<T>(&self, call: Call, work: impl FnOnce(&mut Outside) -> T) -> T {
        self.outside().pass();
        let at = self.outside().calls.len();
        if self.outside().dies(at, Side::Before) {
            return pending().await;
        }
        self.outside().calls.push(call);
        let done = work(&mut self.outside());
        if self.outside().dies(at, Side::After) {
            return pending().await;
        }
        done
    }
}

impl World for FakeWorld {
    fn now(&self) -> Timestamp {
        self.outside().now
    }

    async fn observe(&self, release: &DatabricksRelease, look: Look) -> View {
        let mut outside = self.outside();
        outside.pass();
        match look {
            Look::Gate(_) => View::Gate(Box::new(Locks::view())),
            Look::Work(phase) => outside.view(release, phase).unwrap_or_else(View::Trouble),
            Look::Alive(phase) => outside.alive(release, phase).map_or_else(View::Trouble, View::Alive),
        }
    }

    fn newer(&self, _: &DatabricksRelease) -> Option<Newer> {
        None
    }

    async fn act(&self, release: &DatabricksRelease, effect: &Effect) -> Outcome {
        // The leader's own account is in its memory: asking it is no call to the outside.
        if let Effect::Gate(effect @ (gate::Effect::Turn { .. } | gate::Effect::StepAside)) = effect {
            return Outcome::Gate(self.outside().locks.pass(effect));
        }
        self.call(Call::Effect(effect.clone()), |outside| outside.act(release, effect)).await
    }

    async fn write(
        &self,
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
    ) -> Result<Option<DatabricksRelease>, kube::Error> {
        self.call(Call::Write, |outside| outside.write(release, status)).await
    }

    async fn stored(&self, _: &DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        self.outside().answers()?;
        self.outside().stored().map(|stored| (*stored).clone())
    }

    async fn tell(&self, _: &DatabricksRelease, _: &DatabricksRelease) {}
}

impl Outside {
    /// The release as it is stored.
    pub(crate) fn stored(&self) -> Result<Rc<DatabricksRelease>, kube::Error> {
        self.behind(0)
    }

    /// The release as a cache holds it that is `behind` by some versions.
    pub(super) fn behind(&self, behind: usize) -> Result<Rc<DatabricksRelease>, kube::Error> {
        let object = self.server.cached(&self.name, behind).map_err(refused)?;
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let mut read = self.read.borrow_mut();
        if let Some(known) = read.get(version) {
            return Ok(Rc::clone(known));
        }
        let new: Rc<DatabricksRelease> = Rc::new(Deserialize::deserialize(object).expect("a release"));
        read.insert(version.to_owned(), Rc::clone(&new));
        Ok(new)
    }

    /// Somebody changes the release.
    pub(crate) fn change(&mut self, change: &serde_json::Value) {
        let name = self.name.clone();
        self.server.merge(&name, change).expect("the release exists");
    }

    pub(crate) fn wait(&mut self, time: SignedDuration) {
        self.now += time;
        self.pass();
    }

    /// Work that still goes on.
    pub(super) fn going_on(&self) -> String {
        let jobs = self.jobs.active(self.script.build, self.now);
        format!("{jobs:?} {:?}", self.databricks.active(self.now)).replace("[] []", "")
    }

    /// Time passes, and users act.
    fn pass(&mut self) {
        self.jobs.tick(self.script.build, self.now);
        self.databricks.tick(self.now);
        let Some(user) = self.users.front().copied() else { return };
        if self.stored().is_ok_and(|release| (user.when)(&release)) {
            self.users.pop_front();
            (user.then)(self);
        }
    }

    fn dies(&mut self, at: usize, side: Side) -> bool {
        let dies = self.kill == Some(Kill { at, side });
        if dies {
            self.kill = None;
        }
        dies
    }

    fn view(&mut self, release: &DatabricksRelease, phase: Phase) -> Result<View, Trouble> {
        let status = release.status.clone().unwrap_or_default();
        Ok(match phase {
            Phase::Build => {
                let attempt = status.phase(Phase::Build).map_or(1, |phase| phase.attempts);
                let job = build::job_name(release, attempt);
                View::Build(Box::new(self.jobs.view(&job, self.script.build, self.now)))
            }
            Phase::Install => View::Install(self.databricks.clusters()),
            Phase::Test => {
                let ids = runs_of(&status).into_iter().filter_map(|run| Some((run.index, run.run_id?)));
                let runs = ids.map(|(index, id)| Ok((index, self.databricks.run(id, self.now)?)));
                let runs = runs.collect::<Result<_, Trouble>>()?;
                View::Test(test::View { notebooks: self.databricks.notebooks(), runs })
            }
            Phase::Deploy | Phase::Operate => View::Nothing,
        })
    }

    fn act(&mut self, release: &DatabricksRelease, effect: &Effect) -> Outcome {
        let problem = self.stored().ok().and_then(|stored| ticket::missing(release, &stored, effect));
        self.problems.extend(problem);
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
            Effect::Begin(begin::Effect::Adopt) => self.change(&json!({"metadata": {"finalizers": [FINALIZER]}})),
            Effect::Begin(begin::Effect::Resolve) => {
                self.numbered += 1;
                let run = format!("20261121.{}", self.numbered);
                let resolved = begin::Resolved { run, ..begin::Resolved::default() };
                return Ok(Outcome::Resolved(Box::new(resolved)));
            }
            Effect::Gate(effect) => return Ok(Outcome::Gate(self.locks.pass(effect))),
            Effect::Build(build::Effect::CreateJob { name, .. }) => self.jobs.create(name, now),
            Effect::Deploy if self.databricks.behaviour.hangs == Some(Phase::Deploy) => {
                self.wait(release.spec.timeouts.deploy.get().try_into().expect("a time"));
                return Err(Trouble::passing(Reason::TimedOut, "the deployment was cut off by timeouts.deploy"));
            }
            Effect::Deploy => return Ok(Outcome::Deployed(self.databricks.deploy())),
            Effect::Install(effect) => self.databricks.change(effect, now)?,
            Effect::Test(effect) => return self.test(release, effect),
            Effect::Stop(phase) => self.stop(release, *phase)?,
            Effect::Finish(finish::Effect::Report(report)) => self.forge.tell(report, self.script.forge_is_down)?,
            Effect::Finish(finish::Effect::Unlock { keep: true }) => {}
            Effect::Finish(finish::Effect::Unlock { keep: false }) => self.locks.held.clear(),
            Effect::Finish(finish::Effect::Settle) => {
                let ended = result(&release.status.clone().unwrap_or_default()).to_string().to_lowercase();
                self.change(&json!({"metadata": {"labels": {labels::RESULT: ended}, "finalizers": []}}));
            }
        }
        Ok(Outcome::Done)
    }

    fn test(&mut self, release: &DatabricksRelease, effect: &test::Effect) -> Result<Outcome, Trouble> {
        Ok(match effect {
            test::Effect::Submit { index, try_ } => {
                Outcome::Submitted { index: *index, run_id: self.submit(release, *index, *try_)? }
            }
            test::Effect::Collect { index, run_id } => {
                let collected = self.databricks.collect(*index, *run_id, self.now)?;
                Outcome::Collected { index: *index, collected: Box::new(collected) }
            }
            test::Effect::Publish { notebooks } => Outcome::Published { uri: self.databricks.publish(*notebooks)? },
        })
    }

    fn submit(&mut self, release: &DatabricksRelease, index: u32, try_: u32) -> Result<i64, Trouble> {
        let attempt = release.status.as_ref().and_then(|s| s.phase(Phase::Test)).map_or(1, |phase| phase.attempts);
        let token = phase::test::token(release, attempt, index, try_);
        self.databricks.submit(&token, index, self.now)
    }

    /// As the real one: the attempt's Job is deleted, every run of the ticket canceled, found by its token if need be.
    fn stop(&mut self, release: &DatabricksRelease, phase: Phase) -> Result<(), Trouble> {
        let status = release.status.clone().unwrap_or_default();
        match phase {
            Phase::Build => {
                let attempt = status.phase(Phase::Build).map_or(1, |phase| phase.attempts);
                self.jobs.delete(&build::job_name(release, attempt));
            }
            Phase::Test => {
                for run in runs_of(&status) {
                    let id = run.run_id.map_or_else(|| self.submit(release, run.index, run.try_), Ok)?;
                    self.databricks.cancel(id, self.now);
                }
            }
            Phase::Deploy | Phase::Install | Phase::Operate => {}
        }
        Ok(())
    }

    /// What was asked to stop and did not yet.
    fn alive(&mut self, release: &DatabricksRelease, phase: Phase) -> Result<Vec<String>, Trouble> {
        let status = release.status.clone().unwrap_or_default();
        let mut alive = Vec::new();
        match phase {
            Phase::Build => {
                let attempt = status.phase(Phase::Build).map_or(1, |phase| phase.attempts);
                let job = build::job_name(release, attempt);
                alive.extend(self.jobs.exists(&job).then_some(job));
            }
            Phase::Test => {
                for run in runs_of(&status) {
                    let id = run.run_id.map_or_else(|| self.submit(release, run.index, run.try_), Ok)?;
                    alive.extend(self.databricks.is_alive(id, self.now).then(|| format!("run {id}")));
                }
            }
            Phase::Deploy | Phase::Install | Phase::Operate => {}
        }
        Ok(alive)
    }

    fn write(
        &mut self,
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
    ) -> Result<Option<DatabricksRelease>, kube::Error> {
        self.answers()?;
        let before = self.stored()?;
        let value = serde_json::to_value(status).expect("a status is JSON");
        match self.server.apply_status(&self.name, release.resource_version().as_deref(), value) {
            Ok(_) => {
                let after = self.stored()?;
                let generation = after.metadata.generation.unwrap_or_default();
                let before = before.status.clone().unwrap_or_default();
                self.problems.extend(rules::broken(&before, status, generation));
                self.lose_answer()?;
                Ok(Some((*after).clone()))
            }
            Err(409) => Ok(None),
            Err(code) => Err(refused(code)),
        }
    }

    fn answers(&mut self) -> Result<(), kube::Error> {
        let begun = self.stored()?.status.as_ref().is_some_and(|status| status.phase == Some(Phase::Deploy));
        if begun && self.script.unanswered > 0 {
            self.script.unanswered -= 1;
            return Err(refused(503));
        }
        Ok(())
    }

    fn lose_answer(&mut self) -> Result<(), kube::Error> {
        if self.script.lost_writes > 0 {
            self.script.lost_writes -= 1;
            return Err(refused(504));
        }
        Ok(())
    }
}

fn refused(code: u16) -> kube::Error {
    kube::Error::Api(Status::failure("the API server said no", "Refused").with_code(code).boxed())
}
