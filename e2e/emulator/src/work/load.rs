//! Loading: what a task names is read, just before it runs, and made into a worker's job.

use crate::{
    driver::worker::{Job, What},
    jupyter,
    spec::{
        Workload,
        workload::{NotebookTask, PythonTask, Source, texts},
    },
    state::{
        Refusal, SafePath,
        objects::{Kind, Language},
        run::TaskRecord,
    },
    work::git::Checkout,
    workspace::Workspace,
};
use std::path::{Path, PathBuf};

/// The job of a task; `checkout` is there if the run comes from git.
pub(crate) fn job(workspace: &Workspace, task: &TaskRecord, checkout: Option<&Checkout>) -> Result<Job, Refusal> {
    let mut roots = workspace.roots();
    let what = match &task.workload {
        Workload::Notebook(notebook) if notebook.source == Some(Source::Git) => {
            let checkout = checkout.ok_or_else(|| Refusal::no_path(&notebook.notebook_path))?;
            roots.repository = Some(checkout.folder().to_owned());
            from_git(notebook, checkout)?
        }
        Workload::Notebook(notebook) => from_workspace(workspace, notebook)?,
        Workload::Python(python) => {
            What::File { file: find_file(workspace, python, checkout)?, arguments: python.parameters.clone() }
        }
        Workload::Wheel(wheel) => What::Wheel {
            package: wheel.package_name.clone(),
            entry_point: wheel.entry_point.clone(),
            arguments: wheel.arguments(),
        },
    };
    Ok(Job { what, group: group(task.run_id), roots })
}

/// The name of a task's jobs in Spark.
pub(crate) fn group(run_id: i64) -> String {
    format!("run-{run_id}")
}

fn from_workspace(workspace: &Workspace, notebook: &NotebookTask) -> Result<What, Refusal> {
    let path = SafePath::workspace(&notebook.notebook_path)?;
    let (object, content) = workspace.objects.read(&path)?;
    let Kind::Notebook { language } = object.kind else {
        return Err(Refusal::Invalid(format!("{} is not a notebook", path.as_str())));
    };
    Ok(What::Notebook {
        path: path.as_str().to_owned(),
        language: language.to_string(),
        source: String::from_utf8_lossy(&content).into_owned(),
        parameters: texts("base_parameters", &notebook.base_parameters)?,
    })
}

fn from_git(notebook: &NotebookTask, checkout: &Checkout) -> Result<What, Refusal> {
    let path = &notebook.notebook_path;
    let file = checkout.find(path).ok_or_else(|| Refusal::no_path(path))?;
    let content = std::fs::read(&file)?;
    let suffix = file.extension().and_then(|suffix| suffix.to_str());
    let (language, content) = match suffix {
        Some("ipynb") => {
            let source = jupyter::to_source(&content).map_err(|error| Refusal::Invalid(error.to_string()))?;
            (Language::Python, source)
        }
        _ => (language(&file).unwrap_or(Language::Python), content),
    };
    Ok(What::Notebook {
        path: format!("/{path}"),
        language: language.to_string(),
        source: String::from_utf8_lossy(&content).into_owned(),
        parameters: texts("base_parameters", &notebook.base_parameters)?,
    })
}

fn language(file: &Path) -> Option<Language> {
    Language::of_suffix(file.file_name()?.to_str()?)
}

fn find_file(workspace: &Workspace, python: &PythonTask, checkout: Option<&Checkout>) -> Result<PathBuf, Refusal> {
    let path = &python.python_file;
    match python.source {
        Some(Source::Git) => checkout.and_then(|checkout| checkout.find(path)).ok_or_else(|| Refusal::no_path(path)),
        _ if path.starts_with("dbfs:/") || path.starts_with("/Volumes/") => workspace.locate(path),
        _ if path.starts_with("/Workspace/") => workspace.locate(path),
        _ => workspace.locate(&format!("/Workspace{path}")),
    }
}
