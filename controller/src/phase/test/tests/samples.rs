//! Things to run.

use std::time::Duration;

use brickline_crds::InnerTests;

use super::super::{Item, Role};
use crate::databricks::tasks::{NotebookTask, Origin, Work};

/// A notebook that is run as a test, with the defaults.
pub(crate) fn notebook(path: &str) -> Item {
    let notebook_path = format!("/Shared/{path}");
    Item {
        role: Role::Test,
        path: path.to_owned(),
        work: Work::NotebookTask(NotebookTask { notebook_path, source: Origin::Workspace, base_parameters: [].into() }),
        timeout: Duration::from_hours(1),
        max_duration: Some(Duration::from_secs(100)),
        regression: None,
        inner: InnerTests::default(),
        continue_on_error: false,
    }
}
