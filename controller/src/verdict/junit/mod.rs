//! JUnit XML is how test results are kept and shown: written for notebooks, read from builds.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{JunitError, MAX_REPORT, ReportSummary, TestFailure, read};
pub use write::write;
