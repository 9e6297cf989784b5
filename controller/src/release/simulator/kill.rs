//! Every point at which a run can be killed, taken from its own calls: before each effect and each write, and after it.

use super::promises::{self, Verdict};
use super::run::{Cache, Run, record, resume, run};
use super::scenarios::Scenario;
use super::world::Call;

/// Calls that one kill may make the reconciler repeat: the one whose outcome was lost, the one whose outcome would have
/// been written with it, and with a lagging cache the one before them.
pub(super) const REPEATED: usize = 3;

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
    /// The points at which it was killed.
    pub(super) points: usize,
    /// Those after which every promise held, with a cache that was up to date, with one that lagged, and when the answer was
    /// lost over and over.
    pub(super) held: usize,
    pub(super) problems: Vec<String>,
}

/// Runs a scenario without a kill, with a cache that always lags, and from what a kill at each point leaves: the outside
/// as it was then, and nothing of the process. What was done and not heard of is lost twice more, too: what is harmless
/// when it is done a second time may not be so the third time.
pub(super) fn tally(scenario: &Scenario) -> Tally {
    let (undisturbed, left) = record(&scenario.release, scenario.script.clone());
    let lagging = run(&scenario.release, scenario.script.clone(), &[], Cache::Lags);
    let expected = Verdict::of(&undisturbed);
    let usual = undisturbed.effects().count();
    let check = |run: &Run, repeated: usize| promises::broken(run, usual + repeated, &expected);
    let mut tally = Tally {
        name: scenario.name,
        effects: usual,
        writes: undisturbed.writes(),
        problems: named("undisturbed", promises::expected(scenario, &undisturbed)),
        ..Tally::default()
    };
    tally.problems.extend(named("undisturbed", check(&undisturbed, 0)));
    tally.problems.extend(named("lagging cache", check(&lagging, usual)));
    for (kill, outside) in left {
        let call = &undisturbed.outside.calls[kill.at];
        let mut tried = [Cache::Fresh, Cache::LagsAtStart].map(|cache| {
            let problems = check(&resume(outside.clone(), cache, &[]), REPEATED);
            named(&format!("killed {kill:?} ({call:?}), then {cache:?}"), problems)
        });
        if kill.side == Side::After && matches!(call, Call::Effect(_)) {
            let more = [1, 2].map(|later| Kill { at: kill.at + later, side: Side::After });
            let problems = check(&resume(outside, Cache::Fresh, &more), REPEATED * 3);
            tried[0].extend(named(&format!("killed {kill:?} ({call:?}), and twice more at once"), problems));
        }
        let problems = tried.concat();
        tally.points += 1;
        tally.held += usize::from(problems.is_empty());
        tally.problems.extend(problems);
    }
    tally
}

pub(super) fn named(what: &str, problems: Vec<String>) -> Vec<String> {
    problems.into_iter().map(|problem| format!("{what}: {problem}")).collect()
}
