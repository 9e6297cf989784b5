//! Collect is the sidecar that hands the build in: logs while it runs, and report, artifact and result once it ended.
//!
//! The kubelet tells it to stop only after `steps` has ended, also after a cancel or a passed deadline; it then has the
//! pod's grace to finish. It reads what the build left as an enemy's: no link is followed, everything has a limit.

mod archive;
mod client;
mod follow;
mod outcome;
mod overlap;
mod wheels;

use std::io::{self, Seek, Write};
use std::time::{Duration, Instant};

use brickline_artifact::BuildResult;
use brickline_artifact::layout::{CONTAINER_CHECKOUT, CONTAINER_STEPS};
use brickline_artifact::result::{ArtifactSummary, MAX_RESULT_BYTES, Outcome, Reason};
use brickline_artifact::upload::Part;

use self::archive::Archive;
use self::client::Client;
use self::follow::Follower;
use self::outcome::Account;
use crate::Run;
use crate::junit;
use crate::place::name;
use crate::stop::Stop;
use crate::web::Fault;

/// How often logs are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Why nothing could be handed in.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The container's own files or signals.
    #[error("collect: {0}")]
    Io(#[from] io::Error),
    /// The result didn't reach the controller.
    #[error("the result could not be handed in: {0}")]
    Fault(#[from] Fault),
}

/// Streams logs until told to stop, then hands in.
pub fn collect(run: &Run) -> Result<(), CollectError> {
    let stop = Stop::listen()?;
    let client = Client::new(run)?;
    let mut logs = [
        Follower::new(&run.place.meta, name::CHECKOUT_LOG, CONTAINER_CHECKOUT, run.plan.limits.log_bytes),
        Follower::new(&run.place.work, name::STEPS_LOG, CONTAINER_STEPS, run.plan.limits.log_bytes),
    ];
    while !stop.is_set() {
        for log in &mut logs {
            log.follow(&client);
        }
        std::thread::sleep(LOOK);
    }
    let deadline = Instant::now() + Duration::from_secs(run.plan.deadlines.upload_seconds);
    for log in &mut logs {
        log.flush(&client, Instant::now() + deadline.saturating_duration_since(Instant::now()) / 4);
    }
    hand_in(run, &client, deadline)
}

/// Hands in report and artifact, and last the result, which says what became of them.
fn hand_in(run: &Run, client: &Client<'_>, deadline: Instant) -> Result<(), CollectError> {
    let mut account = outcome::account(run);
    if let Err(fault) = report(run, client, &account, deadline) {
        eprintln!("brickline-runner: the report was not handed in: {fault}");
    }
    let artifact = match &account.outcome {
        // A further job makes none.
        Outcome::Succeeded if run.plan.job.is_none() => artifact(run, client, &account, deadline),
        _ => Ok(None),
    };
    let artifact = artifact.unwrap_or_else(|message| {
        account.outcome = Outcome::failed(Reason::ArtifactFailed, &message);
        None
    });
    client.put(Part::Result, &text(result(account, artifact))?, deadline)?;
    Ok(())
}

/// The result as it's accepted: what is too much of it are steps.
fn text(mut result: BuildResult) -> io::Result<Vec<u8>> {
    loop {
        let text = serde_json::to_vec(&result)?;
        if text.len() <= MAX_RESULT_BYTES || result.steps.pop().is_none() {
            return Ok(text);
        }
    }
}

fn result(account: Account, artifact: Option<ArtifactSummary>) -> BuildResult {
    let suites = &account.reports.suites;
    let tests = (!suites.is_empty()).then(|| junit::count(suites));
    let first_failures = junit::first_failures(suites);
    BuildResult { outcome: account.outcome, steps: account.steps, tests, first_failures, artifact }
}

fn report(run: &Run, client: &Client<'_>, account: &Account, deadline: Instant) -> Result<(), CollectError> {
    if account.reports.suites.is_empty() {
        return Ok(());
    }
    let mut file = tempfile::tempfile_in(&run.place.collect)?;
    let mut buffer = io::BufWriter::new(&file);
    junit::write(&account.reports.suites, &mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    file.rewind()?;
    client.put_file(Part::Report, &file, None, deadline)?;
    Ok(())
}

/// Makes the artifact and hands it in. One that was sealed before stands.
fn artifact(
    run: &Run,
    client: &Client<'_>,
    account: &Account,
    deadline: Instant,
) -> Result<Option<ArtifactSummary>, String> {
    let source = account.source.as_ref().ok_or("the checkout left no word of its source")?;
    let wheels = wheels::gather(run).map_err(|error| error.to_string())?;
    let Archive { file, digest, size } = archive::pack(run, source, &wheels).map_err(|error| error.to_string())?;
    client.put_file(Part::Artifact, &file, Some(digest), deadline).map_err(|fault| fault.to_string())?;
    Ok(Some(ArtifactSummary { digest, size }))
}
