//! `DatabricksRelease`: one run, immutable in what it releases.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DatabricksReleaseStatus, GoDuration, LocalRef, Provider, Reporting, clone_url};

/// One run: one commit to one workspace. Everything but `suspend` and `cancel` is immutable.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "brickline.dev",
    version = "v1alpha1",
    kind = "DatabricksRelease",
    namespaced,
    status = "DatabricksReleaseStatus",
    shortname = "dbrel",
    category = "brickline",
    derive = "PartialEq",
    doc = "One run: one commit, built, deployed, installed and tested in one workspace.",
    selectable = ".status.result",
    selectable = ".spec.workspaceRef.name",
    selectable = ".spec.source.git.ref",
    printcolumn(name = "Pipeline", type_ = "string", json_path = ".metadata.labels.brickline\\.dev/pipeline"),
    printcolumn(name = "Run", type_ = "string", json_path = ".status.run"),
    printcolumn(name = "Commit", type_ = "string", json_path = ".metadata.labels.brickline\\.dev/commit"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Tests", type_ = "string", json_path = ".status.tests.summary"),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.startTime"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Branch", type_ = "string", json_path = ".spec.source.git.ref", priority = 1),
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "Requested-For", type_ = "string", json_path = ".spec.requestedFor", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name may have at most 63 characters: it is a label of the build's Job")
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.workspaceRef) == has(oldSelf.workspaceRef) && has(self.stage) == has(oldSelf.stage) && has(self.requestedBy) == has(oldSelf.requestedBy) && has(self.requestedFor) == has(oldSelf.requestedFor)").message("a release is immutable but for suspend and cancel: create another one"))]
pub struct DatabricksReleaseSpec {
    /// What is released: exactly one source.
    #[x_kube(validation = Rule::new("self == oldSelf").message("source is immutable: create another release"))]
    #[x_kube(validation = Rule::new("has(self.git)").message("source needs git: the repository, ref and commit to release"))]
    pub source: Source,
    /// The pipeline's stage it releases to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("stage is immutable: create another release"))]
    pub stage: Option<String>,
    /// Why the release exists. Default: `manual`.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("reason is immutable"))]
    pub reason: ReleaseReason,
    /// Who created it, as Kubernetes knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("requestedBy is immutable"))]
    pub requested_by: Option<String>,
    /// Who merged or pushed, as the forge knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("requestedFor is immutable"))]
    pub requested_for: Option<String>,
    /// The workspace to release to. None: the release ends after Build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("workspaceRef is immutable: create another release"))]
    pub workspace_ref: Option<LocalRef>,
    /// How the artifact is built.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("build is immutable: create another release"))]
    pub build: Build,
    /// What goes where in the workspace.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("deploy is immutable: create another release"))]
    pub deploy: Deploy,
    /// Libraries on clusters.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("install is immutable: create another release"))]
    pub install: Install,
    /// Notebooks that are run as tests.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("test is immutable: create another release"))]
    pub test: Test,
    /// What the forge is told.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("reporting is immutable"))]
    pub reporting: Reporting,
    /// How long each phase may take.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("timeouts are immutable: create another release"))]
    pub timeouts: Timeouts,
    /// How often a fault that can heal is tried again.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("retries are immutable: create another release"))]
    pub retries: Retries,
    /// Starts no new phase while true; work under way goes on.
    #[serde(default)]
    pub suspend: bool,
    /// Asks the work to stop. Can't be taken back.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self || !oldSelf").message("cancel can't be taken back: create another release"))]
    pub cancel: bool,
}

/// What is released. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// One commit of a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
}

/// One commit of a git repository.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitSource {
    /// The clone URL, without credentials in it. Example: `https://git.example.com/data/dbxdemo.git`.
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(validation = Rule::new(clone_url::RULE).message(clone_url::MESSAGE))]
    pub url: String,
    /// The ref the commit is on. Example: `refs/heads/release`.
    #[serde(rename = "ref")]
    #[schemars(length(min = 6, max = 512))]
    #[x_kube(validation = Rule::new("self.matches(r'^refs/(heads|tags)/[^[:space:]~^:?*\\\\[]+$') && !self.contains('..')").message("ref is a full ref such as refs/heads/release or refs/tags/v1"))]
    pub reference: String,
    /// The commit's full id, 40 hex characters (64 for SHA-256 repositories).
    #[schemars(length(min = 40, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9a-f]{40}|[0-9a-f]{64})$')").message("commit is the full commit id in lower case: 40 hex characters (git rev-parse HEAD)"))]
    pub commit: String,
    /// The forge's kind, for the commit status.
    #[serde(default)]
    pub provider: Provider,
    /// A Secret for the checkout and the commit status, as in `ReleasePipeline.spec.repository.credentialsRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalRef>,
}

