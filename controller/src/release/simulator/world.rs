//! The fake world: everything outside the reconciler, and the point at which its process is killed.

use std::cell::{RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::rc::Rc;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::core::Status;
use serde::Deserialize;

use super::super::events;
use super::super::observe::Look;
use super::super::world::World;
use super::bundles::Bundles;
use super::databricks::Databricks;
use super::elsewhere::Shelf;
use super::forge::Forge;
use super::jobs::Jobs;
use super::kill::{Kill, Side};
use super::locks::Locks;
use super::rules;
use super::script::{Script, User};
use super::server::Server;
use crate::phase::{Effect, Outcome, View, gate};
use crate::queue::Newer;

/// One thing that was asked of the outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Effect(Effect),
    Write,
}

/// Everything outside.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) now: Timestamp,
    pub(crate) server: Server,
    pub(crate) jobs: Jobs,
    pub(crate) bundles: Bundles,
    pub(crate) shelf: Shelf,
    pub(crate) databricks: Databricks,
    pub(crate) forge: Forge,
    pub(crate) locks: Locks,
    pub(crate) script: Script,
    /// What was asked, in order; a call that a kill has prevented is not in it.
    pub(crate) calls: Vec<Call>,
    /// What must not have happened.
    pub(crate) problems: Vec<String>,
    /// The run number last given.
    pub(super) numbered: u32,
    /// The version that the process last wrote, or read past its cache.
    pub(super) newest: Option<String>,
    /// How often it read past its cache.
    pub(super) reads: usize,
    /// How many events it published.
    pub(super) events: usize,
    users: VecDeque<User>,
    name: String,
    /// Versions that were read already: reading JSON is most of a run's time.
    read: RefCell<HashMap<String, Rc<DatabricksRelease>>>,
    /// Kills still to come.
    kills: Vec<Kill>,
    /// The last version that somebody but the reconciler made.
    last: Option<Rc<DatabricksRelease>>,
    /// How often the process was killed.
    pub(super) killed: usize,
    /// The outside as a kill at each point would have left it, if they are wanted.
    pub(super) left: Option<Vec<(Kill, Outside)>>,
}

/// The world as one process sees it.
pub(crate) struct FakeWorld(RefCell<Outside>);

impl FakeWorld {
    pub(super) fn new(release: &DatabricksRelease, script: Script, kills: &[Kill]) -> Self {
        let mut server = Server::default();
        let object = serde_json::to_value(release).expect("a release is JSON");
        server.create(object).expect("the first of its name");
        let mut outside = Outside {
            now: "2026-11-21T12:00:00Z".parse().expect("a time"),
            server,
            jobs: Jobs::default(),
            bundles: Bundles::default(),
            shelf: Shelf::default(),
            databricks: Databricks::new(script.databricks.clone()),
            forge: Forge::default(),
            locks: Locks::default(),
            calls: Vec::new(),
            problems: Vec::new(),
            numbered: 0,
            newest: None,
            reads: 0,
            events: 0,
            users: script.users.clone().into(),
            name: release.name_any(),
            read: RefCell::default(),
            kills: kills.to_vec(),
            killed: 0,
            left: None,
            last: None,
            script,
        };
        if let Some(prepare) = outside.script.prepare {
            prepare(&mut outside);
        }
        Self(RefCell::new(outside))
    }

    /// The world that a killed process has left.
    pub(super) fn again(outside: Outside, kills: &[Kill]) -> Self {
        Self(RefCell::new(Outside { newest: None, kills: kills.to_vec(), ..outside }))
    }

    pub(super) fn into_outside(self) -> Outside {
        self.0.into_inner()
    }

