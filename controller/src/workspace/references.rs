//! The Secrets that a workspace names: all of them there, with the keys it wants, and kept in sight.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksWorkspace, SecretKeyRef};
use kube::ResourceExt;

use super::auth::secret_ref;
use crate::context::Context;
use crate::secret;
use crate::trouble::Trouble;

/// Reads each Secret once and follows it. The trouble is the first one; whatever it is, the others are followed too.
/// The flag says whether all of them are in sight.
pub(super) async fn read(workspace: &DatabricksWorkspace, context: &Context) -> (Result<(), Trouble>, bool) {
    let namespace = workspace.namespace().unwrap_or_default();
    let mut seen = BTreeMap::new();
    let mut first = Ok(());
    for (name, wanted) in by_secret(workspace) {
        // What was seen of a Secret holds while that version is in sight.
        let known = wanted.iter().map(|(_, reference)| context.secrets.with_text(&namespace, name, &reference.key));
        if let Some(version) = known.collect::<Option<Vec<_>>>().and_then(|versions| versions.into_iter().next()) {
            seen.insert(name.to_owned(), Some(version));
            continue;
        }
        let field = wanted.first().map_or("spec", |(field, _)| field.as_str());
        let version = match secret::read(&context.kube, &namespace, name, field).await {
            Ok(secret) => {
                let keys = wanted.iter().try_for_each(|(_, key)| secret::text(&secret, &namespace, key).map(drop));
                first = first.and(keys);
                context.secrets.learn(&namespace, &secret);
                secret.resource_version()
            }
            Err(trouble) => {
                first = first.and(Err(trouble));
                None
            }
        };
        seen.insert(name.to_owned(), version);
    }
    (first, context.secrets.follow(workspace, &seen))
}

/// Every key that the spec names, by Secret, with the field that names it.
fn by_secret(workspace: &DatabricksWorkspace) -> BTreeMap<&str, Vec<(String, &SecretKeyRef)>> {
    let variables = workspace.spec.variables.iter();
    let variables = variables.filter_map(|(name, variable)| {
        Some((format!("spec.variables.{name}.secretRef"), variable.secret_ref.as_ref()?))
    });
    let mut all: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    let credentials = secret_ref(workspace).map(|reference| ("spec.auth".to_owned(), reference));
    for (field, reference) in credentials.into_iter().chain(variables) {
        all.entry(&reference.name).or_default().push((field, reference));
    }
    all
}
