//! Tokens of a ServiceAccount of the workspace's own namespace: the controller's own identity is never sent anywhere.

use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use secrecy::SecretString;

use crate::databricks::{Category, Error, Identity};
use crate::trouble::Trouble;

/// How long a token is good for: what is got in exchange lives no longer. Kubernetes grants at least ten minutes.
const LIFE: Duration = Duration::from_hours(1);
/// How long Kubernetes may take to make one.
const DEADLINE: Duration = Duration::from_secs(20);

/// Makes tokens of one ServiceAccount for one audience.
pub(super) struct ServiceAccountTokens {
    accounts: Api<ServiceAccount>,
    namespace: String,
    name: String,
    audience: String,
}

impl ServiceAccountTokens {
    pub(super) fn new(kube: Client, namespace: &str, name: &str, audience: &str) -> Self {
        let accounts = Api::namespaced(kube, namespace);
        Self { accounts, namespace: namespace.to_owned(), name: name.to_owned(), audience: audience.to_owned() }
    }

    /// Harmless when repeated: each answer is a token of its own, and none is stored.
    async fn request(&self) -> Result<SecretString, Error> {
        let spec = TokenRequestSpec {
            audiences: vec![self.audience.clone()],
            expiration_seconds: i64::try_from(LIFE.as_secs()).ok(),
            bound_object_ref: None,
        };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let parameters = PostParams::default();
        let asked = self.accounts.create_token_request(&self.name, &parameters, &request);
        let answer = match tokio::time::timeout(DEADLINE, asked).await {
            Ok(answer) => answer.map_err(|error| self.fault(&error))?,
            Err(_) => return Err(self.passing("Kubernetes did not answer in time")),
        };
        let token = answer.status.map(|status| status.token).filter(|token| !token.is_empty());
        token.map(SecretString::from).ok_or_else(|| self.passing("Kubernetes answered without a token"))
    }

    fn fault(&self, error: &kube::Error) -> Error {
        let (namespace, name) = (&self.namespace, &self.name);
        match error {
            kube::Error::Api(status) if status.is_forbidden() => {
                let rights = Trouble::not_a_tenant(namespace).message;
                let message = format!("no token of ServiceAccount {namespace}/{name} can be requested: {rights}");
                Error::Identity { message, category: Category::Permission }
            }
            kube::Error::Api(status) if status.is_not_found() => {
                let message = format!("ServiceAccount {namespace}/{name}, named by spec.auth, does not exist");
                Error::Identity { message, category: Category::NotFound }
            }
            kube::Error::Api(status) if status.code < 500 && status.code != 429 => {
                let message =
                    format!("Kubernetes makes no token of ServiceAccount {namespace}/{name}: {}", status.message);
                Error::Identity { message, category: Category::Invalid }
            }
            // The error's own text may hold what was read.
            _ => self.passing("Kubernetes did not answer as it should"),
        }
    }

    fn passing(&self, problem: &str) -> Error {
        let message = format!("no token of ServiceAccount {}/{}: {problem}", self.namespace, self.name);
        Error::Identity { message, category: Category::Unavailable }
    }
}

impl Identity for ServiceAccountTokens {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(self.request())
    }

    fn describe(&self) -> String {
        format!("subject system:serviceaccount:{}:{}, audience {}", self.namespace, self.name, self.audience)
    }
}

#[cfg(test)]
mod tests;
