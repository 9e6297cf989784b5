//! One name to its value.

use std::borrow::Cow;

use brickline_crds::{DatabricksRelease, DatabricksWorkspaceSpec, GitSource, labels};
use kube::ResourceExt;

use super::parameters::Parameters;

/// Before the names of the pipeline's parameters.
const PARAMETERS: &str = "params.";
/// Before the names of the workspace's variables.
pub(crate) const VARIABLES: &str = "workspace.vars.";
/// Before the names of what a release knows of itself.
const RELEASE: &str = "release.";
/// What a release knows of itself.
const FACTS: [&str; 9] = ["branch", "commit", "name", "namespace", "pipeline", "reason", "ref", "run", "stage"];

/// Everything that names are looked up in.
pub(super) struct Names<'a> {
    pub(super) release: &'a DatabricksRelease,
    /// What is released was built from this.
    pub(super) origin: Option<&'a GitSource>,
    /// The run's number; empty without a pipeline.
    pub(super) run: &'a str,
    pub(super) parameters: Parameters<'a>,
    pub(super) workspace: Option<&'a DatabricksWorkspaceSpec>,
    /// How the release's pipeline is called in sentences.
    pub(super) owner: String,
}

/// What a name stands for.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'a> {
    Value(Cow<'a, str>),
    /// A value in a Secret.
    Secret,
    /// Nothing, for a reason that has a sentence of its own.
    Told,
}

/// Whether a name looks like one of ours: then a wrong one is a mistake in scripts too.
pub(super) fn is_ours(name: &str) -> bool {
    [PARAMETERS, "workspace.", RELEASE].iter().any(|prefix| name.starts_with(prefix))
}

/// Names as a list for people.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl<'a> Names<'a> {
    /// What `name` stands for; if nothing, the rest of the sentence that begins with "uses $(NAME), ".
    pub(super) fn find(&self, name: &str) -> Result<Found<'a>, String> {
        if let Some(name) = name.strip_prefix(PARAMETERS) {
            return self.parameter(name);
        }
        if let Some(name) = name.strip_prefix(VARIABLES) {
            return self.variable(name);
        }
        if let Some(name) = name.strip_prefix(RELEASE) {
            return self.fact(name);
        }
        let other = format!("write $$({name}) for these very characters");
        Err(format!("but there are only $(params.NAME), $(workspace.vars.NAME) and $(release.NAME); {other}"))
    }

    fn parameter(&self, name: &str) -> Result<Found<'a>, String> {
        match self.parameters.values.get(name) {
            Some(Some(value)) => Ok(Found::Value((*value).into())),
            Some(None) => Ok(Found::Told),
            None => {
                let has = listed(self.parameters.values.keys().copied());
                Err(format!("which is not a parameter of {}; it has: {has}", self.owner))
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Found<'a>, String> {
        let workspace = self.workspace.ok_or("but the release goes to no workspace")?;
        match workspace.variables.get(name) {
            Some(variable) if variable.secret_ref.is_some() => Ok(Found::Secret),
            Some(variable) => Ok(Found::Value(variable.value.as_deref().unwrap_or_default().into())),
            None => {
                let has = listed(workspace.variables.keys().map(String::as_str));
                let called = self.release.spec.workspace_ref.as_ref().map_or("", |reference| &reference.name);
                Err(format!("which is not a variable of DatabricksWorkspace {called}; it has: {has}"))
            }
        }
    }

    fn fact(&self, name: &str) -> Result<Found<'a>, String> {
        let release = self.release;
        let value: Option<Cow<'a, str>> = match name {
            "branch" => self.origin.map(|git| branch(&git.reference).into()),
            "commit" => self.origin.map(|git| git.commit.as_str().into()),
            "ref" => self.origin.map(|git| git.reference.as_str().into()),
            "name" => Some(release.name_any().into()),
            "namespace" => release.namespace().map(Into::into),
            "pipeline" => release.labels().get(labels::PIPELINE).map(|name| name.as_str().into()),
            "reason" => Some(release.spec.reason.to_string().into()),
            "run" => Some(self.run).filter(|run| !run.is_empty()).map(Into::into),
            "stage" => release.spec.stage.as_deref().map(Into::into),
            _ => return Err(format!("but a release has only: {}", FACTS.join(", "))),
        };
        value.map(Found::Value).ok_or_else(|| {
            let why = match name {
                "branch" | "commit" | "ref" => "which is not known of artifacts that were built from several commits",
                "stage" => "but the release has no stage",
                _ => "but the release belongs to no pipeline",
            };
            why.to_owned()
        })
    }
}

/// A ref without `refs/heads/` or `refs/tags/`.
fn branch(reference: &str) -> &str {
    let short = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/"));
    short.unwrap_or(reference)
}
