//! A picture of the host: what a cluster could leave behind, seen without asking the cluster's own code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::command::Command;

/// Programs that must not outlive the cluster.
const PROGRAMS: [&str; 10] = [
    "etcd",
    "kube-apiserver",
    "kube-controller",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "containerd",
    "gitea",
    "prometheus",
];
/// Words by which mounts of a cluster are known. Other programs may mount what they like in the meantime.
const MOUNT_WORDS: [&str; 6] = ["brickline", "kubelet", "containerd", "netns", "cni", "overlay"];

/// Links, packet filter, network namespaces, mounts, processes, cgroups and kernel settings, one line each.
pub(super) struct HostPicture(BTreeSet<String>);

impl HostPicture {
    /// Takes the picture.
    pub async fn take() -> anyhow::Result<Self> {
        let mut lines = BTreeSet::new();
        for command in [&["ip", "netns", "list"][..], &["nft", "list", "ruleset"], &["iptables-save"], &["ip", "route"]]
        {
            let said = Command::new(command[0]).args(&command[1..]).run().await?;
            lines.extend(
                said.lines().filter(|line| !is_counter(line)).map(|line| format!("{}: {line}", command.join(" "))),
            );
        }
        lines.extend(names("/sys/class/net").map(|name| format!("network link {name}")));
        lines.extend(mounts().into_iter().map(|mount| format!("mount {mount}")));
        lines.extend(processes().into_iter().map(|process| format!("process {process}")));
        lines.extend(cgroups().into_iter().map(|group| format!("cgroup {}", group.display())));
        lines.extend(settings().into_iter().map(|setting| format!("setting {setting}")));
        Ok(Self(lines))
    }

    /// What is there now and was not `before`.
    pub fn news_since(&self, before: &Self) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }
}

/// Comments with times, and counters of packets.
fn is_counter(line: &str) -> bool {
    line.starts_with('#') || line.starts_with(':')
}

fn names(folder: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn mounts() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let known = mounts.lines().filter(|mount| MOUNT_WORDS.iter().any(|word| mount.contains(word)));
    known.map(str::to_owned).collect()
}

fn processes() -> Vec<String> {
    let ids = names("/proc").filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let named = ids.filter_map(|id| Some((fs::read_to_string(format!("/proc/{id}/comm")).ok()?, id)));
    let ours = named.filter(|(name, _)| PROGRAMS.iter().any(|program| name.starts_with(program)));
    ours.map(|(name, id)| format!("{} {id}", name.trim())).collect()
}

fn cgroups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let deep = walkdir::WalkDir::new(root).max_depth(2).into_iter().flatten();
    let named = deep.filter(|entry| ["kubepods", "brickline"].iter().any(|name| entry.file_name() == *name));
    named.map(walkdir::DirEntry::into_path).collect()
}

fn settings() -> Vec<String> {
    let files = ["net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"];
    let read = |file: &str| fs::read_to_string(format!("/proc/sys/{file}")).unwrap_or_default();
    files.iter().map(|file| format!("{file} = {}", read(file).trim())).collect()
}
