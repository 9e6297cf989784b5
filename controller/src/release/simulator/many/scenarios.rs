//! What happens between releases: newer ones, rollbacks, promotions.

use brickline_crds::condition::{STALLED, find};
use brickline_crds::{
    ConcurrencyPolicy, DatabricksRelease, LocalRef, OnFailure, Phase, PhaseState, PullRequests, Reason,
    ReleasePipeline, ReleaseReason, ReleaseResult,
};

use kube::ResourceExt;

use super::super::databricks::Behaviour;
use super::super::jobs::Build;
use super::super::locks::wanted_on;
use super::super::script::{Script, runs};
use super::super::world::Outside;
use super::{Deed, Many, What};
use crate::pipeline::tests::{pipeline, two_stages};

/// More runs than any scenario has.
const PLENTY: u32 = 20;

/// One story of several releases.
pub(in crate::release::simulator) struct Scenario {
    pub(super) name: &'static str,
    pub(super) pipeline: ReleasePipeline,
    pub(super) script: fn(&DatabricksRelease) -> Script,
    pub(super) deeds: Vec<Deed>,
    /// The workspace's `limits.runs`.
    pub(super) runs: u32,
    /// How each release ends, by its letter, or by reason and stage.
    pub(super) ends: Vec<(&'static str, ReleaseResult, Reason)>,
}

/// Every scenario.
pub(in crate::release::simulator) fn all() -> Vec<Scenario> {
    vec![
        queued(),
        superseded_in_line(),
        newest_of_a_second(),
        superseded_in_build(),
        not_superseded_after_deploy(),
        newest_of_a_pull_request(),
        rolled_back(),
        rolled_back_before_the_next(),
        nothing_to_roll_back_to(),
        promoted(),
        promotion_withheld(),
        promotion_put_off(),
        rolled_back_in_production(),
        few_runs(),
    ]
}

/// The letter of a merge's commit; else what made the release, and where it goes.
pub(super) fn role(release: &DatabricksRelease) -> String {
    match (release.spec.reason, &release.spec.source.git) {
        (ReleaseReason::Push | ReleaseReason::PullRequest, Some(git)) => git.commit.chars().take(1).collect(),
        (reason, _) => format!("{reason} {}", release.spec.stage.as_deref().unwrap_or_default()),
    }
}

fn good(role: &'static str) -> (&'static str, ReleaseResult, Reason) {
    (role, ReleaseResult::Succeeded, Reason::Succeeded)
}

fn is(release: &DatabricksRelease, wanted: &str) -> bool {
    role(release) == wanted
}

fn any(many: &Many, wanted: &str, holds: fn(&DatabricksRelease) -> bool) -> bool {
    many.releases().any(|release| is(&release, wanted) && holds(&release))
}

fn over(release: &DatabricksRelease) -> bool {
    super::is_finished(release)
}

fn merge(letter: char, when: fn(&Many) -> bool) -> Deed {
    Deed { when, what: What::Merge(letter) }
}

fn request(letter: char, when: fn(&Many) -> bool) -> Deed {
    Deed { when, what: What::Request(letter) }
}

fn edit(edit: fn(&mut ReleasePipeline), when: fn(&Many) -> bool) -> Deed {
    Deed { when, what: What::Edit(edit) }
}

fn at_once(letter: char) -> Deed {
    merge(letter, |_| true)
}

fn fails() -> Script {
    Script { databricks: Behaviour { failing: Some(0), ..Behaviour::default() }, ..Script::default() }
}

fn well(_: &DatabricksRelease) -> Script {
    Script::default()
}

fn one_stage(policy: ConcurrencyPolicy) -> ReleasePipeline {
    let mut pipeline = pipeline(&[("staging", &[])]);
    pipeline.spec.concurrency.policy = policy;
    pipeline
}

fn with_rollback(mut pipeline: ReleasePipeline) -> ReleasePipeline {
    pipeline.spec.template.spec.on_failure = OnFailure::Rollback;
    pipeline
}

fn queued() -> Scenario {
    Scenario {
        name: "three in a queue",
        runs: PLENTY,
        pipeline: one_stage(ConcurrencyPolicy::Queue),
        script: well,
        deeds: ['a', 'b', 'c'].map(at_once).into(),
        ends: ["a", "b", "c"].map(good).into(),
    }
}

/// The second waits behind one that deploys, and the third takes its place.
fn superseded_in_line() -> Scenario {
    let deploys = |many: &Many| any(many, "a", |release| runs(release, Phase::Test));
    Scenario {
        name: "newest wins in the line",
        runs: PLENTY,
        pipeline: one_stage(ConcurrencyPolicy::Supersede),
        script: well,
        deeds: vec![at_once('a'), merge('b', deploys), merge('c', deploys)],
        ends: vec![good("a"), ("b", ReleaseResult::Skipped, Reason::Superseded), good("c")],
    }
}

/// Both within a second, and the forge delivers the second one first.
fn newest_of_a_second() -> Scenario {
    Scenario {
        name: "newest wins of a second",
        runs: PLENTY,
        pipeline: one_stage(ConcurrencyPolicy::Supersede),
        script: well,
        deeds: ['b', 'a'].map(at_once).into(),
        ends: vec![("a", ReleaseResult::Skipped, Reason::Superseded), good("b")],
    }
}

fn superseded_in_build() -> Scenario {
    Scenario {
        name: "newest wins over a build",
        runs: PLENTY,
        pipeline: one_stage(ConcurrencyPolicy::Supersede),
        script: |release| {
            let build = if is(release, "a") { Build::Hangs } else { Build::Succeeds };
            Script { build, ..Script::default() }
        },
        deeds: vec![at_once('a'), merge('b', |many| any(many, "a", |release| runs(release, Phase::Build)))],
        ends: vec![("a", ReleaseResult::Canceled, Reason::Superseded), good("b")],
    }
}

fn not_superseded_after_deploy() -> Scenario {
    Scenario {
        name: "not canceled after Deploy",
        runs: PLENTY,
        pipeline: one_stage(ConcurrencyPolicy::Supersede),
        script: well,
        deeds: vec![at_once('a'), merge('b', |many| any(many, "a", |release| runs(release, Phase::Test)))],
        ends: vec![good("a"), good("b")],
    }
}

/// Its tests stop for the newer commit, although merges wait for each other; and nothing is promoted.
fn newest_of_a_pull_request() -> Scenario {
    let mut pipeline = two_stages();
    pipeline.spec.trigger.pull_requests =
        Some(PullRequests { enabled: true, workspace_ref: Some(LocalRef::new("sandbox")), ..PullRequests::default() });
    Scenario {
        name: "newest of a pull request",
        runs: PLENTY,
        pipeline,
        script: |release| {
            let hangs = is(release, "a").then_some(Phase::Test);
            Script { databricks: Behaviour { hangs, ..Behaviour::default() }, ..Script::default() }
        },
        deeds: vec![request('a', |_| true), request('b', |many| any(many, "a", |release| runs(release, Phase::Test)))],
        ends: vec![("a", ReleaseResult::Canceled, Reason::Superseded), good("b")],
    }
}

fn rolled_back() -> Scenario {
    Scenario {
        name: "rolled back",
        runs: PLENTY,
        pipeline: with_rollback(one_stage(ConcurrencyPolicy::Queue)),
        script: |release| if is(release, "b") { fails() } else { Script::default() },
        deeds: vec![at_once('a'), merge('b', |many| any(many, "a", over))],
        ends: vec![good("a"), ("b", ReleaseResult::Failed, Reason::InnerTestsFailed), good("rollback staging")],
    }
}

/// Another one waits already; the locks stay with the rollback.
fn rolled_back_before_the_next() -> Scenario {
    Scenario {
        name: "rolled back before the next",
        deeds: vec![
            at_once('a'),
            merge('b', |many| any(many, "a", over)),
            merge('c', |many| any(many, "b", |release| runs(release, Phase::Test))),
        ],
        ends: vec![
            good("a"),
            ("b", ReleaseResult::Failed, Reason::InnerTestsFailed),
            good("c"),
            good("rollback staging"),
        ],
        ..rolled_back()
    }
}

fn nothing_to_roll_back_to() -> Scenario {
    Scenario {
        name: "nothing to roll back to",
        runs: PLENTY,
        pipeline: with_rollback(one_stage(ConcurrencyPolicy::Queue)),
        script: |_| fails(),
        deeds: vec![at_once('a')],
        ends: vec![("a", ReleaseResult::Failed, Reason::InnerTestsFailed)],
    }
}

fn promoted() -> Scenario {
    Scenario {
        name: "promoted",
        runs: PLENTY,
        pipeline: two_stages(),
        script: well,
        deeds: vec![at_once('a')],
        ends: vec![good("a"), good("promotion production")],
    }
}

fn promotion_withheld() -> Scenario {
    Scenario {
        name: "not promoted",
        runs: PLENTY,
        pipeline: two_stages(),
        script: |_| fails(),
        deeds: vec![at_once('a')],
        ends: vec![("a", ReleaseResult::Failed, Reason::InnerTestsFailed)],
    }
}

/// A pipeline that is suspended while a release tests promotes it when somebody lets it go on.
fn promotion_put_off() -> Scenario {
    fn is_suspended(many: &Many) -> bool {
        let status = many.pipeline.status.as_ref();
        let stalled = status.and_then(|status| find(&status.conditions, STALLED));
        stalled.is_some_and(|stalled| stalled.reason == Reason::Suspended.to_string())
    }
    Scenario {
        name: "promotion put off",
        runs: PLENTY,
        pipeline: two_stages(),
        script: well,
        deeds: vec![
            at_once('a'),
            edit(|pipeline| pipeline.spec.suspend = true, |many| any(many, "a", |one| runs(one, Phase::Test))),
            edit(|pipeline| pipeline.spec.suspend = false, |many| any(many, "a", over) && is_suspended(many)),
        ],
        ends: vec![good("a"), good("promotion production")],
    }
}

/// The first merge goes to both stages, the second fails in production.
fn rolled_back_in_production() -> Scenario {
    fn over_in_production(many: &Many) -> bool {
        any(many, "promotion production", |release| {
            let test = release.status.as_ref().and_then(|status| status.phase(Phase::Test));
            over(release) && test.is_some_and(|test| test.state == PhaseState::Succeeded)
        })
    }
    Scenario {
        name: "rolled back in production",
        runs: PLENTY,
        pipeline: with_rollback(two_stages()),
        script: |release| {
            // The promotion of the second merge: the fourth that was made.
            let from_b = release.uid().as_deref() == Some("uid-3");
            if from_b { fails() } else { Script::default() }
        },
        deeds: vec![at_once('a'), merge('b', over_in_production)],
        ends: vec![
            good("a"),
            good("b"),
            good("promotion production"),
            ("promotion production", ReleaseResult::Failed, Reason::InnerTestsFailed),
            good("rollback production"),
        ],
    }
}

/// Three releases test side by side, and the workspace takes fewer runs than one of them would have.
fn few_runs() -> Scenario {
    fn own_locks(outside: &mut Outside) {
        let release = outside.stored().expect("it was just created");
        outside.locks.view.locks = wanted_on(&release.uid().unwrap_or_default());
    }
    Scenario {
        name: "few runs for all",
        runs: 2,
        pipeline: one_stage(ConcurrencyPolicy::Parallel),
        script: |_| {
            let databricks = Behaviour { notebooks: 3, ..Behaviour::default() };
            Script { databricks, prepare: Some(own_locks), ..Script::default() }
        },
        deeds: ['a', 'b', 'c'].map(at_once).into(),
        ends: ["a", "b", "c"].map(good).into(),
    }
}