/// Why a release exists.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display, strum::IntoStaticStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum ReleaseReason {
    /// A merge or push, by webhook or poll.
    Push,
    /// Created by a person.
    #[default]
    Manual,
}

/// How the artifact is built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Build {
    /// The image the steps run in: Python with `venv`, and Java for Spark tests. Default: the chart's `images.build`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// The Python version the image must have, as major.minor. Example: `"3.11"`. None: whatever the image has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.matches('^3[.][0-9]{1,2}$')", "message": "pythonVersion is major.minor of a Python 3, in quotes, such as \"3.11\""}]))]
    pub python_version: Option<String>,
    /// Files of the repository that go into the artifact, as globs. Default: all.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 512)))]
    pub include: Vec<String>,
    /// Files that don't, as globs.
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    pub exclude: Vec<String>,
    /// Folders to build wheels from. Default: every folder with `setup.py` or a buildable `pyproject.toml`.
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    pub wheels: Vec<String>,
    /// Requirement files to install before the tests. Default: `requirements*.txt` at the root and beside wheels.
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    pub requirements: Vec<String>,
    /// The tests of the build.
    pub tests: BuildTests,
    /// CPU and memory of the steps, as a container's `resources`. Example: `{requests: {memory: 1Gi}}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            image: None,
            python_version: None,
            include: vec!["**".to_owned()],
            exclude: Vec::new(),
            wheels: Vec::new(),
            requirements: Vec::new(),
            tests: BuildTests::default(),
            resources: None,
        }
    }
}

/// Requests and limits of the steps' container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// What the scheduler reserves. Example: `{cpu: 500m, memory: 1Gi}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8), extend("additionalProperties" = {"type": "string", "maxLength": 32}))]
    pub requests: BTreeMap<String, String>,
    /// What the kubelet enforces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8), extend("additionalProperties" = {"type": "string", "maxLength": 32}))]
    pub limits: BTreeMap<String, String>,
}

/// The tests of the build, run with pytest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildTests {
    /// Test files or folders. Default: every tracked `test*.py` and `*_test.py`.
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    pub paths: Vec<String>,
    /// Further arguments for pytest. Example: `["-m", "not slow"]`.
    #[schemars(length(max = 50), inner(length(max = 512)))]
    pub args: Vec<String>,
    /// JUnit reports that the tests leave, as globs. Default: `**/TEST-*.xml`.
    #[schemars(length(max = 20), inner(length(min = 1, max = 512)))]
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

/// What goes where in the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Deploy {
    /// Files of the artifact and their targets. Default: notebooks of `notebooks/**` to `/Shared`.
    #[schemars(length(max = 100))]
    pub items: Vec<DeployItem>,
    /// Where wheels go.
    pub libraries: DeployLibraries,
}

impl Default for Deploy {
    fn default() -> Self {
        let notebooks =
            DeployItem { from: "notebooks/**".to_owned(), to: "/Shared".to_owned(), kind: ItemKind::Notebook };
        Self { items: vec![notebooks], libraries: DeployLibraries::default() }
    }
}

/// Files of the artifact and where they go. The target of a file is `to`, then its path below the folder that `from`
/// names before its first wildcard, with its extension.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployItem {
    /// Files of the repository, as a glob. Example: `notebooks/**`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('..')").message("from is a glob relative to the repository's root, without '..'"))]
    pub from: String,
    /// The target folder in the workspace. Example: `/Shared/dbxdemo`.
    #[schemars(length(min = 2, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^/(Shared|Workspace|Users|Repos|Volumes)(/[^/]+)*$') && !self.split('/').exists(part, part == '..' || part == '.')").message("to is an absolute path below /Shared, /Workspace, /Users, /Repos or /Volumes, without trailing slash or '..'"))]
    pub to: String,
    /// What the files become. Default: `Notebook`.
    #[serde(default)]
    pub kind: ItemKind,
}

/// What a file of the artifact becomes in the workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ItemKind {
    /// A notebook; its language by suffix (.py .scala .sql .r .ipynb). Other files are left out.
    #[default]
    Notebook,
    /// A workspace file, or a file of a volume.
    File,
}

