//! Any status: as the road leaves it, and as nobody ever wrote it.

use brickline_crds::{
    ApprovalRecord, Artifact, Build, BuildJobStatus, DatabricksReleaseStatus, Decision, Issue, JobStatus, LockTicket,
    Phase, PhaseState, PhaseStatus, Reason, ReleaseState, Stopping, TestCounts, Tests, Waited, Waiting,
};
use proptest::prelude::*;
use proptest::sample::select;
use strum::IntoEnumIterator;

use super::releases::{any_time, time, words};
use super::tickets::{any_ticket, of_attempt};
use crate::kstatus::samples::any_reason;

/// What is over, one phase under way or next, and what is still to come; or what stands there before the phases do.
pub(super) fn any_status() -> impl Strategy<Value = DatabricksReleaseStatus> {
    let phases = (proptest::collection::vec(any_phase(), 5), 0..6_usize, proptest::collection::vec(any::<bool>(), 5));
    let phases = prop_oneof![9 => phases.prop_map(|(all, at, due)| road(all, at, &due)), 1 => Just(Vec::new())];
    let ends = select(vec![ReleaseState::Finishing, ReleaseState::Finished]);
    let waiting = proptest::option::weighted(0.3, any_waiting());
    (any_record(), phases, ends, waiting).prop_map(|(record, phases, end, waiting)| {
        let is_over = !phases.is_empty() && phases.iter().all(|phase| phase.state.is_terminal());
        let begins = phases.iter().find(|phase| !phase.state.is_terminal());
        let begins = begins.is_none_or(|phase| phase.state == PhaseState::Pending);
        let waiting = waiting.filter(|_| !is_over && begins);
        let state = match (is_over, &waiting) {
            (true, _) => end,
            (_, Some(_)) => ReleaseState::Waiting,
            _ if phases.is_empty() => ReleaseState::Pending,
            _ => ReleaseState::Running,
        };
        let completion_time = (state == ReleaseState::Finished).then(|| time(100));
        DatabricksReleaseStatus { state, phases, waiting, completion_time, ..record }
    })
}

/// Any phases in any order of states, with whatever may be written beside them.
pub(super) fn any_status_at_all() -> impl Strategy<Value = DatabricksReleaseStatus> {
    let states = vec![
        ReleaseState::Pending,
        ReleaseState::Waiting,
        ReleaseState::Running,
        ReleaseState::Finishing,
        ReleaseState::Finished,
    ];
    let phases = proptest::sample::subsequence(Phase::iter().collect::<Vec<_>>(), 0..=5);
    let waiting = proptest::option::of(any_waiting());
    (any_record(), phases, proptest::collection::vec(any_phase(), 5), select(states), waiting, any_time()).prop_map(
        |(record, names, phases, state, waiting, completion_time)| {
            let phases = names.into_iter().zip(phases).map(|(name, phase)| PhaseStatus { name, ..phase }).collect();
            DatabricksReleaseStatus { state, phases, waiting, completion_time, ..record }
        },
    )
}

/// The phases in the order of the road: those before `at` are over, those behind it are `due` or were never asked for.
fn road(mut phases: Vec<PhaseStatus>, at: usize, due: &[bool]) -> Vec<PhaseStatus> {
    for (index, (phase, name)) in phases.iter_mut().zip(Phase::iter()).enumerate() {
        phase.name = name;
        let over = phase.state.is_terminal();
        phase.state = match index {
            _ if index < at && !over => PhaseState::Succeeded,
            _ if index == at && over => PhaseState::Running,
            _ => phase.state,
        };
        if index > at || phase.state == PhaseState::Pending {
            *phase = PhaseStatus::pending(name);
        }
        if index > at && !due[index] {
            phase.state = PhaseState::Skipped;
        }
        phase.stopping = phase.stopping.take().filter(|_| phase.state == PhaseState::Running);
    }
    phases
}

/// Everything beside the phases.
fn any_record() -> impl Strategy<Value = DatabricksReleaseStatus> {
    let told = select(vec![None, Some("pending"), Some("pending unsent"), Some("success"), Some("failure unsent")]);
    let people = (any_approvals(), proptest::collection::vec(any_lock(), 0..4), any_waited());
    let work = (proptest::option::of(words()), any_issues(), any_tests(), any_jobs());
    let token = select(vec!["", "1", "2"]);
    (told, people, work, token, -1..3_i64, any::<bool>()).prop_map(
        |(told, people, work, token, observed_generation, is_numbered)| {
            let ((approvals, locks, waited), (digest, (issues, more), tests, jobs)) = (people, work);
            DatabricksReleaseStatus {
                issue_count: u32::try_from(issues.len()).unwrap_or_default() + more,
                observed_generation,
                approvals,
                locks,
                waited,
                issues,
                tests,
                jobs,
                artifact: digest.map(|digest| Artifact { digest, ..Artifact::default() }),
                run: if is_numbered { "20261121.1".to_owned() } else { String::new() },
                reported: told.map(str::to_owned),
                last_handled_requested_at: token.to_owned(),
                ..DatabricksReleaseStatus::default()
            }
        },
    )
}

fn any_waiting() -> impl Strategy<Value = Waiting> {
    let since = (-500_000..500_000_i64).prop_map(time);
    let reasons = vec![
        Reason::WaitingForSlot,
        Reason::WaitingForCluster,
        Reason::WaitingForApproval,
        Reason::WaitingForWindow,
        Reason::Suspended,
        Reason::DependencyNotReady,
        Reason::NotAuthorized,
        Reason::AuthenticationFailed,
        Reason::InternalError,
    ];
    (select(reasons), words(), since, any_time()).prop_map(|(reason, message, since, until)| Waiting {
        reason,
        message,
        since,
        until,
    })
}

