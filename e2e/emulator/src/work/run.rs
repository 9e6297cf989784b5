//! A run's life: its tasks start when those they depend on have ended; when all have, the run has.

use crate::{
    spec::git::{GitSource, Snapshot},
    state::{
        Run,
        objects::now,
        run::{Format, LifeCycle, ResultState, RunRecord, RunState, Stop},
    },
    work::{
        compute,
        git::{Checkout, Remote},
        task,
    },
    workspace::Workspace,
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Starts a submitted run.
pub(crate) fn start(workspace: &Arc<Workspace>, run: Arc<Run>) {
    let workspace = Arc::clone(workspace);
    let tracker = workspace.work.tasks.clone();
    tracker.spawn(async move {
        let leaving = workspace.work.leaving.clone();
        tokio::select! {
            // Nothing is written: the next life of the emulator finds the run in flight and calls it lost.
            () = leaving.cancelled() => {}
            () = supervise(&workspace, &run) => {}
        }
    });
}

async fn supervise(workspace: &Arc<Workspace>, run: &Arc<Run>) {
    let limit = run.read(|record| record.timeout_seconds);
    let clock = async {
        if limit > 0 {
            tokio::time::sleep(Duration::from_secs(limit)).await;
            run.stop(Stop::TimedOut);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = clock => {}
        () = carry_out(workspace, run) => {}
    }
    compute::release_shared(workspace, run);
    run.change(|record| {
        (record.state, record.code) = conclude(record);
        record.end_time = now();
    });
    workspace.runs.ring();
}

/// Checks out what comes from git, and runs the tasks.
async fn carry_out(workspace: &Arc<Workspace>, run: &Arc<Run>) {
    let Some(source) = run.read(|record| record.shared.git_source.clone()) else {
        return run_tasks(workspace, run, None).await;
    };
    let creator = run.read(|record| record.creator.clone());
    let provider = source.git_provider.as_deref().unwrap_or_default();
    let credential = workspace.git_credentials.find(&creator, provider);
    let remote = Remote { source: &source, credential: credential.as_ref(), settings: &workspace.work.git };
    let done = tokio::select! {
        done = remote.checkout() => done,
        // The tasks find out by themselves that they are to stop.
        _ = run.stopped() => return run_tasks(workspace, run, None).await,
    };
    match done {
        Ok(checkout) => {
            let used_commit = checkout.commit.clone();
            run.change(|record| {
                record.shared.git_source = Some(GitSource { git_snapshot: Some(Snapshot { used_commit }), ..source });
            });
            run_tasks(workspace, run, Some(Arc::new(checkout))).await;
        }
        Err(message) => run.change(|record| {
            let state = RunState::ended(LifeCycle::InternalError, ResultState::Failed, &message);
            record.tasks.iter_mut().for_each(|task| task.give_up(&state, "REPOSITORY_CHECKOUT_FAILED", now()));
        }),
    }
}

async fn run_tasks(workspace: &Arc<Workspace>, run: &Arc<Run>, checkout: Option<Arc<Checkout>>) {
    let mut going = JoinSet::new();
    loop {
        for index in unblock(run) {
            let (workspace, run, checkout) = (Arc::clone(workspace), Arc::clone(run), checkout.clone());
            going.spawn(async move { task::run(&workspace, &run, index, checkout.as_deref()).await });
        }
        if going.join_next().await.is_none() {
            return;
        }
    }
}

/// The tasks that can start now. Those that never will are ended here, which may unblock others.
fn unblock(run: &Run) -> Vec<usize> {
    run.change(|record| {
        let mut ready = Vec::new();
        while let Some(index) = (0..record.tasks.len()).find(|index| is_due(record, *index)) {
            let upstream = upstream(record, index);
            let task = &mut record.tasks[index];
            if task.run_if.allows(&upstream) {
                task.state = RunState::at(LifeCycle::Pending, "");
                task.start_time = now();
                ready.push(index);
            } else {
                task.state = skip(&upstream);
                "SKIPPED".clone_into(&mut task.code);
            }
        }
        ready
    })
}

fn is_due(record: &RunRecord, index: usize) -> bool {
    record.tasks[index].state.life_cycle_state == LifeCycle::Blocked
        && upstream(record, index).iter().all(|state| state.life_cycle_state.is_terminal())
}

fn upstream(record: &RunRecord, index: usize) -> Vec<RunState> {
    let names = &record.tasks[index].depends_on;
    record.tasks.iter().filter(|task| names.contains(&task.task_key)).map(|task| task.state.clone()).collect()
}

fn skip(upstream: &[RunState]) -> RunState {
    let canceled =
        |state: &RunState| matches!(state.result_state, Some(ResultState::Canceled | ResultState::UpstreamCanceled));
    let failed = |state: &RunState| !state.is_success() && !canceled(state);
    let result = if upstream.iter().any(canceled) {
        ResultState::UpstreamCanceled
    } else if upstream.iter().any(failed) {
        ResultState::UpstreamFailed
    } else {
        ResultState::Excluded
    };
    RunState::ended(LifeCycle::Skipped, result, "An upstream task failed.")
}

/// How the run ended, from how its tasks did.
fn conclude(record: &RunRecord) -> (RunState, String) {
    if let (Format::SingleTask, [task]) = (record.format, record.tasks.as_slice()) {
        return (task.state.clone(), task.code.clone());
    }
    let worst = |wanted: ResultState| record.tasks.iter().find(|task| task.state.result_state == Some(wanted));
    for result in [ResultState::Canceled, ResultState::TimedOut] {
        if let Some(task) = worst(result) {
            return (RunState::ended(LifeCycle::Terminated, result, &task.state.state_message), task.code.clone());
        }
    }
    // A failed task makes the run an "internal error", although the task itself terminated properly: so it is observed
    // at the real service.
    if let Some(task) = worst(ResultState::Failed) {
        let message = format!("Task {} failed with message: {}.", task.task_key, task.state.state_message);
        return (RunState::ended(LifeCycle::InternalError, ResultState::Failed, &message), task.code.clone());
    }
    (RunState::ended(LifeCycle::Terminated, ResultState::Success, ""), "SUCCESS".to_owned())
}
