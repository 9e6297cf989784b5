//! Builds with further jobs: which of them run, what the phase ends with, and what each pod gets.

use std::collections::BTreeMap;

use brickline_artifact::BuildPlan;
use brickline_artifact::plan::RunsIf;
use brickline_crds::{Build, BuildJobStatus, DatabricksRelease, PhaseState, Reason, TestVerdict};
use clap::Parser;
use k8s_openapi::api::batch::v1::Job;
use rstest::rstest;
use serde_json::{Value, json};

use super::jobs::all_ended;
use super::order::{Fate, fate};
use super::since::Since;
use super::{job_name, plan, pod};
use crate::args::Args;
use crate::condition::ReleaseView;
use crate::context::Settings;
use crate::pool::Pool;

/// A release that builds so.
fn release(build: &Value) -> DatabricksRelease {
    serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {"name": "dbxdemo-4f2c91d0a7be", "namespace": "data", "uid": "uid-1"},
        "spec": {
            "source": {"git": {
                "url": "https://git.example.com/data/dbxdemo.git", "ref": "refs/heads/release", "commit": "9".repeat(40),
            }},
            "build": build,
            "timeouts": {"build": "30m"},
        },
    }))
    .unwrap()
}

/// A linter, then the tests in two copies, one at a time.
fn jobs() -> Value {
    json!({
        "image": "registry.example.com/build:1", "pool": "small", "resources": {"limits": {"memory": "1Gi"}},
        "jobs": [
            {"name": "lint", "image": "registry.example.com/node:22", "steps": [{"name": "eslint", "run": "npx eslint ."}]},
            {
                "name": "unit", "pool": "large", "dependsOn": ["lint"], "pythonVersion": "3.10", "timeout": "10m",
                "variables": {"LEVEL": "all", "PY": "?"}, "reports": ["out/*.xml"],
                "strategy": {"maxParallel": 1, "matrix": [
                    {"name": "py310", "variables": {"PY": "3.10"}},
                    {"name": "py311", "variables": {"PY": "3.11"}, "pythonVersion": "3.11", "image": "registry.example.com/py:3.11"},
                ]},
                "steps": [
                    {"name": "pytest", "run": "pytest", "workingDirectory": "libraries", "timeout": "5m"},
                    {"name": "tell", "run": "echo no", "condition": "Failed", "continueOnError": true},
                ],
            },
        ],
    })
}

fn line(name: &str, state: PhaseState) -> BuildJobStatus {
    BuildJobStatus { state, ..BuildJobStatus::pending(name) }
}

/// What becomes of job `name` while the others stand so.
fn fate_of(build: &Value, name: &str, lines: &[(&str, PhaseState)]) -> Fate {
    let release = release(build);
    let planned = release.spec.build.planned();
    let planned = planned.iter().find(|planned| planned.name == name).unwrap();
    let lines: Vec<_> = lines.iter().map(|(name, state)| line(name, *state)).collect();
    fate(planned, &lines, &ReleaseView { branch: "release".into(), ..ReleaseView::default() })
}

#[rstest]
#[case::nothing_before("lint", &[("lint", PhaseState::Pending)], "due")]
#[case::it_goes_on("unit.py310", &[("lint", PhaseState::Running)], "waits")]
#[case::it_ended_well("unit.py310", &[("lint", PhaseState::Succeeded)], "due")]
#[case::with_issues("unit.py310", &[("lint", PhaseState::SucceededWithIssues)], "due")]
#[case::badly("unit.py310", &[("lint", PhaseState::Failed)], "it depends on lint Failed")]
#[case::late("unit.py310", &[("lint", PhaseState::TimedOut)], "it depends on lint TimedOut")]
#[case::another_copy("unit.py311", &[("lint", PhaseState::Succeeded), ("unit.py310", PhaseState::Running)], "waits")]
#[case::after_it("unit.py311", &[("lint", PhaseState::Succeeded), ("unit.py310", PhaseState::Failed)], "due")]
fn a_job_runs_after_those_that_it_depends_on(
    #[case] name: &str,
    #[case] lines: &[(&str, PhaseState)],
    #[case] expected: &str,
) {
    let said = match fate_of(&jobs(), name, lines) {
        Fate::Waits => "waits".to_owned(),
        Fate::Due => "due".to_owned(),
        Fate::Ends(ending) => {
            assert_eq!(ending.state, PhaseState::Skipped);
            ending.message
        }
    };
    assert_eq!(said, expected);
}