fn any_waited() -> impl Strategy<Value = Vec<Waited>> {
    let reasons = vec![Reason::WaitingForSlot, Reason::WaitingForCluster, Reason::DependencyNotReady];
    let seconds = select(vec![0, 60, 100_000, u64::MAX]);
    proptest::sample::subsequence(reasons, 0..=3).prop_flat_map(move |reasons| {
        let waited = |reason| seconds.clone().prop_map(move |seconds| Waited { reason, seconds });
        reasons.into_iter().map(waited).collect::<Vec<_>>()
    })
}

fn any_approvals() -> impl Strategy<Value = Vec<ApprovalRecord>> {
    let decision = select(vec![Decision::Approved, Decision::Rejected]);
    proptest::collection::vec((decision, words()), 0..3).prop_map(|all| {
        let record = |(index, (decision, comment)): (usize, _)| ApprovalRecord {
            approver: format!("ana{index}@example.com"),
            decision,
            comment,
            time: time(0),
        };
        all.into_iter().enumerate().map(record).collect()
    })
}

fn any_lock() -> impl Strategy<Value = LockTicket> {
    (select(vec!["lock-1", "lock-2"]), any::<bool>()).prop_map(|(name, kept)| LockTicket {
        name: name.to_owned(),
        target: "cluster 0123".to_owned(),
        kept,
    })
}

/// As many as a status names, and how many more there were.
fn any_issues() -> impl Strategy<Value = (Vec<Issue>, u32)> {
    let issue = (any_reason(), words(), words()).prop_map(|(reason, name, message)| Issue { reason, name, message });
    let few = (proptest::collection::vec(issue.clone(), 0..3), Just(0));
    let many = (proptest::collection::vec(issue, 20), 0..1_000_u32);
    prop_oneof![9 => few, 1 => many]
}

fn any_tests() -> impl Strategy<Value = Tests> {
    let counts = || {
        let counts = (0..9_u32, 0..9_u32).prop_map(|(passed, failed)| TestCounts {
            total: passed + failed,
            passed,
            failed,
            skipped: 0,
        });
        proptest::option::of(counts)
    };
    (counts(), counts()).prop_map(|(build, notebooks)| Tests { build, notebooks, ..Tests::default() })
}

fn any_jobs() -> impl Strategy<Value = Vec<JobStatus>> {
    let job = (any::<i64>(), any_time());
    proptest::collection::vec(job, 0..2).prop_map(|jobs| {
        let named = |(id, next_run)| JobStatus { name: "nightly".to_owned(), id, next_run };
        jobs.into_iter().map(named).collect()
    })
}

fn any_phase() -> impl Strategy<Value = PhaseStatus> {
    let state = select(PhaseState::iter().collect::<Vec<_>>());
    // Whoever waits for the next attempt does nothing else.
    let retry_at = proptest::option::weighted(0.1, -500_000..500_000_i64).prop_map(|at| at.map(time));
    let times = (any_time(), retry_at, any_time());
    let counts = (1..5_u32, 0..5_u32, 0..9_u32);
    let said = (proptest::option::of(any_reason()), words());
    let stops = proptest::option::weighted(0.2, any_stopping());
    let ticket = (any_ticket(), prop::bool::weighted(0.8));
    (state, counts, times, said, ticket, stops, any_lines()).prop_map(
        |(state, (attempts, faults, retries), times, (reason, message), (ticket, fits), stopping, jobs)| {
            let (start_time, retry_at, completion_time) = times;
            PhaseStatus {
                name: Phase::Build,
                completion_time: completion_time.filter(|_| state.is_terminal()),
                state,
                attempts,
                faults,
                retries,
                start_time,
                retry_at,
                reason,
                message,
                jobs: begun(jobs, attempts),
                ticket: if fits { ticket.map(|ticket| of_attempt(ticket, attempts)) } else { ticket },
                stopping,
            }
        },
    )
}

/// Lines as a build that was begun has them: its attempts are those of the job that makes the artifact.
fn begun(mut jobs: Vec<BuildJobStatus>, attempts: u32) -> Vec<BuildJobStatus> {
    let artifact = jobs.iter_mut().find(|job| job.name == Build::ARTIFACT && job.state != PhaseState::Pending);
    if let Some(artifact) = artifact {
        artifact.attempts = attempts;
    }
    jobs
}

/// The jobs of a build, or none; each waiting for its turn, under way, waiting for its next attempt, or over.
fn any_lines() -> impl Strategy<Value = Vec<BuildJobStatus>> {
    let line =
        (select(PhaseState::iter().collect::<Vec<_>>()), 0..4_u32, any_time(), proptest::option::of(any_reason()));
    proptest::option::of(proptest::collection::vec(line, 4)).prop_map(|lines| {
        let names = [Build::ARTIFACT, "lint", "unit.py310", "unit.py311"].into_iter();
        let jobs = names.zip(lines.into_iter().flatten());
        jobs.map(|(name, (state, attempts, retry_at, reason))| BuildJobStatus {
            state,
            attempts: if state == PhaseState::Pending { 0 } else { attempts },
            retry_at: retry_at.filter(|_| state == PhaseState::Running),
            reason,
            ..BuildJobStatus::pending(name)
        })
        .collect()
    })
}

fn any_stopping() -> impl Strategy<Value = Stopping> {
    let states = select(vec![PhaseState::Failed, PhaseState::TimedOut, PhaseState::Canceled]);
    (states, any_reason(), words(), any_time(), any_time(), any::<bool>()).prop_map(
        |(state, reason, message, since, teardown, asked)| Stopping { state, reason, message, since, teardown, asked },
    )
}
