//! The account of runs: a workspace's `limits.runs` holds over all releases that work at its address. No I/O.
//!
//! What a release has stands in its status, in the ticket of its Test phase. The account reads it there when it meets the
//! release for the first time, so a new leader counts right from its first look on, whoever looks first: had each release
//! to report by itself, the first one would find all places free. From then on the account knows more than the statuses
//! that a watch tells late.
//!
//! First come, first served: whoever has to wait stands in a line, and a release stands in it with one wish at a time. So
//! the place of a run that ended goes to who waited longest, and not to the next notebook of the same release. Who does
//! not ask any more (its workspace does not answer, say) keeps its place in the line and is in nobody's way meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use brickline_crds::{DatabricksRelease, Phase, PhaseState};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

/// How long a release is thought to wait after it asked. It asks again within a third of that.
const SILENT: SignedDuration = SignedDuration::from_secs(30);

/// What a release has of a workspace's runs, and whether it would begin another one now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Runs that it has and that go on.
    pub(crate) keeps: u32,
    pub(crate) wants: bool,
}

/// A release that asks for a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The workspace's address: two objects may name the same one.
    pub(crate) host: String,
    /// The `limits.runs` of the workspace that the release names.
    pub(crate) limit: u32,
    pub(crate) wish: Wish,
    /// Whether the wish was made of the newest version of the release: an older one gives nothing back.
    pub(crate) is_newest: bool,
    pub(crate) now: Timestamp,
}

/// What the stored status of an unfinished release says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) uid: String,
    pub(super) reference: ObjectRef<DatabricksRelease>,
    /// Whether its tests are under way.
    pub(super) tests: bool,
    /// Its runs; none before its tests and after them.
    runs: u32,
    /// Since when it waits for a place without having any.
    since: Option<Timestamp>,
}

impl Member {
    pub(super) fn of(release: &DatabricksRelease) -> Self {
        let test = release.status.as_ref().and_then(|status| status.phase(Phase::Test));
        let ticket = test.filter(|test| test.state == PhaseState::Running).and_then(|test| test.ticket.as_ref());
        Self {
            uid: release.uid().unwrap_or_default(),
            reference: ObjectRef::from_obj(release),
            tests: test.is_some_and(|test| test.state == PhaseState::Running),
            runs: ticket.map_or(0, |ticket| u32::try_from(ticket.in_flight.len()).unwrap_or(u32::MAX)),
            since: ticket.and_then(|ticket| Some(ticket.idle_since.as_ref()?.0)),
        }
    }
}

/// Who has how many runs, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Places {
    hosts: BTreeMap<String, Host>,
    /// Ended, though the watch may not have told yet.
    ended: HashSet<String>,
}

/// What a release has.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    runs: u32,
    /// One more was given to it and is not written yet.
    granted: bool,
}

impl Held {
    fn all(self) -> u32 {
        self.runs.saturating_add(u32::from(self.granted))
    }

    /// As the wish says. A place that was given stays while it is wanted: if a write fails, the same wish comes again.
    fn with(self, Wish { keeps, wants }: Wish, is_newest: bool) -> Self {
        let is_written = keeps > self.runs;
        let runs = if is_newest { keeps } else { self.runs.max(keeps) };
        Self { runs, granted: self.granted && !is_written && (wants || !is_newest) }
    }
}

#[derive(Debug, Default)]
struct Host {
    held: HashMap<String, Held>,
    line: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    uid: String,
    reference: ObjectRef<DatabricksRelease>,
    asked: Timestamp,
}

impl Places {
    /// Whether this release has been met at this address.
    pub(super) fn knows(&self, host: &str, uid: &str) -> bool {
        self.ended.contains(uid) || self.hosts.get(host).is_some_and(|host| host.held.contains_key(uid))
    }

    /// Takes in what releases at this address had when their statuses were written; those that wait in the order in
    /// which they began to.
    pub(super) fn meet(&mut self, host: &str, mut members: Vec<Member>, now: Timestamp) {
        let host = self.hosts.entry(host.to_owned()).or_default();
        members.sort_by_key(|member| member.since);
        for Member { uid, reference, runs, since, .. } in members {
            host.held.insert(uid.clone(), Held { runs, granted: false });
            if since.is_some() {
                host.line.push(Waiter { uid, reference, asked: now });
            }
        }
    }

