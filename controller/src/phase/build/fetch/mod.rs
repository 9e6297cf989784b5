//! What stands in Build's place for `source.artifact`: no Job, one download. It has nothing that goes on by itself, so
//! there is nothing to observe.

mod act;
mod decide;

use brickline_crds::{DatabricksRelease, Reason, RemoteArtifact};
use url::Url;

pub(crate) use act::act;
pub(crate) use decide::{begins, decide};

use crate::hosts;
use crate::trouble::Trouble;

/// What the release takes instead of building it; none if it builds, or takes what other releases built.
pub(crate) fn remote(release: &DatabricksRelease) -> Option<&RemoteArtifact> {
    release.spec.source.artifact.as_ref()
}

/// Why the platform doesn't let the release ask that host; none if it does, or if the release asks none. Pure.
pub(crate) fn refused(release: &DatabricksRelease, allowed: &[String]) -> Option<Trouble> {
    match address(remote(release)?) {
        Err(trouble) => Some(trouble),
        Ok(url) if hosts::is_allowed(&url, allowed) => None,
        Ok(url) => {
            let message = format!(
                "host {} of source.artifact.url is not allowed: artifacts are taken from no host but those that the \
                 chart's artifactSources.allowedHosts lists",
                url.host_str().unwrap_or_default()
            );
            Some(Trouble::lasting(Reason::NotAuthorized, message))
        }
    }
}

fn address(remote: &RemoteArtifact) -> Result<Url, Trouble> {
    let url = Url::parse(&remote.url).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    url.ok_or_else(|| Trouble::lasting(Reason::InvalidSpec, "source.artifact.url is not the address of a file"))
}

#[cfg(test)]
mod tests;
