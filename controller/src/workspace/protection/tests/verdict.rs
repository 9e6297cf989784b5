use brickline_crds::{DatabricksWorkspace, ReleaseReason};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::{Request, verdict};
use super::workspace;
use crate::trouble::Trouble;

/// A pushed release of the pipeline `data/dbxdemo`, which everything else changes.
fn request() -> Request<'static> {
    Request {
        namespace: "data",
        pipeline: Some("dbxdemo"),
        reference: Some("refs/heads/release"),
        reason: ReleaseReason::Push,
        by_controller: true,
        paths: &[],
        clusters: &[],
        new_clusters: &[],
        bundle: None,
        connect: None,
    }
}

/// The rule that the request breaks, and of what it says so.
fn broken(protection: &Value, request: &Request) -> Option<(&'static str, String)> {
    verdict(&workspace(protection), request).err().map(|refusal| (refusal.rule, refusal.resource))
}

#[rstest]
#[case(json!({}), "data", Some("dbxdemo"), None)]
#[case(json!({}), "data", None, None)]
#[case(json!({}), "ml", Some("dbxdemo"), Some(("protection.allowedNamespaces", "namespace ml")))]
#[case(json!({"allowedNamespaces": ["ml"]}), "data", Some("x"), Some(("protection.allowedNamespaces", "namespace data")))]
#[case(json!({"allowedNamespaces": ["ml"]}), "ml", Some("x"), Some(("protection.allowedPipelines", "pipeline ml/x")))]
#[case(json!({"allowedNamespaces": ["ml"], "allowedPipelines": ["ml/*"]}), "ml", Some("x"), None)]
#[case(json!({"allowedNamespaces": ["ml"], "allowedPipelines": ["*/x"]}), "ml", Some("x"), None)]
#[case(json!({"allowedPipelines": ["ml/*"]}), "ml", Some("x"), Some(("protection.allowedNamespaces", "namespace ml")))]
#[case(json!({"allowedPipelines": ["data/dbx*"]}), "data", Some("dbxdemo"), None)]
#[case(json!({"allowedPipelines": ["data/dbx"]}), "data", Some("dbxdemo"), Some(("protection.allowedPipelines", "pipeline data/dbxdemo")))]
#[case(json!({"allowedPipelines": ["*"]}), "data", Some("x"), Some(("protection.allowedPipelines", "pipeline data/x")))]
#[case(json!({"allowedPipelines": ["data/*"]}), "data", None, Some(("protection.allowedPipelines", "a release without pipeline")))]
fn pipelines_and_namespaces(
    #[case] protection: Value,
    #[case] namespace: &str,
    #[case] pipeline: Option<&str>,
    #[case] expected: Option<(&'static str, &str)>,
) {
    let request = Request { namespace, pipeline, ..request() };
    assert_eq!(broken(&protection, &request), expected.map(|(rule, resource)| (rule, resource.to_owned())));
}

#[rstest]
#[case(json!([]), Some("refs/heads/feature/x"), None)]
#[case(json!([]), Some("refs/tags/v1"), None)]
#[case(json!([]), None, None)]
#[case(json!(["release", "release/*"]), Some("refs/heads/release/1.2"), None)]
#[case(json!(["release"]), Some("refs/heads/release/1.2"), Some("branch release/1.2"))]
#[case(json!(["release"]), Some("refs/tags/release"), Some("ref refs/tags/release"))]
#[case(json!(["**"]), Some("refs/tags/v1"), Some("ref refs/tags/v1"))]
#[case(json!(["release"]), Some("release"), Some("ref release"))]
#[case(json!(["**"]), Some("refs/pull/12/head"), Some("ref refs/pull/12/head"))]
#[case(json!(["release"]), None, Some("a release without branch, whose artifact came from a URL"))]
fn branches(#[case] allowed: Value, #[case] reference: Option<&str>, #[case] refused: Option<&str>) {
    let request = Request { reference, ..request() };
    let refused = refused.map(|resource| ("protection.allowedBranches", resource.to_owned()));
    assert_eq!(broken(&json!({"allowedBranches": allowed}), &request), refused);
}

#[test]
fn artifacts_from_urls_pass_branches_only_where_that_is_said() {
    let of = |reference| Request { reference, ..request() };
    let said = verdict(&workspace(&json!({"allowedBranches": ["release"]})), &of(None)).unwrap_err().message;
    assert!(said.ends_with("takes release; protection.allowArtifactUrls would take it"), "{said}");
    let lets_in = json!({"allowedBranches": ["release"], "allowArtifactUrls": true});
    assert_eq!(broken(&lets_in, &of(None)), None);
    assert!(broken(&lets_in, &of(Some("refs/heads/main"))).is_some());
}

