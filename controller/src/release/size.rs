//! The status of a release stays small, whatever comes from outside: one that is refused would lose all of it.

use brickline_crds::DatabricksReleaseStatus;
use brickline_crds::condition::{MAX_MESSAGE, truncate};

/// The most bytes of a status: what it is promised to stay below is 64 KiB.
const MOST: usize = 60 << 10;
/// The longest names and messages of tests, and comments, as in the schema.
const NAME: usize = 512;
const TEXT: usize = 1024;

/// How much of what people can read elsewhere too has room.
#[derive(Clone, Copy)]
struct Room {
    issues: usize,
    failures: usize,
    /// Characters of one text.
    text: usize,
}

/// From what the schema takes to almost nothing. What goes first is what the most others tell as well.
const ROOMS: [Room; 6] = [
    Room { issues: 20, failures: 10, text: MAX_MESSAGE },
    Room { issues: 5, failures: 10, text: MAX_MESSAGE },
    Room { issues: 5, failures: 5, text: TEXT },
    Room { issues: 1, failures: 3, text: NAME },
    Room { issues: 1, failures: 1, text: 256 },
    Room { issues: 0, failures: 0, text: 16 },
];

/// Cuts the status until it is small enough; `derive` makes of it what follows from it, conditions among them.
pub(super) fn fit(status: &mut DatabricksReleaseStatus, derive: impl Fn(&mut DatabricksReleaseStatus)) {
    for room in ROOMS {
        cut(status, room);
        derive(status);
        if serde_json::to_vec(status).is_ok_and(|json| json.len() <= MOST) {
            return;
        }
    }
}

fn cut(status: &mut DatabricksReleaseStatus, room: Room) {
    status.issues.truncate(room.issues);
    status.tests.first_failures.truncate(room.failures);
    let shorten = |text: &mut String, most: usize| *text = truncate(text, most.min(room.text));
    for phase in &mut status.phases {
        shorten(&mut phase.message, MAX_MESSAGE);
        if let Some(stopping) = &mut phase.stopping {
            shorten(&mut stopping.message, MAX_MESSAGE);
        }
        let Some(ticket) = &mut phase.ticket else { continue };
        ticket.in_flight.iter_mut().for_each(|run| shorten(&mut run.failed, NAME));
        if let Some(verdict) = &mut ticket.verdict {
            shorten(&mut verdict.message, MAX_MESSAGE);
        }
    }
    if let Some(waiting) = &mut status.waiting {
        shorten(&mut waiting.message, MAX_MESSAGE);
    }
    for failure in &mut status.tests.first_failures {
        shorten(&mut failure.name, NAME);
        shorten(&mut failure.message, TEXT);
    }
    for issue in &mut status.issues {
        shorten(&mut issue.name, NAME);
        shorten(&mut issue.message, TEXT);
    }
    for approval in &mut status.approvals {
        approval.comment = truncate(&approval.comment, TEXT);
    }
}

#[cfg(test)]
mod tests {
    use brickline_crds::{
        ApprovalRecord, Decision, FirstFailure, Issue, JobStatus, LockTicket, Phase, PhaseState, PhaseStatus, Reason,
        RunTicket, Stopping, TestVerdict, Ticket, Waiting,
    };
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;
    use strum::IntoEnumIterator;

    use super::super::simulator::scenarios::release;
    use super::super::status::derive;
    use super::*;

    const MOST_OF_ALL: usize = 64 << 10;

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    /// Everything that the code lets in, as long and as often as it does.
    fn full(letter: char, text: usize) -> DatabricksReleaseStatus {
        let text = |most: usize| std::iter::repeat_n(letter, text.min(most)).collect::<String>();
        let run = |index| RunTicket { index, try_: 5, failed: text(512), run_id: Some(i64::MAX) };
        let phase = |name| PhaseStatus {
            state: PhaseState::Running,
            attempts: 20,
            reason: Some(Reason::InnerTestsFailed),
            message: text(9000),
            ticket: Some(Ticket {
                verdict: Some(TestVerdict { reason: Reason::InnerTestsFailed, message: text(9000) }),
                in_flight: if name == Phase::Test { (0..51).map(run).collect() } else { Vec::new() },
                ..Ticket::default()
            }),
            stopping: Some(Stopping {
                state: PhaseState::TimedOut,
                reason: Reason::TimedOut,
                message: text(9000),
                since: None,
                teardown: None,
                asked: true,
            }),
            ..PhaseStatus::pending(name)
        };
        let time = Time(noon());
        let mut status = DatabricksReleaseStatus {
            phases: Phase::iter().map(phase).collect(),
            variables: (0..64).map(|number| (format!("params.p{number}"), "v".repeat(240))).collect(),
            waiting: Some(Waiting {
                reason: Reason::WaitingForCluster,
                message: text(9000),
                since: time.clone(),
                until: None,
            }),
            approvals: vec![
                ApprovalRecord {
                    approver: text(60),
                    decision: Decision::Approved,
                    comment: text(crate::phase::gate::COMMENT),
                    time
                };
                16
            ],
            locks: vec![
                LockTicket { name: "lock-01234567890123456789".to_owned(), target: "t".repeat(200), kept: true };
                43
            ],
            jobs: vec![JobStatus { name: text(128), id: i64::MAX, next_run: None }; 16],
            issues: vec![Issue { reason: Reason::NotebookFailed, name: text(900), message: text(9000) }; 20],
            issue_count: 5000,
            ..DatabricksReleaseStatus::default()
        };
        let failure = FirstFailure { name: text(900), message: text(9000), page: Some("p".repeat(256)) };
        status.tests.first_failures = vec![failure; 10];
        status
    }

    #[test]
    fn what_has_room_stays_as_it_is() {
        let mut status = full('x', 60);
        fit(&mut status, |status| derive(&release(), status, noon()));
        assert_eq!((status.issues.len(), status.tests.first_failures.len()), (20, 10));
        assert_eq!(status.phases[0].message.len(), 60);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_status_stays_small_whatever_is_in_it(letter in prop::sample::select(vec!['x', 'é', '\u{1F600}', '"', '\n']), text in 0..9000_usize) {
            let mut status = full(letter, text);
            let derived = |status: &mut DatabricksReleaseStatus| derive(&release(), status, noon());
            fit(&mut status, derived);
            let bytes = serde_json::to_vec(&status).unwrap().len();
            prop_assert!(bytes < MOST_OF_ALL, "{} bytes", bytes);
            let before = status.clone();
            fit(&mut status, derived);
            prop_assert_eq!(status, before, "cutting again changes nothing");
        }
    }
}
