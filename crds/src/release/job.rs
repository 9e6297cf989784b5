//! Further jobs of a build: each is a pod of its own beside the one that makes the artifact.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::{Build, IMAGE, IMAGE_MESSAGE, PYTHON, PYTHON_MESSAGE, Resources};
use crate::{GoDuration, pattern};

/// Names of environment variables. The runner's own are not for users.
const VARIABLES: &str =
    "self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$') && size(name) <= 63 && !name.startsWith('BRICKLINE_'))";
const VARIABLES_MESSAGE: &str =
    "names of variables are words of letters, digits and '_', at most 63 characters; BRICKLINE_ is the runner's own";

/// Every job is bounded, and so are all of them: each copy is a line of the release's status.
pub(super) const COPIES: &str =
    "!has(self.jobs) || self.jobs.map(j, has(j.strategy) ? size(j.strategy.matrix) : 1).sum() <= 12";
/// What a user reads who has more.
pub(super) const COPIES_MESSAGE: &str = "build.jobs has at most 12 jobs, each copy of a matrix counted";
/// A job depends on others that there are. That none waits for itself in a circle is found out by the controller.
pub(super) const OTHERS: &str = "!has(self.jobs) || self.jobs.all(j, !has(j.dependsOn) || j.dependsOn.all(d, d != j.name && self.jobs.exists(k, k.name == d)))";
/// What a user reads whose jobs depend on something else.
pub(super) const OTHERS_MESSAGE: &str = "dependsOn names other jobs of build.jobs";
/// The artifact's own job depends on jobs that there are.
pub(super) const ARTIFACT: &str =
    "!has(self.dependsOn) || (has(self.jobs) && self.dependsOn.all(d, self.jobs.exists(k, k.name == d)))";
/// What a user reads whose artifact depends on others.
pub(super) const ARTIFACT_MESSAGE: &str = "build.dependsOn names jobs of build.jobs";

/// A further job of the build: a pod that checks the commit out and runs these steps, such as a linter, or the tests on
/// another version of Python. The artifact is made by a job of its own, called `artifact`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.condition) || has(self.dependsOn)").message("condition is about the jobs of dependsOn: name them"))]
pub struct BuildJob {
    /// Its name, unique in the build. Example: `lint`.
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new(pattern::WORD).message("a job's name is a lower-case word of a-z, 0-9 and '-', at most 20 characters"))]
    #[x_kube(validation = Rule::new("self != 'artifact'").message("artifact is the job that makes the artifact: give this one another name"))]
    pub name: String,
    /// The image its steps run in. Default: `build.image`. Example: `registry.example.com/node:22`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(IMAGE).message(IMAGE_MESSAGE))]
    pub image: Option<String>,
    /// The pool whose slots it takes, one for each copy. Default: `build.pool`. Example: `large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(pattern::WORD).message("pool is one of the chart's builds.pools: a lower-case word of a-z, 0-9 and '-'"))]
    pub pool: Option<String>,
    /// The Python version that its image must have, as major.minor. None: whatever the image has, if it has one.
    /// Example: `"3.11"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    #[x_kube(validation = Rule::new(PYTHON).message(PYTHON_MESSAGE))]
    pub python_version: Option<String>,
    /// Environment variables of all its steps. Example: `{BRANCH: $(release.branch)}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = Rule::new(VARIABLES).message(VARIABLES_MESSAGE))]
    pub variables: BTreeMap<String, String>,
    /// Runs it several times, differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Other jobs that must have ended before it begins. Default: none, so that it begins at once. Example: `[lint]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 20)))]
    pub depends_on: Vec<String>,
    /// Whether it runs once those have ended, in CEL over their results and the release. Default: if all of them ended
    /// well. Example: `jobs.unit.result == 'Failed' || release.branch == 'release'`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub condition: Option<String>,
    /// What it does, in order. Example: `[{name: ruff, run: ruff check .}]`.
    #[schemars(length(min = 1, max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<BuildStep>,
    /// JUnit reports that its steps leave, as globs: a failing test in one of them fails the job. Default:
    /// `**/TEST-*.xml`.
    #[serde(default = "reports")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 512)))]
    #[x_kube(validation = Rule::new(pattern::GLOBS).message(pattern::GLOBS_MESSAGE))]
    pub reports: Vec<String>,
    /// How long it may take, at most `timeouts.build`. Default: `timeouts.buildAttempt`, or `timeouts.build`. Example:
    /// `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Its failure is an issue and fails nothing. Default: false.
    #[serde(default)]
    pub continue_on_error: bool,
    /// CPU and memory of its steps, as a container's `resources`. Default: `build.resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

