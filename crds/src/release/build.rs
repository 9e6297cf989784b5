//! How a release builds its artifact.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DatabricksConnect;
use super::job::{self, BuildJob};
use crate::pattern;

/// An image's address. It is checked before anything is built, so nothing in it is resolved later.
pub(super) const IMAGE: &str = "self.matches('^[A-Za-z0-9][A-Za-z0-9._:/@-]*$')";
/// What a user reads whose image is another.
pub(super) const IMAGE_MESSAGE: &str =
    "image is an image's address such as registry.example.com/build:1, without $(...)";

/// A version of Python.
pub(super) const PYTHON: &str = "self.matches('^3[.][0-9]{1,2}$')";
/// What a user reads whose version is another.
pub(super) const PYTHON_MESSAGE: &str = "pythonVersion is major.minor of a Python 3, in quotes, such as \"3.11\"";

/// Quantities as Kubernetes writes them.
const QUANTITIES: &str = "self.all(name, self[name].matches('^[0-9]+([.][0-9]+)?(m|k|Ki|[MGTPE]i?)?$'))";
const QUANTITIES_MESSAGE: &str = "quantities are numbers with a unit, such as 500m for cpu or 1Gi for memory";

/// How the artifact is built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": job::COPIES, "message": job::COPIES_MESSAGE},
    {"rule": job::OTHERS, "message": job::OTHERS_MESSAGE},
    {"rule": job::ARTIFACT, "message": job::ARTIFACT_MESSAGE},
]))]
pub struct Build {
    /// The image the steps run in: Python with `venv`, and Java for Spark tests. Default: the chart's `images.build`.
    /// Example: `registry.example.com/build:3.11`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": IMAGE, "message": IMAGE_MESSAGE}]))]
    pub image: Option<String>,
    /// The pool whose slots the build takes. Default: `default`. The chart's `builds.pools` says how many there are and
    /// on which nodes.
    #[schemars(length(min = 1, max = 63))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::WORD, "message": "pool is one of the chart's builds.pools: a lower-case word of a-z, 0-9 and '-'"}]))]
    pub pool: String,
    /// The Python version the image must have, as major.minor. Example: `"3.11"`. None: whatever the image has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": PYTHON, "message": PYTHON_MESSAGE}]))]
    pub python_version: Option<String>,
    /// Files of the repository that go into the artifact, as globs. Default: all. Example: `[notebooks/**, conf/**]`.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub include: Vec<String>,
    /// Files that don't, as globs. Default: none. Example: `["**/*.md"]`.
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub exclude: Vec<String>,
    /// Folders to build wheels from. Default: every folder with `setup.py` or a buildable `pyproject.toml`. Example:
    /// `[libraries/python/dbxdemo]`.
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub wheels: Vec<String>,
    /// Requirement files to install before the tests. Default: `requirements*.txt` at the root and beside wheels.
    /// Example: `[requirements-dev.txt]`.
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub requirements: Vec<String>,
    /// The tests of the build.
    pub tests: BuildTests,
    /// Databricks Connect for the build's tests. None: they have no credential of Databricks. Example:
    /// `{enabled: true, version: "15.4.*", cluster: main}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databricks_connect: Option<Box<DatabricksConnect>>,
    /// Which commits are built; others end the release `Skipped`.
    pub only: BuildOnly,
    /// CPU and memory of the steps, as a container's `resources`. Example: `{requests: {memory: 1Gi}}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Further jobs, each in a pod of its own, beside the one that makes the artifact. The release goes on when all
    /// have ended well. Default: none. Example: `[{name: lint, steps: [{name: ruff, run: ruff check .}]}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub jobs: Vec<BuildJob>,
    /// Jobs that must have ended well before the artifact is made. Default: none, so that all begin at once. Example:
    /// `[lint]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 12), inner(length(min = 1, max = 20)))]
    pub depends_on: Vec<String>,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            image: None,
            pool: "default".to_owned(),
            python_version: None,
            include: vec!["**".to_owned()],
            exclude: Vec::new(),
            wheels: Vec::new(),
            requirements: Vec::new(),
            tests: BuildTests::default(),
            databricks_connect: None,
            only: BuildOnly::default(),
            resources: None,
            jobs: Vec::new(),
            depends_on: Vec::new(),
        }
    }
}

/// Which commits are built. Decided at the checkout, where the changes are known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildOnly {
    /// A changed file must match one of these globs, else the release ends `Skipped` with `PathsNotMatched`. Empty:
    /// any. Example: `["libraries/**"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub include_paths: Vec<String>,
    /// Changed files that match these globs don't count. Example: `["**/*.md"]`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub exclude_paths: Vec<String>,
    /// The commit must be a merge, else the release ends `Skipped` with `NotAMerge`. Default: false.
    pub merges_only: bool,
}

/// Requests and limits of the steps' container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// What the scheduler reserves. Example: `{cpu: 500m, memory: 1Gi}`. Default: nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8), extend("additionalProperties" = {"type": "string", "maxLength": 32}), extend("x-kubernetes-validations" = [{"rule": QUANTITIES, "message": QUANTITIES_MESSAGE}]))]
    pub requests: BTreeMap<String, String>,
    /// What the kubelet enforces. Default: no limits. Example: `{memory: 2Gi}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8), extend("additionalProperties" = {"type": "string", "maxLength": 32}), extend("x-kubernetes-validations" = [{"rule": QUANTITIES, "message": QUANTITIES_MESSAGE}]))]
    pub limits: BTreeMap<String, String>,
}

/// The tests of the build, run with pytest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildTests {
    /// Test files or folders. Default: every tracked `test*.py` and `*_test.py`. Example:
    /// `[libraries/python/dbxdemo/tests]`.
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub paths: Vec<String>,
    /// Further arguments for pytest. Example: `["-m", "not slow"]`. Default: none.
    #[schemars(length(max = 50), inner(length(max = 512)))]
    pub args: Vec<String>,
    /// JUnit reports that the tests leave, as globs. Default: `**/TEST-*.xml`.
    #[schemars(length(max = 20), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub reports: Vec<String>,
    /// Whether a missing report fails the build. Default: `Auto`.
    pub required: Required,
}

impl Default for BuildTests {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            args: Vec::new(),
            reports: vec!["**/TEST-*.xml".to_owned()],
            required: Required::default(),
        }
    }
}

/// Whether a missing test report fails the build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Required {
    /// If tests were found or asked for.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
