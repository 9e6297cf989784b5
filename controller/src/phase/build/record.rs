//! What an ended job leaves in the release's status: pure.

use brickline_artifact::result::{BuildResult, TestCounts as Counts};
use brickline_crds::{Artifact, Build, DatabricksRelease, DatabricksReleaseStatus, FirstFailure, TestCounts};

use crate::artifact::place;

/// The most failures that a status names.
const FAILURES: usize = 10;

/// Adds what a job handed in. To be called once for each job: its tests are counted together with those of the others.
pub(super) fn record(
    status: &mut DatabricksReleaseStatus,
    release: &DatabricksRelease,
    (job, attempt): (&str, u32),
    result: &BuildResult,
) {
    let is_artifact = job == Build::ARTIFACT;
    if let Some(tests) = result.tests {
        status.tests.build = Some(sum(status.tests.build.unwrap_or_default(), tests));
        if is_artifact || status.tests.report.is_none() {
            status.tests.report = Some(place::report_uri(release, job, attempt));
        }
    }
    let prefix = if is_artifact { String::new() } else { format!("{job}: ") };
    let room = FAILURES.saturating_sub(status.tests.first_failures.len());
    status.tests.first_failures.extend(result.first_failures.iter().take(room).map(|failure| FirstFailure {
        name: format!("{prefix}{}", failure.name),
        message: failure.message.clone(),
        page: None,
    }));
    if is_artifact {
        status.artifact = result.artifact.as_ref().map(|artifact| Artifact {
            digest: artifact.digest.to_string(),
            size: i64::try_from(artifact.size).unwrap_or(i64::MAX),
            uri: place::artifact(&artifact.digest).to_string(),
        });
    }
}

fn sum(before: TestCounts, more: Counts) -> TestCounts {
    TestCounts {
        total: before.total.saturating_add(count(more.total)),
        passed: before.passed.saturating_add(count(more.passed)),
        failed: before.failed.saturating_add(count(more.failed)),
        skipped: before.skipped.saturating_add(count(more.skipped)),
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
