//! What a task runs: a notebook, an entry point of a wheel, or a Python file. To be flattened into what is a task.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file of the repository.
const FILE: &str = "!self.startsWith('/') && !self.contains('..')";

/// What a task runs: exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    /// A notebook that the release deploys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<NotebookSource>,
    /// An entry point of a wheel that the release builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_wheel: Option<PythonWheel>,
    /// A Python file that the release deploys, run with a Spark session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark_python: Option<SparkPython>,
}

impl Runs {
    /// The rule of whatever holds it: exactly one is set.
    pub const RULE: &'static str =
        "[has(self.notebook), has(self.pythonWheel), has(self.sparkPython)].filter(x, x).size() == 1";
    /// What a user reads who breaks it.
    pub const MESSAGE: &'static str = "a task runs exactly one of notebook, pythonWheel or sparkPython";
}

/// A notebook and its parameters.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotebookSource {
    /// Its path in the repository. Example: `notebooks/load.py`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(FILE).message("path is a notebook relative to the repository's root, without '..'"))]
    pub path: String,
    /// Parameters, read in the notebook with `dbutils.widgets.get`. Default: none. Example: `{env: $(params.env)}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub parameters: BTreeMap<String, String>,
}

/// An entry point of a wheel and its arguments.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.parameters) || !has(self.namedParameters)").message("pythonWheel has either parameters or namedParameters"))]
pub struct PythonWheel {
    /// The wheel's distribution. Example: `dbxdemo`.
    #[schemars(length(min = 1, max = 128))]
    pub package: String,
    /// The entry point: the name of a console script, or of a function of the package. Example: `load`.
    #[schemars(length(min = 1, max = 128))]
    pub entry_point: String,
    /// Arguments in order, read with `sys.argv`. Default: none. Example: `[--env, $(params.env)]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub parameters: Vec<String>,
    /// Arguments by name, given as `--name=value`. Default: none. Example: `{env: $(params.env)}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("minProperties" = 1), extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub named_parameters: BTreeMap<String, String>,
}

/// A Python file and its arguments.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SparkPython {
    /// Its path in the repository. An item of `deploy.items` with `kind: File` must bring it into the workspace. Example:
    /// `jobs/load.py`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(FILE).message("file is a Python file relative to the repository's root, without '..'"))]
    pub file: String,
    /// Arguments in order, read with `sys.argv`. Default: none. Example: `[--env, $(params.env)]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub parameters: Vec<String>,
}
