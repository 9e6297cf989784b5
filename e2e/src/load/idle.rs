//! Idleness: what the controller takes while everything is installed and nothing is to be done.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    figures::table,
    leave,
    process::{self, Memory},
    settle,
};
use crate::{
    progress::{Progress, human},
    system::{NAMESPACE, Team},
};

/// The bars.
const MEMORY: f64 = 40.0;
const PROCESSOR: f64 = 1.0;
/// The container that is looked at.
const CONTAINER: &str = "controller";
/// How old the kubelet's figures may be, and how often they are asked for.
const FRESH: Duration = Duration::from_secs(45);
const GLANCE: Duration = Duration::from_millis(500);

/// Looks at the controller for a while.
pub(super) async fn measure(progress: &Progress, window: Duration) -> anyhow::Result<()> {
    let (stage, team) = settle(progress, "idle").await?;
    let name = format!("Look at the controller for {}", human(window));
    let seen = leave(&stage, progress.step(&name, watch(&team, window)).await).await?;
    print(&seen);
    Ok(())
}

/// What was seen.
struct Seen {
    first: Sample,
    last: Sample,
    memory: Option<Memory>,
    age: Duration,
    rates: [f64; 2],
}

async fn watch(team: &Team, window: Duration) -> anyhow::Result<Seen> {
    let client = team.stage.client();
    let (pod, node) = find(&client).await?;
    let before = counters(team).await?;
    let (begun, since) = (Instant::now(), Timestamp::now());
    let first = sample(&client, &node, &pod.name_any(), since).await?;
    sleep(window).await;
    let until = first.cpu.time.checked_add(window)?;
    let last = sample(&client, &node, &pod.name_any(), until).await?;
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let after = counters(team).await?;
    let rates = [0, 1].map(|index| (after[index] - before[index]) / minutes);
    let container = container_id(&pod).context("the container has no id")?;
    let age = started(&pod).and_then(|time| Duration::try_from(Timestamp::now().duration_since(time)).ok());
    let memory = process::memory(&container)?;
    Ok(Seen { first, last, memory, age: age.unwrap_or_default(), rates })
}

/// The controller's pod and its node.
async fn find(client: &Client) -> anyhow::Result<(Pod, String)> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE).list(&ListParams::default()).await?;
    let pod = pods.items.into_iter().find(|pod| container_id(pod).is_some()).context("no controller runs")?;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).context("a pod without a node")?;
    Ok((pod, node))
}

/// The id of the controller's container.
pub(super) async fn controller(client: &Client) -> anyhow::Result<String> {
    let (pod, _) = find(client).await?;
    container_id(&pod).context("the container has no id")
}

fn container_id(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == CONTAINER)?;
    status.state.as_ref()?.running.as_ref()?;
    status.container_id.as_ref()?.split("://").nth(1).map(str::to_owned)
}

fn started(pod: &Pod) -> Option<Timestamp> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == CONTAINER)?;
    Some(status.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0)
}

#[derive(Deserialize)]
struct Summary {
    pods: Vec<PodStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodRef,
    #[serde(default)]
    containers: Vec<Sample>,
}

#[derive(Deserialize)]
struct PodRef {
    name: String,
}

