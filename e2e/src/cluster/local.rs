//! The local cluster's way up and down.

use std::{fs, time::Duration};

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, runtime::wait::await_condition};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Cluster, ClusterError, address,
    certificate::Subject,
    client,
    component::Door,
    control_plane::client_kubeconfig,
    host,
    image::{self, ImageError, PAUSE_IMAGE, PROBE_IMAGE},
    node::{PLAN, Plan},
    node_settings::{self, API_READY, CONTAINERD_SOCKET, DNS_READY_PORT, Facts, IMAGES_READY},
    parts::{self, Parts},
    process,
    state::{MARK, State},
};
use crate::{
    cache::Cache,
    command::{Command, tail},
    progress::Progress,
    requirements::{self, RequirementError, Toolchain},
};

/// The file that says that the cluster came up as a whole: without it, what runs is left of a start that was cut short.
const COMPLETE: &str = "complete";
/// How long each part may take to get ready on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long killed processes and their traces may take to go.
const PARTING: Duration = Duration::from_secs(30);
/// How often something is looked at that can't be watched.
const GLANCE: Duration = Duration::from_millis(50);

/// See [`Cluster::up`].
pub(crate) async fn up(progress: &Progress) -> Result<Cluster, ClusterError> {
    let cache = Cache::open()?;
    let parts = prepare(&cache, progress).await?;
    let state = State::open(&cache)?;
    let _lock = cache.lock("cluster").await?;
    if state.file(COMPLETE).exists() && process::node(state.folder()).is_some() {
        return still_up(&state, &parts).await;
    }
    alone(&state)?;
    if !host::leftovers(&state).await.is_empty() {
        progress.step("Clear what an earlier cluster left", sweep(&state)).await?;
    }
    state.clear()?;
    let state = State::open(&cache)?;
    progress.step("Start the node and the API server", start(&state, &parts)).await?;
    let cluster = cluster(&state, &parts).await?;
    cluster.kubectl(["apply", "--server-side", "--filename", "-"]).input(include_str!("coredns.yaml")).run().await?;
    fs::write(state.file(API_READY), "")?;
    progress.step("Import the cluster's own images", import_images(&cache, &state, &parts)).await?;
    progress.step("Wait for the node to be ready", settle(&cluster, &state)).await?;
    fs::write(state.file(COMPLETE), "")?;
    Ok(cluster)
}

/// See [`Cluster::prepare`].
pub(crate) async fn prepare(cache: &Cache, progress: &Progress) -> Result<Parts, ClusterError> {
    if !requirements::is_root() {
        return Err(RequirementError::NotRoot.into());
    }
    requirements::ensure(cache, progress, &requirements::CLUSTER).await?;
    requirements::toolchain(Toolchain::Go).await?;
    Ok(Parts::build(cache, progress, parts::CLUSTER).await?)
}

/// The cluster that is up already. One that is merely slow to answer, on a busy machine, is waited for and never replaced.
async fn still_up(state: &State, parts: &Parts) -> Result<Cluster, ClusterError> {
    let cluster = cluster(state, parts).await?;
    let nodes: Api<Node> = Api::all(cluster.client());
    let well = async || {
        let node = timeout(Duration::from_secs(10), nodes.get(address::NODE_NAME)).await.ok()?.ok()?;
        (is_ready(&node) && dns_answers().await).then_some(())
    };
    wait_for("the running cluster", state, &["kube-apiserver", "kubelet"], well).await?;
    Ok(cluster)
}

async fn cluster(state: &State, parts: &Parts) -> Result<Cluster, ClusterError> {
    let kubeconfig = state.control_plane().kubeconfig();
    let client = client(&kubeconfig).await?;
    let (state, parts, gateway) = (Some(state.clone()), parts.clone(), address::HOST.into());
    Ok(Cluster { kubeconfig, context: None, state, parts, client, gateway })
}

