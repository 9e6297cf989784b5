//! Whose turn it is: how many releases of a stage go on at the same time, how many builds run, and how many runs a
//! workspace has.
//!
//! Only the leader admits releases, so the account is kept in its memory and made anew from the unfinished releases
//! when another one leads. Who must wait is written into the release's status once; its place in the line is never
//! written. Whoever gives a turn or a slot back wakes the next in line, so nobody asks again and again.

mod account;
mod places;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use brickline_crds::{Concurrency, ConcurrencyPolicy, DatabricksRelease, ReleaseReason};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;

use account::{Account, Candidate, align};
pub(crate) use account::{Limits, Newer, Slots};
pub(crate) use places::{Ask, Wish};
use places::{Member, Places};

/// How often the memory of the watch is looked at for a cancel; it costs no request.
const LOOK: Duration = Duration::from_millis(200);

/// Of a pull request only the newest commit counts, whatever the pipeline says of merges: there is nothing to come to an
/// end for.
const PULL_REQUEST: Concurrency =
    Concurrency { policy: ConcurrencyPolicy::Supersede, limit: 1, cancel_after_deploy: true };

/// What a release is told that asks for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may go on, and has what it asked for until it gives it back.
    Go,
    /// Others are before it; what for, in words that don't change while it waits.
    Wait(String),
}

/// The line of releases. Cloned cheaply; all clones are the same line.
#[derive(Clone)]
pub(crate) struct Queue {
    account: Arc<Mutex<Account>>,
    places: Arc<Mutex<Places>>,
    unfinished: Arc<OnceLock<Store<DatabricksRelease>>>,
    wake: mpsc::UnboundedSender<ObjectRef<DatabricksRelease>>,
}

impl Queue {
    /// An empty line, and the releases to reconcile because something they waited for is free.
    pub(crate) fn new(limits: Limits) -> (Self, mpsc::UnboundedReceiver<ObjectRef<DatabricksRelease>>) {
        let (wake, woken) = mpsc::unbounded_channel();
        let account = Arc::new(Mutex::new(Account::new(limits)));
        (Self { account, places: Arc::default(), unfinished: Arc::default(), wake }, woken)
    }

    /// Where unfinished releases are known; told once, before the first of them is reconciled.
    pub(crate) fn watch(&self, unfinished: Store<DatabricksRelease>) {
        if self.unfinished.set(unfinished).is_err() {
            tracing::error!("the line of releases was given two stores");
        }
    }

    /// Asks for the release's turn, and for a build slot for its first job if it is to build.
    pub(crate) fn take(&self, release: &DatabricksRelease, rule: Option<&Concurrency>, builds: bool) -> Turn {
        let (line, candidate) = self.line(release);
        self.account().take(&line, &candidate, rule_of(release, rule), builds)
    }

    /// Gives the turn back while the release waits for people or for a time of the day.
    pub(crate) fn step_aside(&self, release: &DatabricksRelease) {
        self.wake_after(release, Account::step_aside);
    }

    /// Asks for build slots for these jobs of the release.
    pub(crate) fn slots(&self, release: &DatabricksRelease, jobs: &BTreeSet<String>) -> Slots {
        let (line, candidate) = self.line(release);
        self.account().slots(&line, &candidate, jobs)
    }

    /// Whether the release may have one more run in its workspace. `host_of` tells at which address a release works.
    pub(crate) fn place(
        &self,
        release: &DatabricksRelease,
        ask: &Ask,
        host_of: impl Fn(&DatabricksRelease) -> Option<String>,
    ) -> bool {
        let unfinished = self.unfinished.get().map(Store::state).unwrap_or_default();
        let own = release.metadata.uid.as_deref();
        let shown: HashSet<&str> = unfinished.iter().filter_map(|one| one.metadata.uid.as_deref()).chain(own).collect();
        let mut places = self.places();
        places.forget(&shown);
        let testing = unfinished.iter().map(|one| (one, Member::of(one))).filter(|(_, member)| member.tests);
        let strangers = testing.filter(|(_, member)| !places.knows(&ask.host, &member.uid));
        let here = strangers.filter(|(one, _)| host_of(one).as_ref() == Some(&ask.host));
        let here = here.map(|(_, member)| member).collect();
        places.meet(&ask.host, here, ask.now);
        let (granted, woken) = places.ask(&Member::of(release), ask);
        drop(places);
        self.send(woken);
        granted
    }

    /// Notes the runs and the build slots that the release has after a write.
    pub(crate) fn wrote(&self, release: &DatabricksRelease, now: Timestamp) {
        let woken = self.places().wrote(&Member::of(release), now);
        self.send(woken);
        // Most writes change no slot, and to know the whole line takes time.
        if self.account().is_news(&Candidate::of(release)) {
            self.wake_after(release, Account::wrote);
        }
    }

