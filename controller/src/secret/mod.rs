//! Secrets: read and watched one at a time, by name; the controller never lists them.

mod sight;
#[cfg(test)]
mod tests;
mod watches;

pub(crate) use watches::Watches;

use brickline_crds::Reason;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

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
