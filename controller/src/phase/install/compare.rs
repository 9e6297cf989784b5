//! What a cluster has against what it must have: pure.

use super::Installed;
use super::identity::{Identity, identity, same};
use crate::databricks::libraries::{InstallState, Library};

/// A cluster's libraries as this release sees them. What is no version of a desired library is not here: others need it.
#[derive(Debug, Default)]
pub(super) struct Sight<'a> {
    /// Desired and not there at all.
    pub(super) missing: Vec<Library>,
    /// Desired and on its way.
    pub(super) pending: Vec<&'a Installed>,
    /// Desired, but it could not be installed.
    pub(super) broken: Vec<&'a Installed>,
    /// Other versions of desired ones.
    pub(super) stale: Vec<&'a Installed>,
    /// Gone after a restart: other versions that were taken off.
    pub(super) leaving: Vec<&'a Installed>,
    /// Gone after a restart although desired: somebody took them off.
    pub(super) lost: Vec<&'a Installed>,
    /// In the way, and only an administrator can take them off.
    pub(super) fixed: Vec<&'a Installed>,
}

impl Sight<'_> {
    /// What only a restart makes good: it takes libraries off, and gives those that failed another try. Their place may be
    /// named by their content, so no later release would get them installed.
    pub(super) fn needs_restart(&self) -> bool {
        !(self.stale.is_empty() && self.broken.is_empty() && self.leaving.is_empty() && self.lost.is_empty())
    }

    /// What has to be taken off before a restart.
    pub(super) fn to_take_off(&self) -> Vec<Library> {
        self.stale.iter().chain(&self.broken).map(|installed| installed.library.clone()).collect()
    }
}

/// Sorts a cluster's libraries. `root` is where Deploy puts libraries.
pub(super) fn compare<'a>(desired: &[Library], installed: &'a [Installed], root: &str) -> Sight<'a> {
    let wanted: Vec<Option<Identity>> = desired.iter().map(|library| identity(library, root)).collect();
    let mut sight = Sight::default();
    for one in installed {
        let is_desired = desired.iter().any(|library| same(library, &one.library));
        let own = identity(&one.library, root);
        if !is_desired && (own.is_none() || !wanted.contains(&own)) {
            continue;
        }
        let failed = matches!(one.state, InstallState::Failed | InstallState::Skipped);
        match one.state {
            _ if one.for_all && (!is_desired || failed) => sight.fixed.push(one),
            InstallState::UninstallOnRestart if is_desired => sight.lost.push(one),
            InstallState::UninstallOnRestart => sight.leaving.push(one),
            _ if !is_desired => sight.stale.push(one),
            _ if failed => sight.broken.push(one),
            InstallState::Installed | InstallState::Restored => {}
            _ => sight.pending.push(one),
        }
    }
    let is_missing = |library: &&Library| !installed.iter().any(|one| same(library, &one.library));
    sight.missing = desired.iter().filter(is_missing).cloned().collect();
    sight
}
