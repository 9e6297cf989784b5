//! The host: the few things that the cluster changes outside its own namespaces, and how each is put back.
//!
//! These are one network link with its two routes, one table of the packet filter, kernel settings (the kubelet changes some
//! that no namespace holds), one cgroup, and an empty folder as a place to mount at.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use walkdir::WalkDir;

use super::{address, node_settings::CGROUP, process, state::State};
use crate::command::{Command, CommandError};

/// Where network plugins keep results. The path is fixed in their library, so the node mounts over it.
pub(crate) const PLUGIN_FOLDER: &str = "/var/lib/cni";
/// The packet filter's table with our one rule, and the comment on rules outside it.
const TABLE: &str = "brickline";
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
/// Settings that the kubelet writes when it starts, as well as forwarding.
const SETTINGS: [&str; 7] = [
    FORWARDING,
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/keys/root_maxbytes",
];
const CGROUPS: &str = "/sys/fs/cgroup";
/// The file in the state folder that remembers how the host was.
const MEMORY: &str = "host.json";

/// Why the host could not be prepared.
#[derive(Debug, Error)]
pub enum HostError {
    /// A network program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file or setting could not be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The host already has a route for addresses that the cluster uses.
    #[error("the host's route `{0}` covers addresses that the local cluster needs ({link}, {pods}, {services})",
        link = address::LINK, pods = address::PODS, services = address::SERVICES)]
    Taken(String),
}

fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> HostError {
    let path = path.as_ref().to_owned();
    move |error| HostError::Io(path, error)
}

/// How the host was before.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Memory {
    settings: BTreeMap<PathBuf, String>,
    made_plugin_folder: bool,
}

/// Remembers how the host is, and makes the cgroup and the folder. What an earlier, killed start remembered still counts.
pub(crate) fn prepare(state: &State) -> Result<(), HostError> {
    let file = state.file(MEMORY);
    if !file.exists() {
        let read = |path: &&str| Some((PathBuf::from(path), fs::read_to_string(path).ok()?));
        let memory = Memory {
            settings: SETTINGS.iter().filter_map(read).collect(),
            made_plugin_folder: !Path::new(PLUGIN_FOLDER).exists(),
        };
        let text = serde_json::to_vec_pretty(&memory).map_err(|error| io(&file)(error.into()))?;
        fs::write(&file, text).map_err(io(&file))?;
    }
    fs::create_dir_all(PLUGIN_FOLDER).map_err(io(PLUGIN_FOLDER))?;
    make_cgroups()
}

/// Makes the pods' cgroup: in every hierarchy of the first version, or in the only one of the second.
fn make_cgroups() -> Result<(), HostError> {
    let root = Path::new(CGROUPS);
    if root.join("cgroup.controllers").exists() {
        // Controllers that the system manager has not handed down yet; one that isn't there is not needed.
        for controller in ["cpu", "cpuset", "memory", "pids", "io"] {
            let _ = fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        return make_cgroup(root);
    }
    hierarchies().iter().try_for_each(|hierarchy| make_cgroup(hierarchy))
}

fn make_cgroup(hierarchy: &Path) -> Result<(), HostError> {
    let group = hierarchy.join(CGROUP);
    fs::create_dir_all(&group).map_err(io(&group))?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // In the first version a new group has no processors until it is given some.
        if let (true, Ok(all)) = (hierarchy.join("cpuset.sched_load_balance").exists(), fs::read(hierarchy.join(file)))
        {
            fs::write(group.join(file), all).map_err(io(group.join(file)))?;
        }
    }
    Ok(())
}

/// The roots of the cgroup hierarchies.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(CGROUPS);
    if root.join("cgroup.controllers").exists() {
        return vec![root.to_owned()];
    }
    let folders = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter(|path| !path.is_symlink() && path.join("cgroup.procs").exists()).collect()
}

