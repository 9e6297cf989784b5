//! What a finished run left: how it ended, its output and its cells.

use brickline_crds::Framework;
use secrecy::SecretString;

use super::Item;
use crate::databricks::runs::{Output, Run};
use crate::databricks::tasks::Work;
use crate::databricks::{Client, Error};
use crate::secret;
use crate::trouble::Trouble;
use crate::verdict::{Cells, Export, RunView, export};

/// What a run left.
pub(super) struct Left {
    pub(super) run: Box<Run>,
    pub(super) output: Output,
    /// None for what has no cells: its tests speak in what it printed.
    cells: Result<Option<Export>, String>,
}

impl Left {
    /// Where its tests speak.
    pub(super) fn cells(&self) -> Cells<'_> {
        match &self.cells {
            Ok(Some(export)) => Cells::Read(export),
            Ok(None) => Cells::Printed(self.output.logs.as_deref().unwrap_or_default()),
            Err(why) => Cells::Unreadable(why),
        }
    }

    /// Takes the secrets that the run was given out of everything it said: that is judged, kept and shown to many people.
    /// Done before anything is cut, so that no part of one is left.
    pub(super) fn conceal(&mut self, secrets: &[SecretString]) {
        let Output { notebook_output, error, error_trace, logs } = &mut self.output;
        let outputs = [&mut notebook_output.result, error, error_trace, logs].into_iter().flatten();
        let tasks = self.run.tasks.iter_mut().map(|task| &mut task.state.state_message);
        let states = tasks.chain([&mut self.run.state.state_message]);
        let cells: Vec<&mut String> = match &mut self.cells {
            Ok(Some(export)) => {
                export.cells.iter_mut().flat_map(|cell| [&mut cell.title, &mut cell.text, &mut cell.error]).collect()
            }
            Ok(None) => Vec::new(),
            Err(why) => vec![why],
        };
        outputs.chain(states).chain(cells).for_each(|text| secret::conceal(text, secrets));
    }
}

/// Reads it; none if somebody deleted the run.
pub(super) async fn read(client: &Client, run_id: i64, item: &Item) -> Result<Option<Left>, Trouble> {
    let run = match client.run(run_id).await {
        Err(error) if error.is_not_found() => return Ok(None),
        run => Box::new(run?),
    };
    let task_run = run.tasks.first().map_or(run_id, |task| task.run_id);
    let (output, cells) = match &item.work {
        Work::NotebookTask(_) => tokio::try_join!(output(client, task_run), cells(client, task_run))?,
        Work::PythonWheelTask(_) | Work::SparkPythonTask(_) => (output(client, task_run).await?, Ok(None)),
    };
    let (output, cells) = match output {
        Ok(output) => (output, cells),
        Err(why) if RunView::of(&item.path, &run).has_succeeded() && speaks(item) => (Output::default(), Err(why)),
        // A run without output, such as one that never started, is judged by its state.
        Err(_) => (Output::default(), cells),
    };
    Ok(Some(Left { run, output, cells }))
}

/// Whether tests may have told their verdict in the run's output: what has no cells prints there, and notebooks hand
/// theirs over.
fn speaks(item: &Item) -> bool {
    let hands_over = |framework: &Framework| matches!(framework, Framework::ExitJson | Framework::Nutter);
    !matches!(item.work, Work::NotebookTask(_)) || item.inner.frameworks.iter().any(hands_over)
}

/// The run's output; or why it can't be read.
async fn output(client: &Client, run_id: i64) -> Result<Result<Output, String>, Trouble> {
    match client.run_output(run_id).await {
        Ok(output) => Ok(Ok(output)),
        Err(error) => unreadable(error).map(Err),
    }
}

/// The run's cells; or why they can't be read.
async fn cells(client: &Client, run_id: i64) -> Result<Result<Option<Export>, String>, Trouble> {
    let views = match client.export_run(run_id).await {
        Ok(views) => views,
        Err(error) => return unreadable(error).map(Err),
    };
    let page = views.into_iter().find(|view| view.r#type == "NOTEBOOK");
    let page = page.ok_or_else(|| "the run's export has no notebook".to_owned());
    Ok(page.and_then(|page| export::read(&page.content).map(Some).map_err(|error| error.to_string())))
}

/// Why something can't be read, if that stays so. What heals is waited out, also credentials that are refused.
fn unreadable(error: Error) -> Result<String, Trouble> {
    let why = error.to_string();
    let trouble = Trouble::from(error);
    if trouble.transient { Err(trouble) } else { Ok(why) }
}
