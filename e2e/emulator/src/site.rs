//! A site is one workspace with its address: its state, tokens, clusters and faults are its own. A process serves one or
//! several; only the programs that run notebooks are shared.

use crate::{
    api::{self, Context},
    args::Serve,
    driver::{Program, generation::Settings, program::TOKENS_VARIABLE},
    fault::Faults,
    federation::Federation,
    journal::Journal,
    limits::Limits,
    listen::{Listener, Plug},
    stale::Past,
    state::{ClusterRecord, SafePath, lock},
    token::Tokens,
    work,
    workspace::{Delays, Git, Workspace},
};
use anyhow::{Context as _, bail, ensure};
use sha2::{Digest, Sha256};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SPARK_VERSION: &str = "14.3.x-scala2.12";
/// The id of the first workspace, which clients read from a header.
const WORKSPACE_ID: u64 = 1_234_567_890_123_456;
/// How long clients' last answers and the drivers' ends may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// One more workspace, as the command line names it: `NAME=ADDRESS`, then `,KEY=VALUE` for what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct More {
    name: String,
    listen: SocketAddr,
    token_file: Option<PathBuf>,
    clusters: Vec<String>,
    volumes: Vec<String>,
    public_url: Option<String>,
}

impl FromStr for More {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.split(',');
        let (name, address) =
            parts.next().unwrap_or_default().split_once('=').context("it begins with NAME=ADDRESS")?;
        ensure!(is_id(name), "the name may hold letters, digits, - and _ only");
        let listen = address.parse().with_context(|| format!("{address} is no address"))?;
        let (name, token_file, public_url) = (name.to_owned(), None, None);
        let mut more = Self { name, listen, token_file, clusters: Vec::new(), volumes: Vec::new(), public_url };
        for part in parts {
            match part.split_once('=') {
                Some(("token-file", file)) => more.token_file = Some(file.into()),
                Some(("cluster", cluster)) => more.clusters.push(cluster.to_owned()),
                Some(("volume", volume)) => more.volumes.push(volume.to_owned()),
                Some(("public-url", url)) => more.public_url = Some(url.to_owned()),
                _ => bail!("{part} is none of token-file=, cluster=, volume=, public-url="),
            }
        }
        Ok(more)
    }
}

/// What makes a site different from the others.
struct Own {
    /// None for the first one.
    name: Option<String>,
    id: u64,
    listen: SocketAddr,
    data: PathBuf,
    token_file: Option<PathBuf>,
    clusters: Vec<String>,
    volumes: Vec<String>,
    public_url: Option<String>,
}

impl Own {
    fn first(args: &Serve, data: &Path) -> Self {
        Self {
            name: None,
            id: WORKSPACE_ID,
            listen: args.listen,
            data: data.to_owned(),
            token_file: args.token_file.clone(),
            clusters: args.clusters.clone(),
            volumes: args.volumes.clone(),
            public_url: args.public_url.clone(),
        }
    }

    /// What a further workspace doesn't say is as for the first one, but for what only one can have.
    fn further(more: &More, args: &Serve, data: &Path) -> Self {
        let digest = Sha256::digest(more.name.as_bytes());
        let number = digest.iter().take(6).fold(0, |number, byte| number << 8 | u64::from(*byte));
        let clusters = if more.clusters.is_empty() { args.clusters.clone() } else { more.clusters.clone() };
        Self {
            name: Some(more.name.clone()),
            // As many digits as the first one's.
            id: 2_000_000_000_000_000 + number,
            listen: more.listen,
            data: data.join("workspaces").join(&more.name),
            token_file: more.token_file.clone().or_else(|| args.token_file.clone()),
            clusters,
            volumes: more.volumes.clone(),
            public_url: more.public_url.clone(),
        }
    }
}

/// A workspace that listens.
pub(crate) struct Site {
    /// None for the first one.
    pub(crate) name: Option<String>,
    pub(crate) url: String,
    context: Context,
    listener: TcpListener,
}

impl Site {
    /// Opens all sites that the command line wants, the first one first.
    pub(crate) async fn open_all(
        args: &Serve,
        data: &Path,
        program: Option<Arc<Program>>,
        settings: &Settings,
    ) -> anyhow::Result<Vec<Self>> {
        let mut sites = Vec::new();
        let further = args.workspaces.iter().map(|more| Own::further(more, args, data));
        for own in std::iter::once(Own::first(args, data)).chain(further) {
            let name = own.name.clone().unwrap_or_else(|| "the first".to_owned());
            ensure!(sites.iter().all(|site: &Self| site.name != own.name), "two workspaces are called {name}");
            let site = Self::open(args, own, program.clone(), settings.clone()).await;
            sites.push(site.with_context(|| format!("workspace {name} can't be opened"))?);
        }
        Ok(sites)
    }