/// Says whether the host's own networks leave room for the cluster's.
pub(crate) async fn check_routes() -> Result<(), HostError> {
    let routes = ip(&["-4", "route", "show"]).await?;
    let ours = ["10.201.0.", "10.200.", "10.96."];
    let clash = routes
        .lines()
        .find(|route| !route.contains(address::HOST_LINK) && ours.iter().any(|network| route.starts_with(network)));
    clash.map_or(Ok(()), |route| Err(HostError::Taken(route.to_owned())))
}

/// Links the node, whose first process is `node`, with the host and through it with the world.
pub(crate) async fn connect(node: i32, mtu: u32) -> Result<(), HostError> {
    let (link, node, mtu) = (address::HOST_LINK, node.to_string(), mtu.to_string());
    let peer = ["peer", "name", address::NODE_LINK, "netns", &node];
    ip(&[&["link", "add", link, "mtu", &mtu, "type", "veth"][..], &peer].concat()).await?;
    ip(&["address", "add", &format!("{}/30", address::HOST), "dev", link]).await?;
    ip(&["link", "set", link, "up"]).await?;
    for network in [address::PODS, address::SERVICES] {
        ip(&["route", "add", network, "via", &address::NODE.to_string(), "dev", link]).await?;
    }
    fs::write(FORWARDING, "1").map_err(io(FORWARDING))?;
    let rules = format!(
        "table ip {TABLE} {{ chain outbound {{\ntype nat hook postrouting priority 100; policy accept; \
         ip saddr {} oifname != \"{link}\" masquerade;\n}}\n}}\n",
        address::LINK
    );
    Command::new("nft").args(["-f", "-"]).input(rules).run().await?;
    open_closed_forwarding().await
}

/// Lets the node's packets through a host that forwards nothing unless told, as hosts with Docker do.
async fn open_closed_forwarding() -> Result<(), HostError> {
    if !Command::new("nft")
        .args(["list", "chain", "ip", "filter", "FORWARD"])
        .run()
        .await
        .is_ok_and(|chain| chain.contains("policy drop"))
    {
        return Ok(());
    }
    for direction in ["-i", "-o"] {
        let rule = [direction, address::HOST_LINK, "-m", "comment", "--comment", TABLE, "-j", "ACCEPT"];
        Command::new("iptables").args(["-w", "-I", "FORWARD"]).args(rule).run().await?;
    }
    Ok(())
}

/// Puts the host back. Whatever is not there is fine, so it can be repeated; the first thing that fails is returned at the end.
pub(crate) async fn restore(state: &State) -> Result<(), HostError> {
    let filter = remove_rules().await;
    let link = if link_exists() { ip(&["link", "delete", address::HOST_LINK]).await.map(drop) } else { Ok(()) };
    let cgroups = remove_cgroups();
    let settings = restore_settings(state);
    filter.and(link).and(cgroups).and(settings)
}

async fn remove_rules() -> Result<(), HostError> {
    let tables = Command::new("nft").args(["list", "tables"]).run().await?;
    if tables.lines().any(|line| line == format!("table ip {TABLE}")) {
        Command::new("nft").args(["delete", "table", "ip", TABLE]).run().await?;
    }
    for rule in commented_rules().await {
        let words = rule.split(' ').map(|word| word.trim_matches('"')).skip(1);
        Command::new("iptables").args(["-w", "-D"]).args(words).run().await?;
    }
    Ok(())
}

/// Our rules in the host's own chains, as `iptables-save` prints them.
async fn commented_rules() -> Vec<String> {
    let rules = Command::new("iptables-save").args(["-t", "filter"]).run().await.unwrap_or_default();
    let ours = |rule: &&str| rule.starts_with("-A ") && rule.contains(address::HOST_LINK);
    rules.lines().filter(ours).map(str::to_owned).collect()
}

fn link_exists() -> bool {
    Path::new("/sys/class/net").join(address::HOST_LINK).exists()
}