/// Writes everything the node reads, starts its first process, and links it with the host.
async fn start(state: &State, parts: &Parts) -> Result<(), ClusterError> {
    host::check_routes().await?;
    let mtu = host::mtu().await;
    write(state, parts, mtu)?;
    host::prepare(state)?;
    let own = std::env::current_exe()?;
    Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "--"])
        .arg(own)
        .arg("node")
        .arg(state.folder())
        .env(MARK, state.folder())
        .env(process::COMPONENT, process::NODE)
        .log(state.log(process::NODE))
        .daemon()?;
    let node =
        wait_for("the node's first process", state, &[process::NODE], async || process::node(state.folder())).await?;
    host::connect(node.id, mtu).await?;
    let api = client(&state.control_plane().kubeconfig()).await?;
    let logs = ["etcd", "kube-apiserver", process::NODE];
    wait_for("the API server", state, &logs, async || answers(&api).await.then_some(())).await
}

async fn answers(api: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
    matches!(timeout(Duration::from_secs(5), api.request_text(request)).await, Ok(Ok(_)))
}

fn write(state: &State, parts: &Parts, mtu: u32) -> Result<(), ClusterError> {
    let control_plane = state.control_plane();
    let (authority, server) = (control_plane.write_papers()?, control_plane.server());
    let node = format!("system:node:{}", address::NODE_NAME);
    let clients = [
        ("kube-controller-manager", Subject::client("system:kube-controller-manager", None)),
        ("kube-scheduler", Subject::client("system:kube-scheduler", None)),
        ("kube-proxy", Subject::client("system:kube-proxy", None)),
        ("coredns", Subject::client("system:coredns", None)),
        ("kubelet", Subject::client(&node, Some("system:nodes"))),
    ];
    for (name, subject) in &clients {
        authority.kubeconfig(&client_kubeconfig(state.folder(), name), &server, subject)?;
    }
    let node_address = address::NODE.to_string();
    let served_at = [address::NODE_NAME, &node_address];
    let serving = Subject { user: &node, group: Some("system:nodes"), served_at: &served_at };
    authority.sign(&serving)?.write(state.folder(), "kubelet")?;
    let overlay = overlay_works(state);
    node_settings::write(state, &Facts { name_servers: host::name_servers(), mtu, overlay })?;
    let control = [control_plane.etcd(parts), control_plane.api_server(parts)];
    let control = control.into_iter().chain([control_plane.controller_manager(parts), control_plane.scheduler(parts)]);
    let plan = Plan { components: control.chain(node_settings::components(state, parts)).collect(), mtu };
    fs::write(state.file(PLAN), serde_json::to_vec_pretty(&plan).map_err(std::io::Error::other)?)?;
    Ok(())
}

/// Whether layers can be stacked in the cache folder: not if that is itself such a stack, as inside most containers.
fn overlay_works(state: &State) -> bool {
    const OVERLAYFS: i64 = 0x794c_7630;
    rustix::fs::statfs(state.containers()).is_ok_and(|fs| fs.f_type != OVERLAYFS)
}

/// Fills the store of images, cleans it of an earlier cluster's containers, and then lets the kubelet start.
async fn import_images(cache: &Cache, state: &State, parts: &Parts) -> Result<(), ClusterError> {
    let socket = || {
        let node = process::node(state.folder())?;
        let door = Door::Unix(process::proc(node.id, "root").join(CONTAINERD_SOCKET.trim_start_matches('/')));
        door.is_open().then_some(())
    };
    let logs = ["containerd"];
    wait_for("containerd", state, &logs, async || socket()).await?;
    if image::remove_old_containers(state).await? {
        // Its part for Kubernetes still has them in memory. The node's first process starts it again.
        let old =
            containerd(state).ok_or(ClusterError::NotReady { what: "containerd", seconds: 0, said: String::new() })?;
        let _ = Pid::from_raw(old.id).map(|pid| kill_process(pid, Signal::KILL));
        let renewed = async || containerd(state).filter(|new| new.id != old.id).and_then(|_| socket());
        wait_for("containerd", state, &logs, renewed).await?;
    }
    for (name, program) in [(PAUSE_IMAGE, "pause"), (PROBE_IMAGE, "probe")] {
        image::import(state, &image::pack(cache, name, &parts.program(program)).await?).await?;
    }
    fs::write(state.file(IMAGES_READY), "")?;
    Ok(())
}

