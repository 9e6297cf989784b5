//! The controller's command line. Every flag has an environment variable, which is what the chart sets.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use brickline_crds::GoDuration;
use clap::{Parser, ValueEnum};
use url::Url;

/// Brickline: a merge into a release branch becomes a tested release on Databricks.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Namespace the controller runs in: its Lease and its certificate's Secret live there
    #[arg(long, env = "BRICKLINE_NAMESPACE", default_value = "brickline")]
    pub namespace: String,

    /// Id of this installation in what it leaves in workspaces; none: the uid of its namespace. One that moves to another
    /// cluster keeps its workspaces by keeping its id
    #[arg(long, env = "BRICKLINE_INSTALLATION")]
    pub installation: Option<String>,

    /// Name of this replica, unique among the replicas
    #[arg(long, env = "BRICKLINE_IDENTITY", default_value = "brickline")]
    pub identity: String,

    /// Address of /healthz, /readyz and /metrics
    #[arg(long, env = "BRICKLINE_METRICS_ADDRESS", default_value = "0.0.0.0:8080")]
    pub metrics_address: SocketAddr,

    /// Address of the webhook receiver (plain HTTP: put an Ingress with TLS in front)
    #[arg(long, env = "BRICKLINE_WEBHOOK_ADDRESS", default_value = "0.0.0.0:8081")]
    pub webhook_address: SocketAddr,

    /// Address of the artifact endpoint (TLS)
    #[arg(long, env = "BRICKLINE_ARTIFACT_ADDRESS", default_value = "0.0.0.0:8443")]
    pub artifact_address: SocketAddr,

    /// How pods reach the artifact endpoint, without a trailing slash
    #[arg(long, env = "BRICKLINE_ARTIFACT_URL", default_value = "https://brickline-artifacts.brickline.svc:8443")]
    pub artifact_url: Url,

    /// Folder of the artifact store, on a volume
    #[arg(long, env = "BRICKLINE_ARTIFACT_DIR", default_value = "/var/lib/brickline")]
    pub artifact_dir: PathBuf,

    /// How often artifacts, reports and logs that no release needs are deleted, such as 1h or 90m
    #[arg(long, env = "BRICKLINE_ARTIFACT_SWEEP_INTERVAL", default_value = "1h", value_parser = duration)]
    pub artifact_sweep_interval: Duration,

    /// How old they must be
    #[arg(long, env = "BRICKLINE_ARTIFACT_SWEEP_GRACE", default_value = "24h", value_parser = duration)]
    pub artifact_sweep_grace: Duration,

    /// Hosts a DatabricksWorkspace may name: a host name, or `*.` and a suffix; with `http://` before it for plain HTTP,
    /// and `:port` behind it for another port
    #[arg(
        long,
        env = "BRICKLINE_ALLOWED_HOSTS",
        value_delimiter = ',',
        default_value = "*.azuredatabricks.net,*.cloud.databricks.com,*.gcp.databricks.com,*.databricks.azure.us,*.databricks.azure.cn"
    )]
    pub allowed_hosts: Vec<String>,

    /// Hosts that a release may take an artifact from (`source.artifact`), as in --allowed-hosts; none: no release may
    #[arg(long, env = "BRICKLINE_ARTIFACT_HOSTS", value_delimiter = ',')]
    pub artifact_hosts: Vec<String>,

    /// Where service principals of Microsoft Entra log in, instead of where the cloud of a workspace's host does, such as
    /// `https://login.example.com`
    #[arg(long, env = "BRICKLINE_AZURE_LOGIN")]
    pub azure_login: Option<Url>,

    /// Image of the controller: the build pods' `runner` and `collect` containers, and `fetch` of those with asset bundles
    #[arg(long, env = "BRICKLINE_CONTROLLER_IMAGE", default_value = "brickline.dev/controller:latest")]
    pub controller_image: String,

    /// Image of the build pods' `checkout` container: git, ssh, git-lfs
    #[arg(long, env = "BRICKLINE_CHECKOUT_IMAGE", default_value = "brickline.dev/checkout:latest")]
    pub checkout_image: String,

    /// Image of the build pods' `steps` container, unless a release names its own
    #[arg(long, env = "BRICKLINE_BUILD_IMAGE", default_value = "brickline.dev/build:latest")]
    pub build_image: String,

    /// Image of the pods that deploy asset bundles: the Databricks CLI, unless a release names its own
    #[arg(long, env = "BRICKLINE_BUNDLE_IMAGE", default_value = "ghcr.io/databricks/cli:1.13.0")]
    pub bundle_image: String,

    /// Image pull secrets of build pods, names of Secrets in the release's namespace
    #[arg(long, env = "BRICKLINE_IMAGE_PULL_SECRETS", value_delimiter = ',')]
    pub image_pull_secrets: Vec<String>,

    /// Package index of build pods, instead of pip's default
    #[arg(long, env = "BRICKLINE_PACKAGE_INDEX")]
    pub package_index: Option<Url>,

    /// Further package indexes of build pods
    #[arg(long, env = "BRICKLINE_EXTRA_PACKAGE_INDEXES", value_delimiter = ',')]
    pub extra_package_indexes: Vec<Url>,

    /// Secret of the release's namespace whose keys become environment variables of the build's steps, such as
    /// PIP_INDEX_URL with a user name and password in it
    #[arg(long, env = "BRICKLINE_BUILD_ENV_SECRET")]
    pub build_env_secret: Option<String>,

    /// PEM file with certificate authorities to trust beside the image's own; build pods trust them instead of theirs
    #[arg(long, env = "BRICKLINE_CA_BUNDLE")]
    pub ca_bundle: Option<PathBuf>,

    /// Proxy for Databricks, forges and build pods
    #[arg(long, env = "BRICKLINE_HTTPS_PROXY")]
    pub https_proxy: Option<Url>,

    /// Hosts that are reached without the proxy, as in NO_PROXY
    #[arg(long, env = "BRICKLINE_NO_PROXY")]
    pub no_proxy: Option<String>,

    /// OpenTelemetry collector (OTLP over HTTP), such as http://collector:4318; none: no traces are sent
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<Url>,

    /// Log filter in tracing's notation, such as `info,brickline=debug`
    #[arg(long, env = "BRICKLINE_LOG", default_value = "info,kube_client=warn,kube_runtime=warn")]
    pub log: String,

    /// Form of the log lines
    #[arg(long, env = "BRICKLINE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// Where builds run and how many at the same time, as JSON: the chart's builds.pools
    #[arg(long, env = "BRICKLINE_BUILD_POOLS", default_value = r#"{"default": {"slots": 10}}"#)]
    pub build_pools: String,

    /// How many builds run at the same time, in all pools and namespaces together
    #[arg(long, env = "BRICKLINE_BUILD_SLOTS", default_value_t = 20)]
    pub build_slots: u16,

    /// How many builds of one namespace run at the same time
    #[arg(long, env = "BRICKLINE_BUILD_SLOTS_PER_NAMESPACE", default_value_t = 10)]
    pub build_slots_per_namespace: u16,

    /// How many releases are worked on at the same time
    #[arg(long, env = "BRICKLINE_CONCURRENCY", default_value_t = 20)]
    pub concurrency: u16,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// A duration as in the API: `90s`, `1h30m`. Not zero.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<GoDuration>().map_err(|error| error.to_string())?.get();
    if duration.is_zero() { Err("must be longer than nothing".to_owned()) } else { Ok(duration) }
}