/// Removes the cgroup's folders, the innermost first: the kernel refuses any other order and any that has processes.
fn remove_cgroups() -> Result<(), HostError> {
    for hierarchy in hierarchies() {
        for entry in WalkDir::new(hierarchy.join(CGROUP)).contents_first(true).into_iter().flatten() {
            if entry.file_type().is_dir() {
                fs::remove_dir(entry.path()).map_err(io(entry.path()))?;
            }
        }
    }
    Ok(())
}

fn restore_settings(state: &State) -> Result<(), HostError> {
    let file = state.file(MEMORY);
    let Ok(text) = fs::read(&file) else { return Ok(()) };
    let memory: Memory = serde_json::from_slice(&text).unwrap_or_default();
    for (path, value) in &memory.settings {
        if fs::read_to_string(path).is_ok_and(|now| now != *value) {
            fs::write(path, value).map_err(io(path))?;
        }
    }
    if memory.made_plugin_folder && Path::new(PLUGIN_FOLDER).exists() {
        fs::remove_dir(PLUGIN_FOLDER).map_err(io(PLUGIN_FOLDER))?;
    }
    fs::remove_file(&file).map_err(io(&file))
}

/// What is still there of the cluster, one sentence each; nothing after a good `down`.
pub(crate) async fn leftovers(state: &State) -> Vec<String> {
    let mut found: Vec<String> = process::marked(state.folder())
        .iter()
        .map(|process| format!("process {} of {}", process.id, process.component))
        .collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let ours = [state.folder(), state.containers()].map(|folder| folder.display().to_string());
    let mounted = mounts.lines().filter(|mount| ours.iter().any(|folder| mount.contains(folder.as_str())));
    found.extend(mounted.map(|mount| format!("mount {mount}")));
    if link_exists() {
        found.push(format!("network link {}", address::HOST_LINK));
    }
    let tables = Command::new("nft").args(["list", "tables"]).run().await.unwrap_or_default();
    found.extend(tables.lines().filter(|line| line.ends_with(TABLE)).map(|line| format!("packet filter {line}")));
    found.extend(commented_rules().await.into_iter().map(|rule| format!("packet filter rule {rule}")));
    let groups = hierarchies().into_iter().map(|hierarchy| hierarchy.join(CGROUP)).filter(|group| group.exists());
    found.extend(groups.map(|group| format!("cgroup {}", group.display())));
    found
}

/// The name servers that the node can reach: the host's, unless they listen on its loopback only.
pub(crate) fn name_servers() -> Vec<String> {
    // The second is where systemd-resolved writes whom it asks itself.
    let files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
    let servers = files.iter().map(|file| reachable_name_servers(&fs::read_to_string(file).unwrap_or_default()));
    servers.into_iter().find(|servers| !servers.is_empty()).unwrap_or_default()
}

fn reachable_name_servers(resolv_conf: &str) -> Vec<String> {
    let servers = resolv_conf.lines().filter_map(|line| line.strip_prefix("nameserver")?.split_whitespace().next());
    // The node has no IPv6.
    let reachable = servers.filter(|server| server.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| !ip.is_loopback()));
    reachable.map(str::to_owned).collect()
}

/// The largest packet that the link of the host's default route carries.
pub(crate) async fn mtu() -> u32 {
    let route = ip(&["-4", "route", "show", "default"]).await.unwrap_or_default();
    let link = route.split_whitespace().skip_while(|word| *word != "dev").nth(1).unwrap_or_default();
    let mtu = fs::read_to_string(format!("/sys/class/net/{link}/mtu"));
    mtu.ok().and_then(|mtu| mtu.trim().parse().ok()).unwrap_or(1500)
}

async fn ip(arguments: &[&str]) -> Result<String, HostError> {
    Ok(Command::new("ip").args(arguments).run().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_name_servers_are_of_no_use_to_the_node() {
        let file = "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.7\nnameserver ::1\noptions edns0\n";
        assert_eq!(reachable_name_servers(file), ["192.0.2.7"]);
    }
}