fn reports() -> Vec<String> {
    vec!["**/TEST-*.xml".to_owned()]
}

/// How a job is run several times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    /// Its copies, each a pod and a build slot of its own. Example: `[{name: py310, pythonVersion: "3.10"}, {name:
    /// py311, pythonVersion: "3.11"}]`.
    #[schemars(length(min = 1, max = 12))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub matrix: Vec<MatrixCopy>,
    /// How many of them run at the same time. Default: all, as slots allow. Example: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 12))]
    pub max_parallel: Option<u32>,
}

/// One copy of a job, and in what it differs from the others.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatrixCopy {
    /// Its name. Logs and status call the copy `<job>.<name>`. Example: `py311`.
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new(pattern::WORD).message("a copy's name is a lower-case word of a-z, 0-9 and '-', at most 20 characters"))]
    pub name: String,
    /// The image of this copy. Default: the job's. Example: `registry.example.com/build:3.10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(IMAGE).message(IMAGE_MESSAGE))]
    pub image: Option<String>,
    /// The Python version of this copy. Default: the job's. Example: `"3.10"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    #[x_kube(validation = Rule::new(PYTHON).message(PYTHON_MESSAGE))]
    pub python_version: Option<String>,
    /// Environment variables of this copy; they win over the job's. Default: none. Example: `{SUITE: slow}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = Rule::new(VARIABLES).message(VARIABLES_MESSAGE))]
    pub variables: BTreeMap<String, String>,
}

/// One process of a job.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildStep {
    /// Its name, unique in the job. Example: `ruff`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9 ._-]*$')").message("a step's name has letters, digits, spaces, '.', '_' and '-'"))]
    pub name: String,
    /// A script for `sh -e`, run at the repository's root with the job's Python environment first in the path. What a
    /// stranger may choose, such as a branch's name, belongs into `variables`, not into the script. Example:
    /// `pip install ruff && ruff check .`.
    #[schemars(length(min = 1, max = 4096))]
    pub run: String,
    /// The folder of the repository that it runs in. Default: the root. Example: `libraries/python`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('..')").message("workingDirectory is a folder of the repository, without a leading '/' and without '..'"))]
    pub working_directory: Option<String>,
    /// Environment variables of this step; they win over the job's. Default: none. Example: `{LEVEL: all}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = Rule::new(VARIABLES).message(VARIABLES_MESSAGE))]
    pub variables: BTreeMap<String, String>,
    /// Whether it runs, by the steps before it. Default: `Succeeded`.
    #[serde(default)]
    pub condition: StepCondition,
    /// How long it may take. Default: as long as the job. Example: `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Its failure does not fail the job; the log tells of it. Default: false.
    #[serde(default)]
    pub continue_on_error: bool,
}

/// When a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepCondition {
    /// If no step before it failed.
    #[default]
    Succeeded,
    /// If one of them failed.
    Failed,
    /// In any case.
    Always,
}

/// One pod of a build: the job that makes the artifact, or a copy of a further job.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedJob<'a> {
    /// Its name: `artifact`, `<job>` or `<job>.<copy>`.
    pub name: String,
    /// The pool whose slot it takes.
    pub pool: &'a str,
    /// The jobs it waits for.
    pub depends_on: &'a [String],
    /// The further job; none for the artifact's.
    pub job: Option<&'a BuildJob>,
    /// Its copy, if the job has a matrix.
    pub copy: Option<&'a MatrixCopy>,
}

impl Build {
    /// The name of the job that makes the artifact.
    pub const ARTIFACT: &'static str = "artifact";

    /// Every pod of the build, the artifact's first.
    #[must_use]
    pub fn planned(&self) -> Vec<PlannedJob<'_>> {
        let artifact = PlannedJob {
            name: Self::ARTIFACT.to_owned(),
            pool: &self.pool,
            depends_on: &self.depends_on,
            job: None,
            copy: None,
        };
        [artifact].into_iter().chain(self.jobs.iter().flat_map(|job| self.copies(job))).collect()
    }

    fn copies<'a>(&'a self, job: &'a BuildJob) -> Vec<PlannedJob<'a>> {
        let planned = |name: String, copy: Option<&'a MatrixCopy>| PlannedJob {
            name,
            pool: job.pool.as_ref().unwrap_or(&self.pool),
            depends_on: &job.depends_on,
            job: Some(job),
            copy,
        };
        match &job.strategy {
            None => vec![planned(job.name.clone(), None)],
            Some(strategy) => {
                let copies = strategy.matrix.iter();
                copies.map(|copy| planned(format!("{}.{}", job.name, copy.name), Some(copy))).collect()
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
