//! One task of a job: what it runs, where the release has put that, and what it runs on. Pure.

use brickline_artifact::{Manifest, wheel};
use brickline_crds::{Compute, ComputeKind, DatabricksJob, DatabricksReleaseSpec, GoDuration, ItemKind, JobTask, Runs};

use super::plan::invalid;
use crate::databricks::compute::{Environment, Place};
use crate::databricks::jobs::{self, Dependency, JobCluster};
use crate::databricks::libraries::Library;
use crate::databricks::tasks::{NotebookTask, Origin, PythonWheelTask, SparkPythonTask, Task, Work};
use crate::phase::deploy::{Target, file_location, targets};
use crate::phase::test::travelling;
use crate::trouble::Trouble;

/// The cluster that the tasks of a job share.
const SHARED: &str = "job";

/// What a release brings to the workspace, and the workspace's clusters: all that tasks refer to.
pub(super) struct Brought<'a, C> {
    manifest: &'a Manifest,
    targets: Vec<Target>,
    libraries: Vec<Library>,
    /// The id of the cluster that the workspace calls so.
    cluster_id: C,
}

impl<'a, C: Fn(&str) -> Result<String, Trouble>> Brought<'a, C> {
    pub(super) fn of(spec: &DatabricksReleaseSpec, manifest: &'a Manifest, cluster_id: C) -> Result<Self, Trouble> {
        let targets = targets(&spec.deploy, manifest);
        Ok(Self { manifest, targets, libraries: travelling(spec, manifest)?, cluster_id })
    }

    /// The tasks of a job, with the cluster that they share and the environments of those on serverless.
    pub(super) fn tasks(&self, job: &DatabricksJob) -> Result<Tasks, Trouble> {
        let mut tasks = Tasks::default();
        for task in &job.tasks {
            let work = self.work(&task.runs).map_err(|why| invalid(&job.name, &format!("task {}: {why}", task.key)))?;
            let place = self.place(task.compute.as_ref().unwrap_or(&job.compute), job)?;
            let timeout = task.timeout.map_or(0, GoDuration::as_secs);
            let shares = task.compute.is_none();
            tasks.add(task, &place, Task::new(&task.key, work, timeout).at(&place), shares);
        }
        Ok(tasks)
    }

    fn place(&self, compute: &Compute, job: &DatabricksJob) -> Result<Place, Trouble> {
        // Install has put them on a cluster that is there already.
        let travel = !matches!(compute.kind(), ComputeKind::Cluster(_));
        let libraries = if travel { self.libraries.clone() } else { Vec::new() };
        Place::of(compute, libraries, &self.cluster_id).map_err(|trouble: Trouble| Trouble {
            message: format!("job {}: {}", job.name, trouble.message),
            ..trouble
        })
    }

    /// What the task runs, at its place in the workspace.
    fn work(&self, runs: &Runs) -> Result<Work, String> {
        if let Some(notebook) = &runs.notebook {
            let notebook_path = self.target(&notebook.path, ItemKind::Notebook)?.to_owned();
            let base_parameters = notebook.parameters.clone();
            return Ok(Work::NotebookTask(NotebookTask { notebook_path, source: Origin::Workspace, base_parameters }));
        }
        if let Some(python) = &runs.spark_python {
            let python_file = file_location(self.target(&python.file, ItemKind::File)?);
            let parameters = python.parameters.clone();
            return Ok(Work::SparkPythonTask(SparkPythonTask { python_file, source: Origin::Workspace, parameters }));
        }
        let Some(wheel) = &runs.python_wheel else { return Err(Runs::MESSAGE.to_owned()) };
        self.is_built(&wheel.package)?;
        Ok(Work::PythonWheelTask(PythonWheelTask {
            package_name: wheel.package.clone(),
            entry_point: wheel.entry_point.clone(),
            parameters: wheel.parameters.clone(),
            named_parameters: wheel.named_parameters.clone(),
        }))
    }

    fn target(&self, path: &str, kind: ItemKind) -> Result<&str, String> {
        let found = self.targets.iter().find(|target| target.kind == kind && target.path == path);
        found.map(|target| target.to.as_str()).ok_or_else(|| {
            let what = if kind == ItemKind::Notebook { "notebooks" } else { "files" };
            format!("{path} is not among the {what} that deploy.items brings")
        })
    }

    fn is_built(&self, package: &str) -> Result<(), String> {
        let distribution = wheel::normalise(package);
        let built = self.manifest.wheels.iter().any(|wheel| wheel.distribution == distribution);
        built.then_some(()).ok_or_else(|| format!("no wheel of the artifact is one of {package}"))
    }
}

/// The tasks of one job as Databricks takes them.
#[derive(Default)]
pub(super) struct Tasks {
    pub(super) all: Vec<jobs::JobTask>,
    pub(super) clusters: Vec<JobCluster>,
    pub(super) environments: Vec<Environment>,
}

impl Tasks {
    /// `shares`: the task runs on what the job's tasks have in common. One with a compute of its own has its own
    /// environment too, named by its key.
    fn add(&mut self, of: &JobTask, place: &Place, mut task: Task, shares: bool) {
        let mut job_cluster_key = None;
        if shares && let Some(new_cluster) = task.new_cluster.take() {
            job_cluster_key = Some(SHARED.to_owned());
            if self.clusters.is_empty() {
                self.clusters.push(JobCluster { job_cluster_key: SHARED.to_owned(), new_cluster });
            }
        }
        if let (Place::Serverless(environment), Some(key)) = (place, &mut task.environment_key) {
            if !shares {
                key.clone_from(&of.key);
            }
            if self.environments.iter().all(|known| known.environment_key != *key) {
                self.environments.push(Environment { environment_key: key.clone(), ..environment.clone() });
            }
        }
        let depends_on = of.depends_on.iter().map(|key| Dependency { task_key: key.clone() }).collect();
        self.all.push(jobs::JobTask { task, depends_on, job_cluster_key });
    }
}
