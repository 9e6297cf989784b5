//! A worker is the process of one run. It is started ahead, imports PySpark while nobody waits, and takes one job.

use crate::driver::{DriverError, Environment, Group, Program};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, ChildStdout},
};
use tokio_util::codec::{FramedRead, LinesCodec};

/// A cell's output is cut by the worker at 1 MiB of text; a table of a thousand rows may be longer.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// How a worker reaches the cluster's JVM. The secret goes over a pipe only.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Gateway {
    pub(crate) port: u16,
    secret: String,
}

/// The local folders of the workspace's trees.
#[derive(Clone, Serialize)]
pub(crate) struct Roots {
    pub(crate) workspace: std::path::PathBuf,
    pub(crate) dbfs: std::path::PathBuf,
    pub(crate) volumes: std::path::PathBuf,
    /// What was checked out for the run, if it comes from git.
    pub(crate) repository: Option<std::path::PathBuf>,
}

/// What a worker has to do.
#[derive(Serialize)]
pub(crate) struct Job {
    #[serde(flatten)]
    pub(crate) what: What,
    /// Spark's jobs of this run carry this name, so that they can be canceled.
    pub(crate) group: String,
    pub(crate) roots: Roots,
}

/// The work itself; the worker knows each by its fields.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum What {
    Notebook { path: String, language: String, source: String, parameters: BTreeMap<String, String> },
    File { file: std::path::PathBuf, arguments: Vec<String> },
    Wheel { package: String, entry_point: String, arguments: Vec<String> },
}

/// What the generation adds to a job.
#[derive(Serialize)]
pub(crate) struct Order<'a> {
    #[serde(flatten)]
    pub(crate) job: &'a Job,
    pub(crate) gateway: &'a Gateway,
    pub(crate) sites: [&'a Path; 1],
    pub(crate) scratch: &'a Path,
    pub(crate) pip: Vec<String>,
}

/// A cell before it has run.
#[derive(Debug, Deserialize)]
pub(crate) struct CellText {
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) title: String,
}

/// What a worker tells while it works.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    Ready,
    Cells { cells: Vec<CellText> },
    Cell(CellReport),
    Log { text: String },
    Done(Outcome),
}

/// News of one cell.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CellReport {
    pub(crate) index: usize,
    pub(crate) state: String,
    pub(crate) start_time: Option<i64>,
    pub(crate) finish_time: Option<i64>,
    pub(crate) results: Option<serde_json::Value>,
    pub(crate) error_summary: Option<String>,
    pub(crate) error: Option<String>,
}

/// How a notebook ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) result: Verdict,
    pub(crate) exit: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) trace: Option<String>,
}

/// The notebook's end in one word; `Internal` means that it never really began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Verdict {
    Success,
    Failed,
    Internal,
}

/// A process that waits for its job, or works on it.
pub(crate) struct Worker {
    child: Child,
    stdin: ChildStdin,
    events: FramedRead<ChildStdout, LinesCodec>,
    _group: Group,
}

impl Worker {
    /// Starts a worker in the environment of a cluster.
    pub(crate) fn start(program: &Program, environment: &Environment, log: &Path) -> Result<Self, DriverError> {
        let python = environment.python();
        let variables = [("PYSPARK_PYTHON", python.display().to_string())];
        let (mut child, group) = program.start("worker", &python, log, &variables)?;
        let stdin = child.stdin.take().ok_or(DriverError::Mute)?;
        let stdout = child.stdout.take().ok_or(DriverError::Mute)?;
        let events = FramedRead::new(stdout, LinesCodec::new_with_max_length(MAX_LINE));
        Ok(Self { child, stdin, events, _group: group })
    }

    async fn next(&mut self) -> Result<Event, DriverError> {
        match self.events.next().await {
            Some(line) => Ok(serde_json::from_str(&line?)?),
            None => Err(DriverError::Ended(self.child.wait().await?)),
        }
    }

    /// Runs one notebook to its end and reports each cell. Dropping this kills the process with its children.
    pub(crate) async fn work(
        mut self,
        order: &Order<'_>,
        mut report: impl FnMut(Event),
    ) -> Result<Outcome, DriverError> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await?;
        loop {
            match self.next().await? {
                Event::Done(outcome) => return Ok(outcome),
                event => report(event),
            }
        }
    }
}
