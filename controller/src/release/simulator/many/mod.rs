//! Several releases of one pipeline: the real line of releases and the real pipeline between them, each release with a
//! world of its own, and what they share (clock, pipeline, locks) here.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `member.rs` | the world as the reconciler of one release sees it |
//! | `controller.rs` | one process: its line, what it remembers, its rounds |
//! | `pipeline.rs` | the API server as the pipeline sees it |
//! | `scenarios.rs`, `tally.rs` | the scenarios, and every kill point of each |

mod controller;
mod member;
mod pipeline;
mod scenarios;
mod tally;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseReason, ReleaseState};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::kill::{Kill, Side};
use super::script::Script;
use super::world::{FakeWorld, Outside};
use crate::creation::{Draft, Occasion};
use crate::forge::event::PullRequest;
use crate::forge::event::Push;
use crate::lock::is_for_rollback;
use crate::phase::begin::Resolved;
use crate::receiver::samples;

pub(super) use scenarios::all;
pub(super) use tally::tally;

/// What people do when everything looks so.
#[derive(Clone, Copy)]
struct Deed {
    when: fn(&Many) -> bool,
    what: What,
}

/// Commits are told by a letter that they are made of. The branch was at the letter before.
#[derive(Clone, Copy)]
enum What {
    Merge(char),
    /// Another commit of a pull request.
    Request(char),
    /// The pipeline's spec is changed.
    Edit(fn(&mut ReleasePipeline)),
}

/// Everything outside the process.
#[derive(Clone)]
struct Many {
    now: Timestamp,
    pipeline: ReleasePipeline,
    /// How the outside of a release behaves.
    script: fn(&DatabricksRelease) -> Script,
    members: BTreeMap<String, Outside>,
    /// Their names, as they were created.
    order: Vec<String>,
    /// Who holds which lock, by uid.
    locks: BTreeMap<String, String>,
    deeds: VecDeque<Deed>,
    /// Releases that the pipeline created, and writes of its status.
    followed: usize,
    marked: usize,
    problems: Vec<String>,
    /// What a kill at each point would have left, if that is wanted.
    left: Option<Vec<(Kill, Many)>>,
    /// How many calls there were.
    calls: usize,
    /// How many runs the workspace takes at the same time.
    runs: u32,
}

impl Many {
    fn new(mut pipeline: ReleasePipeline, script: fn(&DatabricksRelease) -> Script, deeds: &[Deed]) -> Self {
        pipeline.metadata.generation = Some(1);
        // The receiver's Secret is watched by something that would wait.
        pipeline.spec.trigger.webhook = None;
        Self {
            now: "2026-11-21T12:00:00Z".parse().expect("a time"),
            pipeline,
            script,
            members: BTreeMap::new(),
            order: Vec::new(),
            locks: BTreeMap::new(),
            deeds: deeds.iter().copied().collect(),
            followed: 0,
            marked: 0,
            problems: Vec::new(),
            left: None,
            calls: 0,
            runs: 20,
        }
    }

    /// Notes what a kill on this side of the call at hand would leave.
    fn point(&mut self, side: Side) {
        let Some(mut left) = self.left.take() else { return };
        left.push((Kill { at: self.calls, side }, self.clone()));
        self.left = Some(left);
    }

    /// The release as it is stored, or was when it was last.
    fn stored(&self, name: &str) -> Option<Rc<DatabricksRelease>> {
        self.members.get(name)?.stored().ok()
    }

    fn releases(&self) -> impl Iterator<Item = Rc<DatabricksRelease>> {
        self.order.iter().filter_map(|name| self.stored(name))
    }

