//! The scenario `cluster`: what every other one takes for granted about the cluster that it is told on.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Pod, Service},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

use super::Stage;
use crate::cluster::PROBE_IMAGE;

/// Tells it.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    stage.create::<Pod>(web()).await?;
    let selector = json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]});
    let service: Service = stage.create(json!({"metadata": {"name": "web"}, "spec": selector})).await?;
    stage.running("web").await?;
    tokio::try_join!(
        finds_a_service_by_name(&stage),
        reaches_a_service_from_the_host(&service),
        reaches_the_host(&stage),
        refuses_a_privileged_pod(&stage),
    )?;
    Ok(())
}

async fn finds_a_service_by_name(stage: &Stage) -> anyhow::Result<()> {
    stage.create::<Job>(job("get", &["get", "http://web"])).await?;
    let full = format!("web.{}.svc.cluster.local", stage.namespace);
    stage.create::<Job>(job("resolve", &["resolve", &full])).await?;
    let page = stage.completed("get").await?;
    ensure!(page == "uid 65532\n", "the page was {page:?}");
    let addresses = stage.completed("resolve").await?;
    ensure!(addresses.starts_with("[10.96."), "{full} resolved to {addresses:?}");
    Ok(())
}

/// Webhooks of a forge on the host come this way.
async fn reaches_a_service_from_the_host(service: &Service) -> anyhow::Result<()> {
    let address =
        service.spec.as_ref().and_then(|spec| spec.cluster_ip.clone()).context("a Service without address")?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    // The rules for a new Service are in place a moment after it is made; until then it refuses connections at once.
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        if let Ok(answer) = client.get(format!("http://{address}")).send().await {
            ensure!(answer.status().is_success(), "the Service answered {}", answer.status());
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("the host does not reach the Service at {address}")
}

/// Checkouts from a forge on the host go this way.
async fn reaches_the_host(stage: &Stage) -> anyhow::Result<()> {
    let listener = TcpListener::bind((stage.cluster.gateway_ip(), 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    stage.create::<Job>(job("host", &["get", &url])).await?;
    let answer = async {
        let (mut connection, _) = listener.accept().await?;
        let mut request = [0; 1024];
        ensure!(connection.read(&mut request).await? > 0, "an empty request");
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nfrom host").await?;
        Ok(())
    };
    timeout(Duration::from_mins(2), answer).await.context("no pod called the host")??;
    let page = stage.completed("host").await?;
    ensure!(page == "from host", "the pod got {page:?}");
    Ok(())
}

async fn refuses_a_privileged_pod(stage: &Stage) -> anyhow::Result<()> {
    let containers = json!([{"name": "no", "image": PROBE_IMAGE, "securityContext": {"privileged": true}}]);
    let pod = json!({"metadata": {"name": "privileged"}, "spec": {"containers": containers}});
    let refused = stage.create::<Pod>(pod).await.err().context("a privileged pod was accepted")?;
    let forbidden = matches!(refused.downcast_ref(), Some(kube::Error::Api(status)) if status.is_forbidden());
    ensure!(forbidden, "refused for another reason: {refused:#}");
    Ok(())
}

fn web() -> Value {
    json!({
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [container(&["serve", ":8080"])]},
    })
}

fn job(name: &str, arguments: &[&str]) -> Value {
    let pod = json!({"restartPolicy": "Never", "containers": [container(arguments)]});
    json!({"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}})
}

/// A container as the "restricted" rules want it.
fn container(arguments: &[&str]) -> Value {
    json!({
        "name": "probe",
        "image": PROBE_IMAGE,
        "args": arguments,
        "securityContext": {
            "runAsNonRoot": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    })
}