/// Where wheels go.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeployLibraries {
    /// The root folder. A wheel goes to `<to>/<distribution>/<first 12 of its SHA-256>/<file>` and is never
    /// overwritten. Default: `/Workspace/Shared/.brickline/libraries`. `/Volumes/...` is advised where Unity Catalog
    /// is on; `dbfs:/...` only works for runtimes up to 14.3.
    #[schemars(length(min = 2, max = 512))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.matches('^(/(Workspace|Volumes)|dbfs:)(/[^/]+)+$') && !self.split('/').exists(part, part == '..' || part == '.')", "message": "libraries.to is an absolute path below /Volumes, /Workspace or dbfs:/, without trailing slash or '..'"}]))]
    pub to: String,
}

impl Default for DeployLibraries {
    fn default() -> Self {
        Self { to: "/Workspace/Shared/.brickline/libraries".to_owned() }
    }
}

/// Libraries on clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Install {
    /// Clusters by the workspace's names. Empty: nothing is installed. Default: `[main]`.
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    pub clusters: Vec<String>,
    /// What is installed. Default: the artifact's wheels.
    #[schemars(length(max = 32))]
    pub libraries: Vec<InstallLibrary>,
    /// When a cluster is restarted. Default: `IfNeeded`.
    pub restart: Restart,
    /// Start a cluster that is terminated. Default: true; false fails the phase instead.
    pub start_if_terminated: bool,
}

impl Default for Install {
    fn default() -> Self {
        Self {
            clusters: vec!["main".to_owned()],
            libraries: vec![InstallLibrary { wheels_from_artifact: true }],
            restart: Restart::default(),
            start_if_terminated: true,
        }
    }
}

/// One library, or several from the artifact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstallLibrary {
    /// Every wheel of the artifact.
    pub wheels_from_artifact: bool,
}

/// When a cluster is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// When a library was replaced: it takes effect only then.
    #[default]
    IfNeeded,
    /// In every release.
    Always,
}

/// Notebooks that are run as tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Test {
    /// What the notebooks run on.
    pub compute: Compute,
    /// Which of the deployed notebooks are run. Empty: none. Default: `notebooks/**`.
    #[schemars(length(max = 50))]
    pub notebooks: Vec<NotebookTest>,
    /// How many run at the same time. Default: 4.
    #[schemars(range(min = 1, max = 50))]
    pub max_parallel: u32,
    /// Whether a notebook in which no test was found fails. Default: false.
    pub inner_tests_required: bool,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            compute: Compute::default(),
            notebooks: vec![NotebookTest::default()],
            max_parallel: 4,
            inner_tests_required: false,
        }
    }
}

/// What notebooks run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Compute {
    /// An existing cluster, by the workspace's name for it. Default: `main`.
    #[schemars(length(min = 1, max = 63))]
    pub cluster: String,
}

impl Default for Compute {
    fn default() -> Self {
        Self { cluster: "main".to_owned() }
    }
}

/// Notebooks that are run in the same way.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotebookTest {
    /// Notebooks by their path in the repository, as a glob. Example: `notebooks/tests/**`.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = 512))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "!self.startsWith('/') && !self.contains('..')", "message": "match is a glob relative to the repository's root, without '..'"}]))]
    pub pattern: String,
    /// Parameters, read in the notebook with `dbutils.widgets.get`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub parameters: BTreeMap<String, String>,
    /// When Databricks stops the run. Default: `1h`.
    pub timeout: GoDuration,
    /// The longest execution that still passes; queue, setup and cluster start don't count. Default: `100s`.
    pub max_duration: GoDuration,
}

impl Default for NotebookTest {
    fn default() -> Self {
        Self {
            pattern: "notebooks/**".to_owned(),
            parameters: BTreeMap::new(),
            timeout: GoDuration::from_secs(3600),
            max_duration: GoDuration::from_secs(100),
        }
    }
}

/// How long each phase may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeouts {
    /// Build, from the Job's start. Default: `1h`.
    pub build: GoDuration,
    /// Deploy. Default: `30m`.
    pub deploy: GoDuration,
    /// Install, cluster restart included. Default: `30m`.
    pub install: GoDuration,
    /// Test, all notebooks together. Default: `2h`.
    pub test: GoDuration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            build: GoDuration::from_secs(3600),
            deploy: GoDuration::from_secs(1800),
            install: GoDuration::from_secs(1800),
            test: GoDuration::from_secs(7200),
        }
    }
}

/// How often a fault that can heal (an unreachable workspace, 429, 5xx, a lost pod) is tried again in each phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retries {
    /// Further attempts after the first. Default: 3.
    #[schemars(range(min = 0, max = 20))]
    pub limit: u32,
    /// The pause before the second attempt; it doubles with each further one. Default: `5s`.
    pub initial: GoDuration,
    /// The longest pause. Default: `5m`.
    pub max: GoDuration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { limit: 3, initial: GoDuration::from_secs(5), max: GoDuration::from_secs(300) }
    }
}
