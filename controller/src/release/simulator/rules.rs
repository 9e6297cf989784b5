//! What every single write must keep: kstatus' rules for conditions, and the legal ways from state to state.

use brickline_crds::condition::{READY, RECONCILING, find};
use brickline_crds::{BuildJobStatus, DatabricksReleaseStatus, PhaseState, PhaseStatus, ReleaseResult, ReleaseState};

use crate::kstatus::{self, Seen};

/// From which state a phase may come into which.
const PHASES: &[(PhaseState, &[PhaseState])] = &[
    (
        PhaseState::Pending,
        &[
            PhaseState::Pending,
            PhaseState::Running,
            PhaseState::Failed,
            PhaseState::TimedOut,
            PhaseState::Skipped,
            PhaseState::Canceled,
        ],
    ),
    (
        PhaseState::Running,
        &[
            PhaseState::Running,
            PhaseState::Succeeded,
            PhaseState::SucceededWithIssues,
            PhaseState::Failed,
            PhaseState::TimedOut,
            PhaseState::Canceled,
            PhaseState::Skipped,
        ],
    ),
];

/// From which state a release may come into which. Nothing leads out of `Finished`, not even to itself.
const RELEASES: &[(ReleaseState, &[ReleaseState])] = &[
    (ReleaseState::Pending, &[ReleaseState::Pending, ReleaseState::Waiting, ReleaseState::Running]),
    (ReleaseState::Waiting, &[ReleaseState::Waiting, ReleaseState::Running, ReleaseState::Finishing]),
    (ReleaseState::Running, &[ReleaseState::Running, ReleaseState::Waiting, ReleaseState::Finishing]),
    (ReleaseState::Finishing, &[ReleaseState::Finishing, ReleaseState::Finished]),
];

/// The rules that a write breaks, in words; none if it is in order.
pub(crate) fn broken(
    before: &DatabricksReleaseStatus,
    after: &DatabricksReleaseStatus,
    generation: i64,
) -> Vec<String> {
    let mut broken = conditions(after, generation);
    broken.extend(transitions(before, after));
    if before == after {
        broken.push("a write that changes nothing".to_owned());
    }
    broken
}

/// kstatus' rules, and what they mean for a release: it is reconciled until it is over, then ready if it ended well.
pub(crate) fn conditions(status: &DatabricksReleaseStatus, generation: i64) -> Vec<String> {
    let holds = |kind: &str| find(&status.conditions, kind).is_some_and(|condition| condition.status == "True");
    let is_over = status.state == ReleaseState::Finished;
    let rules = [
        (holds(RECONCILING) != is_over, "Reconciling until it is over, and no longer"),
        (!is_over || holds(READY) == status.result.is_good(), "Ready is not the result"),
        ((status.result == ReleaseResult::None) != is_over, "a result at the end, and no sooner"),
        (status.completion_time.is_some() == is_over, "a completion time at the end, and no sooner"),
    ];
    let broken = rules.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| rule.to_owned());
    let seen = Seen { conditions: &status.conditions, observed_generation: status.observed_generation, generation };
    broken.chain(kstatus::broken(&seen)).collect()
}

/// Every state comes from a legal one, in the order of the road, and what is over stays as it is.
pub(crate) fn transitions(before: &DatabricksReleaseStatus, after: &DatabricksReleaseStatus) -> Vec<String> {
    let mut broken = kstatus::moved(&before.conditions, &after.conditions);
    if !leads(RELEASES, before.state, after.state) {
        broken.push(format!("the release went from {} to {}", before.state, after.state));
    }
    if before.phases.len() > after.phases.len()
        || (before.start_time.is_some() && before.start_time != after.start_time)
    {
        broken.push("what was known of the release is gone".to_owned());
    }
    for phase in &before.phases {
        let Some(next) = after.phase(phase.name) else { continue };
        if phase.state.is_terminal() && phase != next {
            broken.push(format!("{} was over and changed", phase.name));
        } else if !phase.state.is_terminal() && !leads(PHASES, phase.state, next.state) {
            broken.push(format!("{} went from {} to {}", phase.name, phase.state, next.state));
        }
        if next.attempts < phase.attempts {
            broken.push(format!("{} lost an attempt", phase.name));
        }
        broken.extend(phase.jobs.iter().filter_map(|job| job_broken(job, next)));
    }
    let begun = |state: PhaseState| matches!(state, PhaseState::Running | PhaseState::Succeeded);
    let first_open = after.phases.iter().position(|phase| !phase.state.is_terminal()).unwrap_or(after.phases.len());
    if after.phases.iter().skip(first_open + 1).any(|phase| begun(phase.state)) {
        broken.push("a phase began before the one before it was over".to_owned());
    }
    broken
}

/// What is wrong with the way of a job of the build; none if it is in order.
fn job_broken(before: &BuildJobStatus, phase: &PhaseStatus) -> Option<String> {
    let Some(after) = phase.jobs.iter().find(|job| job.name == before.name) else {
        return Some(format!("job {} is gone", before.name));
    };
    let legal = if before.state.is_terminal() { before == after } else { leads(PHASES, before.state, after.state) };
    let wrong = !legal || after.attempts < before.attempts;
    wrong.then(|| format!("job {} went from {} to {}", before.name, before.state, after.state))
}

fn leads<T: PartialEq + Copy>(table: &[(T, &[T])], from: T, to: T) -> bool {
    table.iter().any(|(known, next)| *known == from && next.contains(&to))
}
