//! The chart: what Helm makes of it is taken by the API server.

use std::{collections::BTreeSet, io::Write as _, path::PathBuf};

use anyhow::{Context as _, ensure};
use brickline_e2e::{cache::Cache, command::Command, go::GoModule, progress::Progress};
use brickline_tests::{Lab, Mode, Room, Suite, checkout};
use http::Method;
use kube::{
    Resource as _,
    core::{DynamicObject, GroupVersionKind},
    discovery::{Scope, pinned_kind},
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// The namespace that the chart is installed to.
const NAMESPACE: &str = "brickline";
/// The kinds of the Prometheus operator, which is not part of Kubernetes. `cargo verify` tests the rules themselves.
const FOREIGN: [&str; 2] = ["PrometheusRule", "ServiceMonitor"];

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("the chart with its defaults is taken", async |lab: &Lab| {
        let kinds = install(lab, &json!({})).await?;
        let wanted = [
            "ClusterRole",
            "CustomResourceDefinition",
            "Deployment",
            "PersistentVolumeClaim",
            "Service",
            "ValidatingAdmissionPolicy",
        ];
        ensure!(wanted.iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
        Ok(())
    });
    suite.add("the chart with everything in use is taken", async |lab: &Lab| {
        let kinds = install(lab, &everything()).await?;
        let wanted = ["ConfigMap", "Ingress", "NetworkPolicy", "PrometheusRule", "RoleBinding", "ServiceMonitor"];
        ensure!(wanted.iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
        Ok(())
    });
    for store in [
        json!({"type": "existingClaim", "existingClaim": "artifacts"}),
        json!({"type": "hostPath", "hostPath": "/srv/brickline"}),
        json!({"type": "emptyDir", "emptyDirSizeLimit": "2Gi"}),
    ] {
        let name = format!("the chart with the artifact store {} is taken", store["type"]);
        suite.add(&name, async move |lab: &Lab| {
            let kinds = install(lab, &json!({"artifactStore": store})).await?;
            ensure!(!kinds.contains("PersistentVolumeClaim"), "a claim that nobody asked for");
            Ok(())
        });
    }
}

/// Values that turn on every part of the chart and fill every list.
fn everything() -> Value {
    json!({
        "fullnameOverride": "releases",
        "tenants": ["data", "ml"],
        "images": {"controller": {"repository": "registry.example.com:5000/brickline", "tag": "v1", "pullPolicy": "Always"}},
        "imagePullSecrets": ["registry"],
        "builds": {
            "imagePullSecrets": ["registry"],
            "packageIndex": {"url": "https://pypi.example.com/simple", "extraUrls": ["https://other.example.com/simple"]},
            "environmentSecret": "pip",
            "networkPolicy": {"enabled": true, "deniedEgress": ["169.254.169.254/32", "fd00:ec2::254/128"]},
        },
        "artifactStore": {
            "claim": {"storageClassName": "fast", "size": "20Gi", "accessModes": ["ReadWriteOncePod"]},
            "sweep": {"interval": "1h30m", "grace": "48h"},
        },
        "webhooks": {
            "service": {"type": "LoadBalancer", "port": 80, "annotations": {"example.com/a": "b"}},
            "ingress": {
                "enabled": true,
                "className": "nginx",
                "host": "hooks.example.com",
                "tlsSecretName": "hooks-tls",
                "annotations": {"example.com/a": "b"},
            },
        },
        "caBundle": {"pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
        "proxy": {"https": "http://proxy.example.com:3128"},
        "tracing": {"endpoint": "http://collector.observability:4318"},
        "metrics": {
            "service": {"annotations": {"example.com/a": "b"}},
            "serviceMonitor": {"enabled": true, "labels": {"prometheus": "main"}},
            "rules": {"enabled": true, "labels": {"prometheus": "main"}, "runbookBaseUrl": "https://git.example.com/b/"},
        },
        "networkPolicy": {
            "enabled": true,
            "webhooksFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
            "metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        },
        "serviceAccount": {"name": "releaser", "annotations": {"example.com/a": "b"}},
        "podAnnotations": {"example.com/a": "b"},
        "podLabels": {"team": "data"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["system"]}]},
        ]}}},
        "priorityClassName": "system-cluster-critical",
    })
}

/// Shows the API server everything that the chart makes of these values; answers with the kinds it saw.
async fn install(lab: &Lab, values: &Value) -> anyhow::Result<BTreeSet<String>> {
    let room = lab.room(NAMESPACE).await?;
    for tenant in values["tenants"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        lab.room(tenant).await?;
    }
    let mut kinds = BTreeSet::new();
    for object in render(values).await? {
        let kind = object["kind"].as_str().context("an object without a kind")?.to_owned();
        if !FOREIGN.contains(&kind.as_str()) {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            apply(lab, &room, &object, Mode::DryRun).await.with_context(|| format!("{kind} {name}"))?;
        }
        kinds.insert(kind);
    }
    Ok(kinds)
}

/// What Helm makes of the chart.
pub async fn render(values: &Value) -> anyhow::Result<Vec<Value>> {
    let mut file = NamedTempFile::new()?;
    // JSON is YAML.
    write!(file, "{values}")?;
    let chart = checkout("charts/brickline");
    let helm = Command::new(helm().await?).args(["template", "brickline", "--namespace", NAMESPACE, "--values"]);
    let manifest = helm.arg(file.path()).arg(&chart).run().await?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&manifest)?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// The Helm of the local cluster.
async fn helm() -> anyhow::Result<PathBuf> {
    let module = GoModule::plain("helm", "Helm", &["helm.sh/helm/v4/cmd/helm"]);
    Ok(module.build(&Cache::open()?, &Progress::default()).await?.join("helm"))
}

/// As `helm install` does, or `helm install --dry-run=server`: checked like any other object, and not stored.
pub async fn apply(lab: &Lab, room: &Room, object: &Value, mode: Mode) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, version) = match text(&object["apiVersion"]).split_once('/') {
        Some((group, version)) => (group.to_owned(), version.to_owned()),
        None => (String::new(), text(&object["apiVersion"])),
    };
    let (kind, capabilities) =
        pinned_kind(&lab.client(), &GroupVersionKind { group, version, kind: text(&object["kind"]) }).await?;
    let namespace = object["metadata"]["namespace"].as_str();
    ensure!((capabilities.scope == Scope::Namespaced) == namespace.is_some(), "a namespace too many or too few");
    let collection = DynamicObject::url_path(&kind, namespace);
    let dry_run = if mode == Mode::DryRun { "&dryRun=All" } else { "" };
    let query = format!("fieldManager=helm&force=true&fieldValidation=Strict{dry_run}");
    let path = format!("{collection}/{}?{query}", text(&object["metadata"]["name"]));
    room.send(Method::PATCH, &path, "application/apply-patch+yaml", object).await?.accepted().map(drop)
}
