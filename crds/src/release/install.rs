//! What a release installs on clusters.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GoDuration, pattern};

/// Libraries on clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Install {
    /// Clusters by the workspace's names. Empty: nothing is installed. Default: `[main]`. Example: `[main, etl]`.
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{"rule": pattern::CLUSTERS, "message": pattern::CLUSTERS_MESSAGE}]))]
    pub clusters: Vec<String>,
    /// What is installed on each of them, and on clusters that are made for a test's run. Default: the artifact's
    /// wheels. Example: `[{wheelsFromArtifact: true}, {pypi: {package: "great-expectations==1.2"}}]`.
    #[schemars(length(max = 32))]
    // Each is one of several kinds, so there is nothing to tell them apart by: the list is replaced as a whole.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub libraries: Vec<InstallLibrary>,
    /// When a cluster is restarted. Default: `IfNeeded`.
    pub restart: Restart,
    /// Wait for other runs on a cluster before it is restarted. Default: it is restarted at once, which ends them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_idle: Option<WhenIdle>,
    /// Start a cluster that is terminated. Default: true; false fails the phase instead.
    pub start_if_terminated: bool,
}

impl Default for Install {
    fn default() -> Self {
        Self {
            clusters: vec!["main".to_owned()],
            libraries: vec![InstallLibrary { wheels_from_artifact: true, ..InstallLibrary::default() }],
            restart: Restart::default(),
            when_idle: None,
            start_if_terminated: true,
        }
    }
}

/// How long other people's work may hold a restart up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WhenIdle {
    /// The longest wait until no run is left on the clusters to restart; then the phase fails and names the runs. The
    /// wait doesn't count as active time. Notebooks that people run by hand are not seen. Default: `30m`. Example:
    /// `30m`.
    pub timeout: GoDuration,
}

impl Default for WhenIdle {
    fn default() -> Self {
        Self { timeout: GoDuration::from_secs(1800) }
    }
}

/// A file that is installed as a library.
const FILE: &str = "self.matches('^((/(Workspace|Volumes)|dbfs:|[a-z0-9]{2,8}:/)(/[^/]+)+|[$][(](params|workspace[.]vars)[.][A-Za-z0-9_]+[)](/[^/]+)*)$') && !self.matches('/[.][.]?(/|$)')";
const FILE_MESSAGE: &str = "a library's file is an absolute path below /Volumes, /Workspace or dbfs:/, or a cloud address such as s3://bucket/file, without '..'";
/// What is found by name.
const NAME: &str = "self.matches('^[$A-Za-z0-9][!-~]*( [!-~]+)*$')";
const NAME_MESSAGE: &str = "a package begins with a letter or digit and has no spaces at its ends or in a row";
/// Where packages come from.
const REPO: &str = "self.matches('^(https?://|[$][(])[!-?A-~]+$')";
const REPO_MESSAGE: &str = "repo is an address such as https://index.example.com/simple, without credentials: they would be shown to everybody who sees the cluster";

/// One library, or those of the artifact: exactly one field is set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[self.wheelsFromArtifact, has(self.fromArtifact), has(self.whl), has(self.jar), has(self.pypi), has(self.maven), has(self.cran), has(self.requirements)].filter(x, x).size() == 1").message("each of install.libraries is exactly one of wheelsFromArtifact: true, fromArtifact, whl, jar, pypi, maven, cran or requirements"))]
pub struct InstallLibrary {
    /// Every wheel of the artifact. None: this is another kind.
    #[serde(default)]
    pub wheels_from_artifact: bool,
    /// What `deploy.libraries.include` brings of the repository, by its path there, as a glob: jars (`.jar`), wheels
    /// (`.whl`) and requirement files (`.txt`). They are installed from where Deploy puts them, so another content
    /// takes the place of the one before. Example: `libraries/*.jar`. None: this is another kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.contains('..')").message("fromArtifact is a glob relative to the repository's root, without '..'"))]
    #[x_kube(validation = Rule::new("self.matches('[.](jar|whl|txt)$')").message("fromArtifact ends in .jar, .whl or .txt: that tells what kind of library it is"))]
    pub from_artifact: Option<String>,
    /// A wheel's file. Another content needs another path. Example: `/Volumes/main/libs/tools-1.2-py3-none-any.whl`.
    /// None: this is another kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 512))]
    #[x_kube(validation = Rule::new(FILE).message(FILE_MESSAGE))]
    #[x_kube(validation = Rule::new("self.endsWith('.whl')").message("whl ends in .whl"))]
    pub whl: Option<String>,
    /// A jar's file. Another content needs another path. Example: `/Volumes/main/libs/etl-1.2.jar`. None: this is
    /// another kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 512))]
    #[x_kube(validation = Rule::new(FILE).message(FILE_MESSAGE))]
    pub jar: Option<String>,
    /// A package of a Python index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pypi: Option<PackageLibrary>,
    /// A Maven artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maven: Option<MavenLibrary>,
    /// An R package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cran: Option<PackageLibrary>,
    /// A requirements file, for runtimes from 15.0 on. Another content needs another path. Example:
    /// `/Volumes/main/libs/2026-11/requirements.txt`. None: this is another kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 512))]
    #[x_kube(validation = Rule::new(FILE).message(FILE_MESSAGE))]
    pub requirements: Option<String>,
}

/// A package of an index.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageLibrary {
    /// Its name; of a Python package also its version. Example: `great-expectations==1.2`; of an R package: `ada`.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new(NAME).message(NAME_MESSAGE))]
    pub package: String,
    /// The index's address. Default: the cluster's. Example: `https://pypi.example.com/simple`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(REPO).message(REPO_MESSAGE))]
    pub repo: Option<String>,
}

/// A Maven artifact.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MavenLibrary {
    /// `group:artifact:version`. Example: `com.databricks:spark-xml_2.12:0.16.0`.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[!-9;-~]+:[!-9;-~]+:[!-9;-~]+$') || self.startsWith('$(')").message("coordinates are group:artifact:version"))]
    pub coordinates: String,
    /// The repository's address. Default: Maven Central and Spark Packages. Example:
    /// `https://maven.example.com/releases`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(REPO).message(REPO_MESSAGE))]
    pub repo: Option<String>,
    /// Dependencies left out, as `group:artifact`. Example: `[log4j:log4j]`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)))]
    pub exclusions: Vec<String>,
}

/// When a cluster is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// When a library was replaced: it takes effect only then.
    #[default]
    IfNeeded,
    /// In every release.
    Always,
    /// Never. A library that was replaced may go on being used until somebody restarts the cluster: the release ends
    /// `SucceededWithIssues` and names the cluster.
    Never,
}
