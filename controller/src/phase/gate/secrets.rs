//! The Secrets that a release uses: that they can be read is known before anything of it begins.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Reason, SecretKeyRef};
use kube::{Client, ResourceExt};

use super::Kind;
use crate::release::variables;
use crate::secret::{self, Watches};
use crate::trouble::Trouble;

/// Whether they are to be looked at: once, and again as long as something is missing. Waiting for other things costs no look.
pub(super) fn are_due(status: &DatabricksReleaseStatus, kind: Kind) -> bool {
    let reason = status.waiting.as_ref().map(|waiting| waiting.reason);
    let lacks = [Reason::DependencyNotReady, Reason::NotAuthorized, Reason::InternalError];
    kind.first && reason.is_none_or(|reason| lacks.contains(&reason))
}

/// Those that the release names itself, to reach what it builds or fetches. One in sight need not be read.
pub(super) async fn check_source(release: &DatabricksRelease, watches: &Watches, kube: &Client) -> Result<(), Trouble> {
    let (source, namespace) = (&release.spec.source, release.namespace().unwrap_or_default());
    let git = source.git.as_ref().and_then(|git| git.credentials_ref.as_ref());
    let artifact = source.artifact.as_ref().and_then(|artifact| artifact.credentials_ref.as_ref());
    let named = [(git, "source.git.credentialsRef"), (artifact, "source.artifact.credentialsRef")];
    for (reference, field) in named {
        let Some(reference) = reference.filter(|reference| watches.version(&namespace, &reference.name).is_none())
        else {
            continue;
        };
        secret::read(kube, &namespace, &reference.name, field).await?;
    }
    Ok(())
}

/// Those whose values the tests use. Reads each once.
pub(super) async fn check(
    release: &DatabricksRelease,
    workspace: &DatabricksWorkspace,
    kube: &Client,
) -> Result<(), Trouble> {
    let namespace = workspace.namespace().unwrap_or_default();
    let mut read = BTreeMap::new();
    for (name, reference) in used(release, workspace) {
        if !read.contains_key(&reference.name) {
            let named_by = format!("$({name}) of DatabricksWorkspace {}", workspace.name_any());
            read.insert(&reference.name, secret::read(kube, &namespace, &reference.name, &named_by).await?);
        }
        if let Some(found) = read.get(&reference.name) {
            secret::text(found, &namespace, reference)?;
        }
    }
    Ok(())
}

/// The names in `spec.test` that stand for Secrets: all others were filled in when the release began.
fn used<'a>(release: &DatabricksRelease, workspace: &'a DatabricksWorkspace) -> BTreeMap<String, &'a SecretKeyRef> {
    let test = serde_json::to_string(&release.spec.test).unwrap_or_default();
    let reference = |name: &str| {
        let variable = workspace.spec.variables.get(name.strip_prefix(variables::VARIABLES)?)?;
        Some((name.to_owned(), variable.secret_ref.as_ref()?))
    };
    variables::names(&test).into_iter().filter_map(reference).collect()
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn release(parameter: &str) -> DatabricksRelease {
        let mut release: DatabricksRelease = serde_json::from_value(json!({
            "apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksRelease",
            "metadata": {"name": "one", "namespace": "data"}, "spec": {"source": {}},
        }))
        .unwrap();
        release.spec.test.notebooks[0].parameters.insert("key".to_owned(), parameter.to_owned());
        release
    }

    fn workspace() -> DatabricksWorkspace {
        serde_json::from_value(json!({
            "apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksWorkspace",
            "metadata": {"name": "staging", "namespace": "data"},
            "spec": {"host": "https://adb-1.2.azuredatabricks.net", "auth": {}, "variables": {
                "catalog": {"value": "main"}, "apiKey": {"secretRef": {"name": "keys", "key": "api"}},
            }},
        }))
        .unwrap()
    }

    /// Answers every look at the Secret like this.
    fn kube(code: u16, body: serde_json::Value) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            assert_eq!(request.uri().path(), "/api/v1/namespaces/data/secrets/keys");
            let body = Body::from(body.to_string().into_bytes());
            async move { Ok::<_, std::convert::Infallible>(Response::builder().status(code).body(body).unwrap()) }
        });
        Client::new(service, "default")
    }

    fn refusal(code: u16, reason: &str) -> (u16, serde_json::Value) {
        (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
    }

    #[rstest]
    #[case::there((200, json!({"metadata": {"name": "keys"}, "data": {"api": "eA=="}})), None)]
    #[case::without_the_key((200, json!({"metadata": {"name": "keys"}, "data": {"b": "eA=="}})), Some((Reason::DependencyNotReady, "has no key api")))]
    #[case::missing(refusal(404, "NotFound"), Some((Reason::DependencyNotReady, "named by $(workspace.vars.apiKey) of DatabricksWorkspace staging")))]
    #[case::not_readable(refusal(403, "Forbidden"), Some((Reason::NotAuthorized, "brickline-tenant")))]
    #[tokio::test]
    async fn what_the_tests_use_must_be_there(
        #[case] (code, body): (u16, serde_json::Value),
        #[case] lacks: Option<(Reason, &str)>,
    ) {
        let checked = check(&release("$(workspace.vars.apiKey)"), &workspace(), &kube(code, body)).await;
        match (checked, lacks) {
            (Ok(()), None) => {}
            (Err(trouble), Some((reason, words))) => {
                assert_eq!(trouble.reason, reason);
                assert!(trouble.message.contains(words), "{}", trouble.message);
            }
            (checked, lacks) => panic!("{checked:?} instead of {lacks:?}"),
        }
    }

    #[rstest]
    #[case::there((200, json!({"metadata": {"name": "keys"}})), None)]
    #[case::missing(refusal(404, "NotFound"), Some((Reason::DependencyNotReady, "keys, named by source.")))]
    #[case::not_readable(refusal(403, "Forbidden"), Some((Reason::NotAuthorized, "brickline-tenant")))]
    #[tokio::test]
    async fn what_the_source_is_reached_with_must_be_there(
        #[values("git", "artifact")] source: &str,
        #[case] (code, body): (u16, serde_json::Value),
        #[case] lacks: Option<(Reason, &str)>,
    ) {
        let mut named = release("");
        let digest = format!("sha256:{}", "1".repeat(64));
        named.spec.source = serde_json::from_value(match source {
            "git" => json!({"git": {"url": "https://git.example.com/a", "ref": "refs/heads/release",
                "commit": "9".repeat(40), "credentialsRef": {"name": "keys"}}}),
            _ => json!({"artifact": {"url": "https://a.example.com/a.zip", "digest": digest, "credentialsRef": {"name": "keys"}}}),
        })
        .unwrap();
        let kube = kube(code, body);
        let checked = check_source(&named, &Watches::new(kube.clone()), &kube).await;
        match lacks {
            None => assert_eq!(checked, Ok(())),
            Some((reason, words)) => {
                let trouble = checked.unwrap_err();
                assert!(trouble.reason == reason && trouble.message.contains(words), "{trouble:?}");
            }
        }
        assert_eq!(check_source(&release(""), &Watches::new(kube.clone()), &kube).await, Ok(()), "nothing is named");
    }

    #[tokio::test]
    async fn what_is_no_secret_asks_nothing() {
        let nobody = kube(500, json!({}));
        assert_eq!(check(&release("$(workspace.vars.catalog) $(other)"), &workspace(), &nobody).await, Ok(()));
    }
}
