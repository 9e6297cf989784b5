//! The account of turns, build slots and wanted locks: no I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use brickline_crds::{
    Build, Concurrency, ConcurrencyPolicy, DatabricksRelease, Phase, PhaseState, PhaseStatus, Reason, ReleaseReason,
    labels,
};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::Turn;
use crate::order::{Birth, Place, places};

/// How many jobs of builds run at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// In all namespaces together.
    pub(crate) controller: usize,
    /// In one namespace.
    pub(crate) namespace: usize,
    /// In one pool; a pool that is not here has none.
    pub(crate) pools: BTreeMap<String, usize>,
}

/// Releases of one stage, or of one pull request, of one pipeline, of which a number goes on at the same time.
type Group = (String, String, String);

/// What the account must know of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    uid: String,
    /// What its place in the line follows from.
    birth: Birth,
    /// Its place in the line: the older one first.
    place: (Place, String),
    namespace: String,
    name: String,
    /// None: a release without a pipeline goes whenever it likes.
    group: Option<Group>,
    /// The pool of each job of its build.
    pools: BTreeMap<String, String>,
    /// The job of its build that begins first.
    first: String,
    /// What it had when its status was written.
    had: Share,
    /// Whether it waits for people, a window, or its own `suspend`, and thus is in nobody's way.
    aside: bool,
    deploy_began: bool,
    brings: Brings,
}

/// What a release would bring to its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Brings {
    /// Its artifact is there.
    artifact: bool,
    /// It is newer than what came before: a rollback is not, and takes nobody's place.
    news: bool,
}

impl Candidate {
    pub(super) fn of(release: &DatabricksRelease) -> Self {
        let status = release.status.clone().unwrap_or_default();
        let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
        let began = |phase: &PhaseStatus| phase.attempts > 0;
        let waiting = status.waiting.as_ref().map(|waiting| waiting.reason);
        let aside = matches!(waiting, Some(Reason::WaitingForApproval | Reason::WaitingForWindow | Reason::Suspended))
            || (release.spec.suspend && !status.phases.iter().any(began));
        let pipeline = release.labels().get(labels::PIPELINE).cloned();
        let birth = Birth::of(release);
        let planned = release.spec.build.planned();
        let first = planned.iter().find(|job| job.depends_on.is_empty());
        Self {
            uid: release.uid().unwrap_or_default(),
            place: (birth.alone(), name.clone()),
            birth,
            group: pipeline.map(|pipeline| (namespace.clone(), pipeline, goal(release))),
            had: Share {
                turn: status.phases.iter().any(began) && !aside && waiting != Some(Reason::WaitingForSlot),
                slots: status.phase(Phase::Build).map(slots).unwrap_or_default(),
            },
            pools: planned.iter().map(|job| (job.name.clone(), job.pool.to_owned())).collect(),
            first: first.map_or_else(|| Build::ARTIFACT.to_owned(), |job| job.name.clone()),
            aside,
            deploy_began: status.phases.iter().any(|phase| phase.name > Phase::Build && began(phase)),
            brings: Brings {
                artifact: status.artifact.is_some() || !release.spec.source.artifact_from.is_empty(),
                news: release.spec.reason != ReleaseReason::Rollback,
            },
            namespace,
            name,
        }
    }

    fn reference(&self) -> ObjectRef<DatabricksRelease> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }

    fn pool_of(&self, job: &str) -> &str {
        self.pools.get(job).map_or("", String::as_str)
    }
}

/// The jobs that hold a slot: those under way.
fn slots(build: &PhaseStatus) -> BTreeSet<String> {
    if build.state != PhaseState::Running {
        return BTreeSet::new();
    }
    if build.jobs.is_empty() {
        return BTreeSet::from([Build::ARTIFACT.to_owned()]);
    }
    build.jobs.iter().filter(|job| job.state == PhaseState::Running).map(|job| job.name.clone()).collect()
}

