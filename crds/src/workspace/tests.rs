//! The rules of a workspace's spec, evaluated as the API server does.

use serde_json::{Value, json};

use super::*;
use crate::examples::{self, Example, rows};

/// A workspace whose spec has these fields besides those it needs.
fn workspace(fields: Value) -> Value {
    let mut spec = json!({
        "host": "https://adb-1.2.azuredatabricks.net",
        "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
    });
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    spec.as_object_mut().unwrap().extend(fields);
    named("staging", &spec)
}

fn named(name: &str, spec: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": "data"});
    json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksWorkspace", "metadata": metadata, "spec": spec})
}

fn window(from: &str, to: &str) -> Value {
    json!({"protection": {"windows": [{"from": from, "to": to}]}})
}

/// Fields that are taken.
fn taken() -> Vec<Value> {
    rows! {
        json!({});
        json!({"auth": {"federation": {"serviceAccountName": "release-staging"}}});
        json!({"auth": {"federation": {"serviceAccountName": "a", "audience": "https://accounts.example.com"}}});
        json!({"clusters": {"main-2": {"id": "0123-456789-abc"}}});
        json!({"protection": {"approvals": {"timeout": "1h"}}});
        json!({"auth": {"azure": {"tenantId": "contoso.example.com", "clientId": "c", "serviceAccountName": "a"}}});
        json!({"auth": {"azure": {"tenantId": "t", "clientId": "c", "clientSecretRef": {"name": "dbx", "key": "s"}, "resourceId": "/subscriptions/0-1/resourceGroups/a_b/providers/Microsoft.Databricks/workspaces/w1"}}});
        json!({"variables": {"catalog": {"value": "main"}, "_a1": {"secretRef": {"name": "vars", "key": "api"}}, "empty": {"value": ""}}});
        json!({"protection": {"allowedPipelines": ["data/dbxdemo", "data/team-*", "*/*"]}});
        json!({"protection": {"allowedNamespaces": ["data", "ml-2"], "allowManual": false}});
        json!({"protection": {"allowedBranches": ["release", "release/**", "{main,release}"]}});
        json!({"protection": {"allowedPaths": ["/Shared", "/Workspace/Users/ana@example.com", "/Volumes/main/release", "dbfs:/libs", "dbfs:"]}});
        json!({"protection": {"approvals": {"required": 2}}});
        window("08:00", "16:00");
        window("22:00", "04:00");
        window("00:00", "24:00");
        json!({"protection": {"windows": [{"days": ["Mon"], "from": "08:00", "to": "09:00", "timeZone": "America/Argentina/Buenos_Aires"}]}});
        json!({"protection": {"windows": [{"from": "08:00", "to": "09:00", "timeZone": "Etc/GMT+1"}]}});
    }
}

/// Fields that are refused, and in which words.
fn refused() -> Vec<(Value, &'static str)> {
    rows! {
        json!({"host": "https://adb-1.2.azuredatabricks.net/"}) => "host is the workspace's URL alone";
        json!({"auth": {}}) => "exactly one of federation, oauth, azure or token";
        json!({"auth": {"federation": {"serviceAccountName": "Release"}}}) => "name of a ServiceAccount";
        json!({"auth": {"federation": {"serviceAccountName": "a", "audience": "https://kubernetes.default.svc"}}}) => "audience must not be Kubernetes' own";
        json!({"auth": {"azure": {"tenantId": "t", "clientId": "c"}}}) => "exactly one of clientSecretRef or serviceAccountName";
        json!({"auth": {"azure": {"tenantId": "t", "clientId": "c", "serviceAccountName": "A"}}}) => "name of a ServiceAccount";
        json!({"auth": {"azure": {"tenantId": "t/x", "clientId": "c", "serviceAccountName": "a"}}}) => "tenantId is the directory's id";
        json!({"auth": {"azure": {"tenantId": "t", "clientId": "c", "serviceAccountName": "a", "resourceId": "/subscriptions/x"}}}) => "resourceId is /subscriptions/ID";
        json!({"auth": {"token": {"secretRef": {"name": "DBX", "key": "token"}}}}) => "the name of an object";
        json!({"auth": {"token": {"secretRef": {"name": "dbx", "key": "a/b"}}}}) => "key is one of the Secret's keys";
        json!({"protection": {"approvals": {"timeout": "0s"}}}) => "write a duration such as";
        json!({"clusters": {"Main": {"id": "a"}}}) => "cluster names are lower-case words";
        json!({"clusters": {"main": {"id": "My cluster"}}}) => "id is the cluster's id";
        json!({"variables": {"1a": {"value": "x"}}}) => "variable names are letters, digits and '_'";
        json!({"variables": {"a-b": {"value": "x"}}}) => "variable names are letters, digits and '_'";
        json!({"variables": {"a": {}}}) => "exactly one of value or secretRef";
        json!({"variables": {"a": {"value": "x", "secretRef": {"name": "vars", "key": "a"}}}}) => "exactly one of value or secretRef";
        json!({"protection": {"allowedPipelines": ["dbxdemo"]}}) => "allowedPipelines are namespace/name";
        json!({"protection": {"allowedPipelines": ["a/b/c"]}}) => "allowedPipelines are namespace/name";
        json!({"protection": {"allowedPipelines": ["data/[a-z]"]}}) => "allowedPipelines are namespace/name";
        json!({"protection": {"allowedNamespaces": ["team-*"]}}) => "allowedNamespaces are whole names";
        json!({"protection": {"allowedBranches": ["refs/heads/release"]}}) => "branches are names or globs";
        json!({"protection": {"allowedPaths": ["/Shared/"]}}) => "allowedPaths are absolute folders";
        json!({"protection": {"allowedPaths": ["/Shared/../Users"]}}) => "allowedPaths are absolute folders";
        json!({"protection": {"allowedPaths": ["/tmp"]}}) => "allowedPaths are absolute folders";
        window("8:00", "16:00") => "from is a time of day";
        window("24:00", "16:00") => "from is a time of day";
        window("08:00", "24:01") => "to is a time of day";
        window("08:00", "08:00") => "from and to are the same";
        json!({"protection": {"windows": [{"from": "08:00", "to": "09:00", "timeZone": "+01:00"}]}}) => "IANA time zone";
    }
}

#[test]
fn every_rule_is_shown_both_ways() {
    let taken = taken().into_iter().map(|fields| Example::taken(workspace(fields)));
    let refused = refused().into_iter().map(|(fields, words)| Example::refused((workspace(fields), words)));
    let long = named(&"a".repeat(64), &workspace(json!({}))["spec"]);
    let moved = workspace(json!({"host": "https://adb-3.4.azuredatabricks.net"}));
    let others = [
        Example::refused((long, "at most 63 characters")),
        Example::refused((moved, "host is immutable")).of(workspace(json!({}))),
        Example::taken(workspace(json!({"suspend": true}))).of(workspace(json!({}))),
    ];
    examples::check::<DatabricksWorkspace>(taken.chain(refused).chain(others), &[]);
}

#[test]
fn what_is_not_said_has_a_default() {
    let fields = json!({"approvals": {}, "windows": [{"from": "08:00", "to": "16:00"}]});
    let workspace: DatabricksWorkspace = serde_json::from_value(workspace(json!({"protection": fields}))).unwrap();
    let spec = workspace.spec;
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
