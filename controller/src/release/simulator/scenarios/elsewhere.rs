//! Artifacts that were built elsewhere: fetched, refused, fetched again, and cut off on the way.

use brickline_artifact::Digest;
use brickline_crds::{Phase, Reason, ReleaseResult, RemoteArtifact, Source};

use super::super::elsewhere::Elsewhere;
use super::super::script::{Fault, Script, runs};
use super::{Scenario, canceled, failing, scenario, timed_out};
use crate::phase::{Effect, Trouble, build};

pub(super) fn all() -> Vec<Scenario> {
    let (failed, lost) = (ReleaseResult::Failed, Reason::ArtifactFailed);
    let builds = |release: &_| runs(release, Phase::Build);
    vec![
        fetching(scenario("fetched", ReleaseResult::Succeeded, Reason::Succeeded, Script::default())),
        alone(),
        fetching(scenario("fetched, another file lies there", failed, lost, host(Elsewhere::Lies))),
        fetching(scenario("fetched, nothing lies there", failed, lost, host(Elsewhere::Forgot))),
        fetching(scenario("fetched at last", ReleaseResult::Succeeded, Reason::Succeeded, away(2, false))),
        fetching(scenario("fetched, answers lost", ReleaseResult::Succeeded, Reason::Succeeded, away(2, true))),
        fetching(scenario("fetched, the host is away for good", failed, lost, away(99, false))),
        fetching(canceled("canceled while fetching", builds, host(Elsewhere::Hangs))),
        fetching(timed_out("timeout while fetching", host(Elsewhere::Hangs))),
    ]
}

fn fetching(mut scenario: Scenario) -> Scenario {
    let url = "https://artifacts.example.com/dbxdemo/1.zip".to_owned();
    let artifact = RemoteArtifact { url, digest: Digest::of(b"zip").to_string(), credentials_ref: None };
    scenario.release.spec.source = Source { artifact: Some(artifact), ..Source::default() };
    scenario
}

/// Into the store and nowhere else.
fn alone() -> Scenario {
    let mut alone = fetching(scenario("fetched only", ReleaseResult::Succeeded, Reason::Succeeded, Script::default()));
    alone.release.spec.workspace_ref = None;
    alone
}

fn host(elsewhere: Elsewhere) -> Script {
    Script { elsewhere, ..Script::default() }
}

/// The host is away so often; or it hands everything out, and nobody hears of it.
fn away(times: u32, is_done: bool) -> Script {
    let of = |effect: &Effect| matches!(effect, Effect::Build(build::Effect::Fetch));
    let trouble = Trouble::passing(Reason::ArtifactFailed, "artifacts.example.com has no answer at the moment (503)");
    failing(Fault { of, times, trouble, is_done })
}