/// Gives everybody in the line their place among all of them.
pub(super) fn align(line: &mut [Candidate]) {
    let births: Vec<Birth> = line.iter().map(|one| one.birth.clone()).collect();
    line.iter_mut().zip(places(&births)).for_each(|(one, place)| one.place.0 = place);
}

/// A release that may take the place of an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newer {
    /// Its name, in the same namespace.
    pub(crate) name: String,
    /// Whether the pipeline wants older releases to make room (`Supersede`).
    pub(crate) supersedes: bool,
    /// Whether even one that has begun to deploy makes room.
    pub(crate) after_deploy: bool,
    /// Whether its artifact is there, so that it could be released now.
    pub(crate) has_artifact: bool,
}

/// A release's place in the line as it never changes, and its namespace.
type Waiter = ((Place, String), String);

/// What a release has now, whatever its stored status says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Share {
    turn: bool,
    /// The jobs of its build that have a slot.
    slots: BTreeSet<String>,
}

/// What became of a wish for build slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    /// The jobs that have one now.
    pub(crate) granted: Vec<String>,
    /// Why the others have none, in words that don't change while they wait; none if all have.
    pub(crate) waiting: Option<String>,
}

/// Who has a turn, a slot, or wants a lock.
#[derive(Debug)]
pub(super) struct Account {
    limits: Limits,
    shares: HashMap<String, Share>,
    /// Ended, though the watch may not have told yet.
    ended: HashSet<String>,
    /// Who waits for a slot and for nothing else, and of which pools.
    slotless: HashMap<String, BTreeSet<String>>,
    wanted: BTreeMap<String, BTreeSet<Waiter>>,
}

impl Account {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            shares: HashMap::new(),
            ended: HashSet::new(),
            slotless: HashMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    pub(super) fn take(
        &mut self,
        line: &[Candidate],
        release: &Candidate,
        rule: Option<&Concurrency>,
        builds: bool,
    ) -> Turn {
        self.forget(line);
        let share = self.share(release);
        if !share.turn
            && let Some(why) = self.must_wait(line, release, rule)
        {
            return Turn::Wait(why);
        }
        let first = BTreeSet::from([release.first.clone()]);
        if builds
            && share.slots.is_empty()
            && let Some(why) = self.slots(line, release, &first).waiting
        {
            return Turn::Wait(why);
        }
        let slots = self.share(release).slots;
        self.shares.insert(release.uid.clone(), Share { turn: true, slots });
        Turn::Go
    }

    /// Gives slots to those of these jobs for which there are some. A job that has one keeps it.
    pub(super) fn slots(&mut self, line: &[Candidate], release: &Candidate, jobs: &BTreeSet<String>) -> Slots {
        self.forget(line);
        let mut share = self.share(release);
        let mut without = BTreeSet::new();
        for job in jobs {
            let pool = release.pool_of(job);
            if share.slots.contains(job) || self.is_free(line, release, &share, pool) {
                share.slots.insert(job.clone());
            } else {
                without.insert(pool.to_owned());
            }
        }
        let granted = jobs.iter().filter(|job| share.slots.contains(*job)).cloned().collect();
        self.shares.insert(release.uid.clone(), share);
        let waiting =
            without.first().map(|pool| format!("every build slot of pool {pool} is taken: builds.pools in the chart"));
        if without.is_empty() {
            self.slotless.remove(&release.uid);
        } else {
            self.slotless.insert(release.uid.clone(), without);
        }
        Slots { granted, waiting }
    }

    fn must_wait(&self, line: &[Candidate], release: &Candidate, rule: Option<&Concurrency>) -> Option<String> {
        let (group, rule) = (release.group.as_ref()?, rule?);
        if rule.policy == ConcurrencyPolicy::Parallel {
            return None;
        }
        let others = self.others(line, release).filter(|other| other.group.as_ref() == Some(group));
        let before = others.filter(|other| {
            let queues = rule.policy == ConcurrencyPolicy::Queue && !other.aside && other.place < release.place;
            self.share(other).turn || queues
        });
        let limit = rule.limit as usize;
        (before.count() >= limit).then(|| match limit {
            1 => format!("pipeline {} releases one at a time to {}", group.1, stage(&group.2)),
            many => format!("pipeline {} releases {many} at a time to {}", group.1, stage(&group.2)),
        })
    }