    /// A release begins to exist, with an outside of its own. One of that name that exists is a conflict.
    fn create(&mut self, mut release: DatabricksRelease) -> bool {
        let name = release.name_any();
        if self.members.contains_key(&name) {
            return false;
        }
        let number = self.order.len();
        release.metadata.uid = Some(format!("uid-{number}"));
        // Merges come within one second: the branch tells their order. Of others nothing would.
        if release.spec.reason != ReleaseReason::Push {
            self.now += SignedDuration::from_secs(1);
        }
        release.metadata.creation_timestamp = Some(Time(self.now));
        let mut script = (self.script)(&release);
        script.resolved = self.resolved(&release);
        let mut outside = FakeWorld::new(&release, script, &[]).into_outside();
        outside.jobs.zip = release.spec.source.git.as_ref().map(|git| git.commit.clone().into_bytes());
        outside.numbered = u32::try_from(number).unwrap_or_default() * 10;
        self.order.push(name.clone());
        self.members.insert(name, outside);
        true
    }

    /// What another release built that this one takes over.
    fn resolved(&self, release: &DatabricksRelease) -> Option<Resolved> {
        let from = self.stored(&release.spec.source.artifact_from.first()?.release)?;
        let status = from.status.clone().unwrap_or_default();
        let origin = from.spec.source.git.clone().or(status.origin);
        Some(Resolved { origin, artifact: status.artifact, ..Resolved::default() })
    }

    /// What people do whose time has come. Commits become releases, as the receiver makes them.
    fn pass(&mut self) {
        while let Some(deed) = self.deeds.front().copied().filter(|deed| (deed.when)(self)) {
            self.deeds.pop_front();
            let draft = match deed.what {
                What::Merge(letter) => self.merged(letter),
                What::Request(letter) => self.requested(letter),
                What::Edit(edit) => {
                    self.edit(edit);
                    continue;
                }
            };
            let release = draft.release(&self.pipeline, 12).expect("a release");
            self.create(release);
        }
    }

    fn merged(&self, letter: char) -> Draft {
        let push = Push { commit: commit(letter), ..samples::push() };
        Draft::building(&self.pipeline, Occasion::push(&self.pipeline, &push).told(before(letter).as_ref(), self.now))
    }

    fn requested(&self, letter: char) -> Draft {
        let request = PullRequest { commit: commit(letter), ..samples::pull_request() };
        let occasion = Occasion::pull_request(&self.pipeline, &request).told(before(letter).as_ref(), self.now);
        Draft { stage: None, occasion }
    }

    fn edit(&mut self, edit: fn(&mut ReleasePipeline)) {
        edit(&mut self.pipeline);
        let generation = self.pipeline.metadata.generation.get_or_insert_default();
        *generation += 1;
        self.pipeline.metadata.resource_version = Some(format!("{}-{generation}", self.marked));
    }

    /// All releases together have no more runs than the workspace allows.
    fn count_runs(&mut self) {
        let now = self.now;
        let running: usize = self.members.values().map(|outside| outside.databricks.running(now)).sum();
        if running > self.runs as usize {
            self.problems.push(format!("{running} runs at the same time, {} are allowed", self.runs));
        }
    }

    /// Who keeps the release from taking these locks.
    fn obstacle(&self, release: &DatabricksRelease, wanted: &BTreeSet<String>) -> Option<String> {
        let own = release.uid().unwrap_or_default();
        let cause = release.spec.cause.as_ref().and_then(|cause| self.stored(&cause.release)?.uid());
        let holders = wanted.iter().filter_map(|lock| self.locks.get(lock)).filter(|uid| **uid != own);
        let mut others = holders.filter(|uid| Some(*uid) != cause.as_ref());
        let in_the_way = |uid: &&String| {
            let holder = self.releases().find(|release| release.uid().as_ref() == Some(uid));
            holder.is_some_and(|holder| !is_finished(&holder) || is_for_rollback(&holder, self.now))
        };
        others.find(in_the_way).map(|uid| format!("is held by {uid}"))
    }
}

fn commit(letter: char) -> String {
    letter.to_string().repeat(40)
}

fn before(letter: char) -> Option<String> {
    ('a'..letter).last().map(commit)
}

fn is_finished(release: &DatabricksRelease) -> bool {
    release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished)
}
