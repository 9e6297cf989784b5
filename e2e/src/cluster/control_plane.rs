//! The control plane: etcd, the API server, and the two programs that turn wishes into pods.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{
    address,
    certificate::{Authority, CertificateError, Subject, write_token_keys},
    component::{Component, Door},
    node_settings::API_READY,
    parts::Parts,
};

/// Where the papers and data of a control plane are, and the addresses it listens at.
#[derive(Clone, Debug)]
pub(crate) struct ControlPlane {
    /// The folder with certificates, kubeconfigs and etcd's data.
    pub folder: PathBuf,
    /// etcd's address for clients; the next one is for its peers.
    pub etcd: SocketAddr,
    /// The API server's address.
    pub api: SocketAddr,
}

/// The administrator's name, as `kubectl auth whoami` says it.
pub const ADMINISTRATOR: &str = "admin";

impl ControlPlane {
    /// Makes the authority and the papers of the API server and the administrator.
    pub fn write_papers(&self) -> Result<Authority, CertificateError> {
        let authority = Authority::new()?;
        let folder = &self.folder;
        let address = self.api.ip().to_string();
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "127.0.0.1"];
        let served_at = [&names[..], &[address::API_SERVICE, &address]].concat();
        let api = Subject { user: "kube-apiserver", group: None, served_at: &served_at };
        authority.paper().write(folder, "ca")?;
        authority.sign(&api)?.write(folder, "apiserver")?;
        authority
            .sign(&Subject::client("kube-apiserver-kubelet", Some("system:masters")))?
            .write(folder, "to-kubelet")?;
        write_token_keys(folder, "tokens")?;
        authority.kubeconfig(
            &self.kubeconfig(),
            &self.server(),
            &Subject::client(ADMINISTRATOR, Some("system:masters")),
        )?;
        Ok(authority)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The API server's URL.
    pub fn server(&self) -> String {
        format!("https://{}", self.api)
    }

    /// etcd, which need not survive a loss of power here.
    pub fn etcd(&self, parts: &Parts) -> Component {
        let client = format!("http://{}", self.etcd);
        let peer = format!("http://{}", SocketAddr::new(self.etcd.ip(), self.etcd.port() + 1));
        let arguments = [
            format!("--data-dir={}", self.folder.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            format!("--quota-backend-bytes={}", 8_u64 << 30),
            "--auto-compaction-retention=1h".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        Component::new("etcd", parts.program("etcd"), arguments)
    }

    /// The API server.
    pub fn api_server(&self, parts: &Parts) -> Component {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let arguments = [
            format!("--etcd-servers=http://{}", self.etcd),
            format!("--bind-address={}", self.api.ip()),
            format!("--advertise-address={}", self.api.ip()),
            format!("--secure-port={}", self.api.port()),
            format!("--cert-dir={}", file("served")),
            format!("--tls-cert-file={}", file("apiserver.crt")),
            format!("--tls-private-key-file={}", file("apiserver.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--kubelet-certificate-authority={}", file("ca.crt")),
            format!("--kubelet-client-certificate={}", file("to-kubelet.crt")),
            format!("--kubelet-client-key={}", file("to-kubelet.key")),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--service-account-key-file={}", file("tokens.pub")),
            format!("--service-account-signing-key-file={}", file("tokens.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-cluster-ip-range={}", address::SERVICES),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--allow-privileged".to_owned(),
            "--profiling=false".to_owned(),
        ];
        Component::new("kube-apiserver", parts.program("kube-apiserver"), arguments).after(Door::Tcp(self.etcd))
    }

    /// The controllers of the built-in kinds.
    pub fn controller_manager(&self, parts: &Parts) -> Component {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let own = [
            format!("--service-account-private-key-file={}", file("tokens.key")),
            format!("--root-ca-file={}", file("ca.crt")),
            format!("--cluster-signing-cert-file={}", file("ca.crt")),
            format!("--cluster-signing-key-file={}", file("ca.key")),
            "--use-service-account-credentials".to_owned(),
        ];
        let arguments = own.into_iter().chain(self.client_arguments("kube-controller-manager"));
        let program = parts.program("kube-controller-manager");
        Component::new("kube-controller-manager", program, arguments).after(Door::File(self.folder.join(API_READY)))
    }

    /// The scheduler.
    pub fn scheduler(&self, parts: &Parts) -> Component {
        let arguments = self.client_arguments("kube-scheduler");
        Component::new("kube-scheduler", parts.program("kube-scheduler"), arguments)
            .after(Door::File(self.folder.join(API_READY)))
    }

    /// Arguments of a client of the API server that also asks it who its own callers are.
    fn client_arguments(&self, name: &str) -> impl Iterator<Item = String> {
        let kubeconfig = client_kubeconfig(&self.folder, name).display().to_string();
        let flags = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"];
        flags.into_iter().map(move |flag| format!("--{flag}={kubeconfig}")).chain([
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--profiling=false".to_owned(),
        ])
    }
}

/// The kubeconfig of a part of the cluster.
pub(crate) fn client_kubeconfig(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.kubeconfig"))
}

/// Where the local cluster's control plane listens.
pub(crate) fn local(folder: PathBuf) -> ControlPlane {
    ControlPlane {
        folder,
        etcd: (Ipv4Addr::LOCALHOST, address::ETCD_PORT).into(),
        api: (address::NODE, address::API_PORT).into(),
    }
}
