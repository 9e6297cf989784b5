//! What a release writes into the workspace.

use std::borrow::Cow;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bundle;

/// What goes where in the workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Deploy {
    /// Files of the artifact and their targets. Default: notebooks of `notebooks/**` to `/Shared`; none with a
    /// `bundle`. Example: `[{from: "conf/**", to: /Workspace/Shared/dbxdemo/conf, kind: File}]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["from", "to"]))]
    pub items: Option<Vec<DeployItem>>,
    /// An asset bundle of the repository (`databricks.yml`), deployed after all else by the Databricks CLI, in a pod of its
    /// own that has the workspace's credentials. The workspace must allow it: `bundles` in its spec. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Box<Bundle>>,
    /// Where wheels and other libraries go.
    pub libraries: DeployLibraries,
    /// How what is deployed already is compared with what the last release left. Default: `Listed`.
    pub drift: Drift,
    /// What becomes of files that somebody else changed. Default: `Overwrite`.
    pub on_drift: OnDrift,
}

/// How far a release looks at what the last one left, before it writes what differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Drift {
    /// Not at all: only the state file is read.
    Off,
    /// One list for each folder: what is gone, what became something else, files whose size or time changed, and what lies
    /// where something goes for the first time. A notebook that was edited is not noticed: Databricks' lists tell nothing
    /// of its content.
    #[default]
    Listed,
    /// `Listed`, and the content of every notebook and file of at most 10 MB is read and compared. Of Jupyter notebooks
    /// only what a list tells.
    Full,
}

/// What becomes of files that somebody else changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDrift {
    /// They are written again, or removed if the repository removed them, and named in `status.issues`.
    #[default]
    Overwrite,
    /// The release fails and names them; nothing is written.
    Fail,
}

impl Deploy {
    /// The files and their targets. A bundle brings its own: it must not get notebooks in `/Shared` that nobody asked for.
    #[must_use]
    pub fn items(&self) -> Cow<'_, [DeployItem]> {
        match (&self.items, &self.bundle) {
            (Some(items), _) => Cow::Borrowed(items),
            (None, Some(_)) => Cow::Borrowed(&[]),
            (None, None) => {
                let (from, to) = ("notebooks/**".to_owned(), "/Shared".to_owned());
                Cow::Owned(vec![DeployItem { from, to, ..DeployItem::default() }])
            }
        }
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
    /// The target folder in the workspace. Example: `/Shared/dbxdemo`, or `/Shared/$(params.team)/dbxdemo`. DBFS takes
    /// libraries alone: what lies there has no permissions, and no state of who put it there.
    #[schemars(length(min = 2, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^(/(Shared|Workspace|Users|Repos|Volumes)|[$][(](params|workspace[.]vars)[.][A-Za-z0-9_]+[)])(/[^/]+)*$') && !self.matches('/[.][.]?(/|$)')").message("to is an absolute path below /Shared, /Workspace, /Users, /Repos or /Volumes, without trailing slash or '..'"))]
    pub to: String,
    /// What the files become. Default: `Notebook`.
    #[serde(default)]
    pub kind: ItemKind,
    /// Whether notebooks lose their extension: `one.py` becomes `one`. Files keep theirs. Default: false.
    #[serde(default)]
    pub strip_extension: bool,
    /// Whether what an earlier release of this pipeline and stage put below `to`, and this one doesn't have, is removed.
    /// Nothing else ever is. Default: false.
    #[serde(default)]
    pub prune: bool,
}

/// What a file of the artifact becomes in the workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ItemKind {
    /// A notebook; its language by suffix (.py .scala .sql .r .ipynb). Other files are left out.
    #[default]
    Notebook,
    /// A workspace file, or a file of a volume.
    File,
    /// Each as it is: a notebook if its first line is the mark that Databricks writes there
    /// (`# Databricks notebook source`) or it is a Jupyter notebook, else a file. In a volume all are files.
    Auto,
}

/// Where wheels and other libraries go.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeployLibraries {
    /// The root folder. A wheel goes to `<to>/<distribution>/<first 12 of its SHA-256>/<file>` and is never
    /// overwritten. Default: `/Workspace/Shared/.brickline/libraries`. `/Volumes/...` is advised where Unity Catalog is
    /// on; `dbfs:/...` only works for runtimes up to 14.3. Example: `/Volumes/main/release/libs`.
    #[schemars(length(min = 2, max = 512))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.matches('^((/(Workspace|Volumes)|dbfs:)(/[^/]+)+|[$][(](params|workspace[.]vars)[.][A-Za-z0-9_]+[)](/[^/]+)*)$') && !self.matches('/[.][.]?(/|$)')", "message": "libraries.to is an absolute path below /Volumes, /Workspace or dbfs:/, without trailing slash or '..'"}]))]
    pub to: String,
    /// Files of the repository that go there besides the wheels, as globs: jars, requirement files. One goes to
    /// `<to>/<its name without extension>/<first 12 of its SHA-256>/<file>`. Example: `[libraries/*.jar]`. Default:
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512)))]
    pub include: Vec<String>,
}

impl Default for DeployLibraries {
    fn default() -> Self {
        Self { to: "/Workspace/Shared/.brickline/libraries".to_owned(), include: Vec::new() }
    }
}
