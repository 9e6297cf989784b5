//! Who may read a log: whoever may `get` the subresource `log` of the release, by Kubernetes' own rules. Brickline has no
//! users and no rights of its own: the token is Kubernetes', and Kubernetes says what its owner may do.

use brickline_crds::{DatabricksRelease, GROUP};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no token of this cluster: send Authorization: Bearer with one, such as kubectl create token makes")]
    Unauthenticated,
    #[error("{user} may not get databricksreleases/log in namespace {namespace}")]
    Forbidden { user: String, namespace: String },
    #[error("there is no such release")]
    NoSuchRelease,
    #[error("Kubernetes did not answer: {0}")]
    Kubernetes(#[from] kube::Error),
}

/// Lets people in.
#[derive(Clone)]
pub(super) struct Door {
    kube: Client,
}

impl Door {
    pub(super) fn new(kube: Client) -> Self {
        Self { kube }
    }

    /// The uid of the release, if the token's owner may read its log. Who may not, does not learn whether it exists.
    pub(super) async fn admit(&self, token: &str, namespace: &str, name: &str) -> Result<String, Refusal> {
        let user = self.review(token).await?.ok_or(Refusal::Unauthenticated)?;
        let called = user.username.clone().unwrap_or_default();
        if !self.may_read(user, namespace, name).await? {
            return Err(Refusal::Forbidden { user: called, namespace: namespace.to_owned() });
        }
        let releases: Api<DatabricksRelease> = Api::namespaced(self.kube.clone(), namespace);
        let release = releases.get_metadata_opt(name).await?;
        release.and_then(|release| release.uid()).ok_or(Refusal::NoSuchRelease)
    }

    async fn review(&self, token: &str) -> Result<Option<UserInfo>, kube::Error> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: None };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviews: Api<TokenReview> = Api::all(self.kube.clone());
        let status = reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
        Ok(status.user.filter(|_| status.authenticated == Some(true)))
    }

    async fn may_read(&self, user: UserInfo, namespace: &str, name: &str) -> Result<bool, kube::Error> {
        let attributes = ResourceAttributes {
            group: Some(GROUP.to_owned()),
            resource: Some("databricksreleases".to_owned()),
            subresource: Some("log".to_owned()),
            verb: Some("get".to_owned()),
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
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
