//! Databricks: runs once by idempotency token, the workspace's contents, and its clusters. It passes the same contract
//! as the emulator.

use std::collections::BTreeMap;
use std::time::Duration;

use brickline_crds::{FirstFailure, Phase, Reason, Regression, TestCounts};
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::clusters::Clusters;
use super::saved::{self, Saved};
use super::tasks::{self, Kinds};
use crate::databricks::clusters::ActiveRun;
use crate::databricks::runs::{LifeCycle, Run, RunResult, RunState, TaskRun};
use crate::phase::deploy::simulation::Simulated;
use crate::phase::test::{History, Item, Role, samples};
use crate::phase::{Trouble, test};
use crate::verdict::{NotebookVerdict, Reason as VerdictReason, Verdict};

/// How long it takes, in seconds.
const CANCELLATION: i64 = 2;

/// How Databricks behaves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Behaviour {
    /// The notebooks of the artifact.
    pub(crate) notebooks: u32,
    /// The one whose tests fail.
    pub(crate) failing: Option<u32>,
    /// The one that takes longer than its limit.
    pub(crate) slow: Option<u32>,
    /// The phase whose work never ends by itself: a deployment, a restart, the runs, or a change of jobs.
    pub(crate) hangs: Option<Phase>,
    /// The one whose tests fail the first time only.
    pub(crate) flaky: Option<u32>,
    /// The wheel can't be installed.
    pub(crate) install_fails: bool,
    /// Runs go on when they are canceled.
    pub(crate) deaf: bool,
    /// A notebook that fails does not fail the release.
    pub(crate) lenient: bool,
    /// How it takes changes of jobs.
    pub(crate) saved: saved::Behaviour,
    /// There is a notebook before all others, which fails or not.
    pub(crate) setup: Option<bool>,
    /// There is one after them, which fails or not. It ends even where runs hang.
    pub(crate) teardown: Option<bool>,
    /// What tests are.
    pub(crate) kinds: Kinds,
    /// How long tests take that are compared with the runs before, in milliseconds. These took a second.
    pub(crate) takes: Option<u64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            notebooks: 2,
            failing: None,
            slow: None,
            hangs: None,
            flaky: None,
            install_fails: false,
            deaf: false,
            lenient: false,
            saved: saved::Behaviour::default(),
            setup: None,
            teardown: None,
            kinds: Kinds::Notebooks,
            takes: None,
        }
    }
}

#[derive(Clone, Debug)]
struct OneRun {
    index: u32,
    try_: u32,
    sent: Value,
    ends: Option<Timestamp>,
    canceled: bool,
    /// Somebody deletes it as soon as it is over: before, Databricks refuses that.
    doomed: bool,
}

impl OneRun {
    fn is_over(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    fn is_gone(&self, now: Timestamp) -> bool {
        self.doomed && self.is_over(now)
    }

    /// It ends soon. Canceling it again changes nothing.
    fn cancel(&mut self, now: Timestamp) {
        if !self.canceled && !self.is_over(now) {
            (self.canceled, self.ends) = (true, Some(now + CANCELLATION.seconds()));
        }
    }
}

/// One workspace.
#[derive(Clone)]
pub(crate) struct Databricks {
    pub(crate) behaviour: Behaviour,
    pub(crate) clusters: Clusters,
    /// Runs by id, and ids by token.
    runs: BTreeMap<i64, OneRun>,
    tokens: BTreeMap<String, i64>,
    /// The verdicts that are kept.
    verdicts: BTreeMap<u32, NotebookVerdict>,
    /// How long the runs before took.
    pub(crate) history: History,
    /// What is deployed to.
    pub(crate) workspace: Simulated,
    /// Its jobs.
    pub(crate) saved: Saved,
    /// How often other releases have all its runs.
    pub(crate) full: u32,
}

impl Databricks {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self {
            clusters: Clusters::new(behaviour.hangs == Some(Phase::Install), behaviour.install_fails),
            saved: Saved::new(behaviour.saved.clone()),
            behaviour,
            runs: BTreeMap::new(),
            tokens: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            history: History::default(),
            workspace: Simulated::default(),
            full: 0,
        }
    }

    /// Whether there is a place for one more run.
    pub(super) fn place(&mut self) -> bool {
        let is_free = self.full == 0;
        self.full = self.full.saturating_sub(1);
        is_free
    }

