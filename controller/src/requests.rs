//! Requests to Kubernetes, counted by verb and resource: what a release costs the API server can be read off `/metrics`.

use http::{Method, Request};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::util::MapRequestLayer;

use crate::leader;
use crate::metrics::Metrics;

/// The resources that are told apart; the others are `other`.
const RESOURCES: [&str; 13] = [
    "configmaps",
    "databricksreleases",
    "databricksreleases/status",
    "databricksworkspaces",
    "databricksworkspaces/status",
    "events",
    "jobs",
    "pods",
    "releaseapprovals",
    "releasepipelines",
    "releasepipelines/status",
    "secrets",
    "tokenreviews",
];

/// A client from the environment whose requests are counted; one that the client repeats by itself counts once.
pub(crate) async fn client(metrics: &Metrics) -> anyhow::Result<Client> {
    let metrics = metrics.clone();
    let count = MapRequestLayer::new(move |request: Request<Body>| {
        let uri = request.uri();
        let (verb, resource) = classify(request.method(), uri.path(), uri.query().unwrap_or_default());
        metrics.kubernetes_request(verb, resource);
        request
    });
    Ok(ClientBuilder::try_from(Config::infer().await?)?.with_layer(&count).build())
}

/// Kubernetes' own verb, and the resource with its subresource.
fn classify(method: &Method, path: &str, query: &str) -> (&'static str, &'static str) {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let below = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => &[],
    };
    let (kind, name, sub) = match below {
        ["namespaces", _, kind, rest @ ..] | [kind, rest @ ..] => (*kind, rest.first(), rest.get(1)),
        [] => ("", None, None),
    };
    let watches = query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"));
    let verb = match (method.as_str(), name) {
        ("GET", _) if watches => "watch",
        ("GET", Some(_)) => "get",
        ("GET", None) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => "other",
    };
    (verb, resource(kind, name.copied(), sub.copied()))
}

fn resource(kind: &str, name: Option<&str>, sub: Option<&str>) -> &'static str {
    let is = |known: &&str| match (known.split_once('/'), sub) {
        (None, None) => *known == kind,
        (Some((of, known)), Some(sub)) => of == kind && known == sub,
        _ => false,
    };
    match kind {
        // Leadership goes on whether there are releases or not; locks are part of what a release costs.
        "leases" if name == Some(leader::LEASE) => "leases/leader",
        "leases" => "leases",
        _ => RESOURCES.into_iter().find(is).unwrap_or("other"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const GROUP: &str = "/apis/brickline.dev/v1alpha1";

    #[rstest]
    #[case("GET", &format!("{GROUP}/databricksreleases"), "watch=true&resourceVersion=1", "watch databricksreleases")]
    #[case("GET", &format!("{GROUP}/databricksreleases"), "limit=500", "list databricksreleases")]
    #[case("GET", &format!("{GROUP}/namespaces/data/databricksreleases/one"), "", "get databricksreleases")]
    #[case("PATCH", &format!("{GROUP}/namespaces/data/databricksreleases/one/status"), "", "patch databricksreleases/status")]
    #[case("POST", "/apis/batch/v1/namespaces/data/jobs", "", "create jobs")]
    #[case("DELETE", "/api/v1/namespaces/data/pods", "labelSelector=a%3Db", "deletecollection pods")]
    #[case("DELETE", "/apis/batch/v1/namespaces/data/jobs/one", "", "delete jobs")]
    #[case("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "", "create tokenreviews")]
    #[case("PUT", "/apis/coordination.k8s.io/v1/namespaces/brickline/leases/cluster-1", "", "update leases")]
    #[case("PATCH", "/apis/coordination.k8s.io/v1/namespaces/brickline/leases/brickline", "", "patch leases/leader")]
    #[case("GET", "/api/v1/namespaces/data/secrets/git", "", "get secrets")]
    #[case("GET", "/api/v1/namespaces/data/pods/one/log", "", "get other")]
    #[case("GET", "/api/v1/namespaces/data", "", "get other")]
    #[case("GET", "/version", "", "list other")]
    fn requests_are_told_apart(#[case] method: &str, #[case] path: &str, #[case] query: &str, #[case] expected: &str) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (verb, resource) = classify(&method, path, query);
        assert_eq!(format!("{verb} {resource}"), expected);
    }
}
