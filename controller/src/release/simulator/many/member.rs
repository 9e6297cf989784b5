//! The world as the reconciler of one release sees it: its own outside, and what all of them share.

use std::cell::RefMut;
use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase};
use jiff::Timestamp;
use kube::ResourceExt;

use super::super::super::events;
use super::super::super::observe::Look;
use super::super::super::world::{World, give_back};
use super::super::kill::Side;
use super::super::world::{Call, Outside};
use super::Many;
use super::controller::Controller;
use crate::phase::gate::{Effect as Gate, Passage};
use crate::phase::{self, Effect, Outcome, View, finish, test};
use crate::queue::{Ask, Newer, Turn};

/// Where all of them work.
const HOST: &str = "https://adb-1.2.azuredatabricks.net";

/// One release.
pub(super) struct Member<'a> {
    pub(super) controller: &'a Controller,
    pub(super) name: &'a str,
}

impl Member<'_> {
    fn many(&self) -> RefMut<'_, Many> {
        self.controller.many.borrow_mut()
    }

    /// Its own outside, at the time that all share.
    fn outside<T>(&self, work: impl FnOnce(&mut Outside) -> T) -> T {
        let mut many = self.many();
        let now = many.now;
        let outside = many.members.get_mut(self.name).expect("it was created");
        outside.now = now;
        outside.pass();
        let done = work(outside);
        let later = outside.now;
        many.now = later;
        done
    }

    /// One call, with what a kill before and after it would leave.
    fn call<T>(&self, call: Call, work: impl FnOnce() -> T) -> T {
        self.many().point(Side::Before);
        self.outside(|outside| outside.calls.push(call));
        let done = work();
        self.many().point(Side::After);
        self.many().calls += 1;
        done
    }

    fn lock(&self, release: &DatabricksRelease, effect: &Effect) -> Outcome {
        let written: BTreeSet<String> =
            release.status.iter().flat_map(|status| &status.locks).map(|lock| lock.name.clone()).collect();
        let obstacle = self.many().obstacle(release, &written);
        if let Some(message) = obstacle {
            return Outcome::Gate(Passage::Held { message, leftover: true });
        }
        let outcome = self.outside(|outside| outside.act(release, effect));
        let uid = release.uid().unwrap_or_default();
        self.many().locks.extend(written.into_iter().map(|lock| (lock, uid.clone())));
        outcome
    }

    /// All of them work in one workspace, and ask the real account for their runs.
    fn find_place(&self, release: &DatabricksRelease, outcome: Option<&Outcome>, view: &mut View) {
        let status = release.status.clone().unwrap_or_default();
        let Some(phase) = status.phase(Phase::Test) else { return };
        let now = self.many().now;
        let turn = phase::Turn { release, status: &status, phase, outcome, newer: None, now };
        let wish = match view {
            View::Test(view) => test::wish(&turn, view),
            View::Ebb(ebb) => test::wish_at_ebb(&turn, ebb),
            _ => return,
        };
        let is_newest = self.is_newest(release);
        let ask = Ask { host: HOST.to_owned(), limit: self.many().runs, wish, is_newest, now };
        let is_free = self.controller.queue.place(release, &ask, |_| Some(HOST.to_owned()));
        match view {
            View::Test(view) => view.place = is_free,
            View::Ebb(ebb) => ebb.place = is_free,
            _ => {}
        }
    }

    /// Whoever works in the workspace is the one who holds its locks.
    fn check_locks(&self, release: &DatabricksRelease, effect: &Effect) {
        if !matches!(effect, Effect::Deploy(_) | Effect::Install(_) | Effect::Test(_)) {
            return;
        }
        let uid = release.uid();
        let mut many = self.many();
        let written = release.status.iter().flat_map(|status| &status.locks);
        let others: Vec<_> = written.filter(|lock| many.locks.get(&lock.name) != uid.as_ref()).cloned().collect();
        let name = self.name;
        many.problems.extend(others.iter().map(|lock| format!("{name} works without the lock {}", lock.name)));
    }
}

impl World for Member<'_> {
    fn now(&self) -> Timestamp {
        self.many().now
    }

    async fn observe(&self, release: &DatabricksRelease, look: Look, outcome: Option<&Outcome>) -> View {
        let mut view = self.outside(|outside| match look {
            Look::Gate(_) => outside.locks.view().map_or_else(View::Trouble, |view| View::Gate(Box::new(view))),
            Look::Work(phase) | Look::Plan(phase) => outside.view(release, phase),
            Look::Alive(phase) => outside.alive(release, phase).unwrap_or_else(View::Trouble),
        });
        self.find_place(release, outcome, &mut view);
        view
    }

    fn newer(&self, release: &DatabricksRelease) -> Option<Newer> {
        self.controller.queue.newer(release, Some(&self.controller.rule))
    }

    async fn act(&self, release: &DatabricksRelease, effect: &Effect) -> Outcome {
        match effect {
            Effect::Gate(Gate::Turn { builds }) => {
                let turn = self.controller.queue.take(release, Some(&self.controller.rule), *builds);
                return Outcome::Gate(match turn {
                    Turn::Go => Passage::Turn,
                    Turn::Wait(message) => Passage::NoTurn(message),
                });
            }
            Effect::Gate(Gate::StepAside) => {
                self.controller.queue.step_aside(release);
                return Outcome::Gate(Passage::Aside);
            }
            _ => {}
        }
        self.check_locks(release, effect);
        self.call(Call::Effect(effect.clone()), || {
            if matches!(effect, Effect::Gate(Gate::Lock)) {
                return self.lock(release, effect);
            }
            if matches!(effect, Effect::Finish(finish::Effect::Unlock { keep: false })) {
                let uid = release.uid().unwrap_or_default();
                self.many().locks.retain(|_, holder| *holder != uid);
            }
            self.outside(|outside| outside.act(release, effect))
        })
    }

    async fn write(
        &self,
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
    ) -> Result<Option<DatabricksRelease>, kube::Error> {
        let written = self.call(Call::Write, || self.outside(|outside| outside.write(release, status)));
        let newest = written.as_ref().ok().and_then(|newer| newer.as_ref()?.resource_version());
        self.outside(|outside| outside.newest = newest);
        written
    }

    fn is_newest(&self, release: &DatabricksRelease) -> bool {
        let newest = self.outside(|outside| outside.newest.clone());
        newest.is_some() && newest == release.resource_version()
    }

    async fn renewed(&self, release: DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        self.stored(&release).await
    }

    async fn stored(&self, _: &DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        self.outside(|outside| {
            let stored = outside.stored()?;
            outside.newest = stored.resource_version();
            Ok((*stored).clone())
        })
    }

    async fn tell(&self, before: &DatabricksRelease, after: &DatabricksRelease) {
        give_back(after, &self.controller.queue, self.now());
        if events::concerns_pipeline(before, after) {
            self.controller.follow.note(after);
        }
    }
}