    /// What the watch has stopped to show needs no memory any more.
    pub(super) fn forget(&mut self, shown: &HashSet<&str>) {
        self.ended.retain(|uid| shown.contains(uid.as_str()));
        for host in self.hosts.values_mut() {
            host.held.retain(|uid, _| shown.contains(uid.as_str()));
            host.line.retain(|waiter| shown.contains(waiter.uid.as_str()));
        }
        self.hosts.retain(|_, host| !host.held.is_empty());
    }

    /// Whether the release may have one run more than it keeps; and who is to be woken because another is free.
    pub(super) fn ask(&mut self, release: &Member, ask: &Ask) -> (bool, Vec<ObjectRef<DatabricksRelease>>) {
        let host = self.hosts.entry(ask.host.clone()).or_default();
        let known = Held { runs: release.runs, granted: false };
        let before = host.held.get(&release.uid).copied().unwrap_or(known);
        let mut held = before.with(ask.wish, ask.is_newest);
        host.held.insert(release.uid.clone(), held);
        let granted = ask.wish.wants && (held.granted || host.is_free_for(release, ask));
        held.granted |= granted;
        host.held.insert(release.uid.clone(), held);
        if ask.wish.wants && !granted {
            host.wait(release, ask.now);
        } else {
            host.leave(&release.uid);
        }
        let is_freed = held.all() < before.all();
        let free = ask.limit.saturating_sub(host.total());
        (granted, if is_freed { host.first(free as usize, ask.now) } else { Vec::new() })
    }

    /// What the release has after its status was written; and who is to be woken.
    pub(super) fn wrote(&mut self, release: &Member, now: Timestamp) -> Vec<ObjectRef<DatabricksRelease>> {
        self.change(&release.uid, now, |host| {
            host.held.insert(release.uid.clone(), Held { runs: release.runs, granted: false });
            if !release.tests {
                host.leave(&release.uid);
            }
        })
    }

    /// The release has nothing any more.
    pub(super) fn ended(&mut self, uid: &str, now: Timestamp) -> Vec<ObjectRef<DatabricksRelease>> {
        if self.hosts.values().any(|host| host.held.contains_key(uid)) {
            self.ended.insert(uid.to_owned());
        }
        self.change(uid, now, |host| {
            host.held.remove(uid);
            host.leave(uid);
        })
    }

    fn change(
        &mut self,
        uid: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Host),
    ) -> Vec<ObjectRef<DatabricksRelease>> {
        let Some(host) = self.hosts.values_mut().find(|host| host.held.contains_key(uid)) else { return Vec::new() };
        let before = host.total();
        change(host);
        let freed = before.saturating_sub(host.total());
        host.first(freed as usize, now)
    }
}

impl Host {
    fn total(&self) -> u32 {
        self.held.values().fold(0, |sum, held| sum.saturating_add(held.all()))
    }

    fn is_free_for(&self, release: &Member, ask: &Ask) -> bool {
        let before = self.line.iter().take_while(|waiter| waiter.uid != release.uid);
        let before = before.filter(|waiter| waiter.is_heard(ask.now)).count();
        (ask.limit.saturating_sub(self.total()) as usize) > before
    }

    fn wait(&mut self, release: &Member, now: Timestamp) {
        if let Some(waiter) = self.line.iter_mut().find(|waiter| waiter.uid == release.uid) {
            waiter.asked = now;
        } else {
            let (uid, reference) = (release.uid.clone(), release.reference.clone());
            self.line.push(Waiter { uid, reference, asked: now });
        }
    }

    fn leave(&mut self, uid: &str) {
        self.line.retain(|waiter| waiter.uid != uid);
    }

    /// The first of those that wait.
    fn first(&self, many: usize, now: Timestamp) -> Vec<ObjectRef<DatabricksRelease>> {
        let heard = self.line.iter().filter(|waiter| waiter.is_heard(now));
        heard.take(many).map(|waiter| waiter.reference.clone()).collect()
    }
}

impl Waiter {
    /// Whether it still waits, as far as anybody knows. A clock that was set back silences nobody.
    fn is_heard(&self, now: Timestamp) -> bool {
        now.duration_since(self.asked) <= SILENT
    }
}

#[cfg(test)]
mod tests;
