//! The rules of a workspace's spec, evaluated as the API server does.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// A workspace whose spec has these fields besides those it needs.
fn workspace(fields: Value) -> DatabricksWorkspace {
    let mut spec = json!({
        "host": "https://adb-1.2.azuredatabricks.net",
        "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
    });
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    spec.as_object_mut().unwrap().extend(fields);
    let mut workspace = DatabricksWorkspace::new("staging", serde_json::from_value(spec).unwrap());
    workspace.metadata.namespace = Some("data".into());
    workspace
}

fn window(from: &str, to: &str) -> Value {
    json!({"protection": {"windows": [{"from": from, "to": to}]}})
}

fn refusal(workspace: &DatabricksWorkspace) -> Option<String> {
    workspace.validate_cel().err().map(|errors| errors.to_string())
}

#[rstest]
#[case(json!({}))]
#[case(json!({"auth": {"federation": {"serviceAccountName": "release-staging"}}}))]
#[case(json!({"auth": {"azure": {"tenantId": "contoso.example.com", "clientId": "c", "serviceAccountName": "a"}}}))]
#[case(json!({"auth": {"azure": {"tenantId": "t", "clientId": "c", "clientSecretRef": {"name": "dbx", "key": "s"}, "resourceId": "/subscriptions/0-1/resourceGroups/a_b/providers/Microsoft.Databricks/workspaces/w1"}}}))]
#[case(json!({"variables": {"catalog": {"value": "main"}, "_a1": {"secretRef": {"name": "vars", "key": "api"}}, "empty": {"value": ""}}}))]
#[case(json!({"protection": {"allowedPipelines": ["data/dbxdemo", "data/team-*", "*/*"]}}))]
#[case(json!({"protection": {"allowedNamespaces": ["data", "ml-2"], "allowManual": false}}))]
#[case(json!({"protection": {"allowedBranches": ["release", "release/**", "{main,release}"]}}))]
#[case(json!({"protection": {"allowedPaths": ["/Shared", "/Workspace/Users/ana@example.com", "/Volumes/main/release", "dbfs:/libs", "dbfs:"]}}))]
#[case(json!({"protection": {"approvals": {"required": 2}}}))]
#[case(window("08:00", "16:00"))]
#[case(window("22:00", "04:00"))]
#[case(window("00:00", "24:00"))]
#[case(json!({"protection": {"windows": [{"days": ["Mon"], "from": "08:00", "to": "09:00", "timeZone": "America/Argentina/Buenos_Aires"}]}}))]
#[case(json!({"protection": {"windows": [{"from": "08:00", "to": "09:00", "timeZone": "Etc/GMT+1"}]}}))]
fn is_taken(#[case] fields: Value) {
    assert_eq!(refusal(&workspace(fields)), None);
}

#[rstest]
#[case(json!({"host": "https://adb-1.2.azuredatabricks.net/"}), "host is the workspace's URL alone")]
#[case(json!({"auth": {}}), "exactly one of federation, oauth, azure or token")]
#[case(json!({"auth": {"federation": {"serviceAccountName": "Release"}}}), "name of a ServiceAccount")]
#[case(json!({"auth": {"federation": {"serviceAccountName": "a", "audience": "https://kubernetes.default.svc"}}}), "audience must not be Kubernetes' own")]
#[case(json!({"auth": {"azure": {"tenantId": "t", "clientId": "c"}}}), "exactly one of clientSecretRef or serviceAccountName")]
#[case(json!({"auth": {"azure": {"tenantId": "t", "clientId": "c", "serviceAccountName": "A"}}}), "name of a ServiceAccount")]
#[case(json!({"auth": {"azure": {"tenantId": "t/x", "clientId": "c", "serviceAccountName": "a"}}}), "tenantId is the directory's id")]
#[case(json!({"auth": {"azure": {"tenantId": "t", "clientId": "c", "serviceAccountName": "a", "resourceId": "/subscriptions/x"}}}), "resourceId is /subscriptions/ID")]
#[case(json!({"clusters": {"Main": {"id": "a"}}}), "cluster names are lower-case words")]
#[case(json!({"clusters": {"main": {"id": "My cluster"}}}), "id is the cluster's id")]
#[case(json!({"variables": {"1a": {"value": "x"}}}), "variable names are letters, digits and '_'")]
#[case(json!({"variables": {"a-b": {"value": "x"}}}), "variable names are letters, digits and '_'")]
#[case(json!({"variables": {"a": {}}}), "exactly one of value or secretRef")]
#[case(json!({"variables": {"a": {"value": "x", "secretRef": {"name": "vars", "key": "a"}}}}), "exactly one of value or secretRef")]
#[case(json!({"protection": {"allowedPipelines": ["dbxdemo"]}}), "allowedPipelines are namespace/name")]
#[case(json!({"protection": {"allowedPipelines": ["a/b/c"]}}), "allowedPipelines are namespace/name")]
#[case(json!({"protection": {"allowedPipelines": ["data/[a-z]"]}}), "allowedPipelines are namespace/name")]
#[case(json!({"protection": {"allowedNamespaces": ["team-*"]}}), "allowedNamespaces are whole names")]
#[case(json!({"protection": {"allowedBranches": ["refs/heads/release"]}}), "branches are names or globs")]
#[case(json!({"protection": {"allowedPaths": ["/Shared/"]}}), "allowedPaths are absolute folders")]
#[case(json!({"protection": {"allowedPaths": ["/Shared/../Users"]}}), "allowedPaths are absolute folders")]
#[case(json!({"protection": {"allowedPaths": ["/tmp"]}}), "allowedPaths are absolute folders")]
#[case(window("8:00", "16:00"), "from is a time of day")]
#[case(window("24:00", "16:00"), "from is a time of day")]
#[case(window("08:00", "24:01"), "to is a time of day")]
#[case(window("08:00", "08:00"), "from and to are the same")]
#[case(json!({"protection": {"windows": [{"from": "08:00", "to": "09:00", "timeZone": "+01:00"}]}}), "IANA time zone")]
fn is_refused_with_a_sentence(#[case] fields: Value, #[case] sentence: &str) {
    let refusal = refusal(&workspace(fields)).expect("a refusal");
    assert!(refusal.contains(sentence), "{refusal}");
}

#[test]
fn its_host_stays() {
    let (old, mut new) = (workspace(json!({})), workspace(json!({})));
    assert!(new.validate_cel_update(&old).is_ok());
    new.spec.host = "https://adb-3.4.azuredatabricks.net".to_owned();
    let refusal = new.validate_cel_update(&old).expect_err("another host").to_string();
    assert!(refusal.contains("host is immutable"), "{refusal}");
}

#[test]
fn what_is_not_said_has_a_default() {
    let spec = workspace(json!({"protection": {"approvals": {}, "windows": [{"from": "08:00", "to": "16:00"}]}})).spec;
    assert_eq!(
        spec.limits,
        Limits { requests_per_second: 100, families: FamilyLimits::default(), uploads: 5, runs: 20 }
    );
    assert!(spec.protection.allow_manual);
    let approvals = spec.protection.approvals.unwrap();
    assert_eq!((approvals.required, approvals.timeout.to_string().as_str(), approvals.not_requester), (1, "72h", true));
    let window = &spec.protection.windows[0];
    assert_eq!((window.days.len(), window.time_zone.as_str()), (7, "UTC"));
}