    /// Whether another job of the release may begin in this pool. `share` is what the release has so far.
    fn is_free(&self, line: &[Candidate], release: &Candidate, share: &Share, pool: &str) -> bool {
        let count = |one: &Candidate, slots: &BTreeSet<String>, of: &dyn Fn(&str) -> bool| {
            slots.iter().filter(|job| of(one.pool_of(job))).count()
        };
        let taken = |alike: &dyn Fn(&Candidate) -> bool, of: &dyn Fn(&str) -> bool| {
            let others = self.others(line, release).filter(|other| alike(other));
            let others = others.map(|other| {
                count(other, &self.share(other).slots, of) + usize::from(self.is_before(other, release, pool))
            });
            others.sum::<usize>() + count(release, &share.slots, of)
        };
        let slots = self.limits.pools.get(pool).copied().unwrap_or(0);
        taken(&|_| true, &|_| true) < self.limits.controller
            && taken(&|other| other.namespace == release.namespace, &|_| true) < self.limits.namespace
            && taken(&|_| true, &|of| of == pool) < slots
    }

    /// Whether `other` waits for nothing but a slot of the same pool, and came first.
    fn is_before(&self, other: &Candidate, release: &Candidate, pool: &str) -> bool {
        other.namespace == release.namespace
            && other.place < release.place
            && self.slotless.get(&other.uid).is_some_and(|pools| pools.contains(pool))
    }

    pub(super) fn step_aside(&mut self, line: &[Candidate], release: &Candidate) -> Vec<ObjectRef<DatabricksRelease>> {
        let share = self.share(release);
        self.shares.insert(release.uid.clone(), Share { turn: false, slots: share.slots });
        if share.turn { self.next(line, release) } else { Vec::new() }
    }

    /// Whether the release's status tells of other slots than are known.
    pub(super) fn is_news(&self, release: &Candidate) -> bool {
        self.shares.get(&release.uid).is_some_and(|share| share.slots != release.had.slots)
    }

    /// The release has the slots that its status tells of, which was just written.
    pub(super) fn wrote(&mut self, line: &[Candidate], release: &Candidate) -> Vec<ObjectRef<DatabricksRelease>> {
        let Share { turn, slots } = self.share(release);
        let written = release.had.slots.clone();
        let freed = slots.len().saturating_sub(written.len());
        self.shares.insert(release.uid.clone(), Share { turn, slots: written });
        self.next_slotless(line, release, freed)
    }

    pub(super) fn ended(&mut self, line: &[Candidate], release: &Candidate) -> Vec<ObjectRef<DatabricksRelease>> {
        self.wants_no_more(release);
        self.slotless.remove(&release.uid);
        let share = self.share(release);
        self.shares.remove(&release.uid);
        self.ended.insert(release.uid.clone());
        let mut woken = self.next(line, release);
        woken.extend(self.next_slotless(line, release, share.slots.len()));
        woken.dedup();
        woken
    }

    pub(super) fn newer(&self, line: &[Candidate], release: &Candidate, rule: Option<&Concurrency>) -> Option<Newer> {
        let group = release.group.as_ref()?;
        let newest = self
            .others(line, release)
            .filter(|other| other.group.as_ref() == Some(group) && other.place > release.place && other.brings.news)
            .max_by_key(|other| (other.brings.artifact, &other.place))?;
        Some(Newer {
            name: newest.name.clone(),
            supersedes: rule.is_some_and(|rule| rule.policy == ConcurrencyPolicy::Supersede),
            after_deploy: rule.is_some_and(|rule| rule.cancel_after_deploy),
            has_artifact: newest.brings.artifact,
        })
    }

