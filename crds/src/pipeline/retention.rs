//! How many finished releases are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::GoDuration;

/// How many finished releases of the pipeline are kept. What a stage has now, and its last good one, are always kept,
/// and so are releases that are still under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// Releases that ended well. Default: 10.
    #[schemars(range(min = 0, max = 1000))]
    pub succeeded: u32,
    /// Releases that failed, timed out or were canceled. Default: 10.
    #[schemars(range(min = 0, max = 1000))]
    pub failed: u32,
    /// Releases that were skipped. Default: 5.
    #[schemars(range(min = 0, max = 1000))]
    pub skipped: u32,
    /// Releases of pull requests, however they ended: they are counted by themselves. Default: 20.
    #[schemars(range(min = 0, max = 1000))]
    pub pull_requests: u32,
    /// Releases kept of each stage whatever their age, the newest first. Default: 2.
    #[schemars(range(min = 0, max = 100))]
    pub minimum_per_stage: u32,
    /// Older ones go even if there are fewer. Default: `720h`.
    pub max_age: GoDuration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            succeeded: 10,
            failed: 10,
            skipped: 5,
            pull_requests: 20,
            minimum_per_stage: 2,
            max_age: GoDuration::from_secs(720 * 3600),
        }
    }
}
