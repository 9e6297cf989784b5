//! Every kill point of a story of several releases, and what must hold after each.

use std::collections::BTreeMap;

use brickline_crds::condition::{READY, find};
use brickline_crds::{Reason, ReleaseResult};

use super::super::kill::{REPEATED, Side, Tally, named};
use super::super::promises::{self, Verdict};
use super::super::run::Run;
use super::Many;
use super::controller::go_on;
use super::scenarios::{Scenario, role};

/// What must come out: each release's verdict, and how many effects it takes undisturbed.
type Expected = BTreeMap<String, (Verdict, usize)>;

/// Runs it without a kill, and from what a kill at each point leaves.
pub(in crate::release::simulator) fn tally(scenario: &Scenario) -> Tally {
    let mut begin = Many::new(scenario.pipeline.clone(), scenario.script, &scenario.deeds);
    begin.left = Some(Vec::new());
    begin.runs = scenario.runs;
    let mut undisturbed = go_on(begin, false);
    let left = undisturbed.left.take().unwrap_or_default();
    let expected: Expected =
        runs(&undisturbed).into_iter().map(|(name, run)| (name, (Verdict::of(&run), run.effects().count()))).collect();
    let runs = runs(&undisturbed);
    let effects: usize = runs.values().map(|run| run.effects().count()).sum();
    let writes: usize = runs.values().map(Run::writes).sum();
    let mut tally = Tally {
        name: scenario.name,
        effects: effects + undisturbed.followed,
        writes: writes + undisturbed.marked,
        problems: named("undisturbed", as_wanted(scenario, &undisturbed)),
        ..Tally::default()
    };
    tally.problems.extend(named("undisturbed", broken(&undisturbed, &expected, 0)));
    for (kill, many) in left {
        // Half of the new processes first look at the version before.
        let lags = kill.side == Side::After;
        let problems = broken(&go_on(many, lags), &expected, REPEATED);
        let problems = named(&format!("killed {kill:?}, lagging: {lags}"), problems);
        tally.points += 1;
        tally.held += usize::from(problems.is_empty());
        tally.problems.extend(problems);
    }
    tally
}

fn runs(many: &Many) -> BTreeMap<String, Run> {
    let run = |(name, outside): (&String, &super::Outside)| {
        (name.clone(), Run { release: outside.last(), outside: outside.clone() })
    };
    many.members.iter().map(run).collect()
}

/// Whether exactly these releases were made and ended so.
fn as_wanted(scenario: &Scenario, many: &Many) -> Vec<String> {
    let ended = |release: &brickline_crds::DatabricksRelease| {
        let status = release.status.clone().unwrap_or_default();
        let reason = find(&status.conditions, READY).map(|ready| ready.reason.clone()).unwrap_or_default();
        (role(release), status.result, reason)
    };
    let wanted =
        |(role, result, reason): &(&str, ReleaseResult, Reason)| ((*role).to_owned(), *result, reason.to_string());
    let mut found: Vec<_> = many.releases().map(|release| ended(&release)).collect();
    let mut expected: Vec<_> = scenario.ends.iter().map(wanted).collect();
    found.sort_by_key(|one| format!("{one:?}"));
    expected.sort_by_key(|one| format!("{one:?}"));
    let problem = format!("{found:?} instead of {expected:?}");
    (found != expected).then_some(problem).into_iter().collect()
}

/// The promises that were broken: the same releases as undisturbed, each of them as it must be.
fn broken(many: &Many, expected: &Expected, repeated: usize) -> Vec<String> {
    let mut broken = many.problems.clone();
    let runs = runs(many);
    if !runs.keys().eq(expected.keys()) {
        broken.push(format!("the releases are {:?} instead of {:?}", runs.keys(), expected.keys()));
    }
    for (name, run) in &runs {
        let Some((verdict, effects)) = expected.get(name) else { continue };
        broken.extend(named(name, promises::broken(run, effects + repeated, verdict)));
    }
    broken
}
