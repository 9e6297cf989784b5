//! Who has what in a build's pod.

use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, DatabricksWorkspace};
use clap::Parser;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::pod::job;
use super::{Session, resolved};
use crate::args::Args;
use crate::context::Settings;

const HOST: &str = "https://adb-1.2.azuredatabricks.net";

/// A release that builds with this Databricks Connect, if any.
fn release(connect: &Value) -> DatabricksRelease {
    serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {"name": "dbxdemo-4f2c91d0a7be", "namespace": "data", "uid": "uid-1"},
        "spec": {
            "source": {"git": {
                "url": "https://git.example.com/data/dbxdemo.git", "ref": "refs/heads/release", "commit": "a".repeat(40),
                "credentialsRef": {"name": "git"},
            }},
            "workspaceRef": {"name": "staging"}, "build": {"databricksConnect": connect},
        },
    }))
    .unwrap()
}

/// A workspace that allows it, with these credentials.
fn workspace(auth: &Value) -> DatabricksWorkspace {
    serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksWorkspace",
        "metadata": {"name": "staging", "namespace": "data"},
        "spec": {
            "host": HOST, "auth": auth, "clusters": {"main": {"id": "0123-456789-abc"}},
            "databricksConnect": {"allowed": true},
        },
    }))
    .unwrap()
}

fn settings() -> Settings {
    let args = Args::parse_from(["brickline", "--build-env-secret", "build-env"]);
    Settings { args, ca_bundle: None, pools: [].into(), artifact_ca: String::new() }
}

fn session(connect: &Value, auth: &Value) -> Option<Session> {
    let release = release(connect);
    resolved(&release, &release.spec.build.planned()[0], &workspace(auth), &settings()).unwrap()
}

fn made(connect: &Value, auth: &Value) -> Job {
    let release = release(connect);
    let planned = &release.spec.build.planned()[0];
    job(&release, planned, "build-1", "{}", session(connect, auth).as_ref(), &settings())
}

fn pod(job: &Job) -> &PodSpec {
    job.spec.as_ref().unwrap().template.spec.as_ref().unwrap()
}

fn others(pod: &PodSpec) -> &[Container] {
    pod.init_containers.as_deref().unwrap()
}

fn databricks(container: &Container) -> Vec<&EnvVar> {
    let ours = ["DATABRICKS_", "ARM_"];
    container.env.iter().flatten().filter(|one| ours.iter().any(|prefix| one.name.starts_with(prefix))).collect()
}

fn mounts(container: &Container) -> BTreeSet<&str> {
    container.volume_mounts.iter().flatten().map(|mount| mount.name.as_str()).collect()
}

fn secret() -> Value {
    json!({"name": "dbx", "key": "secret"})
}

fn token() -> Value {
    json!({"token": {"secretRef": secret()}})
}

fn federation() -> Value {
    json!({"federation": {"clientId": "app", "serviceAccountName": "release-staging", "audience": "databricks"}})
}

fn on_main() -> Value {
    json!({"enabled": true, "cluster": "main"})
}

#[test]
fn the_steps_of_a_federated_build_as_kubernetes_gets_them() {
    let job = made(&on_main(), &federation());
    let [steps] = pod(&job).containers.as_slice() else { panic!("one container") };
    insta::assert_yaml_snapshot!(steps);
}

#[rstest]
#[case::token(token(), &["DATABRICKS_TOKEN"], &[("DATABRICKS_AUTH_TYPE", "pat")])]
#[case::oauth(
    json!({"oauth": {"clientId": "app", "clientSecretRef": secret()}}),
    &["DATABRICKS_CLIENT_SECRET"],
    &[("DATABRICKS_AUTH_TYPE", "oauth-m2m"), ("DATABRICKS_CLIENT_ID", "app")],
)]
#[case::azure(
    json!({"azure": {"tenantId": "t", "clientId": "app", "clientSecretRef": secret()}}),
    &["ARM_CLIENT_SECRET"],
    &[("DATABRICKS_AUTH_TYPE", "azure-client-secret"), ("ARM_TENANT_ID", "t"), ("ARM_CLIENT_ID", "app")],
)]
#[case::federation(
    federation(),
    &[],
    &[("DATABRICKS_AUTH_TYPE", "file-oidc"), ("DATABRICKS_OIDC_TOKEN_FILEPATH", "/var/run/secrets/databricks/token")],
)]
fn the_steps_alone_have_the_credentials_and_by_reference(
    #[case] auth: Value,
    #[case] secrets: &[&str],
    #[case] plain: &[(&str, &str)],
) {
    let job = made(&on_main(), &auth);
    let pod = pod(&job);
    let [steps] = pod.containers.as_slice() else { panic!("one container") };
    assert_eq!(others(pod).len(), 3, "runner, collect and checkout");
    for other in others(pod) {
        assert!(databricks(other).is_empty() && !mounts(other).contains("identity"), "{}", other.name);
        assert!(other.env_from.is_none(), "{}", other.name);
    }
    assert!(!mounts(steps).contains("token") && !mounts(steps).contains("git"), "what the others have, it has not");
    let env = databricks(steps);
    let by_reference = env.iter().filter(|one| one.value_from.is_some());
    assert_eq!(by_reference.map(|one| one.name.as_str()).collect::<Vec<_>>(), secrets);
    assert!(env.iter().all(|one| one.value_from.is_none() || one.value.is_none()));
    for (name, value) in plain.iter().chain(&[("DATABRICKS_HOST", HOST), ("DATABRICKS_CLUSTER_ID", "0123-456789-abc")])
    {
        assert!(env.iter().any(|one| one.name == *name && one.value.as_deref() == Some(value)), "{name}");
    }
    let last: Vec<_> = steps.env.iter().flatten().rev().take(env.len()).map(|one| one.name.as_str()).collect();
    assert!(env.iter().all(|one| last.contains(&one.name.as_str())), "no value before them can repeat them: {last:?}");
}