    async fn open(args: &Serve, own: Own, program: Option<Arc<Program>>, settings: Settings) -> anyhow::Result<Self> {
        let lifetime = Duration::from_secs(args.oauth_seconds);
        let tokens = Tokens::load(own.token_file.as_deref(), TOKENS_VARIABLE, lifetime)?;
        std::fs::create_dir_all(&own.data).with_context(|| format!("{} can't be made", own.data.display()))?;
        let homes = tokens.names().filter(|name| !name.contains('/')).map(|name| format!("/Users/{name}"));
        let folders: Vec<_> = ["/Shared", "/Users", "/Repos"].map(str::to_owned).into_iter().chain(homes).collect();
        let git = Git { insecure: args.insecure_git, ca_bundle: args.git_ca_bundle.clone() };
        let limits = Limits::new(args.rate_limits, args.latency_ms);
        let workspace = Workspace::open(&own.data, &folders, limits, program, settings, git)?;
        furnish(&workspace, args, &own)?;
        let faults = Faults::default();
        if let Some(file) = &args.faults {
            let script = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
            faults.order(api::script(&script)?)?;
        }
        let federation = Federation::default();
        if let Some(file) = &args.federation {
            let policies = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
            federation.replace(&policies)?;
        }
        let listener =
            TcpListener::bind(own.listen).await.with_context(|| format!("can't listen on {}", own.listen))?;
        let url = format!("http://{}", listener.local_addr()?);
        let public_url = own.public_url.as_deref().unwrap_or(&url).trim_end_matches('/');
        let context = Context {
            workspace,
            tokens: Arc::new(tokens),
            federation: Arc::new(federation),
            faults: Arc::new(faults),
            journal: Arc::new(Journal::default()),
            past: Arc::new(Past::default()),
            id: own.id,
            page_url: format!("{public_url}/?o={}", own.id).into(),
            is_chosen: own.public_url.is_some(),
            public_url: public_url.into(),
        };
        Ok(Self { name: own.name, url, context, listener })
    }

    /// Answers until told to leave, then ends all that was going on.
    pub(crate) async fn serve(self, leave: CancellationToken) -> anyhow::Result<()> {
        let workspace = Arc::clone(&self.context.workspace);
        work::queue::resume(&workspace);
        workspace.work.tasks.spawn(work::job::keep_schedules(Arc::clone(&workspace)));
        let service = api::router(self.context).into_make_service_with_connect_info::<Plug>();
        let told = leave.clone();
        let server = axum::serve(Listener(self.listener), service);
        let server = server.with_graceful_shutdown(async move { told.cancelled().await });
        let impatient = async {
            leave.cancelled().await;
            tokio::time::sleep(PATIENCE).await;
        };
        let end = tokio::select! {
            end = server => end,
            // A request that hangs, perhaps by an ordered fault, doesn't keep the emulator.
            () = impatient => Ok(()),
        };
        // One that can't go on takes the others along.
        leave.cancel();
        workspace.close(PATIENCE).await;
        Ok(end?)
    }
}

/// What the command line wants to be there.
fn furnish(workspace: &Arc<Workspace>, args: &Serve, own: &Own) -> anyhow::Result<()> {
    let delays = Delays { start_ms: args.start_delay_ms, restart_ms: args.restart_delay_ms, install_ms: 0 };
    *lock(&workspace.work.delays) = delays;
    for volume in &own.volumes {
        let path = SafePath::volume(&format!("/Volumes/{}", volume.replace('.', "/")));
        let path = path.with_context(|| format!("--volume {volume} is no CATALOG.SCHEMA.VOLUME"))?;
        workspace.volumes.mkdirs(&path)?;
    }
    for text in &own.clusters {
        let mut parts = text.splitn(3, '=');
        let id = parts.next().unwrap_or_default();
        ensure!(is_id(id), "--cluster {text}: the id may hold letters, digits, - and _ only");
        let (name, version) = (parts.next().unwrap_or(id), parts.next().unwrap_or(SPARK_VERSION));
        let cluster = workspace.clusters.define(ClusterRecord::new(id, name, version));
        if args.start {
            work::cluster::start(workspace, &cluster)?;
        }
    }
    Ok(())
}

/// It becomes a folder's name.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 100 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_further_workspace_says_what_is_its_own() {
        let more: More =
            "prod=127.0.0.1:8081,token-file=/t,cluster=a=main=15.4,cluster=b,volume=c.s.v".parse().unwrap();
        assert_eq!((more.name.as_str(), more.listen.port()), ("prod", 8081));
        assert_eq!(more.clusters, ["a=main=15.4", "b"]);
        assert_eq!((more.token_file, more.volumes), (Some("/t".into()), vec!["c.s.v".to_owned()]));
    }

    #[rstest]
    #[case("prod")]
    #[case("prod=8081")]
    #[case("../x=127.0.0.1:1")]
    #[case("prod=127.0.0.1:1,colour=red")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<More>().is_err());
    }
}
