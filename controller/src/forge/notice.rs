//! A notice: one commit status, as every forge takes it.

use brickline_crds::{DatabricksRelease, GitSource, ReleaseReason, condition::truncate};

use super::address::Address;
use super::fault::Fault;
use crate::forge::{Report, ReportState};

/// The longest description forges show: GitHub takes 140 characters.
const DESCRIPTION: usize = 140;

/// One commit status and the repository it belongs to.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) address: Address,
    pub(super) commit: String,
    pub(super) state: ReportState,
    /// What tells this status from other tools': `brickline`, `brickline/<stage>` or
    /// `brickline/pull-request`.
    pub(super) context: String,
    pub(super) description: String,
    /// What the status leads to.
    pub(super) link: Option<String>,
}

impl Notice {
    /// The notice that brings `report` to the release's commit.
    pub(super) fn new(release: &DatabricksRelease, git: &GitSource, report: &Report) -> Result<Self, Fault> {
        let context = match &release.spec.stage {
            Some(stage) => format!("brickline/{stage}"),
            None if release.spec.reason == ReleaseReason::PullRequest => "brickline/pull-request".to_owned(),
            None => "brickline".to_owned(),
        };
        Ok(Self {
            address: Address::parse(&git.url).ok_or(Fault::NotAnAddress)?,
            commit: git.commit.clone(),
            state: report.state,
            context,
            description: truncate(&report.description, DESCRIPTION),
            link: report.link.clone(),
        })
    }

    /// Owner and name of the repository.
    pub(super) fn owner_and_name(&self) -> Result<(&str, &str, &str), Fault> {
        self.address.owner_and_name().ok_or(Fault::NotAnAddress)
    }
}
