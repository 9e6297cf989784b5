//! The queue: a run that a limit keeps from beginning is skipped, refused, or waits its turn, as it was asked to.

use crate::{
    spec::JobSettings,
    state::{
        Refusal, Run, RunRecord, lock,
        objects::now,
        run::{LifeCycle, Queue, QueueCode, ResultState, RunState, Stop, Trigger},
    },
    work::run,
    workspace::Workspace,
};
use std::{sync::Arc, time::Duration};

/// How long a run waits at most.
const PATIENCE: Duration = Duration::from_hours(48);

/// Runs of one job that wait. There is such a limit; how high it is isn't documented.
const MAX_QUEUE: usize = 1000;

/// What becomes of a run that is about to begin.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Begin,
    Wait(Queue),
    Skip(&'static str, String),
    /// It can't begin, and nobody asked for it to wait.
    Refuse(String),
}

/// How much is going on, and how much may.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Of the same job.
    runs: usize,
    /// None for a one-time run.
    most_runs: Option<usize>,
    /// Of the workspace.
    tasks: usize,
    /// None while the documented limits don't hold.
    most_tasks: Option<usize>,
}

fn judge(load: Load, may_wait: bool, is_asked_for: bool) -> Verdict {
    if let Some(most) = load.most_runs.filter(|most| load.runs >= *most) {
        if may_wait && load.runs >= most + MAX_QUEUE {
            let message = format!("Skipping this run because {MAX_QUEUE} runs of the job are in the queue.");
            return Verdict::Skip("MAX_JOB_QUEUE_SIZE_EXCEEDED", message);
        }
        // With no run allowed at all there is nothing to wait for.
        if may_wait && most > 0 {
            let reason = format!("Queued due to reaching maximum concurrent runs of {most}.");
            return Verdict::Wait(Queue { code: QueueCode::MaxConcurrentRunsReached, reason });
        }
        return Verdict::Skip("MAX_CONCURRENT_RUNS_EXCEEDED", too_many_runs(most));
    }
    let Some(most) = load.most_tasks.filter(|most| load.tasks >= *most) else { return Verdict::Begin };
    let reason = format!("reaching the workspace limit of {most} active task runs.");
    if may_wait {
        return Verdict::Wait(Queue {
            code: QueueCode::ActiveRunsLimitReached,
            reason: format!("Queued due to {reason}"),
        });
    }
    if is_asked_for { Verdict::Refuse(reason) } else { Verdict::Skip("WORKSPACE_RUN_LIMIT_EXCEEDED", reason) }
}

/// The service's own words.
fn too_many_runs(most: usize) -> String {
    format!("Skipping this run because the limit of {most} maximum concurrent runs has been reached.")
}

/// Begins a run, lets it wait or skips it; or finds the one that its token began.
pub(crate) fn begin(
    workspace: &Arc<Workspace>,
    mut record: RunRecord,
    most_runs: Option<usize>,
    may_wait: bool,
) -> Result<Arc<Run>, Refusal> {
    let _turn = lock(&workspace.runs.admission);
    if let Some(earlier) = workspace.runs.earlier(&record)? {
        return Ok(earlier);
    }
    let is_asked_for = record.origin.trigger == Trigger::OneTime;
    match judge(load(workspace, record.job_id, None, most_runs), may_wait, is_asked_for) {
        Verdict::Begin => {}
        Verdict::Wait(queue) => record.wait(queue),
        Verdict::Skip(code, message) => skip(&mut record, code, &message),
        Verdict::Refuse(reason) => return Err(Refusal::TooManyRuns(reason)),
    }
    let (job_id, run_id, state) = (record.job_id, record.run_id, record.state.life_cycle_state);
    tracing::info!(job_id, run_id, %state, "a run begins");
    let run = workspace.runs.add(record);
    match state {
        LifeCycle::Queued => attend(workspace, &run),
        state if state.is_terminal() => {}
        _ => run::start(workspace, Arc::clone(&run)),
    }
    Ok(run)
}

/// Lets the runs wait on that did so when the emulator ended.
pub(crate) fn resume(workspace: &Arc<Workspace>) {
    for run in workspace.runs.all().iter().rev().filter(|run| run.read(RunRecord::is_queued)) {
        attend(workspace, run);
    }
}

/// Counts what is ahead of a run: all that is under way, and whatever has waited longer; for a new run, all that waits.
fn load(workspace: &Workspace, job_id: i64, own: Option<&Arc<Run>>, most_runs: Option<usize>) -> Load {
    // The newest first: whatever comes behind a run is ahead of it.
    let all = workspace.runs.all();
    let own = own.and_then(|own| all.iter().position(|other| Arc::ptr_eq(other, own)));
    let most_tasks = workspace.limits.task_runs();
    let mut load = Load { runs: 0, most_runs, tasks: 0, most_tasks };
    for (place, other) in all.iter().enumerate() {
        other.read(|record| {
            let is_ahead = own.is_none_or(|own| place > own);
            if Some(place) == own || record.state.life_cycle_state.is_terminal() || record.is_queued() && !is_ahead {
                return;
            }
            load.runs += usize::from(record.job_id == job_id);
            load.tasks += active_tasks(record);
        });
    }
    load
}

