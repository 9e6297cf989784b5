//! Which container has what.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::pod::{Order, job};
use super::super::{act::plan, credentials, job_name};
use super::{release, settings, workspace};
use crate::context::Settings;

const HOST: &str = "https://adb-1.2.azuredatabricks.net";

fn made(bundle: &Value, host: &str, auth: &Value, attempt: u32, settings: &Settings) -> Job {
    let (release, workspace) = (release(bundle), workspace(host, auth));
    let credentials = credentials(&workspace, settings).unwrap();
    let bundle = release.spec.deploy.bundle.as_deref().unwrap();
    let fetch = plan(&release, attempt, &bundle.path, settings).unwrap();
    let plan = serde_json::to_string(&fetch).unwrap();
    let order = Order { release: &release, bundle, fetch: &fetch, plan: &plan, credentials: &credentials, settings };
    job(&order, &job_name(&release, attempt))
}

fn pod(job: &Job) -> &PodSpec {
    job.spec.as_ref().unwrap().template.spec.as_ref().unwrap()
}

fn names(env: Option<&Vec<EnvVar>>) -> BTreeSet<&str> {
    env.into_iter().flatten().map(|one| one.name.as_str()).collect()
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

#[test]
fn a_job_as_kubernetes_gets_it() {
    let bundle = json!({
        "path": "etl", "target": "staging", "variables": {"catalog": "main_staging"},
        "resources": {"limits": {"memory": "1Gi"}},
    });
    let settings = Settings { ca_bundle: Some("PEM".to_owned()), ..settings() };
    insta::assert_yaml_snapshot!(made(&bundle, HOST, &federation(), 1, &settings));
}

#[rstest]
#[case::token(token(), &["DATABRICKS_TOKEN"], &[])]
#[case::oauth(
    json!({"oauth": {"clientId": "app", "clientSecretRef": secret()}}),
    &["DATABRICKS_CLIENT_SECRET"],
    &[("DATABRICKS_AUTH_TYPE", "oauth-m2m"), ("DATABRICKS_CLIENT_ID", "app")],
)]
#[case::azure(
    json!({"azure": {"tenantId": "t", "clientId": "app", "clientSecretRef": secret(), "resourceId": "/subscriptions/0"}}),
    &["ARM_CLIENT_SECRET"],
    &[("DATABRICKS_AUTH_TYPE", "azure-client-secret"), ("ARM_TENANT_ID", "t"), ("DATABRICKS_AZURE_RESOURCE_ID", "/subscriptions/0")],
)]
#[case::federation(
    federation(),
    &[],
    &[("DATABRICKS_AUTH_TYPE", "file-oidc"), ("DATABRICKS_OIDC_TOKEN_FILEPATH", "/var/run/secrets/databricks/token")],
)]
fn credentials_are_in_the_cli_s_container_alone_and_by_reference(
    #[case] auth: Value,
    #[case] secrets: &[&str],
    #[case] plain: &[(&str, &str)],
) {
    let job = made(&json!({"target": "staging"}), HOST, &auth, 1, &settings());
    let [fetch] = pod(&job).init_containers.as_deref().unwrap() else { panic!("one init container") };
    let [main] = pod(&job).containers.as_slice() else { panic!("one container") };
    assert_eq!(names(fetch.env.as_ref()), ["BRICKLINE_FETCH"].into());
    assert_eq!(mounts(fetch), ["bin", "bundle", "token"].into());
    assert!(!mounts(main).contains("token"), "the runner's token is not the CLI's");
    let env = main.env.as_ref().unwrap();
    let by_reference = env.iter().filter(|one| one.value_from.is_some());
    assert_eq!(by_reference.map(|one| one.name.as_str()).collect::<Vec<_>>(), secrets);
    assert!(env.iter().all(|one| one.value_from.is_none() || one.value.is_none()));
    for (name, value) in plain.iter().chain(&[("DATABRICKS_HOST", HOST)]) {
        assert!(env.iter().any(|one| one.name == *name && one.value.as_deref() == Some(value)), "{name}");
    }
    assert!([fetch, main].iter().all(|container| container.env_from.is_none()));
}