#[rstest]
#[case("jobs.lint.result == 'Failed'", PhaseState::Failed, true)]
#[case("jobs.lint.result == 'Failed'", PhaseState::Succeeded, false)]
#[case("release.branch == 'release'", PhaseState::Failed, true)]
#[case("release.branch == 'main'", PhaseState::Succeeded, false)]
fn a_condition_decides_instead(#[case] condition: &str, #[case] lint: PhaseState, #[case] runs: bool) {
    let mut build = jobs();
    build["jobs"][1]["condition"] = json!(condition);
    assert_eq!(fate_of(&build, "unit.py310", &[("lint", lint)]) == Fate::Due, runs);
}

#[test]
fn of_a_matrix_the_worst_copy_counts() {
    let mut build = jobs();
    build["dependsOn"] = json!(["unit"]);
    let fate = |one, other| fate_of(&build, "artifact", &[("unit.py310", one), ("unit.py311", other)]);
    assert_eq!(fate(PhaseState::Succeeded, PhaseState::Running), Fate::Waits);
    assert_eq!(fate(PhaseState::Succeeded, PhaseState::Succeeded), Fate::Due);
    assert!(matches!(fate(PhaseState::Failed, PhaseState::Succeeded), Fate::Ends(_)));
}

#[test]
fn a_commit_that_is_not_due_ends_all_with_the_checkouts_word() {
    let told = BuildJobStatus {
        reason: Some(Reason::PathsNotMatched),
        message: "no changed path matches".into(),
        ..line("lint", PhaseState::Skipped)
    };
    let mut build = jobs();
    build["dependsOn"] = json!(["lint"]);
    let release = release(&build);
    let Fate::Ends(ending) =
        fate(&release.spec.build.planned()[0], std::slice::from_ref(&told), &ReleaseView::default())
    else {
        panic!("it runs")
    };
    let (reason, message) = (Some(ending.reason), ending.message);
    let artifact = BuildJobStatus { reason, message, ..line("artifact", ending.state) };
    let ending = all_ended(&[artifact, told], None).unwrap();
    assert_eq!((ending.state, ending.reason), (PhaseState::Skipped, Reason::PathsNotMatched));
    assert_eq!(ending.message, "no changed path matches");
}

#[test]
fn the_phase_says_what_failed_first_and_what_else() {
    use PhaseState::{Failed, Pending, Skipped, Succeeded, SucceededWithIssues, TimedOut};
    let verdict = TestVerdict { reason: Reason::TestsFailed, message: "job unit.py310: 1 of 9 tests failed".into() };
    let ended = |states: [PhaseState; 3], verdict: Option<&TestVerdict>| {
        let lines = ["artifact", "lint", "unit.py310"].into_iter().zip(states);
        let lines: Vec<_> =
            lines.map(|(name, state)| BuildJobStatus { message: "artifact x".into(), ..line(name, state) }).collect();
        all_ended(&lines, verdict).map(|ending| (ending.state, ending.reason, ending.message))
    };
    assert_eq!(ended([Succeeded, Pending, Succeeded], None), None);
    assert_eq!(ended([Succeeded; 3], None), Some((Succeeded, Reason::Succeeded, "artifact x, 3 jobs".into())));
    let one = ended([Succeeded, Succeeded, Failed], Some(&verdict));
    assert_eq!(one, Some((Failed, Reason::TestsFailed, verdict.message.clone())));
    let both = ended([Skipped, TimedOut, Failed], Some(&verdict));
    assert_eq!(both.unwrap().2, "job unit.py310: 1 of 9 tests failed; failed: lint, unit.py310");
    assert_eq!(ended([Succeeded, Succeeded, TimedOut], Some(&verdict)).unwrap().0, TimedOut);
    let issues = ended([Succeeded, SucceededWithIssues, Succeeded], None).unwrap();
    assert_eq!(
        issues,
        (SucceededWithIssues, Reason::SucceededWithIssues, "artifact x, 3 jobs; failed, and may: lint".into())
    );
    assert_eq!(ended([Skipped, Succeeded, Succeeded], None).unwrap().1, Reason::BuildFailed, "no artifact");
}

