//! Any spec that the schema takes, and some that it doesn't.

use brickline_crds::{
    ArtifactFrom, Backoff, Build, Bundle, DatabricksReleaseSpec, Deploy, Fixture, GoDuration, Install, NotebookTest,
    OnFailure, Operate, Phase, PhaseRetries, Provider, RemoteArtifact, Reporting, Restart, Retries, Select, Source,
    Test, Timeouts, WaitLimits, WhenIdle,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::super::scenarios::{self, release};

pub(super) fn any_spec() -> impl Strategy<Value = DatabricksReleaseSpec> {
    let phases = (any_source(), any_build(), any_deploy(), any_install(), any_test(), any_operate());
    let limits = (any_timeouts(), any_waiting(), any_retries());
    let first = prop_oneof![
        4 => Just(None),
        1 => select(vec![Phase::Deploy, Phase::Install, Phase::Test, Phase::Operate]).prop_map(Some),
    ];
    let wishes = (prop::bool::weighted(0.1), prop::bool::weighted(0.05), prop::bool::weighted(0.8));
    let after = (select(vec![OnFailure::None, OnFailure::Rollback]), any::<bool>());
    (phases, limits, first, wishes, after).prop_map(
        |(phases, limits, start_at, (suspend, cancel, workspace), (on_failure, commit_status))| {
            let (source, build, deploy, install, test, operate) = phases;
            let (timeouts, waiting, retries) = limits;
            let spec = release().spec;
            DatabricksReleaseSpec {
                workspace_ref: spec.workspace_ref.clone().filter(|_| workspace),
                reporting: Reporting { commit_status },
                source,
                build,
                deploy,
                install,
                test,
                operate,
                timeouts,
                waiting,
                retries,
                start_at,
                suspend,
                cancel,
                on_failure,
                ..spec
            }
        },
    )
}

/// A commit, what other releases built, or what was built elsewhere.
fn any_source() -> impl Strategy<Value = Source> {
    let git = select(vec![Provider::Gitea, Provider::Generic]).prop_map(|provider| {
        let git = release().spec.source.git.map(|git| brickline_crds::GitSource { provider, ..git });
        Source { git, ..Source::default() }
    });
    let from = (1..3_usize, any::<bool>()).prop_map(|(count, precedence)| {
        let one = |index| ArtifactFrom { release: format!("dbxdemo-{index}"), digest: format!("sha256:{index}") };
        Source { artifact_from: (0..count).map(one).collect(), precedence, ..Source::default() }
    });
    let url = "https://store.example.com/1.zip";
    let elsewhere = RemoteArtifact { url: url.to_owned(), ..RemoteArtifact::default() };
    prop_oneof![
        3 => git,
        1 => from,
        1 => Just(Source { artifact: Some(elsewhere), ..Source::default() }),
    ]
}

/// One Job, or further ones: after each other, with a matrix, with a condition, one that may fail.
fn any_build() -> impl Strategy<Value = Build> {
    let may_fail = || {
        let mut build = scenarios::building::build();
        build.jobs.iter_mut().for_each(|job| job.continue_on_error = true);
        build
    };
    let on_condition = |condition: &str| {
        let mut build = scenarios::building::build();
        build.jobs[1].condition = Some(condition.to_owned());
        build.jobs[1].timeout = Some(GoDuration::from_secs(1));
        build
    };
    let builds = [
        Build::default(),
        scenarios::building::build(),
        may_fail(),
        on_condition("release.branch == 'release'"),
        on_condition("what is this"),
    ];
    select(builds.to_vec())
}

fn any_deploy() -> impl Strategy<Value = Deploy> {
    let bundle: Bundle = serde_json::from_value(json!({"target": "staging"})).expect("a bundle");
    proptest::option::of(Just(Box::new(bundle))).prop_map(|bundle| Deploy { bundle, ..release().spec.deploy })
}

fn any_install() -> impl Strategy<Value = Install> {
    let idle = proptest::option::of(any_duration().prop_map(|timeout| WhenIdle { timeout }));
    let restarts = select(vec![Restart::Never, Restart::IfNeeded, Restart::Always]);
    (0..3_usize, idle, restarts, any::<bool>()).prop_map(|(count, when_idle, restart, start_if_terminated)| {
        let clusters = ["main", "other"].into_iter().take(count).map(str::to_owned).collect();
        Install { clusters, when_idle, restart, start_if_terminated, ..release().spec.install }
    })
}

fn any_test() -> impl Strategy<Value = Test> {
    let fixture = || {
        let fixture =
            any_duration().prop_map(|timeout| Fixture { path: "a.py".to_owned(), parameters: [].into(), timeout });
        proptest::option::of(fixture)
    };
    let some = prop::bool::weighted(0.8);
    let selects = select(vec![Select::All, Select::Changed]);
    (some, selects, fixture(), fixture(), 0..3_u32, 1..4_u32, any::<bool>()).prop_map(
        |(some, select, setup, teardown, retry_failed, max_parallel, continue_on_error)| {
            let test = release().spec.test;
            let notebooks: Vec<NotebookTest> = test.notebooks.iter().filter(|_| some).cloned().collect();
            Test { notebooks, select, setup, teardown, retry_failed, max_parallel, continue_on_error, ..test }
        },
    )
}

fn any_operate() -> impl Strategy<Value = Operate> {
    (any::<bool>(), any::<bool>()).prop_map(|(some, prune)| {
        let jobs = if some { scenarios::jobs::jobs() } else { Vec::new() };
        Operate { jobs, prune, ..Operate::default() }
    })
}

/// From the shortest to the longest that the schema takes. Mostly that one: whatever is late does nothing else.
fn any_duration() -> impl Strategy<Value = GoDuration> {
    prop_oneof![1 => select(vec![1, 60, 3_600]), 9 => Just(8_760 * 3_600)].prop_map(GoDuration::from_secs)
}

fn any_timeouts() -> impl Strategy<Value = Timeouts> {
    let attempts = (proptest::option::of(any_duration()), proptest::option::of(any_duration()));
    (proptest::collection::vec(any_duration(), 8), attempts).prop_map(|(all, (build_attempt, deploy_attempt))| {
        let mut timeouts = Timeouts { build_attempt, deploy_attempt, ..Timeouts::default() };
        let Timeouts { release, build, deploy, install, test, operate, restart, cancel_grace_period, .. } =
            &mut timeouts;
        let fields = [release, build, deploy, install, test, operate, restart, cancel_grace_period];
        fields.into_iter().zip(all).for_each(|(field, limit)| *field = limit);
        timeouts
    })
}

fn any_waiting() -> impl Strategy<Value = WaitLimits> {
    let limits = (any_duration(), any_duration(), any_duration(), any_duration());
    limits.prop_map(|(slot, cluster, dependency, window)| WaitLimits { slot, cluster, dependency, window })
}

fn any_retries() -> impl Strategy<Value = Retries> {
    let own = || proptest::option::of(0..4_u32);
    let backoff = (any_duration(), any_duration(), 1..11_u32);
    let backoff = backoff.prop_map(|(initial, max, factor)| Backoff { initial, max, factor });
    (0..4_u32, own(), own(), backoff).prop_map(|(limit, build, test, backoff)| Retries {
        limit,
        limits: PhaseRetries { build, test, ..PhaseRetries::default() },
        backoff,
    })
}
