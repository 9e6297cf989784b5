//! What a release runs as tests.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Compute, Rules, Runs};
use crate::{GoDuration, pattern};

/// Notebooks and other tasks that are run as tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Test {
    /// What the tests run on.
    pub compute: Compute,
    /// Test on a cluster that is none of `install.clusters`, where libraries are what somebody else installed. Default: false.
    pub allow_other_cluster: bool,
    /// Where the files of the tests come from. Default: `Workspace`.
    pub source: TestSource,
    /// Databricks' name for the forge, where `source` is `Git` and the repository's host is not one that everybody
    /// knows. None: what the repository's host says.
    // The field's own words, not those of its type.
    #[schemars(with = "GitProvider")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_provider: Option<GitProvider>,
    /// Which notebooks are run. Each pattern must select one. Empty: none. Default: `notebooks/**`. Example: `[{match:
    /// "notebooks/tests/**"}]`.
    #[schemars(length(max = 50))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["match"]))]
    pub notebooks: Vec<NotebookTest>,
    /// Single tasks that are run besides: entry points of wheels, Python files, notebooks. They pass as notebooks do,
    /// by how the run ended and by what they printed. Default: none. Example: `[{name: load, pythonWheel: {package:
    /// dbxdemo, entryPoint: load}}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tasks: Vec<TaskTest>,
    /// Which of the selected notebooks are run. Default: `All`.
    pub select: Select,
    /// A notebook that runs before all tests. If it fails, none of them runs. It is no test itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<Fixture>,
    /// A notebook that runs after all tests; also if they or the setup failed, were canceled or took too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teardown: Option<Fixture>,
    /// How many run at the same time, if the workspace's `limits.runs` has room for them beside those of other
    /// releases. Default: 4. Example: 4.
    #[schemars(range(min = 1, max = 50))]
    pub max_parallel: u32,
    /// The tests that are looked for inside of notebooks and tasks.
    pub inner_tests: InnerTests,
    /// How often a test that failed is run again. One that passes then is flaky: the release ends `SucceededWithIssues`
    /// and names it. Default: 0. Example: 1.
    #[schemars(range(min = 0, max = 5))]
    pub retry_failed: u32,
    /// A failed test is an issue and not a failure: the release goes on and ends `SucceededWithIssues`. Default: false.
    pub continue_on_error: bool,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            compute: Compute::default(),
            allow_other_cluster: false,
            source: TestSource::default(),
            git_provider: None,
            notebooks: vec![NotebookTest::default()],
            tasks: Vec::new(),
            select: Select::default(),
            setup: None,
            teardown: None,
            max_parallel: 4,
            inner_tests: InnerTests::default(),
            retry_failed: 0,
            continue_on_error: false,
        }
    }
}

/// Where the files of tests come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TestSource {
    /// The workspace, where Deploy has put them.
    #[default]
    Workspace,
    /// The repository: Databricks checks the commit out, with the git credential of the workspace's identity.
    Git,
}

/// Databricks' names of forges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum GitProvider {
    /// github.com.
    GitHub,
    /// A GitHub Enterprise server.
    GitHubEnterprise,
    /// gitlab.com.
    GitLab,
    /// A GitLab server.
    GitLabEnterpriseEdition,
    /// bitbucket.org.
    BitbucketCloud,
    /// A Bitbucket server.
    BitbucketServer,
    /// Azure DevOps.
    AzureDevOpsServices,
    /// AWS CodeCommit.
    AwsCodeCommit,
}

/// Which of the selected notebooks are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Select {
    /// All of them.
    #[default]
    All,
    /// Those whose own file changed since the commit that the artifact was compared with. `tasks` always run. If nothing
    /// is left, nothing runs, and that is no failure.
    Changed,
}

/// The rule that a run lives long enough to be found too slow.
const LIMITS: &str = "self.maxDuration == 'Off' || duration(self.maxDuration) <= duration(self.timeout)";
const LIMITS_MESSAGE: &str = "maxDuration must be at most timeout: the run is stopped by then";

/// Notebooks that are run in the same way.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": LIMITS, "message": LIMITS_MESSAGE}]))]
pub struct NotebookTest {
    /// Notebooks by their path in the repository, as a glob. Example: `notebooks/tests/**`. Of several patterns that
    /// select a notebook, the first says how it is run. Default: `notebooks/**`.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = 512))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "!self.startsWith('/') && !self.contains('..')", "message": "match is a glob relative to the repository's root, without '..'"}]))]
    pub pattern: String,
    /// Parameters, read in the notebook with `dbutils.widgets.get`. Default: none. Example: `{env: $(params.env)}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub parameters: BTreeMap<String, String>,
    /// How they are judged.
    #[serde(flatten)]
    pub rules: Rules,
}

impl Default for NotebookTest {
    fn default() -> Self {
        Self { pattern: "notebooks/**".to_owned(), parameters: BTreeMap::new(), rules: Rules::default() }
    }
}

/// One task that is run as a test.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": LIMITS, "message": LIMITS_MESSAGE}, {"rule": Runs::RULE, "message": Runs::MESSAGE}]))]
pub struct TaskTest {
    /// What reports call it. Example: `smoke`.
    #[schemars(length(min = 1, max = 63))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::WORD, "message": "a task's name is a lower-case word of a-z, 0-9 and '-'"}]))]
    pub name: String,
    /// What it runs.
    #[serde(flatten)]
    pub runs: Runs,
    /// How it is judged.
    #[serde(flatten)]
    pub rules: Rules,
}

/// A notebook that prepares tests, or cleans up after them.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fixture {
    /// Its path in the repository. Example: `notebooks/tests/setup.py`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('..')").message("path is a notebook relative to the repository's root, without '..'"))]
    pub path: String,
    /// Parameters, read in the notebook with `dbutils.widgets.get`. Default: none. Example: `{env: $(params.env)}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub parameters: BTreeMap<String, String>,
    /// When Databricks stops it: a setup after `timeouts.test` at most, unless it is the default. A teardown has this
    /// time besides `timeouts.test`. Default: `10m`. Example: `10m`.
    #[serde(default = "fixture_timeout")]
    pub timeout: GoDuration,
}

fn fixture_timeout() -> GoDuration {
    GoDuration::from_secs(600)
}

/// The tests that are looked for inside of notebooks and tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "!self.required || size(self.frameworks) > 0", "message": "innerTests.required needs innerTests.frameworks: without them no test is looked for"}]))]
pub struct InnerTests {
    /// The frameworks whose verdicts count. Empty: only how the run ended counts. Default: all. Example: `[unittest,
    /// pytest]`.
    #[schemars(length(max = 4))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub frameworks: Vec<Framework>,
    /// Whether one in which no test was found fails. Default: false.
    pub required: bool,
}

impl Default for InnerTests {
    fn default() -> Self {
        Self { frameworks: Framework::ALL.to_vec(), required: false }
    }
}

/// Frameworks whose verdicts are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Framework {
    /// Python's unittest.
    Unittest,
    /// pytest.
    Pytest,
    /// Nutter.
    Nutter,
    /// A verdict handed to `dbutils.notebook.exit`.
    ExitJson,
}

impl Framework {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unittest, Self::Pytest, Self::Nutter, Self::ExitJson];
}
