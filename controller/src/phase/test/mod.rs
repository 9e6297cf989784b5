//! Test: notebooks as one-time runs, their outputs and exported cells read, their verdicts made into JUnit.

mod act;
mod decide;
mod observe;
mod parameters;
mod plan;
mod stop;

use std::{collections::BTreeMap, time::Duration};

use brickline_crds::{FirstFailure, Reason, TestCounts};

use crate::databricks::runs::Run;

pub(crate) use act::act;
#[cfg(test)]
pub(crate) use act::token;
pub(crate) use decide::decide;
pub(crate) use observe::observe;
pub(crate) use plan::travelling;
pub(crate) use stop::{alive, stop};

/// What can be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Submit a notebook's run. Once by token.
    Submit { index: u32, try_: u32 },
    /// Read a finished run's output and cells, judge it and keep the verdict. Harmless when repeated.
    Collect { index: u32, run_id: i64 },
    /// Merge the verdicts into one JUnit report. Harmless when repeated.
    Publish { notebooks: u32 },
}

/// What a look shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// Every notebook to run, in order.
    pub(crate) notebooks: Vec<Notebook>,
    /// How many runs the workspace takes at the same time from one release.
    pub(crate) most: u32,
    /// The runs of the ticket that have an id.
    pub(crate) runs: BTreeMap<u32, Run>,
}

/// One notebook to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notebook {
    /// Its path in the repository: the name users know it by.
    pub(crate) path: String,
    /// Its path in the workspace.
    pub(crate) target: String,
    /// As the spec has them: variables are put in when the run is submitted, and secrets are never here.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
    pub(crate) max_duration: Duration,
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
