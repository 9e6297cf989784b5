//! What is run, and how: pure, the same list at every look, so that an index names a run.

use std::collections::BTreeMap;

use brickline_artifact::manifest::{Change, File};
use brickline_artifact::{Manifest, selection::Selection};
use brickline_crds::{
    DatabricksReleaseSpec, Fixture, InnerTests, ItemKind, NotebookTest, Reason, Rules, Runs, Select, TaskTest, Test,
    TestSource,
};

use super::{Item, Role};
use crate::databricks::libraries::Library;
use crate::databricks::tasks::{NotebookTask, Origin, PythonWheelTask, SparkPythonTask, Work};
use crate::phase::deploy::targets;
use crate::phase::install;
use crate::trouble::Trouble;

/// Everything to run: the setup, then the selected notebooks by path and the tasks by name, then the teardown. Nothing at
/// all if there is nothing to test.
pub(super) fn plan(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Result<Vec<Item>, Trouble> {
    let sources = Sources::of(spec, manifest);
    let test = &spec.test;
    let mut items = sources.notebooks(test)?;
    items.sort_by(|a, b| (&a.path, place(a)).cmp(&(&b.path, place(b))));
    for task in &test.tasks {
        items.push(sources.task(test, task)?);
    }
    if items.is_empty() {
        return Ok(items);
    }
    let setup = test.setup.iter().map(|fixture| sources.fixture(Role::Setup, "test.setup", fixture));
    let teardown = test.teardown.iter().map(|fixture| sources.fixture(Role::Teardown, "test.teardown", fixture));
    setup.chain(items.into_iter().map(Ok)).chain(teardown).collect()
}

/// Patterns that select no notebook although each must, in words.
pub(super) fn unmatched(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Vec<String> {
    let sources = Sources::of(spec, manifest);
    let selects = |test: &&NotebookTest| {
        let selection = Selection::new(std::slice::from_ref(&test.pattern), &[]).ok();
        selection.is_some_and(|selection| sources.notebooks.keys().any(|(path, _)| selection.contains(path)))
    };
    spec.test.notebooks.iter().filter(|test| !selects(test)).map(|test| test.pattern.clone()).collect()
}

/// The release's libraries, for a cluster or environment that is made for the run: all that Install would put on a cluster.
pub(crate) fn travelling(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Result<Vec<Library>, Trouble> {
    install::travelling(spec, &manifest.wheels, &manifest.files)
}

fn place(item: &Item) -> &str {
    match &item.work {
        Work::NotebookTask(notebook) => &notebook.notebook_path,
        Work::PythonWheelTask(wheel) => &wheel.package_name,
        Work::SparkPythonTask(file) => &file.python_file,
    }
}

/// What can be run, and where it is.
struct Sources<'a> {
    origin: Origin,
    /// Notebooks and files by path in the repository, each with its place.
    notebooks: BTreeMap<(String, String), &'a File>,
    files: BTreeMap<String, String>,
}

impl<'a> Sources<'a> {
    fn of(spec: &DatabricksReleaseSpec, manifest: &'a Manifest) -> Self {
        if spec.test.source == TestSource::Git {
            return Self::of_repository(manifest);
        }
        let by_path: BTreeMap<&str, &File> = manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let (mut notebooks, mut files) = (BTreeMap::new(), BTreeMap::new());
        for target in targets(&spec.deploy, manifest) {
            let Some(file) = by_path.get(target.path.as_str()) else { continue };
            if target.kind == ItemKind::Notebook {
                notebooks.insert((target.path, target.to), *file);
            } else {
                files.entry(target.path).or_insert(target.to);
            }
        }
        Self { origin: Origin::Workspace, notebooks, files }
    }

    /// Databricks wants notebooks of a repository without suffix, and files with it.
    fn of_repository(manifest: &'a Manifest) -> Self {
        let (mut notebooks, mut files) = (BTreeMap::new(), BTreeMap::new());
        for file in &manifest.files {
            let path = file.path.as_str().to_owned();
            if file.notebook.is_some() {
                let stem = path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem).to_owned();
                notebooks.insert((path, stem), file);
            } else {
                files.insert(path.clone(), path);
            }
        }
        Self { origin: Origin::Git, notebooks, files }
    }

    /// The notebooks that a pattern selects; the first pattern that does decides how.
    fn notebooks(&self, test: &Test) -> Result<Vec<Item>, Trouble> {
        let mut patterns: Vec<(Selection, &NotebookTest)> = Vec::new();
        for notebooks in &test.notebooks {
            let selection = Selection::new(std::slice::from_ref(&notebooks.pattern), &[]);
            let invalid = |error| invalid(format!("test.notebooks: {}: {error}", notebooks.pattern));
            patterns.push((selection.map_err(invalid)?, notebooks));
        }
        let fixtures: Vec<&str> =
            test.setup.iter().chain(&test.teardown).map(|fixture| fixture.path.as_str()).collect();
        let wanted = |file: &File| test.select == Select::All || file.change != Change::Unchanged;
        let known = self.notebooks.iter();
        let chosen = known.filter(|((path, _), file)| !fixtures.contains(&path.as_str()) && wanted(file));
        let item = |((path, place), _): (&(String, String), &&File)| {
            let (_, notebooks) = patterns.iter().find(|(selection, _)| selection.contains(path))?;
            Some(item(test, &notebooks.rules, path.clone(), self.notebook(place, &notebooks.parameters)))
        };
        Ok(chosen.filter_map(item).collect())
    }

    fn notebook(&self, place: &str, parameters: &BTreeMap<String, String>) -> Work {
        let (notebook_path, source, base_parameters) = (place.to_owned(), self.origin, parameters.clone());
        Work::NotebookTask(NotebookTask { notebook_path, source, base_parameters })
    }

    fn task(&self, test: &Test, task: &TaskTest) -> Result<Item, Trouble> {
        Ok(item(test, &task.rules, task.name.clone(), self.work(&format!("test.tasks: {}", task.name), &task.runs)?))
    }

    fn work(&self, field: &str, runs: &Runs) -> Result<Work, Trouble> {
        if let Some(notebook) = &runs.notebook {
            return Ok(self.notebook(self.find(field, &notebook.path)?, &notebook.parameters));
        }
        if let Some(wheel) = &runs.python_wheel {
            return Ok(Work::PythonWheelTask(PythonWheelTask {
                package_name: wheel.package.clone(),
                entry_point: wheel.entry_point.clone(),
                parameters: wheel.parameters.clone(),
                named_parameters: wheel.named_parameters.clone(),
            }));
        }
        let file = runs.spark_python.as_ref().ok_or_else(|| invalid(format!("{field} runs nothing")))?;
        let missing = || {
            let path = &file.file;
            invalid(format!("{field}: {path} is not in the workspace: deploy it with an item of kind File"))
        };
        let python_file = self.files.get(&file.file).ok_or_else(missing)?.clone();
        Ok(Work::SparkPythonTask(SparkPythonTask {
            python_file,
            source: self.origin,
            parameters: file.parameters.clone(),
        }))
    }

    /// The place of a notebook; the first one if it goes to several.
    fn find(&self, field: &str, path: &str) -> Result<&str, Trouble> {
        let found = self.notebooks.keys().find(|(known, _)| known == path);
        let missing = || invalid(format!("{field}: {path} is no notebook that this release deploys: see deploy.items"));
        found.map(|(_, place)| place.as_str()).ok_or_else(missing)
    }

    /// Only how its run ends counts for a notebook that is no test.
    fn fixture(&self, role: Role, field: &str, fixture: &Fixture) -> Result<Item, Trouble> {
        Ok(Item {
            role,
            path: fixture.path.clone(),
            work: self.notebook(self.find(field, &fixture.path)?, &fixture.parameters),
            timeout: fixture.timeout.get(),
            max_duration: None,
            regression: None,
            inner: InnerTests { frameworks: Vec::new(), required: false },
            continue_on_error: false,
        })
    }
}

fn item(test: &Test, rules: &Rules, path: String, work: Work) -> Item {
    Item {
        role: Role::Test,
        path,
        work,
        timeout: rules.timeout.get(),
        max_duration: rules.max_duration.limit().map(brickline_crds::GoDuration::get),
        regression: rules.regression,
        inner: rules.inner_tests.clone().unwrap_or_else(|| test.inner_tests.clone()),
        continue_on_error: rules.continue_on_error.unwrap_or(test.continue_on_error),
    }
}

fn invalid(message: String) -> Trouble {
    Trouble::lasting(Reason::InvalidSpec, message)
}