#[rstest]
#[case(&["/Shared"], "/Shared/dbxdemo", true)]
#[case(&["/Shared"], "/Shared", true)]
#[case(&["/Shared"], "/Workspace/Shared/dbxdemo", true)]
#[case(&["/Workspace/Shared"], "/Shared/dbxdemo", true)]
#[case(&["/Workspace"], "/Shared/dbxdemo", true)]
#[case(&["/Shared/db"], "/Shared/dbxdemo", false)]
#[case(&["/Shared/dbxdemo"], "/Shared", false)]
#[case(&["/Shared"], "/Shared/../Users/ana", false)]
#[case(&["/Shared"], "/Shared//x", false)]
#[case(&["/Shared"], "/Users/ana", false)]
#[case(&["/Shared", "/Users/ana"], "/Users/ana/x", true)]
#[case(&["/Volumes/main/release"], "/Volumes/main/release/libs", true)]
#[case(&["/Volumes/main/release"], "dbfs:/Volumes/main/release/libs", true)]
#[case(&["/Volumes/main/release"], "/Volumes/main/other", false)]
#[case(&["dbfs:"], "dbfs:/libs", true)]
#[case(&["dbfs:"], "dbfs:/Volumes/main", false)]
#[case(&["dbfs:/libs"], "dbfs:/libs/a", true)]
#[case(&["/Volumes"], "dbfs:/libs", false)]
#[case(&["/Shared"], "", false)]
#[case(&[], "/Users/ana", true)]
fn paths(#[case] allowed: &[&str], #[case] path: &str, #[case] taken: bool) {
    let paths = ["/Shared/fine".to_owned(), path.to_owned()];
    let request = Request { paths: &paths[1..], ..request() };
    let refused = (!taken).then(|| ("protection.allowedPaths", format!("path {path}")));
    assert_eq!(broken(&json!({"allowedPaths": allowed}), &request), refused);
}

#[rstest]
#[case(ReleaseReason::Manual, false, true, false)]
#[case(ReleaseReason::Manual, false, false, true)]
#[case(ReleaseReason::Manual, true, false, true)]
#[case(ReleaseReason::Push, true, false, false)]
#[case(ReleaseReason::Rollback, true, false, false)]
#[case(ReleaseReason::Rollback, false, false, true)]
#[case(ReleaseReason::Retry, false, false, true)]
#[case(ReleaseReason::Push, false, false, true)]
fn releases_by_hand(
    #[case] reason: ReleaseReason,
    #[case] by_controller: bool,
    #[case] allowed: bool,
    #[case] refused: bool,
) {
    let request = Request { reason, by_controller, ..request() };
    let refused = refused.then(|| ("protection.allowManual", "a release made by hand".to_owned()));
    assert_eq!(broken(&json!({"allowManual": allowed}), &request), refused);
}

#[test]
fn a_cluster_must_be_one_of_the_workspaces() {
    let clusters = ["etl".to_owned(), "gpu".to_owned()];
    assert_eq!(broken(&json!({}), &Request { clusters: &clusters[..1], ..request() }), None);
    let refused = broken(&json!({}), &Request { clusters: &clusters, ..request() });
    assert_eq!(refused, Some(("clusters", "cluster gpu".to_owned())));
}

#[test]
fn a_refusal_names_the_resource_the_rule_and_what_would_be_taken() {
    let paths = ["/Users/ana".to_owned()];
    let workspace = workspace(&json!({"allowedPaths": ["/Shared", "/Volumes/main"]}));
    let refusal = verdict(&workspace, &Request { paths: &paths, ..request() }).unwrap_err();
    let trouble = Trouble::from(refusal);
    assert_eq!((trouble.reason, trouble.transient), (brickline_crds::Reason::NotAuthorized, false));
    insta::assert_snapshot!(trouble.message, @"DatabricksWorkspace data/staging doesn't take path /Users/ana: its spec.protection.allowedPaths takes /Shared, /Volumes/main");
}

proptest! {
    /// Whatever a path looks like: what is below the folder stays below it when it is read step by step.
    #[test]
    fn no_path_leaves_its_folder(path in "(/|\\.|\\.\\.|Shared|Users|dbxdemo|Workspace|dbfs:){1,8}") {
        let paths = [path.clone()];
        let request = Request { paths: &paths, ..request() };
        if broken(&json!({"allowedPaths": ["/Shared/dbxdemo"]}), &request).is_none() {
            let steps: Vec<&str> = path.split('/').collect();
            prop_assert!(path.starts_with("/Shared/dbxdemo") || path.starts_with("/Workspace/Shared/dbxdemo"), "{}", path);
            prop_assert!(steps.iter().all(|step| !matches!(*step, ".." | ".")), "{}", path);
        }
    }
}

