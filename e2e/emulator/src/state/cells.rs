//! Cells are the exported side of a run: each command of the notebook with its state, results and error.

use crate::{
    driver::worker::{CellReport, CellText, Event},
    state::disk,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// One cell as it ran.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) command: String,
    pub(crate) title: String,
    /// `ready` before, then `running`, at the end `finished`, `error` or `cancelled`.
    pub(crate) state: String,
    /// Milliseconds since 1970; 0 before.
    pub(crate) start_time: i64,
    pub(crate) finish_time: i64,
    pub(crate) results: Option<serde_json::Value>,
    pub(crate) error_summary: Option<String>,
    pub(crate) error: Option<String>,
}

impl From<CellText> for Cell {
    fn from(text: CellText) -> Self {
        Self { command: text.command, title: text.title, state: "ready".to_owned(), ..Self::default() }
    }
}

impl Cell {
    fn report(&mut self, report: CellReport) {
        self.state = report.state;
        self.start_time = report.start_time.unwrap_or(self.start_time);
        self.finish_time = report.finish_time.unwrap_or(self.finish_time);
        self.results = report.results;
        self.error_summary = report.error_summary;
        self.error = report.error;
    }
}

/// The cells of a run that is going on; whoever exports it meanwhile sees how far it is.
#[derive(Clone, Default)]
pub(crate) struct LiveCells(Arc<Mutex<Live>>);

#[derive(Default)]
struct Live {
    cells: Vec<Cell>,
    log: Log,
}

/// The end of what a Python task printed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) text: String,
    /// Whether its beginning is missing.
    pub(crate) truncated: bool,
}

impl Log {
    /// Databricks returns the last 5 MB.
    const MAX: usize = 5 * 1024 * 1024;

    fn append(&mut self, text: &str) {
        self.text.push_str(text);
        // Cut rarely: each cut moves the rest.
        if self.text.len() > 2 * Self::MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let from = self.text.len().saturating_sub(Self::MAX);
        let from = (from..=self.text.len()).find(|at| self.text.is_char_boundary(*at)).unwrap_or_default();
        self.text.drain(..from);
        self.truncated |= from > 0;
    }
}

impl LiveCells {
    /// Takes a worker's news.
    pub(crate) fn note(&self, event: Event) {
        let mut live = super::lock(&self.0);
        let Live { cells, log } = &mut *live;
        match event {
            Event::Log { text } => log.append(&text),
            Event::Cells { cells: texts } => *cells = texts.into_iter().map(Cell::from).collect(),
            Event::Cell(report) => {
                if let Some(cell) = cells.get_mut(report.index) {
                    cell.report(report);
                }
            }
            Event::Ready | Event::Done(_) => {}
        }
    }

    /// The run has ended: what hasn't finished by now never will.
    fn close(&self, now: i64) {
        for cell in &mut super::lock(&self.0).cells {
            match cell.state.as_str() {
                "running" => {
                    "cancelled".clone_into(&mut cell.state);
                    cell.error_summary = Some("Cancelled".to_owned());
                    cell.finish_time = now;
                }
                "ready" => {
                    "cancelled".clone_into(&mut cell.state);
                    cell.error_summary = Some("Command skipped".to_owned());
                }
                _ => {}
            }
        }
    }

    fn copy(&self) -> Vec<Cell> {
        super::lock(&self.0).cells.clone()
    }

    fn log(&self) -> Log {
        let mut log = super::lock(&self.0).log.clone();
        log.cut();
        log
    }
}

/// The cells of all tasks: of the running ones in memory, of the others on the disk.
pub(crate) struct Archive {
    folder: PathBuf,
    live: Mutex<HashMap<i64, LiveCells>>,
}

impl Archive {
    /// Opens the archive in `folder`.
    pub(crate) fn open(folder: PathBuf) -> Self {
        Self { folder, live: Mutex::default() }
    }

    fn file(&self, run_id: i64) -> PathBuf {
        self.folder.join(format!("{run_id}.cells.json"))
    }

    fn log_file(&self, run_id: i64) -> PathBuf {
        self.folder.join(format!("{run_id}.log.json"))
    }

    /// Begins to record a task.
    pub(crate) fn begin(&self, run_id: i64) -> LiveCells {
        super::lock(&self.live).entry(run_id).or_default().clone()
    }

    /// The task has ended.
    pub(crate) fn end(&self, run_id: i64, now: i64) {
        let Some(cells) = super::lock(&self.live).get(&run_id).cloned() else { return };
        cells.close(now);
        disk::save(&self.file(run_id), &cells.copy());
        let log = cells.log();
        if !log.text.is_empty() {
            disk::save(&self.log_file(run_id), &log);
        }
        super::lock(&self.live).remove(&run_id);
    }

    /// What is known of a task's cells; nothing if it never began.
    pub(crate) fn read(&self, run_id: i64) -> io::Result<Vec<Cell>> {
        let live = super::lock(&self.live).get(&run_id).map(LiveCells::copy);
        match live {
            Some(cells) => Ok(cells),
            None => Ok(disk::read_json(&self.file(run_id))?.unwrap_or_default()),
        }
    }

    /// What a task has printed so far.
    pub(crate) fn log(&self, run_id: i64) -> io::Result<Log> {
        let live = super::lock(&self.live).get(&run_id).map(LiveCells::log);
        match live {
            Some(log) => Ok(log),
            None => Ok(disk::read_json(&self.log_file(run_id))?.unwrap_or_default()),
        }
    }

    /// Forgets a deleted run's task.
    pub(crate) fn forget(&self, run_id: i64) {
        // There may be none.
        let _ = std::fs::remove_file(self.file(run_id));
        let _ = std::fs::remove_file(self.log_file(run_id));
    }
}