#[rstest]
#[case(on_main(), "DATABRICKS_CLUSTER_ID", "DATABRICKS_SERVERLESS_COMPUTE_ID")]
#[case(json!({"enabled": true}), "DATABRICKS_SERVERLESS_COMPUTE_ID", "DATABRICKS_CLUSTER_ID")]
fn sessions_run_on_the_cluster_or_serverless(#[case] connect: Value, #[case] there: &str, #[case] missing: &str) {
    let job = made(&connect, &token());
    let names: Vec<&str> = databricks(&pod(&job).containers[0]).iter().map(|one| one.name.as_str()).collect();
    assert!(names.contains(&there) && !names.contains(&missing), "{names:?}");
}

#[test]
fn a_federated_build_is_the_workspaces_own_service_account_and_no_other_build_is() {
    let account = |connect: &Value, auth: &Value| pod(&made(connect, auth)).service_account_name.clone();
    assert_eq!(account(&on_main(), &federation()), Some("release-staging".to_owned()));
    assert_eq!(account(&on_main(), &token()), None);
    assert_eq!(account(&Value::Null, &federation()), None);
}

#[rstest]
#[case(Value::Null)]
#[case(json!({"enabled": false, "cluster": "main"}))]
fn a_build_without_it_has_no_credential_of_databricks(#[case] connect: Value) {
    let job = made(&connect, &federation());
    let all = pod(&job).containers.iter().chain(others(pod(&job)));
    assert!(all.clone().all(|container| databricks(container).is_empty() && !mounts(container).contains("identity")));
    assert!(pod(&job).volumes.iter().flatten().all(|volume| volume.name != "identity"));
}

#[test]
fn scripts_of_further_jobs_have_none_of_it() {
    let mut release = release(&on_main());
    release.spec.build.jobs =
        serde_json::from_value(json!([{"name": "lint", "steps": [{"name": "ruff", "run": "ruff check ."}]}])).unwrap();
    let planned = release.spec.build.planned();
    let has = |planned| resolved(&release, planned, &workspace(&token()), &settings()).unwrap().is_some();
    assert_eq!(planned.iter().map(has).collect::<Vec<_>>(), [true, false]);
}

#[rstest]
#[case(json!({"databricksConnect": {"allowed": false}}), "spec.databricksConnect.allowed is false")]
#[case(json!({"protection": {"approvals": {"required": 1}}}), "spec.protection.approvals come after the build")]
#[case(json!({"clusters": {"etl": {"id": "1"}}}), "has no cluster called \"main\"; it has: etl")]
#[case(
    json!({"auth": {"azure": {"tenantId": "t", "clientId": "a", "serviceAccountName": "release"}}}),
    "build.databricksConnect can't use DatabricksWorkspace staging: Databricks' own clients can't log in to Entra"
)]
fn each_attempt_asks_the_workspace_again(#[case] change: Value, #[case] sentence: &str) {
    let mut spec = serde_json::to_value(workspace(&token()).spec).unwrap();
    spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let changed = DatabricksWorkspace { spec: serde_json::from_value(spec).unwrap(), ..workspace(&token()) };
    let release = release(&on_main());
    let trouble = resolved(&release, &release.spec.build.planned()[0], &changed, &settings()).unwrap_err();
    assert!(trouble.message.contains(sentence) && !trouble.transient, "{}", trouble.message);
}
