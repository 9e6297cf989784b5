//! People at the artifact endpoint: whoever may `get` a subresource of a release, by Kubernetes' own rules. Brickline has no
//! users and no rights of its own: the token is Kubernetes', and Kubernetes says what its owner may do.

#[cfg(test)]
pub(crate) mod samples;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use brickline_crds::{DatabricksRelease, GROUP};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no token of this cluster: send Authorization: Bearer with one, such as kubectl create token makes")]
    Unauthenticated,
    #[error("{user} may not get databricksreleases/{subresource} in namespace {namespace}")]
    Forbidden { user: String, subresource: &'static str, namespace: String },
    #[error("there is no such release")]
    NoSuchRelease,
    #[error("Kubernetes did not answer: {0}")]
    Kubernetes(#[from] kube::Error),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NoSuchRelease => StatusCode::NOT_FOUND,
            Self::Kubernetes(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// What somebody wants to see of a release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// As roles name it: `log` of `databricksreleases/log`.
    pub(crate) subresource: &'static str,
}

/// Lets people in.
#[derive(Clone)]
pub(crate) struct Door {
    kube: Client,
}

impl Door {
    pub(crate) fn new(kube: Client) -> Self {
        Self { kube }
    }

    /// The release, if whoever sent these headers may see that of it. Who may not, does not learn whether it exists.
    pub(crate) async fn admit(&self, headers: &HeaderMap, wish: Wish<'_>) -> Result<DatabricksRelease, Refusal> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Unauthenticated)?;
        let user = self.review(token).await?.ok_or(Refusal::Unauthenticated)?;
        let called = user.username.clone().unwrap_or_default();
        let Wish { namespace, name, subresource } = wish;
        if !self.may_get(user, wish).await? {
            return Err(Refusal::Forbidden { user: called, subresource, namespace: namespace.to_owned() });
        }
        let releases: Api<DatabricksRelease> = Api::namespaced(self.kube.clone(), namespace);
        releases.get_opt(name).await?.ok_or(Refusal::NoSuchRelease)
    }

    async fn review(&self, token: &str) -> Result<Option<UserInfo>, kube::Error> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: None };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviews: Api<TokenReview> = Api::all(self.kube.clone());
        let status = reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
        Ok(status.user.filter(|_| status.authenticated == Some(true)))
    }

    async fn may_get(&self, user: UserInfo, wish: Wish<'_>) -> Result<bool, kube::Error> {
        let attributes = ResourceAttributes {
            group: Some(GROUP.to_owned()),
            resource: Some("databricksreleases".to_owned()),
            subresource: Some(wish.subresource.to_owned()),
            verb: Some("get".to_owned()),
            namespace: Some(wish.namespace.to_owned()),
            name: Some(wish.name.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: user.username,
            groups: user.groups,
            uid: user.uid,
            extra: user.extra,
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.kube.clone());
        let status = reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
        Ok(status.allowed && status.denied != Some(true))
    }
}
