//! Parts: the programs of a cluster that are built here, from modules with pinned versions.

use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    cache::Cache,
    go::{GoError, GoModule},
    progress::Progress,
    requirements,
};

/// The version of Kubernetes; `e2e/go/kubernetes/go.mod` pins the same.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

/// Without these flags a build of the bare module would call itself `v0.0.0-master` and clients would refuse it.
const KUBERNETES: GoModule = GoModule {
    link_flags: "-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 \
        -X k8s.io/component-base/version.gitMinor=36 -X k8s.io/component-base/version.gitTreeState=clean",
    ..GoModule::plain(
        "kubernetes",
        "Kubernetes v1.36.3",
        &[
            "k8s.io/kubernetes/cmd/kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            "k8s.io/kubernetes/cmd/kubelet",
            "k8s.io/kubernetes/cmd/kube-proxy",
            "k8s.io/kubernetes/cmd/kubectl",
        ],
    )
};
const ETCD: GoModule = GoModule::plain("etcd", "etcd 3.6", &["."]);
const COREDNS: GoModule = GoModule::plain("coredns", "CoreDNS 1.15", &["github.com/coredns/coredns"]);
const HELM: GoModule = GoModule::plain("helm", "Helm 4.3", &["helm.sh/helm/v4/cmd/helm"]);
const PAUSE: GoModule = GoModule::plain("pause", "the pause image", &["."]);
const PROBE: GoModule = GoModule::plain("probe", "the probe image", &["."]);

/// What the API server alone needs.
pub(crate) const API_SERVER: &[GoModule] = &[KUBERNETES, ETCD];
/// What the whole cluster needs. The longest build first, so that the short ones fill its gaps.
pub(crate) const CLUSTER: &[GoModule] = &[KUBERNETES, COREDNS, HELM, ETCD, PAUSE, PROBE];

/// What a cluster of the user's own needs: Helm, and kubectl unless it is installed.
pub(crate) fn tools() -> &'static [GoModule] {
    if requirements::find("kubectl").is_some() { &[HELM] } else { &[HELM, KUBERNETES] }
}

/// Folders with built programs.
#[derive(Clone, Debug)]
pub struct Parts(Vec<PathBuf>);

impl Parts {
    /// Builds what isn't in the cache yet, two modules side by side: one links while the other compiles.
    pub(crate) async fn build(cache: &Cache, progress: &Progress, modules: &[GoModule]) -> Result<Self, GoError> {
        let builds = modules.iter().map(|module| module.build(cache, progress));
        stream::iter(builds).buffered(2).try_collect().await.map(Self)
    }

    /// The path of a program by its name.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        let mut paths = self.0.iter().map(|folder| folder.join(name));
        paths.find(|path| path.exists()).unwrap_or_else(|| Path::new(name).to_owned())
    }

    /// The folders of all programs, for a PATH.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.0
    }
}
