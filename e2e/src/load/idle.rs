//! Idleness: what the controller takes while everything is installed and nothing is to be done.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, ReleaseState};
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
    let look = async {
        nothing_to_do(&stage.client()).await?;
        let name = format!("Look at the controller for {}", human(window));
        progress.step(&name, watch(&team, window)).await
    };
    let seen = leave(&stage, look.await).await?;
    print(&seen);
    Ok(())
}

/// A release that is under way would be measured as well.
async fn nothing_to_do(client: &Client) -> anyhow::Result<()> {
    let releases = Api::<DatabricksRelease>::all(client.clone()).list(&ListParams::default()).await?;
    let over = |release: &&DatabricksRelease| {
        release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished)
    };
    let busy = releases.items.len() - releases.iter().filter(over).count();
    ensure!(busy == 0, "{busy} releases are under way: nothing can be said of an idle controller");
    Ok(())
}

/// What was seen.
struct Seen {
    first: Sample,
    last: Sample,
    memory: Option<Memory>,
    age: Duration,
    rates: BTreeMap<String, f64>,
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
    let rates = after.into_iter().map(|(name, count)| {
        let rate = (count - before.get(&name).copied().unwrap_or(0.0)) / minutes;
        (name, rate)
    });
    let container = container_id(&pod).context("the container has no id")?;
    let age = started(&pod).and_then(|time| Duration::try_from(Timestamp::now().duration_since(time)).ok());
    let memory = process::memory(&container)?;
    Ok(Seen { first, last, memory, age: age.unwrap_or_default(), rates: rates.collect() })
}

/// The controller's pod and its node.
async fn find(client: &Client) -> anyhow::Result<(Pod, String)> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE).list(&ListParams::default()).await?;
    let pod = pods.items.into_iter().find(|pod| container_id(pod).is_some()).context("no controller runs")?;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).context("a pod without a node")?;
    Ok((pod, node))
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

/// Reconciles and requests to Databricks that the controller has counted, each summed up by its first label.
async fn counters(team: &Team) -> anyhow::Result<BTreeMap<String, f64>> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let answer = client.get(format!("{}/metrics", team.system.metrics)).send().await?.error_for_status()?;
    Ok(sums(&answer.text().await?))
}

fn sums(text: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (prefix, label, name) in [
        ("brickline_reconciles_total{", "kind=\"", "reconciles of"),
        ("brickline_databricks_requests_total{", "operation=\"", "requests to Databricks:"),
    ] {
        for line in text.lines().filter_map(|line| line.strip_prefix(prefix)) {
            let value = line.split(label).nth(1).and_then(|rest| rest.split('"').next());
            let count = line.rsplit(' ').next().and_then(|count| count.parse::<f64>().ok());
            if let (Some(value), Some(count)) = (value, count) {
                *sums.entry(format!("{name} {value}")).or_default() += count;
            }
        }
    }
    sums
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
    for (name, rate) in seen.rates.iter().filter(|(_, rate)| **rate > 0.0) {
        figures.add_row([name.as_str(), &format!("{rate:.1} a minute"), ""]);
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
    fn counters_are_summed_by_their_first_label() {
        let text = "# HELP brickline_reconciles_total x\n\
                    brickline_reconciles_total{kind=\"DatabricksRelease\",outcome=\"ok\"} 3\n\
                    brickline_reconciles_total{kind=\"DatabricksRelease\",outcome=\"error\"} 1\n\
                    brickline_databricks_requests_total{operation=\"me\",outcome=\"ok\"} 2\n";
        let expected = [("reconciles of DatabricksRelease", 4.0), ("requests to Databricks: me", 2.0)];
        assert_eq!(sums(text), expected.into_iter().map(|(name, sum)| (name.to_owned(), sum)).collect());
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
