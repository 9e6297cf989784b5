//! The forge: what the place that holds the repository is told about a release, a commit status, and asked for, the
//! newest commits of branches.

pub(crate) mod address;
pub(crate) mod branch;
mod credentials;
mod errand;
pub(crate) mod event;
mod fault;
mod gitea;
mod github;
mod notice;
pub(crate) mod refs;
mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use brickline_crds::{DatabricksRelease, GitSource, LocalRef, Provider, Reason};
use kube::ResourceExt;

use crate::context::{Context, Settings};
use crate::databricks::{HttpConfig, connect};
use crate::trouble::Trouble;
use credentials::Credentials;
pub(crate) use credentials::Proof;
use errand::Errand;
use fault::Fault;
use notice::Notice;
pub(crate) use report::{Report, ReportState};

/// How long and how often a forge is asked.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// The longest time of one attempt.
    attempt: Duration,
    /// Attempts altogether.
    attempts: usize,
    /// The pause after the first attempt; it doubles.
    first_pause: Duration,
}

/// Together below a minute: a reconcile waits for it.
const PATIENCE: Patience =
    Patience { attempt: Duration::from_secs(15), attempts: 3, first_pause: Duration::from_millis(500) };

/// Tells the release's forge `report` as a commit status, with the credentials of `source.git.credentialsRef`.
pub(crate) async fn report(release: &DatabricksRelease, report: &Report, context: &Context) -> Result<(), Trouble> {
    let git = source(release)?;
    let credentials = load(&context.kube, release, git).await?;
    let http = connection(&context.http, &context.settings, &credentials, Errand::CommitStatus)?;
    tell(&http, release, report, &credentials, PATIENCE).await
}

/// What the release was built from, whoever built it.
pub(crate) fn origin(release: &DatabricksRelease) -> Option<&GitSource> {
    release.spec.source.git.as_ref().or_else(|| release.status.as_ref()?.origin.as_ref())
}

fn source(release: &DatabricksRelease) -> Result<&GitSource, Trouble> {
    let missing = || Trouble::lasting(Reason::InvalidSpec, "commit status: the release knows no commit");
    origin(release).ok_or_else(missing)
}

async fn load(client: &kube::Client, release: &DatabricksRelease, git: &GitSource) -> Result<Credentials, Trouble> {
    let Some(reference) = &git.credentials_ref else {
        let message = "a commit status needs source.git.credentialsRef; reporting.commitStatus: false does without";
        return Err(Trouble::lasting(Reason::InvalidSpec, message));
    };
    let namespace = release.namespace().unwrap_or_default();
    credentials::load(client, &namespace, &reference.name, Errand::CommitStatus).await
}

/// How a host is reached that hands out an artifact, and what it wants to see: the same keys of a Secret as a forge's.
pub(crate) async fn access(
    reference: Option<&LocalRef>,
    namespace: &str,
    context: &Context,
) -> Result<(reqwest::Client, Option<Proof>), Trouble> {
    let Some(reference) = reference else { return Ok((context.http.clone(), None)) };
    let credentials = credentials::load(&context.kube, namespace, &reference.name, Errand::Artifact).await?;
    let http = connection(&context.http, &context.settings, &credentials, Errand::Artifact)?;
    Ok((http, Some(credentials.proof)))
}

/// The shared connections, unless the forge has a certificate of its own authority.
fn connection(
    shared: &reqwest::Client,
    settings: &Settings,
    credentials: &Credentials,
    errand: Errand,
) -> Result<reqwest::Client, Trouble> {
    let Some(authority) = &credentials.authority else { return Ok(shared.clone()) };
    let bundle = format!("{}\n{authority}", settings.ca_bundle.as_deref().unwrap_or_default());
    let config = HttpConfig {
        no_proxy: settings.args.no_proxy.clone(),
        extra_ca_bundle: Some(bundle.into_bytes()),
        proxy: settings.args.https_proxy.clone(),
        connect_timeout: None,
    };
    let message = format!("{}: ca.crt of {} is not PEM", errand.name(), errand.credentials_field());
    connect(&config).map_err(|_| Trouble::lasting(Reason::AuthenticationFailed, message))
}

/// Sends the commit status, again after faults that may heal.
async fn tell(
    http: &reqwest::Client,
    release: &DatabricksRelease,
    report: &Report,
    credentials: &Credentials,
    patience: Patience,
) -> Result<(), Trouble> {
    let git = source(release)?;
    let notice = Notice::new(release, git, report).map_err(|fault| fault.trouble(Errand::CommitStatus))?;
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(patience.first_pause)
        .with_max_times(patience.attempts.saturating_sub(1));
    let sent = (|| attempt(http, git.provider, &notice, credentials, patience.attempt))
        .retry(pauses)
        .when(Fault::is_passing)
        .adjust(|fault, pause| fault.pause(pause?))
        .notify(|fault, pause| tracing::debug!(%fault, ?pause, "sending the commit status again"));
    sent.await.map_err(|fault| fault.trouble(Errand::CommitStatus))
}

async fn attempt(
    http: &reqwest::Client,
    provider: Provider,
    notice: &Notice,
    credentials: &Credentials,
    after: Duration,
) -> Result<(), Fault> {
    let sending = async {
        match provider {
            Provider::Gitea => gitea::send(http, notice, &credentials.proof).await,
            Provider::Github => github::send(http, notice, &credentials.proof).await,
            Provider::Generic => Err(Fault::NotAnAddress),
        }
    };
    let late = || Fault::Late { host: notice.address.host().to_owned(), after };
    tokio::time::timeout(after, sending).await.unwrap_or_else(|_| Err(late()))
}