    /// The same token answers the same run; one whose run was deleted is refused.
    pub(super) fn submit(
        &mut self,
        token: &str,
        (index, try_): (u32, u32),
        sent: Value,
        now: Timestamp,
    ) -> Result<i64, Trouble> {
        tasks::taken(&sent)?;
        if let Some(id) = self.tokens.get(token) {
            let gone = self.runs.get(id).is_some_and(|run| run.is_gone(now));
            let refusal = || Trouble::lasting(Reason::NotebookFailed, "the token's run was deleted");
            return if gone { Err(refusal()) } else { Ok(*id) };
        }
        let id = i64::try_from(self.runs.len()).unwrap() + 100;
        // The first notebook is the quick one.
        let takes = if index == 0 { 2 } else { 5 };
        let hangs = self.behaviour.hangs == Some(Phase::Test) && self.role(index) == Role::Test;
        let ends = (!hangs).then(|| now + takes.seconds());
        self.runs.insert(id, OneRun { index, try_, sent, ends, canceled: false, doomed: false });
        self.tokens.insert(token.to_owned(), id);
        Ok(id)
    }

    /// None if it is gone.
    fn run(&self, id: i64, now: Timestamp) -> Option<Run> {
        let run = self.runs.get(&id).filter(|run| !run.is_gone(now))?;
        let over = run.is_over(now);
        let result = if run.canceled { RunResult::Canceled } else { RunResult::Success };
        let state = RunState {
            life_cycle_state: if over { LifeCycle::Terminated } else { LifeCycle::Running },
            result_state: over.then_some(result),
            ..RunState::default()
        };
        let task = TaskRun { run_id: id + 1000, state: state.clone(), ..TaskRun::default() };
        Some(Run { run_id: id, state, tasks: vec![task], ..Run::default() })
    }

    pub(super) fn sight(&self, id: i64, now: Timestamp) -> test::Sight {
        self.run(id, now).map_or(test::Sight::Gone, |run| test::Sight::Run(Box::new(run)))
    }

    /// A run that is gone counts as canceled.
    pub(super) fn cancel(&mut self, id: i64, now: Timestamp) {
        if let Some(run) = self.runs.get_mut(&id).filter(|_| !self.behaviour.deaf) {
            run.cancel(now);
        }
    }

    /// Somebody deletes a run: whether that is done. One under way is not deleted.
    pub(super) fn delete(&mut self, id: i64, now: Timestamp) -> bool {
        self.runs.get_mut(&id).is_some_and(|run| {
            run.doomed = run.doomed || run.is_over(now);
            run.is_gone(now)
        })
    }

    /// Somebody cancels the runs there are, and deletes each as soon as it is over.
    pub(crate) fn delete_runs(&mut self, now: Timestamp) {
        for run in self.runs.values_mut() {
            run.cancel(now);
            run.doomed = true;
        }
    }

    /// Whether this run has not stopped yet.
    pub(super) fn is_alive(&self, id: i64, now: Timestamp) -> bool {
        self.runs.get(&id).is_some_and(|run| !run.is_over(now))
    }

    /// Runs that go on without being canceled.
    pub(super) fn active(&self, now: Timestamp) -> Vec<i64> {
        self.runs.iter().filter(|(_, run)| !run.canceled && !run.is_over(now)).map(|(id, _)| *id).collect()
    }

    /// All that are not over, with the cluster that each is on.
    pub(super) fn active_runs(&self, now: Timestamp) -> Vec<ActiveRun> {
        let listed = |(id, run): (&i64, &OneRun)| ActiveRun {
            run_id: *id,
            name: format!("dbxdemo {}", run.index),
            clusters: run.sent["task"]["existing_cluster_id"].as_str().map(str::to_owned).into_iter().collect(),
        };
        self.runs.iter().filter(|(_, run)| !run.is_over(now)).map(listed).collect()
    }

    /// How many of its runs are not over.
    pub(super) fn running(&self, now: Timestamp) -> usize {
        self.runs.values().filter(|run| !run.is_over(now)).count()
    }

    /// The notebooks of all runs that ever were, each with its try.
    pub(crate) fn ran(&self) -> Vec<(u32, u32)> {
        self.runs.values().map(|run| (run.index, run.try_)).collect()
    }