fn settings() -> Settings {
    let (ca_bundle, artifact_ca) = (None, "-----BEGIN CERTIFICATE-----".to_owned());
    let large = Pool { slots: 2, node_selector: [("size".to_owned(), "large".to_owned())].into(), ..Pool::default() };
    let pools = [("small".to_owned(), Pool::default()), ("large".to_owned(), large)].into();
    let args = ["brickline", "--artifact-url", "https://brickline.brickline.svc:8443"];
    Settings { args: Args::parse_from(args), ca_bundle, pools, artifact_ca }
}

/// The Job of a job's first attempt, and the order to its pod.
fn made(name: &str) -> (Job, BuildPlan) {
    let (release, settings) = (release(&jobs()), settings());
    let planned = release.spec.build.planned();
    let planned = planned.iter().find(|planned| planned.name == name).unwrap();
    let plan = plan::plan(&release, planned, 1, Since::default(), &settings).unwrap();
    let job = pod::job(&release, planned, &job_name(&release, name, 1), &plan, None, &settings);
    (job, BuildPlan::from_json(&plan).unwrap())
}

#[rstest]
#[case("artifact", "registry.example.com/build:1", None, 1800, None)]
#[case("lint", "registry.example.com/node:22", None, 1800, None)]
#[case("unit.py310", "registry.example.com/build:1", Some("large"), 600, Some("3.10"))]
#[case("unit.py311", "registry.example.com/py:3.11", Some("large"), 600, Some("3.11"))]
fn each_pod_has_its_jobs_image_pool_and_time(
    #[case] name: &str,
    #[case] image: &str,
    #[case] size: Option<&str>,
    #[case] seconds: i64,
    #[case] python: Option<&str>,
) {
    let (job, plan) = made(name);
    let spec = job.spec.unwrap();
    let pod = spec.template.spec.unwrap();
    assert_eq!(pod.containers[0].image.as_deref(), Some(image));
    assert_eq!(pod.node_selector.unwrap_or_default().get("size").map(String::as_str), size);
    assert_eq!(spec.active_deadline_seconds, Some(seconds));
    assert_eq!(plan.python_version.as_deref(), python);
    let limits = pod.containers[0].resources.as_ref().and_then(|resources| resources.limits.clone());
    assert_eq!(limits.unwrap_or_default().len(), 1, "the build's own, if the job has none");
    let labels = spec.template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default();
    assert_eq!(labels.get("brickline.dev/job").map(String::as_str), Some(name));
}

#[test]
fn a_copys_steps_have_its_variables_and_leave_reports_but_no_artifact() {
    let (_, plan) = made("unit.py311");
    assert_eq!(plan.release.job.as_deref(), Some("unit.py311"));
    assert_eq!(plan.tests.reports, ["out/*.xml"]);
    let job = plan.job.unwrap();
    assert_eq!(job.variables, BTreeMap::from([("LEVEL".into(), "all".into()), ("PY".into(), "3.11".into())]));
    let [pytest, tell] = job.steps.as_slice() else { panic!("two steps") };
    assert_eq!((pytest.run.as_str(), pytest.working_directory.as_deref()), ("pytest", Some("libraries")));
    assert_eq!((pytest.timeout_seconds, tell.condition, tell.continue_on_error), (Some(300), RunsIf::Failed, true));
    let (_, artifact) = made("artifact");
    assert_eq!((artifact.job, artifact.release.job), (None, None));
}

#[test]
fn jobs_that_are_cut_alike_have_names_of_their_own() {
    let mut release = release(&json!({}));
    release.metadata.name = Some("a-name-of-a-release-that-is-as-long-as-kubernetes-takes-it-63ch".into());
    let name = |job| job_name(&release, job, 12);
    let all =
        ["a-job-with-a-long-na.copy-one", "a-job-with-a-long-na.copy-two", "a.b", "a-b", Build::ARTIFACT].map(name);
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert!(all.iter().all(|name| name.len() <= 63 && !name.contains('.') && name.ends_with("-12")), "{all:?}");
}
