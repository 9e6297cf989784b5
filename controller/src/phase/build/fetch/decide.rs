//! What to do next for a release that takes an artifact from elsewhere: fetch it, then end.

use brickline_crds::RemoteArtifact;

use super::address;
use crate::phase::build::Effect;
use crate::phase::{Effect as AnyEffect, Ending, Outcome, Step, Turn};

/// One step of the Build phase. That it runs is the ticket: fetching again what was fetched changes nothing.
pub(crate) fn decide(turn: &Turn) -> Step {
    let Some(Outcome::Fetched(fetched)) = turn.outcome else {
        return Step::Act(AnyEffect::Build(Effect::Fetch));
    };
    let mut status = Box::new(turn.status.clone());
    status.artifact = Some(fetched.artifact.clone());
    Step::Ended(status, Ending::succeeded(fetched.message.clone()))
}

/// What the phase says of itself while it fetches: the host, and nothing of the rest, which may be secret.
pub(crate) fn begins(remote: &RemoteArtifact) -> String {
    let host = address(remote).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    format!("fetching {} from {host}", remote.digest)
}
