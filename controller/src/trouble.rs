//! Trouble: a fault outside, in the words of conditions, and whether it may heal by itself.

use brickline_crds::Reason;

use crate::databricks::compute::NotServerless;
use crate::databricks::{Category, Error};

/// A fault of Databricks, the forge, the artifact store, Kubernetes or a reference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// Whether it may heal by itself.
    pub(crate) transient: bool,
}

impl Trouble {
    /// A fault that another attempt won't mend.
    pub(crate) fn lasting(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), transient: false }
    }

    /// A fault that may heal by itself.
    pub(crate) fn passing(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), transient: true }
    }

    /// The controller has no rights in a namespace: the message names the binding to create.
    pub(crate) fn not_a_tenant(namespace: &str) -> Self {
        let message = format!(
            "the controller has no rights in namespace {namespace}: bind ClusterRole brickline-tenant there to the \
             controller's ServiceAccount, or add {namespace} to the chart's tenants"
        );
        Self::passing(Reason::NotAuthorized, message)
    }

    /// Whether it is not the release's attempt that failed: it is waited out without being counted.
    pub(crate) fn is_not_counted(&self) -> bool {
        self.transient
            && matches!(self.reason, Reason::Suspended | Reason::AuthenticationFailed | Reason::InternalError)
    }
}

/// Kubernetes did not answer, or not as it should: its client has already retried. What it refuses is said apart from its
/// silence: a right may be given, and what it finds invalid it finds so again.
impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.is_forbidden() => {
                return Self::passing(Reason::NotAuthorized, format!("Kubernetes refuses the controller: {error}"));
            }
            kube::Error::Api(status) if status.is_invalid() => {
                return Self::lasting(Reason::InternalError, format!("Kubernetes takes it for invalid: {error}"));
            }
            _ => {}
        }
        Self::passing(Reason::InternalError, format!("Kubernetes did not answer as it should: {error}"))
    }
}

/// Databricks' errors in the API's words. The operation and Databricks' own message are in the error's text.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        if matches!(error, Error::Source { .. }) {
            return Self::lasting(Reason::ArtifactFailed, message);
        }
        if let Error::Identity { category, .. } = &error {
            // Kubernetes' word on a ServiceAccount of the namespace, not Databricks'.
            return match category {
                Category::Permission => Self::passing(Reason::NotAuthorized, message),
                Category::NotFound => Self::passing(Reason::DependencyNotReady, message),
                Category::Invalid => Self::lasting(Reason::InvalidSpec, message),
                _ => Self::passing(Reason::InternalError, message),
            };
        }
        match error.category() {
            Category::Authentication => {
                let hint = "check the workspace's credentials: it goes on when they are good";
                let message = format!("Databricks rejected the credentials: {message}; {hint}");
                Self::passing(Reason::AuthenticationFailed, message)
            }
            Category::Permission => Self::lasting(Reason::NotAuthorized, message),
            Category::Unavailable | Category::Timeout | Category::RateLimited => {
                Self::passing(Reason::WorkspaceUnreachable, message)
            }
            // A cluster that is between two states takes no request; the next look tells which.
            Category::InvalidState => Self::passing(Reason::ClusterNotReady, message),
            Category::Protocol => {
                Self { reason: Reason::WorkspaceUnreachable, message, transient: error.is_transient() }
            }
            Category::NotFound | Category::Conflict | Category::Invalid => {
                Self { reason: Reason::DeployFailed, message, transient: error.is_transient() }
            }
        }
    }
}

/// The spec asks for what can't be.
impl From<NotServerless> for Trouble {
    fn from(refusal: NotServerless) -> Self {
        Self::lasting(Reason::InvalidSpec, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(403, "Forbidden", Reason::NotAuthorized, true)]
    #[case(422, "Invalid", Reason::InternalError, false)]
    #[case(500, "InternalError", Reason::InternalError, true)]
    #[case(404, "NotFound", Reason::InternalError, true)]
    fn what_kubernetes_refuses_is_told_apart_from_its_silence(
        #[case] code: u16,
        #[case] said: &str,
        #[case] reason: Reason,
        #[case] transient: bool,
    ) {
        let status = Status::failure("no", said).with_code(code).boxed();
        let trouble = Trouble::from(kube::Error::Api(status));
        assert_eq!((trouble.reason, trouble.transient), (reason, transient));
    }
}