/// What the kubelet says of a container.
#[derive(Deserialize)]
struct Sample {
    name: String,
    cpu: CpuStats,
    memory: MemoryStats,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CpuStats {
    time: Timestamp,
    usage_core_nano_seconds: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemoryStats {
    working_set_bytes: u64,
    rss_bytes: u64,
}

/// The kubelet's figures that are not older than `since`: it takes new ones every few seconds.
async fn sample(client: &Client, node: &str, pod: &str, since: Timestamp) -> anyhow::Result<Sample> {
    let deadline = Instant::now() + FRESH;
    loop {
        let path = format!("{}/{node}/proxy/stats/summary", <Node as kube::Resource>::url_path(&(), None));
        let request = http::Request::get(path).body(Vec::new())?;
        let summary: Summary = client.request(request).await.context("the kubelet's summary")?;
        let stats = summary.pods.into_iter().find(|stats| stats.pod_ref.name == pod);
        let sample = stats.and_then(|stats| stats.containers.into_iter().find(|sample| sample.name == CONTAINER));
        match sample.filter(|sample| sample.cpu.time >= since) {
            Some(sample) => return Ok(sample),
            None => ensure!(Instant::now() < deadline, "the kubelet has no figures of {pod} since {since}"),
        }
        sleep(GLANCE).await;
    }
}

/// What the controller counts that wakes it up: the metric, and what people call it.
const COUNTERS: [(&str, &str); 2] =
    [("brickline_reconciles_total{", "reconciles"), ("brickline_databricks_requests_total{", "requests to Databricks")];

async fn counters(team: &Team) -> anyhow::Result<[f64; 2]> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let answer = client.get(format!("{}/metrics", team.system.metrics)).send().await?.error_for_status()?;
    let text = answer.text().await?;
    let [reconciles, requests] = COUNTERS.map(|(metric, _)| sum(&text, metric));
    // The team's workspace and pipeline were reconciled: without a count the metric has another name by now.
    Ok([reconciles.context("no reconcile was ever counted")?, requests.context("no request was ever counted")?])
}

/// The sum of a metric's series; none if it has none.
fn sum(text: &str, metric: &str) -> Option<f64> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(metric));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).reduce(|sum, count| sum + count)
}

fn print(seen: &Seen) {
    let mut figures = table(&["figure", "value", "bar"]);
    let mib = |kib: u64| format!("{:.1} MiB", mebi(kib));
    let kubelet = |sample: &Sample| {
        let memory = &sample.memory;
        (mib(memory.rss_bytes >> 10), mib(memory.working_set_bytes >> 10))
    };
    let under = format!("under {MEMORY} MiB");
    if let Some(memory) = seen.memory {
        figures.add_row(["resident (VmRSS)", &mib(memory.rss), &under]);
        figures.add_row(["of it the process' own (RssAnon)", &mib(memory.anonymous), ""]);
        figures.add_row(["most ever resident (VmHWM)", &mib(memory.peak), ""]);
    }
    let (rss, working_set) = kubelet(&seen.last);
    figures.add_row(["rssBytes of the kubelet", &rss, &under]);
    figures.add_row(["workingSetBytes of the kubelet", &working_set, ""]);
    let processor = format!("{:.2} % of a core", share(&seen.first.cpu, &seen.last.cpu));
    figures.add_row(["processor", &processor, &format!("under {PROCESSOR} %")]);
    for ((_, name), rate) in COUNTERS.iter().zip(seen.rates) {
        figures.add_row([name, format!("{rate:.1} a minute").as_str(), ""]);
    }
    println!("{figures}");
    println!("the controller had been running for {}", human(seen.age));
}

/// KiB as MiB.
fn mebi(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

/// Processor time between two samples, in percent of one core.
fn share(first: &CpuStats, last: &CpuStats) -> f64 {
    let used = Duration::from_nanos((last.usage_core_nano_seconds - first.usage_core_nano_seconds).unsigned_abs());
    100.0 * used.as_secs_f64() / last.time.duration_since(first.time).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_its_series() {
        let text = "# HELP brickline_reconciles_total x\n\
                    brickline_reconciles_total{kind=\"DatabricksRelease\",outcome=\"ok\"} 3\n\
                    brickline_reconciles_total{kind=\"ReleasePipeline\",outcome=\"ok\"} 1\n\
                    brickline_leader 1\n";
        assert_eq!(sum(text, COUNTERS[0].0), Some(4.0));
        assert_eq!(sum(text, COUNTERS[1].0), None);
    }

    #[test]
    fn the_share_is_of_one_core() {
        let at = |second: i64, nanos: i64| CpuStats {
            time: Timestamp::from_second(second).unwrap(),
            usage_core_nano_seconds: nanos,
        };
        assert!((share(&at(0, 5_000_000), &at(60, 605_000_000)) - 1.0).abs() < 1e-9);
    }
}
