//! A result says how a build ended: its outcome, its steps, its tests and the artifact's digest.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// How many failing tests a result names.
pub const MAX_FAILURES: usize = 10;
/// The longest message in a result, in characters.
pub const MAX_MESSAGE_CHARS: usize = 300;
/// The longest result that is accepted, in bytes.
pub const MAX_RESULT_BYTES: usize = 256 * 1024;

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildResult {
    /// The verdict.
    pub outcome: Outcome,
    /// What ran, in order.
    #[serde(default)]
    pub steps: Vec<StepResult>,
    /// The counts over all reports; none if there was no report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestCounts>,
    /// The first failing tests, at most [`MAX_FAILURES`].
    #[serde(default)]
    pub first_failures: Vec<TestFailure>,
    /// The artifact; only a succeeded build has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactSummary>,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result")]
pub enum Outcome {
    /// Everything ran, was tested and is in the artifact.
    Succeeded,
    /// The build failed.
    Failed {
        /// Why, in one word.
        reason: Reason,
        /// What failed and what to do next.
        message: String,
    },
    /// The build wasn't due.
    Skipped {
        /// Why, in one word.
        reason: SkipReason,
        /// Why, in a sentence.
        message: String,
    },
}

/// Why a build failed; the words are the API's condition reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The commit couldn't be had: credentials, address, network, or it's gone.
    CheckoutFailed,
    /// The image's Python isn't the cluster's.
    RuntimeMismatch,
    /// A step other than the tests failed: an install, a wheel, or a time limit.
    BuildFailed,
    /// Tests ran and some failed.
    TestsFailed,
    /// Tests were due and left no readable result.
    NoTestReport,
    /// The artifact couldn't be made or handed in.
    ArtifactFailed,
}

/// Why a build wasn't due; the words are the API's condition reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SkipReason {
    /// The commit isn't reachable from its ref any more.
    OutOfDate,
    /// No changed path matches the trigger's.
    PathsNotMatched,
    /// Only merges are released, and the commit isn't one.
    NotAMerge,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// Its name, such as `pytest` or `wheel libraries/python/dbxdemo`.
    pub name: String,
    /// Its exit code; 128 and the signal's number if a signal ended it; none while it runs or if it never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// How long it took.
    pub seconds: f64,
    /// What was wrong with it; empty if nothing was.
    #[serde(default)]
    pub message: String,
}

/// How many tests there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestCounts {
    /// All of them.
    pub total: u64,
    /// Ran and passed.
    pub passed: u64,
    /// Ran and failed, or couldn't run.
    pub failed: u64,
    /// Didn't run on purpose.
    pub skipped: u64,
}

/// One failing test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestFailure {
    /// The test, class first.
    pub name: String,
    /// The assertion, at most [`MAX_MESSAGE_CHARS`].
    pub message: String,
}

/// The artifact handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactSummary {
    /// Digest of the zip.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Reason {
    /// The word as conditions carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckoutFailed => "CheckoutFailed",
            Self::RuntimeMismatch => "RuntimeMismatch",
            Self::BuildFailed => "BuildFailed",
            Self::TestsFailed => "TestsFailed",
            Self::NoTestReport => "NoTestReport",
            Self::ArtifactFailed => "ArtifactFailed",
        }
    }
}

impl SkipReason {
    /// The word as conditions carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfDate => "OutOfDate",
            Self::PathsNotMatched => "PathsNotMatched",
            Self::NotAMerge => "NotAMerge",
        }
    }
}

impl Outcome {
    /// A failure, its message cut to [`MAX_MESSAGE_CHARS`].
    #[must_use]
    pub fn failed(reason: Reason, message: &str) -> Self {
        Self::Failed { reason, message: bound(message) }
    }

    /// A skip, its message cut to [`MAX_MESSAGE_CHARS`].
    #[must_use]
    pub fn skipped(reason: SkipReason, message: &str) -> Self {
        Self::Skipped { reason, message: bound(message) }
    }