#[test]
fn a_federated_pod_is_the_workspaces_own_service_account_and_no_other_pod_is() {
    let account = |auth: &Value| {
        let job = made(&json!({"target": "staging"}), HOST, auth, 1, &settings());
        (pod(&job).service_account_name.clone(), pod(&job).automount_service_account_token)
    };
    assert_eq!(account(&federation()), (Some("release-staging".to_owned()), Some(false)));
    assert_eq!(account(&token()), (None, Some(false)));
}

#[rstest]
#[case(json!({"target": "staging"}), 1, "bundle deploy --target staging --auto-approve")]
#[case(json!({"target": "staging", "forceLock": true}), 1, "bundle deploy --target staging --auto-approve --force-lock")]
#[case(json!({"target": "staging"}), 2, "bundle deploy --target staging --auto-approve --force-lock")]
fn the_lock_that_a_lost_attempt_left_behind_is_broken(
    #[case] bundle: Value,
    #[case] attempt: u32,
    #[case] expected: &str,
) {
    let job = made(&bundle, HOST, &token(), attempt, &settings());
    let main = &pod(&job).containers[0];
    assert_eq!(main.command.as_ref().unwrap().join(" "), "/opt/brickline/bin/brickline-runner bundle");
    assert_eq!(main.args.as_ref().unwrap().join(" "), expected);
}

#[test]
fn no_value_repeats_a_credential() {
    let bundle = json!({"target": "staging", "variables": {"stolen": "$(DATABRICKS_TOKEN)"}});
    let job = made(&bundle, HOST, &token(), 1, &settings());
    let env = pod(&job).containers[0].env.as_ref().unwrap();
    let stolen = env.iter().find(|one| one.name == "BUNDLE_VAR_stolen").unwrap();
    assert_eq!(stolen.value.as_deref(), Some("$$(DATABRICKS_TOKEN)"), "Kubernetes reads it as $(DATABRICKS_TOKEN)");
}

#[rstest]
#[case("http://emulator.lab.svc:8080", None)]
#[case("https://adb-1.2.databricks.azure.us", Some("USGOVERNMENT"))]
#[case("https://adb-1.2.databricks.azure.cn", Some("CHINA"))]
#[case("https://databricks.azure.us.example.com", None)]
fn a_host_is_taken_as_it_is_and_its_cloud_follows(#[case] host: &str, #[case] cloud: Option<&str>) {
    let azure = json!({"azure": {"tenantId": "t", "clientId": "app", "clientSecretRef": secret()}});
    let job = made(&json!({"target": "staging"}), host, &azure, 1, &settings());
    let env = pod(&job).containers[0].env.as_ref().unwrap();
    let value = |name: &str| env.iter().find(|one| one.name == name).and_then(|one| one.value.as_deref());
    assert_eq!((value("DATABRICKS_HOST"), value("ARM_ENVIRONMENT")), (Some(host), cloud));
}

#[rstest]
#[case(json!({"azure": {"tenantId": "t", "clientId": "a", "serviceAccountName": "release"}}), None, "use auth.federation")]
#[case(
    json!({"azure": {"tenantId": "t", "clientId": "a", "clientSecretRef": secret()}}),
    Some("https://login.example.com"), "workspaces.azureLogin"
)]
#[case(json!({}), None, "exactly one of")]
fn what_the_cli_cannot_log_in_with_is_refused(
    #[case] auth: Value,
    #[case] login: Option<&str>,
    #[case] sentence: &str,
) {
    let mut settings = settings();
    settings.args.azure_login = login.map(|login| login.parse().unwrap());
    let trouble = credentials(&workspace(HOST, &auth), &settings).unwrap_err();
    assert!(trouble.message.contains(sentence) && !trouble.transient, "{}", trouble.message);
}