    /// Older releases of the same stage: a newer one may take their place.
    pub(super) fn older(
        &mut self,
        line: &[Candidate],
        release: &Candidate,
        after_deploy: bool,
    ) -> Vec<ObjectRef<DatabricksRelease>> {
        let others = self.others(line, release).filter(|other| other.group.is_some() && other.group == release.group);
        let stops = |other: &&Candidate| other.place < release.place && (after_deploy || !other.deploy_began);
        others.filter(stops).map(Candidate::reference).collect()
    }

    pub(super) fn wants(&mut self, release: &Candidate, locks: &[String]) {
        for lock in locks {
            self.wanted.entry(lock.clone()).or_default().insert(waiter(release));
        }
    }

    pub(super) fn wants_no_more(&mut self, release: &Candidate) {
        let waiting = waiter(release);
        self.wanted.retain(|_, all| {
            all.remove(&waiting);
            !all.is_empty()
        });
    }

    pub(super) fn first_wanting(&self, lock: &str) -> Option<ObjectRef<DatabricksRelease>> {
        let ((_, name), namespace) = self.wanted.get(lock)?.first()?;
        Some(ObjectRef::new(name).within(namespace))
    }

    /// The next of the same stage that has no turn yet and isn't waiting for something else.
    fn next(&self, line: &[Candidate], release: &Candidate) -> Vec<ObjectRef<DatabricksRelease>> {
        let others = self.others(line, release).filter(|other| other.group.is_some() && other.group == release.group);
        let waiting = others.filter(|other| !other.aside && !self.share(other).turn);
        waiting.min_by_key(|other| &other.place).map(Candidate::reference).into_iter().collect()
    }

    /// The first that wait for a slot, as many as are free, in the same namespace and in all: the limits of both may have
    /// held them.
    fn next_slotless(&self, line: &[Candidate], release: &Candidate, free: usize) -> Vec<ObjectRef<DatabricksRelease>> {
        if free == 0 {
            return Vec::new();
        }
        let mut waiting: Vec<&Candidate> =
            self.others(line, release).filter(|other| self.slotless.contains_key(&other.uid)).collect();
        waiting.sort_by_key(|other| &other.place);
        let near = waiting.iter().filter(|other| other.namespace == release.namespace).take(free);
        let mut woken: Vec<ObjectRef<DatabricksRelease>> = Vec::new();
        for one in near.chain(waiting.iter().take(free)) {
            let reference = one.reference();
            if !woken.contains(&reference) {
                woken.push(reference);
            }
        }
        woken
    }

    fn others<'a>(&'a self, line: &'a [Candidate], release: &'a Candidate) -> impl Iterator<Item = &'a Candidate> {
        line.iter().filter(|other| other.uid != release.uid && !self.ended.contains(&other.uid))
    }

    fn share(&self, release: &Candidate) -> Share {
        self.shares.get(&release.uid).unwrap_or(&release.had).clone()
    }

    /// What the watch has stopped to show needs no memory any more.
    fn forget(&mut self, line: &[Candidate]) {
        let shown: HashSet<&str> = line.iter().map(|release| release.uid.as_str()).collect();
        self.ended.retain(|uid| shown.contains(uid.as_str()));
        self.slotless.retain(|uid, _| shown.contains(uid.as_str()));
        self.shares.retain(|uid, _| shown.contains(uid.as_str()));
    }
}

fn waiter(release: &Candidate) -> Waiter {
    ((release.birth.alone(), release.name.clone()), release.namespace.clone())
}

/// What the release is for: its stage, or the ref of its pull request, which no stage is called.
fn goal(release: &DatabricksRelease) -> String {
    let spec = &release.spec;
    let pull_request = spec.source.git.as_ref().filter(|_| spec.reason == ReleaseReason::PullRequest);
    pull_request.map(|git| git.reference.clone()).or_else(|| spec.stage.clone()).unwrap_or_default()
}

fn stage(name: &str) -> String {
    match name {
        "" => "the artifact store".to_owned(),
        name if name.starts_with("refs/") => name.to_owned(),
        name => format!("stage {name}"),
    }
}