/// A run that has just begun counts before its first task does.
fn active_tasks(record: &RunRecord) -> usize {
    if record.is_queued() {
        return usize::from(record.queue.as_ref().is_some_and(|queue| queue.code == QueueCode::ActiveRunsLimitReached));
    }
    let is_active = |state: LifeCycle| !state.is_terminal() && state != LifeCycle::Blocked;
    record.tasks.iter().filter(|task| is_active(task.state.life_cycle_state)).count().max(1)
}

fn skip(record: &mut RunRecord, code: &str, message: &str) {
    let state = RunState::ended(LifeCycle::Skipped, ResultState::MaximumConcurrentRunsReached, message);
    record.give_up(&state, code, now());
}

/// Waits for a run's turn, unless it is canceled before.
fn attend(workspace: &Arc<Workspace>, run: &Arc<Run>) {
    let (workspace, run) = (Arc::clone(workspace), Arc::clone(run));
    let tracker = workspace.work.tasks.clone();
    tracker.spawn(async move {
        let (mut ended, mut changed) = (workspace.runs.listen(), workspace.jobs.listen());
        let patience = tokio::time::sleep(PATIENCE.saturating_sub(waited(&run)));
        tokio::pin!(patience);
        while !admit(&workspace, &run) {
            tokio::select! {
                () = workspace.work.leaving.cancelled() => return,
                reason = run.stopped() => return give_up(&workspace, &run, Some(reason)),
                () = &mut patience => return give_up(&workspace, &run, None),
                _ = ended.changed() => {}
                _ = changed.changed() => {}
            }
        }
        run::start(&workspace, run);
    });
}

fn waited(run: &Run) -> Duration {
    Duration::from_millis(u64::try_from(run.read(|record| now() - record.start_time)).unwrap_or_default())
}

/// Lets a waiting run begin if nothing keeps it any longer. The limit is the job's of today, not of when it was asked.
fn admit(workspace: &Workspace, run: &Arc<Run>) -> bool {
    let _turn = lock(&workspace.runs.admission);
    let job_id = run.read(|record| record.job_id);
    let job = workspace.jobs.get(job_id).ok();
    let most = job.and_then(|job| JobSettings::read(&job.settings).ok()).map(|settings| settings.limit());
    if judge(load(workspace, job_id, Some(run), most), true, true) != Verdict::Begin {
        return false;
    }
    run.change(|record| {
        record.state = RunState::at(LifeCycle::Pending, "");
        record.queue_duration = now() - record.start_time;
    });
    true
}

fn give_up(workspace: &Workspace, run: &Run, reason: Option<Stop>) {
    run.change(|record| {
        record.queue_duration = now() - record.start_time;
        match reason {
            Some(_) => {
                let state = RunState::ended(LifeCycle::Terminated, ResultState::Canceled, "Run cancelled.");
                record.give_up(&state, "USER_CANCELED", now());
            }
            None => skip(record, "MAX_CONCURRENT_RUNS_EXCEEDED", "The run has waited in the queue for 48 hours."),
        }
    });
    workspace.runs.ring();
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn load(runs: usize, most_runs: Option<usize>, tasks: usize, most_tasks: Option<usize>) -> Load {
        Load { runs, most_runs, tasks, most_tasks }
    }

    #[rstest]
    #[case::room(load(0, Some(1), 0, None), true, "Begin")]
    #[case::one_time(load(9, None, 9, None), false, "Begin")]
    #[case::skipped(load(1, Some(1), 0, None), false, "Skip(\"MAX_CONCURRENT_RUNS_EXCEEDED\"")]
    #[case::queued(load(3, Some(3), 0, None), true, "Wait(Queue { code: MaxConcurrentRunsReached")]
    #[case::too_long(load(1001, Some(1), 0, None), true, "Skip(\"MAX_JOB_QUEUE_SIZE_EXCEEDED\"")]
    #[case::never(load(0, Some(0), 0, None), true, "Skip(\"MAX_CONCURRENT_RUNS_EXCEEDED\"")]
    #[case::full(load(0, None, 5, Some(5)), false, "Refuse(")]
    #[case::full_and_patient(load(0, Some(1), 5, Some(5)), true, "Wait(Queue { code: ActiveRunsLimitReached")]
    fn a_limit_that_is_reached(#[case] load: Load, #[case] may_wait: bool, #[case] want: &str) {
        let got = format!("{:?}", judge(load, may_wait, true));
        assert!(got.starts_with(want), "{got}");
    }

    #[test]
    fn a_schedule_has_nobody_to_refuse() {
        let verdict = judge(load(0, Some(1), 5, Some(5)), false, false);
        assert!(matches!(verdict, Verdict::Skip("WORKSPACE_RUN_LIMIT_EXCEEDED", _)), "{verdict:?}");
    }
}