    /// The exit code that `checkout` and `steps` end with, so that the verdict stands in the pod's status even if
    /// nothing could be uploaded. Zero is success; below 64 and from 126 on nothing is used.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed { reason, .. } => match reason {
                Reason::CheckoutFailed => 64,
                Reason::RuntimeMismatch => 65,
                Reason::BuildFailed => 66,
                Reason::TestsFailed => 67,
                Reason::NoTestReport => 68,
                Reason::ArtifactFailed => 69,
            },
            Self::Skipped { reason, .. } => match reason {
                SkipReason::OutOfDate => 80,
                SkipReason::PathsNotMatched => 81,
                SkipReason::NotAMerge => 82,
            },
        }
    }

    /// The verdict that an exit code alone tells; none for codes the runner doesn't use.
    #[must_use]
    pub fn from_exit_code(code: i32) -> Option<Self> {
        let message = format!("exit code {code}");
        let failed = |reason| Some(Self::Failed { reason, message: message.clone() });
        let skipped = |reason| Some(Self::Skipped { reason, message: message.clone() });
        match code {
            0 => Some(Self::Succeeded),
            64 => failed(Reason::CheckoutFailed),
            65 => failed(Reason::RuntimeMismatch),
            66 => failed(Reason::BuildFailed),
            67 => failed(Reason::TestsFailed),
            68 => failed(Reason::NoTestReport),
            69 => failed(Reason::ArtifactFailed),
            80 => skipped(SkipReason::OutOfDate),
            81 => skipped(SkipReason::PathsNotMatched),
            82 => skipped(SkipReason::NotAMerge),
            _ => None,
        }
    }
}

/// Cuts a message to [`MAX_MESSAGE_CHARS`], with an ellipsis where something is missing.
#[must_use]
pub fn bound(message: &str) -> String {
    let message = message.trim();
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        None => message.to_owned(),
        Some(_) => message.chars().take(MAX_MESSAGE_CHARS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Outcome::Succeeded)]
    #[case(Outcome::failed(Reason::CheckoutFailed, "exit code 64"))]
    #[case(Outcome::failed(Reason::RuntimeMismatch, "exit code 65"))]
    #[case(Outcome::failed(Reason::BuildFailed, "exit code 66"))]
    #[case(Outcome::failed(Reason::TestsFailed, "exit code 67"))]
    #[case(Outcome::failed(Reason::NoTestReport, "exit code 68"))]
    #[case(Outcome::failed(Reason::ArtifactFailed, "exit code 69"))]
    #[case(Outcome::skipped(SkipReason::OutOfDate, "exit code 80"))]
    #[case(Outcome::skipped(SkipReason::PathsNotMatched, "exit code 81"))]
    #[case(Outcome::skipped(SkipReason::NotAMerge, "exit code 82"))]
    fn the_exit_code_tells_the_verdict(#[case] outcome: Outcome) {
        assert_eq!(Outcome::from_exit_code(outcome.exit_code().into()), Some(outcome));
    }

    #[test]
    fn foreign_exit_codes_tell_nothing() {
        for code in [-1, 1, 2, 63, 70, 126, 137, 143] {
            assert_eq!(Outcome::from_exit_code(code), None);
        }
    }

    #[test]
    fn words_are_the_vocabularys() {
        let outcome = Outcome::failed(Reason::NoTestReport, "none");
        let json = serde_json::to_value(&outcome).expect("serializable");
        assert_eq!(json, serde_json::json!({"result": "Failed", "reason": "NoTestReport", "message": "none"}));
        assert_eq!(serde_json::from_value::<Outcome>(json).expect("readable"), outcome);
    }

    #[test]
    fn messages_are_bounded_in_characters() {
        let long = bound(&"é".repeat(MAX_MESSAGE_CHARS + 1));
        assert_eq!(long.chars().count(), MAX_MESSAGE_CHARS);
        assert!(long.ends_with('…'));
        assert_eq!(bound(&"é".repeat(MAX_MESSAGE_CHARS)).chars().last(), Some('é'));
    }
}
