//! The node's settings: files that tell containerd, the network plugins, the kubelet, kube-proxy and CoreDNS what to do.

use std::{fs, io, path::Path};

use serde_json::{Value, json};

use super::{
    address,
    component::{Component, Door},
    control_plane::client_kubeconfig,
    image::PAUSE_IMAGE,
    parts::Parts,
    state::State,
};
use crate::requirements;

/// containerd's socket, under the node's own `/run`.
pub(crate) const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// The cgroup that holds all pods.
pub(crate) const CGROUP: &str = "brickline";

/// The file that says that the store of images is clean and holds the pause image: the kubelet may start.
pub(crate) const IMAGES_READY: &str = "images-ready";

/// Where CoreDNS says that it is ready.
pub(crate) const DNS_READY_PORT: u16 = 8181;
/// The file that says that the API server has its access rules: its clients may start without being refused first.
pub(crate) const API_READY: &str = "api-ready";

/// The facts about the host that settings depend on.
pub(crate) struct Facts {
    /// Name servers that are reachable from outside the host's loopback.
    pub name_servers: Vec<String>,
    /// The largest packet the host's own way out carries.
    pub mtu: u32,
    /// Whether layers can be stacked with overlayfs in the cache folder.
    pub overlay: bool,
}

/// Writes all files.
pub(crate) fn write(state: &State, facts: &Facts) -> io::Result<()> {
    fs::create_dir_all(state.file("cni"))?;
    fs::create_dir_all(state.file("logs"))?;
    fs::write(state.file("containerd.toml"), containerd(state, facts))?;
    fs::write(state.file("cni/10-brickline.conflist"), format!("{:#}", network(facts.mtu)))?;
    fs::write(state.file("resolv.conf"), format!("nameserver {}\n", address::NODE))?;
    fs::write(state.file("kubelet.yaml"), format!("{:#}", kubelet(state)))?;
    fs::write(state.file("kube-proxy.yaml"), format!("{:#}", kube_proxy(state)))?;
    fs::write(state.file("Corefile"), corefile(state, &facts.name_servers))
}

/// The components of the node, apart from the control plane.
pub(crate) fn components(state: &State, parts: &Parts) -> Vec<Component> {
    let system = |name: &str| requirements::find(name).unwrap_or_else(|| Path::new(name).to_owned());
    let containerd =
        Component::new("containerd", system("containerd"), [format!("--config={}", state.text("containerd.toml"))]);
    let kubelet = [
        format!("--config={}", state.text("kubelet.yaml")),
        format!("--kubeconfig={}", client_kubeconfig(state.folder(), "kubelet").display()),
        format!("--hostname-override={}", address::NODE_NAME),
        format!("--node-ip={}", address::NODE),
        "--root-dir=/run/kubelet".to_owned(),
    ];
    let proxy = [format!("--config={}", state.text("kube-proxy.yaml"))];
    let dns = ["-conf".to_owned(), state.text("Corefile")];
    let api = || Door::File(state.file(API_READY));
    vec![
        containerd,
        Component::new("kubelet", parts.program("kubelet"), kubelet).after(Door::File(state.file(IMAGES_READY))),
        Component::new("kube-proxy", parts.program("kube-proxy"), proxy).after(api()),
        Component::new("coredns", parts.program("coredns"), dns).after(api()),
    ]
}

/// Everything that containerd keeps is in our folders; its own state is in the node's `/run`.
///
/// `restrict_oom_score_adj`: containers of system pods would otherwise ask for a score that needs `CAP_SYS_RESOURCE`, which
/// root inside a container or a small virtual machine often lacks; every sandbox would then fail to start.
fn containerd(state: &State, facts: &Facts) -> String {
    let root = state.containers().display();
    let snapshots = if facts.overlay { "overlayfs" } else { "native" };
    let cni = state.text("cni");
    format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshots}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"#
    )
}

/// Each pod gets a link of its own to the node and all traffic is routed: unlike on a bridge, packets between two pods pass
/// the node's packet filter, so Services work without the kernel's `br_netfilter`.
fn network(mtu: u32) -> Value {
    let pods = json!({
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": address::PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    json!({
        "cniVersion": "0.4.0",
        "name": "brickline",
        "plugins": [
            {"type": "ptp", "ipMasq": true, "mtu": mtu, "ipam": pods},
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

fn kubelet(state: &State) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": state.text("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": state.text("kubelet.crt"),
        "tlsPrivateKeyFile": state.text("kubelet.key"),
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
        "clusterDNS": [address::NODE.to_string()],
        "clusterDomain": address::DOMAIN,
        "resolvConf": state.text("resolv.conf"),
        "volumePluginDir": "/run/kubelet/volume-plugins",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{CGROUP}"),
        // Machines that still have the first version of cgroups, swap or a full disk can run the cluster too.
        "failCgroupV1": false,
        "failSwapOn": false,
        "evictionHard": {},
        "enforceNodeAllocatable": [],
        // What is imported can't be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": false,
        // Scenarios that kill processes again and again need not wait five minutes for the next one.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
        "enableServer": true,
    })
}

fn kube_proxy(state: &State) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": client_kubeconfig(state.folder(), "kube-proxy").display().to_string()},
        "hostnameOverride": address::NODE_NAME,
        "mode": "iptables",
        "clusterCIDR": address::PODS,
        // A changed Service is usable at once.
        "iptables": {"minSyncPeriod": "100ms"},
        // The size of the connection table is the host's business.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })
}

fn corefile(state: &State, name_servers: &[String]) -> String {
    let kubeconfig = client_kubeconfig(state.folder(), "coredns").display().to_string();
    let domain = address::DOMAIN;
    let forward = match name_servers {
        [] => String::new(),
        servers => format!("    forward . {}\n", servers.join(" ")),
    };
    format!(
        ".:53 {{
    bind {node}
    errors
    ready {node}:{DNS_READY_PORT}
    kubernetes {domain} in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig} brickline
        ttl 5
    }}
{forward}    cache 30
}}
",
        node = address::NODE
    )
}
