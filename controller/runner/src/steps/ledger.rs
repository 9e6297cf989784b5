//! The ledger is the steps' account as they go: if the container dies, its last page tells where.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use brickline_artifact::result::{Outcome, StepResult};
use serde::{Deserialize, Serialize};

use crate::source::make_readable;

/// The longest page that is read, in bytes.
pub const MAX_PAGE_BYTES: u64 = 1024 * 1024;
/// The most steps on a page.
const MAX_STEPS: usize = 200;

/// What the ledger says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The verdict; none while steps run.
    pub outcome: Option<Outcome>,
    /// The step under way.
    pub running: Option<String>,
    pub steps: Vec<StepResult>,
}

/// The ledger's writer.
pub struct Ledger {
    path: PathBuf,
    pub page: Page,
}

impl Ledger {
    pub fn open(path: &Path) -> io::Result<Self> {
        let ledger = Self { path: path.to_path_buf(), page: Page::default() };
        ledger.write()?;
        Ok(ledger)
    }

    pub fn start(&mut self, step: &str) -> io::Result<()> {
        self.page.running = Some(step.to_owned());
        self.write()
    }

    pub fn end(&mut self, step: StepResult) -> io::Result<()> {
        self.page.running = None;
        if self.page.steps.len() < MAX_STEPS {
            self.page.steps.push(step);
        }
        self.write()
    }

    pub fn close(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.page.outcome = Some(outcome.clone());
        self.write()
    }

    /// Replaces the page as a whole, so that nobody reads half of it.
    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(file.as_file_mut(), &self.page)?;
        make_readable(file.as_file())?;
        file.persist(&self.path)?;
        Ok(())
    }
}
