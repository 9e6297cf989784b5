//! How a build pod hands its work in, and a bundle's pod fetches it: requests over TLS with the pod's projected token.
//!
//! | request | body | answers |
//! | --- | --- | --- |
//! | `POST .../log/{container}?offset=N` | the log's bytes from N on | 200 or 409 with [`LogState`], 410 once the build is sealed |
//! | `PUT .../report` | one merged JUnit XML | 201 sealed now, 409 sealed before |
//! | `PUT .../artifact` | the zip, its digest in [`SHA256_HEADER`] | 201 sealed now, 409 sealed before |
//! | `PUT .../result` | a [`crate::BuildResult`] as JSON | 201 sealed now, 409 sealed before |
//! | `GET .../deployments/{attempt}/artifact` | none | 200 with the release's zip, its digest in [`SHA256_HEADER`]: for the pod that deploys its asset bundle |
//!
//! A further job of the build hands in the same, but no artifact, below `.../jobs/{job}`.
//!
//! The result comes last and seals the whole attempt: whoever reads it finds everything else in place. All may answer
//! 400 (not of its form), 401 (token), 403 (not this release's pod), 413 (over a limit) and, to be tried again, 429 or
//! 5xx. A log's 409 means that N isn't its length: go on from the length it tells.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::ReleaseIdentity;

/// The audience of the projected token.
pub const AUDIENCE: &str = "brickline-artifacts";
/// The header with the artifact's SHA-256: 64 lower-case hexadecimal digits.
pub const SHA256_HEADER: &str = "x-brickline-sha256";
/// The query parameter of a log's part.
pub const OFFSET_PARAMETER: &str = "offset";
/// The largest part of a log in one request, in bytes.
pub const MAX_LOG_PART_BYTES: usize = 1024 * 1024;

/// The router's pattern of [`Part::Log`].
pub const LOG_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/attempts/{attempt}/log/{container}";
/// The router's pattern of [`Part::Report`].
pub const REPORT_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/attempts/{attempt}/report";
/// The router's pattern of [`Part::Artifact`].
pub const ARTIFACT_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/attempts/{attempt}/artifact";
/// The router's pattern of [`Part::Result`].
pub const RESULT_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/attempts/{attempt}/result";

/// The router's pattern of [`Part::Log`] of a further job of the build.
pub const JOB_LOG_ROUTE: &str =
    "/v1/namespaces/{namespace}/releases/{name}/jobs/{job}/attempts/{attempt}/log/{container}";
/// The router's pattern of [`Part::Report`] of a further job.
pub const JOB_REPORT_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/jobs/{job}/attempts/{attempt}/report";
/// The router's pattern of [`Part::Result`] of a further job. It hands in no artifact.
pub const JOB_RESULT_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/jobs/{job}/attempts/{attempt}/result";

/// The router's pattern of [`fetch_address`].
pub const FETCH_ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/deployments/{attempt}/artifact";

/// One part of what a build hands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A container's log.
    Log {
        /// The container.
        container: &'a str,
    },
    /// The merged JUnit report.
    Report,
    /// The artifact.
    Artifact,
    /// The result, which seals.
    Result,
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { container } => write!(f, "log/{container}"),
            Self::Report => f.write_str("report"),
            Self::Artifact => f.write_str("artifact"),
            Self::Result => f.write_str("result"),
        }
    }
}

/// The address of a part. Namespaces, jobs, containers and the names of releases need no escape: they are lower-case words
/// with `-` and `.`.
#[must_use]
pub fn address(base: &str, release: &ReleaseIdentity, part: Part<'_>) -> String {
    let base = base.trim_end_matches('/');
    let ReleaseIdentity { namespace, name, attempt, job, .. } = release;
    let job = job.as_ref().map(|job| format!("/jobs/{job}")).unwrap_or_default();
    format!("{base}/v1/namespaces/{namespace}/releases/{name}{job}/attempts/{attempt}/{part}")
}

/// The address of the artifact that a deployment's pod fetches.
#[must_use]
pub fn fetch_address(base: &str, release: &ReleaseIdentity) -> String {
    let base = base.trim_end_matches('/');
    let ReleaseIdentity { namespace, name, attempt, .. } = release;
    format!("{base}/v1/namespaces/{namespace}/releases/{name}/deployments/{attempt}/artifact")
}

/// What the controller holds of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogState {
    /// Its length in bytes: the only acceptable next offset.
    pub length: u64,
}

/// Why a request was refused, for the pod's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// One sentence without secrets.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(job: Option<&str>) -> ReleaseIdentity {
        let job = job.map(ToOwned::to_owned);
        ReleaseIdentity { namespace: "data".into(), name: "dbxdemo-1".into(), uid: "u".into(), attempt: 2, job }
    }

    fn fill(route: &str) -> String {
        let route = route.replace("{namespace}", "data").replace("{name}", "dbxdemo-1").replace("{attempt}", "2");
        format!("https://h{}", route.replace("{container}", "steps").replace("{job}", "unit.py311"))
    }

    #[test]
    fn addresses_fit_the_routes() {
        let of_the_artifact = [
            (Part::Log { container: "steps" }, LOG_ROUTE),
            (Part::Report, REPORT_ROUTE),
            (Part::Artifact, ARTIFACT_ROUTE),
            (Part::Result, RESULT_ROUTE),
        ];
        for (part, route) in of_the_artifact {
            assert_eq!(address("https://h/", &release(None), part), fill(route));
        }
        let of_a_job = [
            (Part::Log { container: "steps" }, JOB_LOG_ROUTE),
            (Part::Report, JOB_REPORT_ROUTE),
            (Part::Result, JOB_RESULT_ROUTE),
        ];
        for (part, route) in of_a_job {
            assert_eq!(address("https://h/", &release(Some("unit.py311")), part), fill(route));
        }
        assert_eq!(fetch_address("https://h/", &release(None)), fill(FETCH_ROUTE));
    }
}
