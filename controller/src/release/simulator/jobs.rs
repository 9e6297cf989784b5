//! Kubernetes' Jobs: once by name, over after a while, gone when deleted; what a pod handed in stays.

use std::collections::BTreeMap;

use brickline_artifact::Digest;
use brickline_artifact::result::{
    ArtifactSummary, BuildResult, Outcome as Verdict, Reason as BuildReason, TestCounts, TestFailure,
};
use brickline_crds::Build as BuildSpec;
use jiff::{Timestamp, ToSpan};

use super::script::Script;
use crate::phase::{build, job};

/// How long a build takes, in seconds: every look in between is another reconcile.
pub(crate) const TAKES: i64 = 5;

/// How builds end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Build {
    #[default]
    Succeeds,
    /// A step fails.
    Fails,
    /// A test of the repository fails.
    TestsFail,
    /// It hands in no artifact.
    LeavesNothing,
    /// The machines of this many attempts are lost.
    IsLost(usize),
    /// It never ends.
    Hangs,
}

/// Every Job that ever was.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    /// When those that exist were created.
    alive: BTreeMap<String, Timestamp>,
    /// What was handed in, by Job.
    results: BTreeMap<String, BuildResult>,
    /// How often each name was created.
    pub(crate) created: BTreeMap<String, usize>,
    /// Which job of the build each name is of.
    work: BTreeMap<String, String>,
    /// What is built, if several releases must be told apart by it.
    pub(crate) zip: Option<Vec<u8>>,
    /// Somebody deletes the next one that there is.
    is_doomed: bool,
    /// How often somebody else deleted one.
    pub(crate) taken_away: usize,
}

impl Jobs {
    /// Creating one that exists is a conflict, and no second Job: the HTTP status of the refusal.
    pub(super) fn create(&mut self, name: &str, job: &str, now: Timestamp) -> Result<(), u16> {
        if self.alive.contains_key(name) {
            return Err(409);
        }
        self.work.insert(name.to_owned(), job.to_owned());
        self.alive.insert(name.to_owned(), now);
        *self.created.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    /// Lets time pass: pods of Jobs that are over hand in what they have.
    pub(super) fn tick(&mut self, script: &Script, now: Timestamp) {
        if self.is_doomed {
            self.take_away();
        }
        let over: Vec<String> = self.alive.keys().filter(|name| self.is_over(name, script, now)).cloned().collect();
        for name in over {
            let is_artifact = self.job_of(&name) == BuildSpec::ARTIFACT;
            if let Some(mut result) = handed_in(self.build_of(&name, script), attempt(&name)) {
                match (&self.zip, &mut result.artifact) {
                    (Some(zip), Some(artifact)) => artifact.digest = Digest::of(zip),
                    _ if !is_artifact => result.artifact = None,
                    _ => {}
                }
                self.results.entry(name).or_insert(result);
            }
        }
    }

    pub(super) fn look(&self, name: &str, script: &Script, now: Timestamp) -> build::Look {
        let build = self.build_of(name, script);
        let lost = matches!(build, Build::IsLost(attempts) if attempt(name) < attempts);
        let job = match build {
            _ if !self.alive.contains_key(name) => job::State::Missing,
            _ if !self.is_over(name, script, now) => job::State::Active,
            Build::Fails | Build::TestsFail => failed(),
            _ if lost => failed(),
            _ => job::State::Complete,
        };
        let is_lost = lost && job != job::State::Missing;
        let pod = is_lost.then(|| build::Pod { disrupted: Some("evicted".to_owned()), ..build::Pod::default() });
        build::Look { job, result: self.results.get(name).cloned(), pod }
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), u16> {
        self.alive.remove(name).map(drop).ok_or(404)
    }

    /// Somebody deletes what is there.
    pub(crate) fn take_away(&mut self) {
        self.is_doomed = self.alive.is_empty();
        self.taken_away += self.alive.len();
        self.alive.clear();
    }

    /// When the Jobs of one job of the build were created, oldest first, of those that are there.
    pub(crate) fn begun(&self, job: &str) -> Vec<Timestamp> {
        let mut begun: Vec<Timestamp> =
            self.alive.iter().filter(|(name, _)| self.job_of(name) == job).map(|(_, created)| *created).collect();
        begun.sort();
        begun
    }

    /// Whether the Job is still there.
    pub(super) fn exists(&self, name: &str) -> bool {
        self.alive.contains_key(name)
    }

    /// Those that are not over.
    pub(super) fn active(&self, script: &Script, now: Timestamp) -> Vec<&str> {
        self.alive.keys().filter(|name| !self.is_over(name, script, now)).map(String::as_str).collect()
    }

    fn is_over(&self, name: &str, script: &Script, now: Timestamp) -> bool {
        let ends = self.build_of(name, script) != Build::Hangs;
        ends && self.alive.get(name).is_some_and(|created| now >= *created + TAKES.seconds())
    }

    fn job_of(&self, name: &str) -> &str {
        self.work.get(name).map_or(BuildSpec::ARTIFACT, String::as_str)
    }

    fn build_of(&self, name: &str, script: &Script) -> Build {
        script.build_of(self.job_of(name))
    }
}

/// The order of an attempt, from 0: a Job's name ends with its number.
fn attempt(name: &str) -> usize {
    name.rsplit('-').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(1) - 1
}

fn failed() -> job::State {
    job::State::Failed { reason: "BackoffLimitExceeded".to_owned(), message: "the pod failed".to_owned() }
}

pub(super) fn handed_in(build: Build, attempt: usize) -> Option<BuildResult> {
    let passed = TestCounts { total: 1, passed: 1, failed: 0, skipped: 0 };
    let good = BuildResult {
        outcome: Verdict::Succeeded,
        steps: Vec::new(),
        tests: Some(passed),
        first_failures: Vec::new(),
        artifact: Some(ArtifactSummary { digest: Digest::of(b"zip"), size: 3 }),
    };
    let failed = |reason, message: &str| Verdict::Failed { reason, message: message.to_owned() };
    match build {
        Build::IsLost(attempts) if attempt < attempts => None,
        Build::Succeeds | Build::IsLost(_) => Some(good),
        Build::Fails => {
            let outcome = failed(BuildReason::BuildFailed, "step make failed");
            Some(BuildResult { outcome, tests: None, artifact: None, ..good })
        }
        Build::TestsFail => Some(BuildResult {
            outcome: failed(BuildReason::TestsFailed, "1 of 1 tests failed"),
            tests: Some(TestCounts { total: 1, passed: 0, failed: 1, skipped: 0 }),
            first_failures: vec![TestFailure {
                name: "test_with_status".to_owned(),
                message: "assert 'a' == 'b'".to_owned(),
            }],
            artifact: None,
            ..good
        }),
        Build::LeavesNothing | Build::Hangs => None,
    }
}