fn containerd(state: &State) -> Option<process::Process> {
    process::marked(state.folder()).into_iter().find(|process| process.component == "containerd")
}

/// Waits until pods can run: the node is ready, names resolve, and every namespace gets its default account.
async fn settle(cluster: &Cluster, state: &State) -> Result<(), ClusterError> {
    let nodes: Api<Node> = Api::all(cluster.client());
    let logs = ["kubelet", "containerd"];
    let ready = await_condition(nodes, address::NODE_NAME, |node: Option<&Node>| node.is_some_and(is_ready));
    match timeout(PATIENCE, Box::pin(ready)).await {
        Ok(Ok(_)) => {}
        _ => return Err(not_ready("the node", state, &logs)),
    }
    wait_for("CoreDNS", state, &["coredns"], async || dns_answers().await.then_some(())).await
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether CoreDNS has seen the cluster's Services.
async fn dns_answers() -> bool {
    let url = format!("http://{}:{DNS_READY_PORT}/ready", address::NODE);
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build() else {
        return false;
    };
    matches!(client.get(url).send().await, Ok(answer) if answer.status().is_success())
}

/// Looks until there is what is waited for.
async fn wait_for<T>(
    what: &'static str,
    state: &State,
    logs: &[&str],
    look: impl AsyncFn() -> Option<T>,
) -> Result<T, ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look().await {
            return Ok(found);
        }
        sleep(GLANCE).await;
    }
    Err(not_ready(what, state, logs))
}

fn not_ready(what: &'static str, state: &State, logs: &[&str]) -> ClusterError {
    let said: Vec<String> =
        logs.iter().map(|name| format!("\n--- {name}\n{}", tail(&state.log(name), 12).unwrap_or_default())).collect();
    ClusterError::NotReady { what, seconds: PATIENCE.as_secs(), said: said.concat() }
}

/// See [`Cluster::down`].
pub(crate) async fn down(progress: &Progress) -> Result<(), ClusterError> {
    if !requirements::is_root() {
        return Err(RequirementError::NotRoot.into());
    }
    let cache = Cache::open()?;
    let _lock = cache.lock("cluster").await?;
    let state = State::open(&cache)?;
    alone(&state)?;
    progress.step("Take the cluster down", sweep(&state)).await?;
    Ok(state.clear()?)
}

/// Two clusters would fight for the same addresses, and clearing one would cut the other off.
fn alone(state: &State) -> Result<(), ClusterError> {
    process::elsewhere(state.folder()).map_or(Ok(()), |other| Err(ClusterError::Elsewhere(other)))
}

/// See [`Cluster::crash`].
pub(crate) async fn crash(state: &State) -> Result<(), ClusterError> {
    let node = process::node(state.folder()).ok_or(ImageError::NoNode)?;
    // Whether it is gone is for the caller to see.
    let _ = Pid::from_raw(node.id).map(|pid| kill_process(pid, Signal::KILL));
    wait_for("the end of the node", state, &[], async || process::node(state.folder()).is_none().then_some(())).await
}

/// Removes every trace of the cluster from the host but its files. The kernel takes namespaces and cgroups apart a moment
/// after the last process in them is gone, so this is repeated until nothing is left.
async fn sweep(state: &State) -> Result<(), ClusterError> {
    process::kill(state.folder(), PARTING).await;
    let deadline = Instant::now() + PARTING;
    loop {
        let restored = host::restore(state).await;
        let left = host::leftovers(state).await;
        if restored.is_ok() && left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return restored.map_err(ClusterError::from).and(Err(ClusterError::Left(left)));
        }
        sleep(GLANCE).await;
    }
}
