//! How long a release may take, wait, and try again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GoDuration, Phase};

/// How long the release, each phase and each attempt may take. Only active time counts: waiting has its own limits.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": ADD_UP, "message": ADD_UP_MESSAGE}]))]
pub struct Timeouts {
    /// All phases together. Default: `6h`.
    pub release: GoDuration,
    /// Build, all attempts together. Default: `1h`.
    pub build: GoDuration,
    /// Deploy. Default: `30m`.
    pub deploy: GoDuration,
    /// Install, cluster restart included. Default: `30m`.
    pub install: GoDuration,
    /// Test, all notebooks together; a single run has `test.notebooks[].timeout`. Default: `2h`.
    pub test: GoDuration,
    /// Operate. Default: `10m`.
    pub operate: GoDuration,
    /// One attempt of Build: its Job's deadline. Default: that of `build`. Example: `20m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_attempt: Option<GoDuration>,
    /// One attempt of Deploy; the next one goes on with what is missing. Default: that of `deploy`. Example: `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_attempt: Option<GoDuration>,
    /// From asking a cluster to start or restart until it runs. Default: `10m`.
    pub restart: GoDuration,
    /// How long work may take to stop after a timeout or a cancel. Work that is not gone by then ends the release as
    /// `CancelTimedOut`. Default: `60s`.
    pub cancel_grace_period: GoDuration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            release: GoDuration::from_secs(6 * 3600),
            build: GoDuration::from_secs(3600),
            deploy: GoDuration::from_secs(1800),
            install: GoDuration::from_secs(1800),
            test: GoDuration::from_secs(7200),
            operate: GoDuration::from_secs(600),
            build_attempt: None,
            deploy_attempt: None,
            restart: GoDuration::from_secs(600),
            cancel_grace_period: GoDuration::from_secs(60),
        }
    }
}

/// The rule that the release's timeout covers its phases, and a phase's its attempts.
const ADD_UP: &str = "duration(self.release) >= duration(self.build) + duration(self.deploy) + duration(self.install) + duration(self.test) + duration(self.operate) && (!has(self.buildAttempt) || duration(self.buildAttempt) <= duration(self.build)) && (!has(self.deployAttempt) || duration(self.deployAttempt) <= duration(self.deploy)) && duration(self.restart) <= duration(self.install)";
/// What a user reads when it does not hold.
const ADD_UP_MESSAGE: &str = "timeouts don't add up: release must be at least build + deploy + install + test + operate together, buildAttempt at most build, deployAttempt at most deploy, restart at most install";

/// How long a release waits for what others hold; afterwards it ends `TimedOut`. Waiting doesn't count as active time.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitLimits {
    /// For a slot: its turn among the pipeline's releases, a free build slot, or one of the runs that the workspace's
    /// `limits.runs` allows. Default: `24h`.
    pub slot: GoDuration,
    /// For the clusters and target folders that another release works on. Default: `4h`.
    pub cluster: GoDuration,
    /// For a workspace, a Secret, a right or an artifact that is missing or does not answer. Default: `10m`.
    pub dependency: GoDuration,
    /// For those who keep the workspace: for its next window, for its end of `suspend`, or for credentials that Databricks
    /// takes. Default: `168h`.
    pub window: GoDuration,
}

impl Default for WaitLimits {
    fn default() -> Self {
        Self {
            slot: GoDuration::from_secs(24 * 3600),
            cluster: GoDuration::from_secs(4 * 3600),
            dependency: GoDuration::from_secs(600),
            window: GoDuration::from_secs(168 * 3600),
        }
    }
}

/// How often a fault that can heal (an unreachable workspace, 429, 5xx, a lost pod) is tried again in each phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retries {
    /// Further attempts after the first, in each phase. Default: 3.
    #[schemars(range(min = 0, max = 20))]
    pub limit: u32,
    /// Other limits for single phases.
    pub limits: PhaseRetries,
    /// The pauses between attempts.
    pub backoff: Backoff,
}

impl Retries {
    /// How many further attempts a phase has.
    #[must_use]
    pub fn limit_of(&self, phase: Phase) -> u32 {
        let own = match phase {
            Phase::Build => self.limits.build,
            Phase::Deploy => self.limits.deploy,
            Phase::Install => self.limits.install,
            Phase::Test => self.limits.test,
            Phase::Operate => self.limits.operate,
        };
        own.unwrap_or(self.limit)
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { limit: 3, limits: PhaseRetries::default(), backoff: Backoff::default() }
    }
}

/// Further attempts by phase. Default of each: `retries.limit`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PhaseRetries {
    /// Further attempts of Build. None: `retries.limit`. Example: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub build: Option<u32>,
    /// Further attempts of Deploy. None: `retries.limit`. Example: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub deploy: Option<u32>,
    /// Further attempts of Install. None: `retries.limit`. Example: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub install: Option<u32>,
    /// Further attempts of Test. A failed test is not a fault: see `test.retryFailed`. None: `retries.limit`.
    /// Example: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub test: Option<u32>,
    /// Further attempts of Operate. None: `retries.limit`. Example: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub operate: Option<u32>,
}

/// The pause before another attempt: `initial`, then `factor` times longer with each one up to `max`, and up to a fifth
/// more by chance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "duration(self.initial) <= duration(self.max)", "message": "backoff.initial must be at most backoff.max"}]))]
pub struct Backoff {
    /// The pause before the second attempt. Default: `5s`.
    pub initial: GoDuration,
    /// The longest pause. Default: `5m`.
    pub max: GoDuration,
    /// How many times longer each pause is than the one before. Default: 2.
    #[schemars(range(min = 1, max = 10))]
    pub factor: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: GoDuration::from_secs(5), max: GoDuration::from_secs(300), factor: 2 }
    }
}

/// What follows when a release fails after it began to change its workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// Nothing: the workspace stays as the release left it.
    #[default]
    None,
    /// Another release deploys the stage's last good artifact again. A rollback that fails is not rolled back.
    Rollback,
}
