//! An action: what one invocation of the command line does, and how it ends.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::Action,
    cluster::{Cluster, be_node},
    demo,
    progress::{Progress, human},
    scenario, system, verify,
};

/// The exit code of a program that was interrupted, as shells expect it.
const INTERRUPTED: u8 = 130;

/// Runs the action to its end, or until Ctrl-C, and returns the exit code.
pub(crate) fn run(action: Action) -> ExitCode {
    // The node must be a single thread from the start: it collects every child of its namespace.
    if let Action::Node { state } = &action {
        return verdict(be_node(state).context("node"));
    }
    // Another provider that was chosen before is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(unless_interrupted(action)),
        Err(error) => verdict(Err(error.into())),
    }
}

/// Runs the action; after Ctrl-C what it was building up is taken down again, but not a cluster that was there before.
async fn unless_interrupted(action: Action) -> ExitCode {
    let progress = Progress::default();
    let takes_down = builds_up(&action) && !Cluster::exists();
    tokio::select! {
        result = act(action, &progress) => return verdict(result),
        () = interrupted() => eprintln!("interrupted"),
    }
    if takes_down {
        tokio::select! {
            cleared = system::down(&progress) => drop(verdict(cleared)),
            () = interrupted() => eprintln!("interrupted again; `cargo e2e down` clears what is left"),
        }
    }
    ExitCode::from(INTERRUPTED)
}

/// Whether this action brings the local cluster up on its way.
fn builds_up(action: &Action) -> bool {
    match action {
        Action::Verify | Action::Kubectl { .. } | Action::Helm { .. } => true,
        Action::Load { benchmark } => benchmark.builds_up(),
        Action::Demo { target, .. } | Action::Up { target } | Action::Run { target, .. } => target.context.is_none(),
        _ => false,
    }
}

async fn interrupted() {
    let (Ok(mut ctrl_c), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        // Without handlers the signals simply end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = ctrl_c.recv() => {}
        _ = term.recv() => {}
    }
}

fn verdict(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", console::style("failed:").red().bold());
            ExitCode::FAILURE
        }
    }
}

/// Prints for a reader who may have stopped reading, as `head` does.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

async fn act(action: Action, progress: &Progress) -> anyhow::Result<()> {
    match action {
        Action::Up { target } => {
            Cluster::reach(progress, target.context.as_deref()).await?;
            if target.context.is_none() {
                say(&Cluster::status().await?);
            }
        }
        Action::Down => {
            system::down(progress).await?;
            say("Cluster and forge are down, and nothing of them is left on this host.");
        }
        Action::Status => say(&Cluster::status().await?),
        Action::Logs { component, lines } => say(&Cluster::logs(component.as_deref(), lines)?),
        Action::Kubectl { arguments } => return Err(Cluster::up(progress).await?.kubectl(arguments).replace().into()),
        Action::Helm { arguments } => return Err(Cluster::up(progress).await?.helm(arguments).replace().into()),
        Action::Verify => verify::verify(progress).await?,
        Action::List => scenario::all().iter().for_each(|one| say(&format!("{:<12} {}", one.name, one.about))),
        Action::Run { name, target } => tell(&name, target.context.as_deref(), progress).await?,
        Action::Demo { keep, target } => Box::pin(demo::play(progress, target.context.as_deref(), keep)).await?,
        Action::Load { benchmark } => Box::pin(benchmark.measure(progress)).await?,
        // Handled before anything else was set up.
        Action::Node { .. } => {}
    }
    Ok(())
}

/// Tells one scenario on the cluster, which stays up for the next.
async fn tell(name: &str, context: Option<&str>, progress: &Progress) -> anyhow::Result<()> {
    let scenario = scenario::named(name).with_context(|| format!("no scenario {name}; see `cargo e2e list`"))?;
    let cluster = Cluster::reach(progress, context).await?;
    let outcome = scenario.play(&cluster, progress).await;
    outcome.result.with_context(|| format!("scenario {name}"))?;
    say(&format!("scenario {name}: passed in {}", human(outcome.took)));
    Ok(())
}
