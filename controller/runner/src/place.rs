//! A place is where a container finds the pod's folders: the layout's, unless the environment names others.

use std::env;
use std::path::PathBuf;

use brickline_artifact::layout;
use brickline_artifact::plan::{BuildPlan, PlanError};

/// The pod's folders.
#[derive(Debug, Clone)]
pub struct Place {
    pub source: PathBuf,
    pub meta: PathBuf,
    pub work: PathBuf,
    pub collect: PathBuf,
    pub token: PathBuf,
    pub credentials: PathBuf,
    pub base_python: PathBuf,
    pub termination: PathBuf,
    pub bundle: PathBuf,
    pub bin: PathBuf,
}

/// Why a container has no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// The environment has none.
    #[error("the environment variable {} is missing", layout::PLAN_ENV)]
    Missing,
    /// It isn't one.
    #[error(transparent)]
    Unreadable(#[from] PlanError),
}

impl Place {
    pub fn from_env() -> Self {
        let token = format!("{}/{}", layout::TOKEN_DIR, layout::TOKEN_FILE);
        Self {
            source: folder(layout::SOURCE_ENV, layout::SOURCE_DIR),
            meta: folder(layout::META_ENV, layout::META_DIR),
            work: folder(layout::WORK_ENV, layout::WORK_DIR),
            collect: folder(layout::COLLECT_ENV, layout::COLLECT_DIR),
            token: folder(layout::TOKEN_ENV, &token),
            credentials: folder(layout::CREDENTIALS_ENV, layout::CREDENTIALS_DIR),
            base_python: folder(layout::BASE_PYTHON_ENV, layout::BASE_PYTHON_DIR),
            termination: folder(layout::TERMINATION_ENV, layout::TERMINATION_LOG),
            bundle: folder(layout::BUNDLE_ENV, layout::BUNDLE_DIR),
            bin: folder(layout::BIN_ENV, layout::BIN_DIR),
        }
    }
}

fn folder(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).filter(|value| !value.is_empty()).map_or_else(|| default.into(), PathBuf::from)
}

/// The plan in the environment.
pub fn plan() -> Result<BuildPlan, NoPlan> {
    let text = env::var(layout::PLAN_ENV).map_err(|_| NoPlan::Missing)?;
    Ok(BuildPlan::from_json(&text)?)
}

/// Names within the folders.
pub mod name {
    /// In the meta folder: [`crate::source::SourceInfo`].
    pub const SOURCE_INFO: &str = "source.json";
    /// In the meta folder: the checkout's outcome.
    pub const CHECKOUT_OUTCOME: &str = "checkout.json";
    /// In the meta folder: the checkout's log.
    pub const CHECKOUT_LOG: &str = "checkout.log";
    /// In the work folder: the tree that steps work in.
    pub const TREE: &str = "src";
    /// In the work folder: the tree that wheels are built in.
    pub const WHEEL_TREE: &str = "build";
    /// In the work folder: the wheels.
    pub const WHEELS: &str = "wheels";
    /// In the work folder: the runner's own JUnit reports.
    pub const REPORTS: &str = "reports";
    /// In the work folder: the Python environment.
    pub const VENV: &str = "venv";
    /// In the work folder: the log of all steps.
    pub const STEPS_LOG: &str = "log/steps.log";
    /// In the work folder: [`crate::steps::ledger::Page`].
    pub const LEDGER: &str = "out/steps.json";
}
