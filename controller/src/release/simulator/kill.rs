//! Every point at which a run can be killed, taken from its own calls: before each effect and each write, and after it.

use super::promises::{self, Verdict};
use super::run::{Cache, Run, run};
use super::scenarios::Scenario;

/// Calls that one kill may make the reconciler repeat: the one whose outcome was lost, and with a lagging cache the one
/// before it.
const REPEATED: usize = 2;

/// On which side of a call the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The call is never made.
    Before,
    /// It was carried out, and nobody knows.
    After,
}

/// One point: the call by its place among all calls of the run, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(super) at: usize,
    pub(super) side: Side,
}

/// What became of one scenario.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) name: &'static str,
    pub(super) effects: usize,
    pub(super) writes: usize,
    /// The points at which a process was truly killed.
    pub(super) points: usize,
    /// Those after which every promise held, with a cache that was up to date and with one that lagged.
    pub(super) held: usize,
    pub(super) problems: Vec<String>,
}

/// Runs a scenario without a kill, with a cache that always lags, and then once for each point and cache.
pub(super) fn tally(scenario: &Scenario) -> Tally {
    let start = |kill, cache| run(&scenario.release, scenario.script.clone(), kill, cache);
    let undisturbed = start(None, Cache::Fresh);
    let expected = Verdict::of(&undisturbed);
    let calls = undisturbed.outside.calls.len();
    let mut tally = Tally {
        name: scenario.name,
        effects: undisturbed.effects().count(),
        writes: undisturbed.writes(),
        problems: named("undisturbed", promises::expected(scenario, &undisturbed)),
        ..Tally::default()
    };
    let usual = tally.effects;
    let check = |run: &Run, repeated: usize| promises::broken(run, usual + repeated, &expected);
    tally.problems.extend(named("undisturbed", check(&undisturbed, 0)));
    tally.problems.extend(named("lagging cache", check(&start(None, Cache::Lags), usual)));
    for at in 0..calls {
        for side in [Side::Before, Side::After] {
            let runs = [Cache::Fresh, Cache::LagsAtStart].map(|cache| (cache, start(Some(Kill { at, side }), cache)));
            tally.points += usize::from(runs.iter().all(|(_, run)| run.was_killed));
            let problems: Vec<String> = runs
                .iter()
                .flat_map(|(cache, run)| {
                    let call = &undisturbed.outside.calls[at];
                    named(&format!("killed {side:?} call {at} ({call:?}), then {cache:?}"), check(run, REPEATED))
                })
                .collect();
            tally.held += usize::from(problems.is_empty());
            tally.problems.extend(problems);
        }
    }
    tally
}

fn named(what: &str, problems: Vec<String>) -> Vec<String> {
    problems.into_iter().map(|problem| format!("{what}: {problem}")).collect()
}
