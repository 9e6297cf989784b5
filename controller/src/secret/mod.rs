//! Secrets: read and watched one at a time, by name; the controller never lists them.

mod sight;
#[cfg(test)]
mod tests;
mod watches;

pub(crate) use watches::Watches;

use brickline_crds::{Reason, SecretKeyRef};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::trouble::Trouble;

/// The Secret called `name`. `named_by` is the field that names it, for the message when it is missing.
pub(crate) async fn read(kube: &Client, namespace: &str, name: &str, named_by: &str) -> Result<Secret, Trouble> {
    let secrets: Api<Secret> = Api::namespaced(kube.clone(), namespace);
    match secrets.get_opt(name).await {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => {
            let message = format!("Secret {namespace}/{name}, named by {named_by}, does not exist");
            Err(Trouble::passing(Reason::DependencyNotReady, message))
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            let trouble = Trouble::not_a_tenant(namespace);
            let message = format!("Secret {namespace}/{name} can't be read: {}", trouble.message);
            Err(Trouble { message, ..trouble })
        }
        // The error's own text may hold what was read.
        Err(_) => Err(Trouble::passing(Reason::InternalError, format!("Secret {namespace}/{name} can't be read"))),
    }
}

/// The text under the key that `reference` names, without the white space around it: files often end with a line end.
pub(crate) fn text(secret: &Secret, namespace: &str, reference: &SecretKeyRef) -> Result<SecretString, Trouble> {
    let SecretKeyRef { name, key } = reference;
    let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| text.trim().to_owned());
    text.filter(|text| !text.is_empty()).map(SecretString::from).ok_or_else(|| {
        Trouble::passing(
            Reason::DependencyNotReady,
            format!("Secret {namespace}/{name} has no key {key} with text in it"),
        )
    })
}

/// Shorter values are not looked for in texts: they are found in everything.
const SHORTEST: usize = 4;

/// Takes secrets out of a text, as they are and as JSON writes them.
pub(crate) fn conceal(text: &mut String, secrets: &[SecretString]) {
    for secret in secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= SHORTEST) {
        let quoted = Value::from(secret).to_string();
        for written in [secret, quoted.trim_matches('"')] {
            if text.contains(written) {
                *text = text.replace(written, "***");
            }
        }
    }
}
