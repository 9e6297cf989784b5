//! The suite: tests as the usual runner lists and prints them, all on one lab that is opened when the first one needs it.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::{runtime::Runtime, sync::OnceCell, time::timeout};

use crate::{Lab, Table};

/// How long it may take to open the lab, when the API server's programs must be built first.
const OPENING: Duration = Duration::from_hours(1);
/// How long one test may take. Helm, which the chart's tests want, takes a minute to build.
const LIMIT: Duration = Duration::from_mins(10);

/// Tests to run.
pub struct Suite {
    runtime: Runtime,
    lab: Arc<OnceCell<anyhow::Result<Lab>>>,
    trials: Vec<Trial>,
}

impl Suite {
    /// A suite without tests.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { runtime: Runtime::new()?, lab: Arc::default(), trials: Vec::new() })
    }

    /// Adds a test.
    pub fn add<F>(&mut self, name: &str, test: F)
    where
        F: AsyncFnOnce(&Lab) -> anyhow::Result<()> + Send + 'static,
    {
        let (runtime, lab) = (self.runtime.handle().clone(), Arc::clone(&self.lab));
        let told = move || {
            let story = async {
                // If it can't be opened, the others need not try.
                let opened =
                    lab.get_or_init(async || timeout(OPENING, Lab::open()).await.context("not in time")?).await;
                let lab = opened.as_ref().map_err(|error| anyhow!("the lab can't be opened: {error:#}"))?;
                timeout(LIMIT, test(lab)).await.context("not over in time")?
            };
            // With everything that led to it, not only the last sentence.
            runtime.block_on(story).map_err(|error| Failed::from(format!("{error:#}")))
        };
        self.trials.push(Trial::test(name, told));
    }

    /// Adds a test for each row. They share a namespace, for they store nothing.
    pub fn add_table(&mut self, table: &Table) {
        for row in table.rows() {
            let row = row.clone();
            self.add(&row.name(), async move |lab: &Lab| row.check(&lab.room("tables").await?).await);
        }
    }

    /// Runs what the command line asks for, and ends the lab.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let ended = libtest_mimic::run(&Arguments::from_args(), self.trials).exit_code();
        let _runtime = self.runtime.enter();
        drop(self.lab);
        ended
    }
}
