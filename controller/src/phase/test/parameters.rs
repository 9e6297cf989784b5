//! The parameters of a run as they are submitted: the only place where values of Secrets come in.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::{DatabricksWorkspace, Reason, SecretKeyRef};
use kube::{Client, ResourceExt};
use secrecy::{ExposeSecret, SecretString};

use super::Item;
use crate::databricks::tasks::Work;
use crate::release::variables;
use crate::secret;
use crate::trouble::Trouble;

/// What is run, with parameters that may hold secrets: neither printed nor kept.
pub(super) struct Filled {
    pub(super) work: Work,
    /// The secrets among the parameters, to be taken out of what Databricks answers.
    pub(super) secrets: Vec<SecretString>,
}

/// What is run with `resolved`, the release's variables, and with the workspace's secret variables, which are read for
/// each run anew.
pub(super) async fn fill(
    item: &Item,
    resolved: &BTreeMap<String, String>,
    workspace: &DatabricksWorkspace,
    kube: &Client,
) -> Result<Filled, Trouble> {
    let secrets = secrets(item, resolved, workspace, kube).await?;
    let mut work = item.work.clone();
    let value = |name: &str| match secrets.get(name) {
        Some(secret) => Some(secret.expose_secret()),
        None => resolved.get(name).map(String::as_str),
    };
    for text in work.parameters_mut() {
        *text = variables::fill(text, value);
    }
    Ok(Filled { work, secrets: secrets.into_values().collect() })
}

/// The secrets that a run is given, by the names of their variables.
pub(super) async fn secrets(
    item: &Item,
    resolved: &BTreeMap<String, String>,
    workspace: &DatabricksWorkspace,
    kube: &Client,
) -> Result<BTreeMap<String, SecretString>, Trouble> {
    let mut work = item.work.clone();
    let used: BTreeSet<String> =
        work.parameters_mut().into_iter().flat_map(|text| variables::names(text)).map(str::to_owned).collect();
    let mut secrets = BTreeMap::new();
    for name in used.into_iter().filter(|name| !resolved.contains_key(name)) {
        let reference = reference(&name, &item.path, workspace)?;
        let secret = read(reference, &name, workspace, kube).await?;
        secrets.insert(name, secret);
    }
    Ok(secrets)
}

/// Where the value of a name that the release has none for comes from.
fn reference<'a>(name: &str, path: &str, workspace: &'a DatabricksWorkspace) -> Result<&'a SecretKeyRef, Trouble> {
    let variable = name.strip_prefix(variables::VARIABLES).and_then(|name| workspace.spec.variables.get(name));
    variable.and_then(|variable| variable.secret_ref.as_ref()).ok_or_else(|| {
        let workspace = workspace.name_any();
        let message = format!(
            "{path}: its parameters in test use $({name}), for which DatabricksWorkspace {workspace} names no \
             Secret any more: name one, or create another release"
        );
        Trouble::lasting(Reason::InvalidSpec, message)
    })
}

async fn read(
    reference: &SecretKeyRef,
    name: &str,
    workspace: &DatabricksWorkspace,
    kube: &Client,
) -> Result<SecretString, Trouble> {
    let namespace = workspace.namespace().unwrap_or_default();
    let named_by = format!("$({name}) of DatabricksWorkspace {}", workspace.name_any());
    let secret = secret::read(kube, &namespace, &reference.name, &named_by).await?;
    secret::text(&secret, &namespace, reference)
}

#[cfg(test)]
mod tests;
