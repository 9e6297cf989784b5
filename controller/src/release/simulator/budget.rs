//! How many requests to Kubernetes a release costs, by verb and resource: what the reconciler asks for is counted, what
//! happens around it is added.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use brickline_crds::{GoDuration, Phase, ReleaseResult};

use super::databricks::Behaviour;
use super::jobs::Build;
use super::run::{Cache, Run, run};
use super::scenarios::{Scenario, bundles, success};
use super::script::Script;
use super::world::Call;
use crate::phase::{Effect, begin, deploy, finish, gate};

/// The most requests of a release, and of each notebook that it starts.
const RELEASE: usize = 40;
const NOTEBOOK: usize = 2;
/// What an asset bundle may cost besides: its Job, two writes of the status, its log, and that its pod is let in.
const BUNDLE: usize = 10;

/// Requests by verb and resource.
type Requests = BTreeMap<&'static str, usize>;

/// What a webhook, the build pod's uploads and the pipeline cost: it looks when the release begins to deploy and when it
/// has ended.
const AROUND: [(&str, usize); 6] = [
    ("get secrets", 1),
    ("create databricksreleases", 1),
    ("create tokenreviews", 1),
    ("get databricksreleases", 1),
    ("list databricksreleases", 2),
    ("patch releasepipelines/status", 2),
];

/// What an effect asks of Kubernetes at its dearest: with certificate authorities of its own, and `locks` to take. That the
/// forge was told says that the Secret for the checkout is there.
/// What is of Databricks asks nothing: workspace and client are in memory.
fn cost(effect: &Effect, locks: usize) -> Vec<(&'static str, usize)> {
    match effect {
        Effect::Begin(begin::Effect::Adopt) | Effect::Finish(finish::Effect::Settle) => {
            vec![("patch databricksreleases", 1)]
        }
        Effect::Begin(begin::Effect::Resolve) => vec![("patch releasepipelines/status", 1)],
        Effect::Build(_) => vec![("patch configmaps", 1), ("create jobs", 1)],
        Effect::Deploy(deploy::Effect::Bundle(effect)) => match effect {
            deploy::bundle::Effect::Create { .. } => vec![("patch configmaps", 1), ("create jobs", 1)],
            deploy::bundle::Effect::Read { .. } => vec![("list pods", 1), ("get pods/log", 1)],
        },
        Effect::Stop(Phase::Build) => vec![("delete jobs", 1), ("deletecollection pods", 1)],
        Effect::Gate(gate::Effect::Lock) => vec![("create leases", locks)],
        Effect::Finish(finish::Effect::Unlock { .. }) => vec![("list leases", 1), ("delete leases", locks)],
        Effect::Finish(finish::Effect::Report(_)) => vec![("get secrets", 1)],
        Effect::Gate(_)
        | Effect::Deploy(deploy::Effect::Plan | deploy::Effect::Write(_))
        | Effect::Install(_)
        | Effect::Test(_)
        | Effect::Operate(_)
        | Effect::Stop(_) => Vec::new(),
    }
}

fn requests(run: &Run) -> Requests {
    let mut requests = Requests::from(AROUND);
    let mut add = |request, count| *requests.entry(request).or_default() += count;
    let locks = run.outside.locks.view.locks.len();
    for call in &run.outside.calls {
        match call {
            Call::Write => add("patch databricksreleases/status", 1),
            Call::Effect(effect) => cost(effect, locks).into_iter().for_each(|(request, count)| add(request, count)),
        }
    }
    add("get databricksreleases", run.outside.reads);
    add("create events", run.outside.events);
    requests
}

fn table(requests: &Requests) -> String {
    let mut table = String::new();
    for (request, count) in requests {
        let _ = writeln!(table, "{request:<34} | {count:>3}");
    }
    let _ = writeln!(table, "{:<34} | {:>3}", "total", requests.values().sum::<usize>());
    table
}

fn ran(scenario: &Scenario, script: Script) -> Run {
    run(&scenario.release, script, &[], Cache::Fresh)
}

#[test]
fn a_release_stays_within_its_budget_however_many_notebooks_it_runs() {
    for notebooks in [1, 4, 40] {
        let behaviour = Behaviour { notebooks, ..Behaviour::default() };
        let run = ran(&success(), Script { databricks: behaviour, ..Script::default() });
        assert_eq!(run.release.status.as_ref().map(|status| status.result), Some(ReleaseResult::Succeeded));
        let requests = requests(&run);
        println!("\n{notebooks} notebooks\n{}", table(&requests));
        let total: usize = requests.values().sum();
        let budget = RELEASE + NOTEBOOK * notebooks as usize;
        assert!(total <= budget, "{total} requests, {budget} are allowed");
    }
}

/// That the pod which fetches the artifact is let in is not the reconciler's doing.
#[test]
fn an_asset_bundle_has_a_budget_of_its_own() {
    let [without, with] = [success(), bundles::deployed()].map(|scenario| {
        let run = ran(&scenario, Script::default());
        assert_eq!(run.release.status.as_ref().map(|status| status.result), Some(ReleaseResult::Succeeded));
        requests(&run).values().sum::<usize>()
    });
    let let_in = ["create tokenreviews", "get databricksreleases"].len();
    let cost = with + let_in - without;
    assert!(cost <= BUNDLE, "{cost} requests for an asset bundle, {BUNDLE} are allowed");
}

/// The same release with work that goes on until a timeout ends it: after a minute and after two hours.
#[test]
fn time_costs_no_requests() {
    let hanging =
        |phase| Script { databricks: Behaviour { hangs: Some(phase), ..Behaviour::default() }, ..Script::default() };
    let scripts = [Script { build: Build::Hangs, ..Script::default() }, hanging(Phase::Install), hanging(Phase::Test)];
    for script in scripts {
        let [short, long] = [GoDuration::from_secs(60), GoDuration::from_secs(7200)].map(|limit| {
            let mut scenario = success();
            let timeouts = &mut scenario.release.spec.timeouts;
            (timeouts.build, timeouts.install, timeouts.restart, timeouts.test) = (limit, limit, limit, limit);
            timeouts.release = GoDuration::from_secs(200_000);
            let run = ran(&scenario, script.clone());
            assert_eq!(run.release.status.as_ref().map(|status| status.result), Some(ReleaseResult::TimedOut));
            requests(&run)
        });
        assert_eq!(short, long);
    }
}