    pub(crate) fn outside(&self) -> RefMut<'_, Outside> {
        self.0.borrow_mut()
    }

    /// One call: the process may die before it, or after it without having learnt what became of it.
    async fn call<T>(&self, call: Call, work: impl FnOnce(&mut Outside) -> T) -> T {
        let at = self.outside().calls.len();
        self.outside().jump(at);
        self.outside().pass();
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
        let outside = self.outside();
        outside.now + outside.script.skew
    }

    async fn observe(&self, release: &DatabricksRelease, look: Look, _: Option<&Outcome>) -> View {
        let mut outside = self.outside();
        outside.pass();
        match look {
            Look::Gate(_) if !outside.script.hindrances.is_empty() => {
                // A look that meets a hindrance takes its time.
                outside.wait(SignedDuration::from_secs(1));
                outside.script.hindrances.rotate_left(1);
                outside.script.hindrances.last().cloned().map_or(View::Nothing, View::Trouble)
            }
            Look::Gate(_) => outside.locks.view().map_or_else(View::Trouble, |view| View::Gate(Box::new(view))),
            Look::Work(phase) | Look::Plan(phase) => outside.view(release, phase),
            Look::Alive(phase) => outside.alive(release, phase).unwrap_or_else(View::Trouble),
        }
    }

    fn newer(&self, _: &DatabricksRelease) -> Option<Newer> {
        self.outside().locks.newer.clone()
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
        let written = self.call(Call::Write, |outside| outside.write(release, status)).await;
        self.outside().newest = written.as_ref().ok().and_then(|newer| newer.as_ref()?.resource_version());
        written
    }

    fn is_newest(&self, release: &DatabricksRelease) -> bool {
        let newest = self.outside().newest.clone();
        newest.is_some() && newest == release.resource_version()
    }

    async fn renewed(&self, _: DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        // The answer to the change has it.
        let stored = self.outside().stored()?;
        self.outside().newest = stored.resource_version();
        Ok((*stored).clone())
    }

    async fn stored(&self, _: &DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        self.outside().answers()?;
        let stored = self.outside().stored()?;
        let mut outside = self.outside();
        outside.newest = stored.resource_version();
        outside.reads += 1;
        Ok((*stored).clone())
    }

    async fn tell(&self, before: &DatabricksRelease, after: &DatabricksRelease) {
        self.outside().events += events::published(before, after);
    }
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

    /// The release as it was when it was last stored.
    pub(super) fn last(&self) -> Rc<DatabricksRelease> {
        self.stored().unwrap_or_else(|_| Rc::clone(self.last.as_ref().expect("it was read before it was gone")))
    }

    /// Somebody changes the release. One that is gone has nothing to change.
    pub(crate) fn change(&mut self, change: &serde_json::Value) {
        let name = self.name.clone();
        if let Ok(changed) = self.server.merge(&name, change) {
            self.last = Deserialize::deserialize(&changed).map(Rc::new).ok();
        }
    }

    /// Somebody deletes the release.
    pub(crate) fn delete(&mut self) {
        let name = self.name.clone();
        self.server.delete(&name).expect("the release exists");
    }

    pub(crate) fn wait(&mut self, time: SignedDuration) {
        self.now += time;
        self.pass();
    }

    /// Work that still goes on.
    pub(super) fn going_on(&self) -> String {
        let jobs = self.jobs.active(&self.script, self.now);
        let bundles = self.bundles.active(self.script.bundle, self.now);
        format!("{jobs:?} {bundles:?} {:?}", self.databricks.active(self.now)).replace("[] [] []", "")
    }

    /// Somebody sets the clock.
    fn jump(&mut self, at: usize) {
        let due = self.script.jumps.iter().position(|(call, _)| *call == at);
        if let Some((_, by)) = due.map(|index| self.script.jumps.swap_remove(index)) {
            self.now += by;
        }
    }

    /// Time passes, and users act.
    pub(super) fn pass(&mut self) {
        self.jobs.tick(&self.script, self.now);
        self.databricks.clusters.tick(self.now);
        let Some(user) = self.users.front().copied() else { return };
        if self.stored().is_ok_and(|release| (user.when)(&release)) {
            self.users.pop_front();
            (user.then)(self);
        }
    }

    fn dies(&mut self, at: usize, side: Side) -> bool {
        if let Some(mut left) = self.left.take() {
            left.push((Kill { at, side }, Self { killed: 1, ..self.clone() }));
            self.left = Some(left);
        }
        let before = self.kills.len();
        self.kills.retain(|kill| *kill != Kill { at, side });
        self.killed += before - self.kills.len();
        self.kills.len() < before
    }

    pub(super) fn write(
        &mut self,
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
    ) -> Result<Option<DatabricksRelease>, kube::Error> {
        self.answers()?;
        self.arrives()?;
        let Ok(before) = self.stored() else { return Ok(None) };
        let value = serde_json::to_value(status).expect("a status is JSON");
        match self.server.apply_status(&self.name, release.resource_version().as_deref(), value) {
            Ok(_) => {
                let after = self.stored()?;
                let generation = after.metadata.generation.unwrap_or_default();
                let before = before.status.clone().unwrap_or_default();
                self.problems.extend(rules::broken(&before, status, generation));
                let bytes = serde_json::to_vec(status).map_or(0, |json| json.len());
                self.problems.extend((bytes >= 64 << 10).then(|| format!("a status of {bytes} bytes")));
                self.lose_answer()?;
                Ok(Some((*after).clone()))
            }
            Err(409) => Ok(None),
            Err(code) => Err(refused(code)),
        }
    }

    fn answers(&mut self) -> Result<(), kube::Error> {
        let deploys = |release: Rc<DatabricksRelease>| {
            release.status.as_ref().is_some_and(|status| status.phase == Some(Phase::Deploy))
        };
        let begun = self.stored().is_ok_and(deploys);
        if begun && self.script.unanswered > 0 {
            self.script.unanswered -= 1;
            return Err(refused(503));
        }
        Ok(())
    }

    fn arrives(&self) -> Result<(), kube::Error> {
        let nth = self.calls.iter().filter(|call| **call == Call::Write).count();
        if self.script.lost_on_the_way.contains(&nth) { Err(refused(503)) } else { Ok(()) }
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