#[rstest]
#[case(json!({}), None, Some(("newClusters.allowed", "a cluster made for a run")))]
#[case(json!({"policyIds": ["P1"]}), Some("P1"), Some(("newClusters.allowed", "a cluster made for a run")))]
#[case(json!({"allowed": true}), None, None)]
#[case(json!({"allowed": true}), Some("P2"), None)]
#[case(json!({"allowed": true, "policyIds": ["P1"]}), Some("P1"), None)]
#[case(json!({"allowed": true, "policyIds": ["P1"]}), Some("P2"), Some(("newClusters.policyIds", "a new cluster of policy P2")))]
#[case(json!({"allowed": true, "policyIds": ["P1"]}), None, Some(("newClusters.policyIds", "a new cluster without policy")))]
fn clusters_made_for_runs(#[case] rule: Value, #[case] policy: Option<&str>, #[case] refused: Option<(&str, &str)>) {
    let mut workspace = workspace(&json!({}));
    workspace.spec.new_clusters = serde_json::from_value(rule).unwrap();
    let of = |new_clusters: &[Option<String>]| {
        let refusal = verdict(&workspace, &Request { new_clusters, ..request() }).err();
        refusal.map(|refusal| (refusal.rule, refusal.resource))
    };
    assert_eq!(of(&[]), None, "a release that makes none");
    assert_eq!(of(&[policy.map(str::to_owned)]), refused.map(|(rule, resource)| (rule, resource.to_owned())));
}

/// A workspace that says this of bundles.
fn bundling(bundles: Value) -> DatabricksWorkspace {
    let mut workspace = workspace(&json!({}));
    workspace.spec.bundles = serde_json::from_value(bundles).unwrap();
    workspace
}

#[rstest]
#[case(json!({}), None, Some(("bundles.allowed", "an asset bundle")))]
#[case(json!({"allowed": true}), None, None)]
#[case(json!({"allowed": true}), Some("evil:1"), Some(("bundles.images", "the image evil:1 for an asset bundle")))]
#[case(json!({"allowed": true, "images": ["registry.example.com/cli:*"]}), Some("registry.example.com/cli:1.13"), None)]
#[case(json!({"allowed": true, "images": ["registry.example.com/*"]}), Some("registry.example.com/a/evil:1"),
    Some(("bundles.images", "the image registry.example.com/a/evil:1 for an asset bundle")))]
#[case(json!({"images": ["*"]}), Some("cli"), Some(("bundles.allowed", "an asset bundle")))]
#[case(json!({"allowed": true, "images": ["["]}), Some("cli"), Some(("bundles.images", "the image cli for an asset bundle")))]
fn bundles(#[case] said: Value, #[case] image: Option<&str>, #[case] refused: Option<(&'static str, &str)>) {
    let bundle = serde_json::from_value(json!({"target": "staging", "image": image})).unwrap();
    let judged = verdict(&bundling(said.clone()), &Request { bundle: Some(&bundle), ..request() });
    let broken = judged.err().map(|refusal| (refusal.rule, refusal.resource));
    assert_eq!(broken, refused.map(|(rule, resource)| (rule, resource.to_owned())));
    assert!(verdict(&bundling(said), &request()).is_ok(), "a release without one");
}

#[rstest]
#[case(false, json!({}), 0, Some("databricksConnect.allowed"), "spec.databricksConnect.allowed is false")]
#[case(true, json!({}), 0, None, "")]
#[case(true, json!({"approvals": {}}), 0, Some("protection.approvals"), "build in a stage without them")]
#[case(true, json!({"windows": [{"from": "08:00", "to": "16:00"}]}), 0, Some("protection.windows"), "come after the build")]
#[case(true, json!({}), 1, Some("protection.approvals"), "the approvals of the release's stage come after the build")]
fn a_build_gets_the_credentials_only_where_nobody_decides_later(
    #[case] allowed: bool,
    #[case] protection: Value,
    #[case] approvals: u32,
    #[case] rule: Option<&'static str>,
    #[case] sentence: &str,
) {
    let mut workspace = workspace(&protection);
    workspace.spec.databricks_connect.allowed = allowed;
    let refusal = verdict(&workspace, &Request { connect: Some(approvals), ..request() }).err();
    assert_eq!(refusal.as_ref().map(|refusal| refusal.rule), rule);
    let message = refusal.map(|refusal| Trouble::from(refusal).message).unwrap_or_default();
    assert!(message.contains(sentence), "{message}");
    assert!(rule.is_none() || message.starts_with("DatabricksWorkspace data/"), "{message}");
    assert!(verdict(&workspace, &request()).is_ok(), "a release whose build has none of it");
}

#[test]
fn the_other_rules_hold_before_a_build_gets_the_credentials() {
    let mut workspace = workspace(&json!({"allowedBranches": ["release"]}));
    workspace.spec.databricks_connect.allowed = true;
    let with = |reference| Request { reference: Some(reference), connect: Some(0), ..request() };
    let rule = |request: &Request| verdict(&workspace, request).err().map(|refusal| refusal.rule);
    assert_eq!(rule(&with("refs/heads/release")), None);
    assert_eq!(rule(&with("refs/heads/feature/x")), Some("protection.allowedBranches"));
    let clusters = ["gpu".to_owned()];
    assert_eq!(rule(&Request { clusters: &clusters, ..with("refs/heads/release") }), Some("clusters"));
}
