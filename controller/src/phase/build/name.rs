//! The names of a build's Jobs, and what is written down before one is created. Pure.

use brickline_crds::{Build, BuildJobStatus, DatabricksRelease, PhaseState, PhaseStatus, Ticket};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::job_name;

/// What lets the build find the Job that makes the artifact.
pub(super) fn ticket(release: &DatabricksRelease, attempt: u32) -> Ticket {
    Ticket { job: Some(job_name(release, Build::ARTIFACT, attempt)), ..Ticket::default() }
}

/// What a build says of itself while nothing keeps it from going on.
pub(super) fn runs(job: &str) -> String {
    format!("Job {job} runs")
}

/// Begins the phase: the job that has a slot is under way, the others are still to come.
pub(crate) fn begin(release: &DatabricksRelease, phase: &mut PhaseStatus, now: Timestamp) {
    phase.ticket = Some(ticket(release, phase.attempts));
    phase.message = runs(&job_name(release, Build::ARTIFACT, phase.attempts));
    let build = &release.spec.build;
    if build.jobs.is_empty() {
        return;
    }
    let planned = build.planned();
    phase.jobs = planned.iter().map(|job| BuildJobStatus::pending(&job.name)).collect();
    if let Some(first) = planned.iter().position(|job| job.depends_on.is_empty()) {
        start(&mut phase.jobs[first], now);
    }
    phase.message = super::jobs::says(&phase.jobs);
}

/// A job begins: from now on its Job may be created.
pub(super) fn start(job: &mut BuildJobStatus, now: Timestamp) {
    job.state = PhaseState::Running;
    job.attempts = 1;
    job.start_time = Some(Time(now));
}

/// A job under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// `artifact`, or a further job.
    pub(crate) job: String,
    /// Its Job's name.
    pub(crate) name: String,
    pub(crate) attempt: u32,
}

/// The jobs under way.
pub(crate) fn under_way(release: &DatabricksRelease, phase: &PhaseStatus) -> Vec<Running> {
    let running = |job: &str, attempt: u32| {
        let name = job_name(release, job, attempt);
        Running { job: job.to_owned(), name, attempt }
    };
    if phase.jobs.is_empty() {
        return vec![running(Build::ARTIFACT, phase.attempts.max(1))];
    }
    let all = phase.jobs.iter().filter(|job| job.state == PhaseState::Running);
    all.map(|job| running(&job.name, job.attempts)).collect()
}
