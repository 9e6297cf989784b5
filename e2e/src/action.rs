//! An action: what one invocation of the command line does, and how it ends.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::Action,
    cluster::{Cluster, be_node},
    progress::Progress,
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

/// Runs the action; after Ctrl-C what it was building up is taken down again.
async fn unless_interrupted(action: Action) -> ExitCode {
    let progress = Progress::default();
    let builds_up = matches!(action, Action::Demo { .. } | Action::Verify | Action::Up { .. });
    tokio::select! {
        result = act(action, &progress) => verdict(result),
        () = interrupted() => {
            eprintln!("interrupted");
            if builds_up && let Err(error) = Cluster::down(&progress).await {
                eprintln!("{error}");
            }
            ExitCode::from(INTERRUPTED)
        }
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

async fn act(action: Action, progress: &Progress) -> anyhow::Result<()> {
    match action {
        Action::Up { target } => {
            Cluster::reach(progress, target.context.as_deref()).await?;
            if target.context.is_none() {
                println!("{}", Cluster::status().await?);
            }
        }
        Action::Down => {
            Cluster::down(progress).await?;
            println!("The cluster is down, and nothing of it is left on this host.");
        }
        Action::Status => println!("{}", Cluster::status().await?),
        Action::Logs { component, lines } => print!("{}", Cluster::logs(component.as_deref(), lines)?),
        Action::Kubectl { arguments } => print!("{}", Cluster::up(progress).await?.kubectl(arguments).run().await?),
        Action::Helm { arguments } => print!("{}", Cluster::up(progress).await?.helm(arguments).run().await?),
        other => bail!("{other:?} is not there yet"),
    }
    Ok(())
}
