//! How a pod's end is read.

use brickline_crds::{BundleTicket, Phase, PhaseState, PhaseStatus, Reason, Ticket};
use k8s_openapi::api::core::v1::Pod as KubePod;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::observe::read;
use super::super::{View, decide, job_name};
use super::release;
use crate::phase::job::State;
use crate::phase::{Ending, Outcome, Step, Turn};

/// A pod of which a container ended so.
fn pod(container: &str, ended: &Value) -> KubePod {
    let kind = if container == "fetch" { "initContainerStatuses" } else { "containerStatuses" };
    let status = json!({
        "name": container, "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
        "state": {"terminated": ended},
    });
    serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"phase": "Failed", kind: [status]}})).unwrap()
}

/// What follows from a failed Job with this pod, if its log was read.
fn step(job: State, pod: Option<&KubePod>, attempt_limit: bool) -> Step {
    let mut release = release(&json!({"target": "staging"}));
    if attempt_limit {
        release.spec.timeouts.deploy_attempt = Some(brickline_crds::GoDuration::from_secs(60));
    }
    let bundle = BundleTicket { job: job_name(&release, 1), created: true };
    let ticket = Some(Ticket { bundle: Some(bundle.clone()), ..Ticket::default() });
    let state = PhaseState::Running;
    let phase = PhaseStatus { state, attempts: 1, ticket, ..PhaseStatus::pending(Phase::Deploy) };
    let status = release.status.get_or_insert_default();
    status.phases = vec![phase];
    let (status, now) = (release.status.as_ref().unwrap(), "2026-11-21T12:00:00Z".parse().unwrap());
    let (phase, outcome) = (&status.phases[0], Some(&Outcome::Read));
    let turn = Turn { release: &release, status, phase, outcome, newer: None, now };
    decide(&turn, &bundle, &View { job, pod: pod.map(read) })
}

fn failed(reason: &str) -> State {
    State::Failed { reason: reason.to_owned(), message: "the Job failed".to_owned() }
}

fn ended(step: Step) -> Ending {
    let Step::Ended(_, ending) = step else { panic!("{step:?}") };
    ending
}

#[rstest]
#[case("bundle", json!({"exitCode": 1, "reason": "Error", "message": "Uploading...\nError: target x not found\n"}),
    Reason::DeployFailed, "databricks bundle deploy ended with exit code 1: Uploading...; Error: target x not found")]
#[case("bundle", json!({"exitCode": 137, "reason": "OOMKilled"}),
    Reason::DeployFailed, "databricks bundle deploy ran out of memory: raise deploy.bundle.resources.limits.memory")]
#[case("bundle", json!({"exitCode": 128, "reason": "StartError", "message": "exec: \"databricks\": not found"}),
    Reason::DeployFailed, "databricks bundle deploy ended with exit code 128 (StartError): exec: \"databricks\": not found")]
#[case("fetch", json!({"exitCode": 3, "message": "brickline-runner: the artifact is another one"}),
    Reason::ArtifactFailed, "brickline-runner: the artifact is another one")]
fn a_verdict_is_final(#[case] container: &str, #[case] how: Value, #[case] reason: Reason, #[case] message: &str) {
    let ending = ended(step(failed("BackoffLimitExceeded"), Some(&pod(container, &how)), false));
    assert_eq!((ending.state, ending.reason, ending.message.as_str()), (PhaseState::Failed, reason, message));
}

#[test]
fn a_deadline_ends_the_phase() {
    let ending = ended(step(failed("DeadlineExceeded"), None, false));
    assert_eq!((ending.state, ending.reason), (PhaseState::TimedOut, Reason::TimedOut));
}

#[rstest]
#[case::fetch_could_not_reach_the_controller(failed("BackoffLimitExceeded"), Some(pod("fetch", &json!({"exitCode": 1}))), false)]
#[case::the_pod_is_gone(failed("BackoffLimitExceeded"), None, false)]
#[case::an_attempt_took_too_long(failed("DeadlineExceeded"), None, true)]
#[case::somebody_deleted_the_job(State::Missing, None, false)]
fn what_is_lost_is_tried_again_as_another_attempt(
    #[case] job: State,
    #[case] pod: Option<KubePod>,
    #[case] attempt_limit: bool,
) {
    let Step::Record(status) = step(job, pod.as_ref(), attempt_limit) else { panic!("not recorded") };
    let deploy = status.phase(Phase::Deploy).unwrap();
    let ticket = deploy.ticket.as_ref().unwrap().bundle.as_ref().unwrap();
    assert_eq!((deploy.attempts, ticket.created), (2, false));
    assert!(ticket.job.ends_with("-bundle-2") && ticket.job.len() <= 63, "{}", ticket.job);
}

#[test]
fn an_evicted_pod_is_lost_whatever_its_container_ended_with() {
    let mut evicted = pod("bundle", &json!({"exitCode": 143, "reason": "Error"}));
    evicted.status.as_mut().unwrap().conditions = serde_json::from_value(json!([
        {"type": "DisruptionTarget", "status": "True", "message": "the node was low on memory"},
    ]))
    .unwrap();
    let Step::Record(status) = step(failed("BackoffLimitExceeded"), Some(&evicted), false) else { panic!("final") };
    assert!(status.phase(Phase::Deploy).unwrap().message.contains("(the node was low on memory)"));
}

#[test]
fn another_attempt_waits_until_the_pod_of_a_deleted_job_is_gone() {
    let running: KubePod =
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"phase": "Running"}})).unwrap();
    let Step::Record(status) = step(State::Missing, Some(&running), false) else { panic!("not told") };
    let deploy = status.phase(Phase::Deploy).unwrap();
    assert!(deploy.attempts == 1 && deploy.message.ends_with("waiting for its pod to go"), "{}", deploy.message);
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_while_it_is_waited_for() {
    let status = json!({"containerStatuses": [{
        "name": "bundle", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"i\""}},
    }]});
    let pod: KubePod = serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
    let Step::Record(status) = step(State::Active, Some(&pod), false) else { panic!("not told") };
    let message = &status.phase(Phase::Deploy).unwrap().message;
    assert!(
        message.ends_with("can't start: container bundle: ImagePullBackOff: Back-off pulling image \"i\""),
        "{message}"
    );
}
