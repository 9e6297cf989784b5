//! The tools that people have already: kubectl's `wait` and `explain`, and Helm's `--wait`.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::setting::Setting;

/// How long Helm may wait for what will never be ready.
const IN_VAIN: &str = "20s";

/// `kubectl wait`, `kubectl explain` and Helm 4 judge the objects as a person would.
pub(super) async fn tools_judge_rightly(setting: &Setting) -> anyhow::Result<()> {
    kubectl_waits_and_explains(setting).await?;
    helm_waits_for_a_good_pipeline(setting).await?;
    helm_gives_up_on_a_broken_pipeline(setting).await
}

/// `kubectl wait --for=condition=Ready` ends for every kind, and `kubectl explain` knows every field.
async fn kubectl_waits_and_explains(setting: &Setting) -> anyhow::Result<()> {
    let built = format!("dbrel/{}", setting.built.0);
    let wait = ["wait", "--for=condition=Ready", "--timeout=1m", &built, "dbpipe/dbxdemo", "dbws/staging"];
    let said = setting.kubectl(&wait).await?;
    ensure!(said.lines().count() == 3, "kubectl wait said {said}");
    let page = setting.kubectl(&["explain", "dbrel.spec", "--recursive"]).await?;
    for field in ["source", "artifactFrom", "cancelGracePeriod", "retryFailed", "workspaceRef"] {
        ensure!(page.contains(field), "kubectl explain doesn't know {field}");
    }
    let one = setting.kubectl(&["explain", "dbrel.spec.timeouts.restart"]).await?;
    ensure!(one.contains("DESCRIPTION") && one.contains("10m"), "the field is not explained: {one}");
    Ok(())
}

/// `helm install --wait` comes back when the pipeline is ready.
async fn helm_waits_for_a_good_pipeline(setting: &Setting) -> anyhow::Result<()> {
    install(setting, "good", &pipeline(setting, "hook", "helm")).await.context("helm --wait on a good pipeline")?;
    let ready = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
    let said = setting.kubectl(&["get", "dbpipe", "good", "-o", ready]).await?;
    ensure!(said == "True", "helm came back before the pipeline was ready: {said}");
    Ok(())
}

/// `helm install --wait` fails on a pipeline that can't work: whose Secret is missing, or whose branches are no pattern.
async fn helm_gives_up_on_a_broken_pipeline(setting: &Setting) -> anyhow::Result<()> {
    for (name, secret, branch) in [("no-secret", "no-such-secret", "helm"), ("no-pattern", "hook", "[z-a]")] {
        let installed = install(setting, name, &pipeline(setting, secret, branch)).await;
        ensure!(installed.is_err(), "helm --wait was content with the pipeline {name}");
        let look = ["get", "dbpipe", name, "-o", r#"jsonpath={.status.conditions[?(@.type=="Ready")].message}"#];
        let said = setting.kubectl(&look).await?;
        ensure!(said.contains(if name == "no-secret" { secret } else { branch }), "{name} says {said}");
    }
    Ok(())
}

/// Installs a chart that holds one object.
async fn install(setting: &Setting, name: &str, object: &Value) -> anyhow::Result<()> {
    let chart = TempDir::new()?;
    write(chart.path(), "Chart.yaml", &json!({"apiVersion": "v2", "name": name, "version": "1.0.0"}))?;
    let mut object = object.clone();
    object["metadata"] = json!({"name": name});
    write(chart.path(), "templates/pipeline.yaml", &object)?;
    let namespace = &setting.team.stage.namespace;
    let timeout = if name == "good" { "2m" } else { IN_VAIN };
    let helm = setting.team.stage.cluster.helm(["install", name, "--wait", "--timeout", timeout]);
    let helm = helm.args(["--namespace", namespace]).arg(chart.path()).limit(Duration::from_mins(3));
    Ok(helm.run().await.map(drop)?)
}

fn write(folder: &Path, name: &str, content: &Value) -> anyhow::Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    Ok(fs::write(path, content.to_string())?)
}

fn pipeline(setting: &Setting, secret: &str, branch: &str) -> Value {
    json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "ReleasePipeline",
        "spec": {
            "repository": {
                "url": setting.team.repository.clone_url(),
                "provider": "gitea",
                "credentialsRef": {"name": "git"},
            },
            "trigger": {"branches": [branch], "webhook": {"secretRef": {"name": secret}}},
            "stages": [{"name": "staging", "workspaceRef": {"name": "staging"}}],
        },
    })
}
