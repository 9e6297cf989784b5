//! Test: notebooks as one-time runs, their outputs and exported cells read, their verdicts made into JUnit.

mod act;
mod collect;
mod decide;
mod history;
mod left;
mod observe;
mod parameters;
mod place;
mod plan;
mod publish;
#[cfg(test)]
pub(crate) mod real;
mod source;
mod stop;
mod tell;
#[cfg(test)]
mod tests;
mod wind_down;

use std::{collections::BTreeMap, time::Duration};

use brickline_crds::{FirstFailure, InnerTests, Reason, Regression, TestCounts};

use crate::databricks::runs::Run;
use crate::databricks::tasks::Work;

pub(crate) use act::act;
#[cfg(test)]
pub(crate) use act::{placed, token};
pub(crate) use decide::decide;
#[cfg(test)]
pub(crate) use history::History;
pub(crate) use observe::{observe, plan_of};
#[cfg(test)]
pub(crate) use place::{wish, wish_at_ebb};
pub(crate) use plan::travelling;
pub(crate) use stop::{alive, stop};
#[cfg(test)]
pub(crate) use stop::{owed, to_stop};
#[cfg(test)]
pub(crate) use tests::samples;
pub(crate) use wind_down::{deadline_is_over, wind_down};

/// What can be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Submit a run. Once by token.
    Submit { index: u32, try_: u32 },
    /// Read a finished run's output and cells, judge it and keep the verdict. Harmless when repeated.
    Collect { index: u32, run_id: i64 },
    /// Merge the verdicts into one JUnit report, and write down how long what passed took. Harmless when repeated.
    Publish { notebooks: u32 },
}

/// What a look shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// Everything to run, in order: the setup first, the teardown last.
    pub(crate) items: Vec<Item>,
    /// Whether the workspace has a place for one more run of this release.
    pub(crate) place: bool,
    /// The runs of the ticket that have an id.
    pub(crate) runs: BTreeMap<u32, Sight>,
}

/// How a run looks at Databricks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sight {
    /// It is there.
    Run(Box<Run>),
    /// Somebody deleted it.
    Gone,
}

impl Sight {
    /// Whether nothing more will become of it.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Run(run) => run.state.is_over(),
            Self::Gone => true,
        }
    }
}

/// What a look shows while the phase is being stopped.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ebb {
    /// The runs that were asked to stop and did not yet, in words.
    pub(crate) alive: Vec<String>,
    /// The teardown that is still owed.
    pub(crate) teardown: Option<Owed>,
    /// Whether the workspace has a place for it.
    pub(crate) place: bool,
}

/// A teardown that has no verdict yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owed {
    /// Its place in the list of runs.
    pub(crate) index: u32,
    /// Its run, once it was submitted.
    pub(crate) run: Option<(i64, Sight)>,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Before all tests.
    Setup,
    /// A test.
    Test,
    /// After all tests.
    Teardown,
}

/// One thing to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) role: Role,
    /// The name users know it by: a notebook's path in the repository, a task's name.
    pub(crate) path: String,
    /// As the spec has it: variables are put in when the run is submitted, and secrets are never here.
    pub(crate) work: Work,
    pub(crate) timeout: Duration,
    pub(crate) max_duration: Option<Duration>,
    pub(crate) regression: Option<Regression>,
    pub(crate) inner: InnerTests,
    /// Whether its failure is an issue and not a failure.
    pub(crate) continue_on_error: bool,
}

/// What was learnt from one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Collected {
    pub(crate) counts: TestCounts,
    pub(crate) failures: Vec<FirstFailure>,
    /// Why the notebook failed; none if it passed.
    pub(crate) verdict: Option<(Reason, String)>,
}
