//! What a phase says of itself.

use brickline_crds::{PhaseState, PhaseStatus, Reason};

use super::super::tell::line;
use super::*;

fn phase(state: PhaseState, attempts: u32, reason: Option<Reason>, message: &str) -> PhaseStatus {
    PhaseStatus { state, attempts, reason, message: message.to_owned(), ..PhaseStatus::pending(Phase::Install) }
}

#[test]
fn a_phase_tells_its_begin_what_it_waits_for_and_its_end() {
    let running = Some(Reason::Progressing);
    let road = [
        phase(PhaseState::Pending, 0, None, ""),
        phase(PhaseState::Running, 1, running, ""),
        phase(PhaseState::Running, 1, running, "cluster c is Restarting"),
        phase(PhaseState::Running, 1, running, "cluster c is Restarting"),
        phase(PhaseState::Running, 1, Some(Reason::ProgressingWithRetry), "503; attempt 2 of 4 follows"),
        phase(PhaseState::Failed, 1, Some(Reason::InstallFailed), "no such wheel"),
        phase(PhaseState::Failed, 1, Some(Reason::InstallFailed), "no such wheel"),
    ];
    let told: Vec<Option<String>> = road.windows(2).map(|pair| line(Some(&pair[0]), &pair[1])).collect();
    let told: Vec<Option<&str>> = told.iter().map(Option::as_deref).collect();
    let expected = [
        Some("Install began, attempt 1"),
        Some("cluster c is Restarting"),
        None,
        Some("503; attempt 2 of 4 follows"),
        Some("Install ended Failed (InstallFailed): no such wheel"),
        None,
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_phase_that_was_never_begun_says_nothing() {
    let skipped = phase(PhaseState::Skipped, 0, None, "install.clusters is empty");
    assert_eq!(line(None, &skipped), None);
    let succeeded =
        phase(PhaseState::Succeeded, 1, Some(Reason::Succeeded), "1 libraries on 1 clusters, none restarted");
    let running = phase(PhaseState::Running, 1, None, "");
    let told = line(Some(&running), &succeeded);
    assert_eq!(told.as_deref(), Some("Install ended Succeeded: 1 libraries on 1 clusters, none restarted"));
}
