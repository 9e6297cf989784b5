//! Asking the repository where its branches stand: at the poll's interval, when a schedule comes, and whenever releases
//! are looked at anyway. A repository that does not answer is left alone for a while, and what is wrong with it is
//! remembered meanwhile.

use std::time::Duration;

use brickline_crds::{Reason, ReleasePipeline};
use kube::ResourceExt;

use super::follow::Asked;
use super::poll;
use super::round::Round;
use super::timetable::Due;
use crate::context::Context;
use crate::forge::refs::{Refs, ls_remote};
use crate::trouble::Trouble;

/// How long a repository is left alone while a schedule waits for it.
const RETRY: Duration = Duration::from_secs(30);

/// A repository that can be asked.
pub(super) trait Forge {
    /// Where the branches stand that `branches` means.
    async fn tips(&self, pipeline: &ReleasePipeline, branches: &[String]) -> Result<Refs, Trouble>;
}

impl Forge for Context {
    async fn tips(&self, pipeline: &ReleasePipeline, branches: &[String]) -> Result<Refs, Trouble> {
        ls_remote(&pipeline.spec.repository, branches, &pipeline.namespace().unwrap_or_default(), self).await
    }
}

impl<F: Forge> Round<'_, F> {
    /// Whether branches that moved are released.
    pub(super) fn polls(&self) -> bool {
        self.start && self.pipeline.spec.trigger.poll.is_some()
    }

    /// Whether there is something to ask, and the repository is not to be left alone.
    pub(super) fn may_ask(&self, due: &[Due]) -> bool {
        let left_alone = |asked: Asked| asked.trouble.is_some() && asked.next > self.now;
        (self.polls() || !due.is_empty()) && !self.follow.asked(self.pipeline).is_some_and(left_alone)
    }

    /// Whether it is time to ask, even if nothing else has happened.
    pub(super) fn must_ask(&self, due: &[Due]) -> bool {
        let is_time = self.follow.asked(self.pipeline).is_none_or(|asked| asked.next <= self.now);
        self.may_ask(due) && (is_time || !due.is_empty())
    }

    /// Asks, and remembers what came of it. A branch that a schedule wants and the repository does not have is trouble.
    pub(super) async fn ask(&self, due: &[Due]) -> Option<Refs> {
        let trigger = &self.pipeline.spec.trigger;
        let polled = trigger.branches.iter().filter(|_| self.polls());
        let branches: Vec<String> = polled.chain(due.iter().map(|due| &due.branch)).cloned().collect();
        let answer = self.forge.tips(self.pipeline, &branches).await;
        let missing = |refs: &Refs| due.iter().find(|due| !refs.contains_key(&due.reference())).map(no_branch);
        let trouble = answer.as_ref().map_or_else(|trouble| Some(trouble.clone()), missing);
        let interval = trigger.poll.as_ref().map_or(RETRY, |poll| poll.interval.get());
        let pause = if trouble.is_some() && !due.is_empty() { interval.min(RETRY) } else { interval };
        let next = self.now.checked_add(pause).unwrap_or(self.now);
        self.follow.ask(self.pipeline, Some(Asked { next, trouble }));
        answer.ok()
    }

    /// Asks whether a branch has moved; not if the repository does not answer.
    pub(super) async fn stands_still(&self) -> bool {
        let tips = self.ask(&[]).await;
        tips.is_none_or(|tips| poll::is_known(self.pipeline, &poll::observed(self.pipeline, &tips)))
    }
}

fn no_branch(due: &Due) -> Trouble {
    let message =
        format!("a schedule came due, but the repository has no branch {}: correct schedules.branch", due.branch);
    Trouble::passing(Reason::DependencyNotReady, message)
}