    /// All runs that ever were, as they were sent.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Value> {
        self.runs.values().map(|run| &run.sent)
    }

    /// Three releases before this one ran the same tests, each for a second.
    pub(crate) fn remember(&mut self) {
        let items = self.items();
        for own in ["first", "second", "third"] {
            let verdicts: Vec<_> = items.iter().map(|item| judged(item, 1_000, Verdict::Passed)).collect();
            self.history.add(&items, &verdicts, own);
        }
    }

    /// What is run, in order.
    pub(super) fn items(&self) -> Vec<Item> {
        let setup = self.behaviour.setup.map(|_| Item { role: Role::Setup, ..samples::notebook("notebooks/setup.py") });
        let Behaviour { notebooks, kinds, takes, lenient, .. } = self.behaviour;
        let regression = takes.map(|_| Regression { percent: 50, over: 10 });
        let tests = (0..notebooks).map(|n| Item { continue_on_error: lenient, ..tasks::test(n, kinds, regression) });
        let teardown =
            self.behaviour.teardown.map(|_| Item { role: Role::Teardown, ..samples::notebook("notebooks/down.py") });
        setup.into_iter().chain(tests).chain(teardown).collect()
    }

    fn role(&self, index: u32) -> Role {
        self.items().get(index as usize).map_or(Role::Test, |item| item.role)
    }

    fn fails(&self, index: u32, try_: u32) -> bool {
        match self.role(index) {
            Role::Setup => self.behaviour.setup == Some(true),
            Role::Teardown => self.behaviour.teardown == Some(true),
            Role::Test => self.behaviour.failing == Some(index) || (self.behaviour.flaky == Some(index) && try_ == 0),
        }
    }

    /// Judges a run that is over and keeps the verdict.
    pub(super) fn collect(&mut self, own: &str, index: u32, id: i64, now: Timestamp) -> test::Collected {
        let run = self.run(id, now);
        let over = run.as_ref().is_none_or(|run| run.state.is_over());
        assert!(over, "run {id} is judged before its end");
        let item = self.items().swap_remove(index as usize);
        let takes = self.behaviour.takes.unwrap_or(1_000);
        let baseline = item.regression.and_then(|regression| self.history.baseline(&item.path, regression, own));
        let slower = baseline.is_some_and(|baseline| Duration::from_millis(takes) > baseline.most());
        let name = format!("notebooks/{index:02}.py: TestNotebook.test_with_status");
        let fails = self.fails(index, self.runs.get(&id).map_or(0, |run| run.try_));
        let result = run.as_ref().and_then(|run| run.state.result_state);
        let why = match (result, fails, self.behaviour.slow == Some(index)) {
            _ if run.is_none() => Some((Reason::NotebookFailed, "its run is gone")),
            (Some(RunResult::Canceled), ..) => Some((Reason::Canceled, "the run was canceled")),
            (_, true, _) => Some((Reason::InnerTestsFailed, "AssertionError: 'a' != 'b'")),
            (_, _, true) => Some((Reason::DurationExceeded, "took 101 s, limit 100 s")),
            _ if slower => Some((Reason::DurationExceeded, "took longer than the runs before")),
            _ => None,
        };
        let message = why.map_or("", |(_, message)| message).to_owned();
        let failed = Verdict::Failed { reason: VerdictReason::NotebookFailed, message };
        let verdict = if why.is_some() { failed } else { Verdict::Passed };
        self.verdicts.insert(index, judged(&item, takes, verdict));
        let failed = u32::from(why.is_some());
        test::Collected {
            counts: TestCounts { total: 1, passed: 1 - failed, failed, skipped: 0 },
            failures: why.iter().map(|(_, message)| failure(&name, message)).collect(),
            verdict: why.map(|(reason, message)| (reason, format!("{name}: {message}"))),
        }
    }

    /// Merges the verdicts that are kept.
    pub(super) fn publish(&mut self, own: &str, notebooks: u32) -> Result<String, Trouble> {
        // Without a setup no test runs.
        let ran = |index: &u32| self.behaviour.setup != Some(true) || self.role(*index) != Role::Test;
        if let Some(index) = (0..notebooks).filter(ran).find(|index| !self.verdicts.contains_key(index)) {
            let message = format!("the verdict of notebook {index} is gone");
            return Err(Trouble::lasting(Reason::InternalError, message));
        }
        let verdicts: Vec<NotebookVerdict> = self.verdicts.values().cloned().collect();
        self.history.add(&self.items(), &verdicts, own);
        Ok("releases/data/uid/test/TEST-notebooks.xml".to_owned())
    }
}

fn judged(item: &Item, millis: u64, verdict: Verdict) -> NotebookVerdict {
    let (notebook, execution) = (item.path.clone(), Duration::from_millis(millis));
    NotebookVerdict { notebook, verdict, cases: Vec::new(), execution, trace: String::new() }
}

fn failure(name: &str, message: &str) -> FirstFailure {
    FirstFailure { name: name.to_owned(), message: message.to_owned(), page: None }
}