    /// Gives everything back: the release has ended, or is gone.
    pub(crate) fn ended(&self, release: &DatabricksRelease, now: Timestamp) {
        self.wake_after(release, Account::ended);
        let woken = self.places().ended(release.metadata.uid.as_deref().unwrap_or_default(), now);
        self.send(woken);
        for lock in release.status.iter().flat_map(|status| &status.locks) {
            self.freed(&lock.name);
        }
    }

    /// The newest release that may take this one's place: made later for the same stage of the same pipeline.
    pub(crate) fn newer(&self, release: &DatabricksRelease, rule: Option<&Concurrency>) -> Option<Newer> {
        let (line, candidate) = self.line(release);
        self.account().newer(&line, &candidate, rule_of(release, rule))
    }

    /// Ends when the release is canceled, deleted or gone, as far as the watch knows. For work that can't be asked to stop
    /// from outside.
    pub(crate) async fn canceled(&self, release: &DatabricksRelease) {
        let reference = ObjectRef::from_obj(release);
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(store) = self.unfinished.get() else { continue };
            if store.get(&reference).is_none_or(|release| release.is_canceled().is_some()) {
                return;
            }
        }
    }

    /// Wakes what a release that just came may supersede.
    pub(crate) fn arrived(&self, release: &DatabricksRelease, rule: Option<&Concurrency>) {
        let Some(rule) = rule_of(release, rule).filter(|rule| rule.policy == ConcurrencyPolicy::Supersede) else {
            return;
        };
        self.wake_after(release, |account, line, own| account.older(line, own, rule.cancel_after_deploy));
    }

    /// Notes, before the locks are tried, that the release will want to know when one of them is free.
    pub(crate) fn wants(&self, release: &DatabricksRelease, locks: &[String]) {
        self.account().wants(&Candidate::of(release), locks);
    }

    /// The release has its locks, or wants them no more.
    pub(crate) fn wants_no_more(&self, release: &DatabricksRelease) {
        self.account().wants_no_more(&Candidate::of(release));
    }

    /// A lock is free: the first that waits for it is woken, and no other.
    pub(crate) fn freed(&self, lock: &str) {
        let first = self.account().first_wanting(lock);
        self.send(first);
    }

    /// Wakes those that wait and are meant: what they wait for may be there.
    pub(crate) fn wake_waiting(&self, are_meant: impl Fn(&DatabricksRelease) -> bool) {
        let known = self.unfinished.get().map(Store::state).unwrap_or_default();
        let waits = |release: &DatabricksRelease| {
            release.status.as_ref().is_none_or(|status| status.waiting.is_some() || status.phases.is_empty())
        };
        let woken = known.iter().filter(|release| waits(release) && are_meant(release));
        self.send(woken.map(|release| ObjectRef::from_obj(release.as_ref())));
    }

    fn wake_after(
        &self,
        release: &DatabricksRelease,
        change: impl FnOnce(&mut Account, &[Candidate], &Candidate) -> Vec<ObjectRef<DatabricksRelease>>,
    ) {
        let (line, candidate) = self.line(release);
        let woken = change(&mut self.account(), &line, &candidate);
        self.send(woken);
    }

    fn send(&self, woken: impl IntoIterator<Item = ObjectRef<DatabricksRelease>>) {
        for release in woken {
            // Nobody listens only when the process is about to leave.
            let _ = self.wake.send(release);
        }
    }

    /// Everybody in the line, and the release as it is now, at its place among them.
    fn line(&self, release: &DatabricksRelease) -> (Vec<Candidate>, Candidate) {
        let own = Candidate::of(release);
        let Some(store) = self.unfinished.get() else { return (Vec::new(), own) };
        let known = store.state();
        let others = known.iter().filter(|other| other.uid().is_some() && other.uid() != release.uid());
        let mut line: Vec<Candidate> = others.map(|other| Candidate::of(other)).collect();
        // What the watch has not told yet, or no longer tells, is in nobody's line.
        let is_known = known.iter().any(|other| other.uid().is_some() && other.uid() == release.uid());
        line.push(own);
        align(&mut line);
        let own = if is_known { line.last().cloned() } else { line.pop() };
        (line, own.unwrap_or_else(|| Candidate::of(release)))
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule that holds for the release.
fn rule_of<'a>(release: &DatabricksRelease, rule: Option<&'a Concurrency>) -> Option<&'a Concurrency> {
    if release.spec.reason == ReleaseReason::PullRequest { Some(&PULL_REQUEST) } else { rule }
}
