//! The hand-over: from the moment a phase's work outside is done to the moment the next phase is under way.
//!
//! All moments are of one clock, this host's: what Kubernetes shows is timed on arrival by [`Chronicle`]; what happens in the
//! workspace is timed by the emulator, which runs on the same host.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, Phase, ReleaseResult};
use jiff::Timestamp;

use super::{
    chronicle::{Chronicle, Mark, Marks},
    figures::{Figures, table},
    leave, settle,
    workspace::Workspace,
};
use crate::{forge::Change, progress::Progress, system::Team};

/// How long a release may take to come to its next mark.
const PATIENCE: Duration = Duration::from_mins(8);

/// One release's hand-overs, in milliseconds.
struct Round {
    build_to_deploy: i64,
    deploy_to_install: i64,
    install_to_test: i64,
    test_to_finished: i64,
    pod_to_deploy: i64,
    test_to_finish: i64,
    whole: i64,
}

type Row = (&'static str, &'static str, fn(&Round) -> i64);

/// The hand-overs that the bar is about.
const HAND_OVERS: [Row; 4] = [
    ("Build → Deploy", "the Job is Complete", |round| round.build_to_deploy),
    ("Deploy → Install", "the last write is answered", |round| round.deploy_to_install),
    ("Install → Test", "the wheel is INSTALLED", |round| round.install_to_test),
    ("Test → Finished", "the run has ended", |round| round.test_to_finished),
];

/// The same seen from elsewhere: Kubernetes takes its time to call a Job complete, and Finish has work of its own.
const BESIDE: [Row; 2] = [
    ("Build → Deploy", "the pod's containers have ended", |round| round.pod_to_deploy),
    ("Test → Finish", "the run has ended", |round| round.test_to_finish),
];

/// Releases two commits in turns, whose wheels differ: each release uninstalls, restarts and installs.
pub(super) async fn measure(progress: &Progress, releases: u32) -> anyhow::Result<()> {
    let (stage, team) = settle(progress, "handoff").await?;
    let rounds = leave(&stage, play(progress, &team, releases).await).await?;
    print(&rounds);
    Ok(())
}

async fn play(progress: &Progress, team: &Team, releases: u32) -> anyhow::Result<Vec<Round>> {
    let old = team.repository.head("release").await?;
    let new = progress.step("Merge a change and release it, to get warm", warm_up(team)).await?;
    let chronicle = Chronicle::begin(&team.stage);
    let mut rounds = Vec::new();
    for (number, commit) in (1..=releases).zip([&old, &new].into_iter().cycle()) {
        let name = format!("handoff-{number}");
        let step = format!("Release {number} of {releases}");
        let round = progress.step(&step, release(team, &chronicle, &name, commit)).await;
        rounds.push(round.with_context(|| name)?);
    }
    Ok(rounds)
}

/// The merge's own release, by webhook: it fills caches, and is not counted.
async fn warm_up(team: &Team) -> anyhow::Result<String> {
    let merged = team.repository.merge(&Change::Behaviour).await?;
    let name = team.release_of(&merged.commit).await?;
    succeeded(&team.finished(&name).await?)?;
    Ok(merged.commit)
}

async fn release(team: &Team, chronicle: &Chronicle, name: &str, commit: &str) -> anyhow::Result<Round> {
    let workspace = Workspace(&team.emulator);
    let since = team.emulator.latest().await?;
    let began = Timestamp::now();
    team.release_by_hand(name, commit, "staging").await?;
    chronicle.until(name, Mark::Began(Phase::Install), PATIENCE).await?;
    let mut missing = None;
    tokio::select! {
        error = workspace.watch_libraries(&mut missing) => return Err(error.context("the cluster's libraries")),
        tested = chronicle.until(name, Mark::Began(Phase::Test), PATIENCE) => tested?,
    }
    chronicle.until(name, Mark::Finished, PATIENCE).await?;
    succeeded(&team.finished(name).await?)?;
    let outside = Outside {
        written: workspace.last_write(since).await?,
        installed: missing.context("Install replaced nothing")?,
        tested: workspace.run_ended().await?,
    };
    reckon(&chronicle.of(name), &outside, began)
}

fn succeeded(release: &DatabricksRelease) -> anyhow::Result<()> {
    let status = release.status.as_ref().context("no status")?;
    let messages: Vec<_> = status.phases.iter().map(|phase| format!("{}: {}", phase.name, phase.message)).collect();
    ensure!(status.result == ReleaseResult::Succeeded, "the release ended {}: {}", status.result, messages.join("; "));
    Ok(())
}

/// When the work in the workspace was done.
struct Outside {
    written: Timestamp,
    installed: Timestamp,
    tested: Timestamp,
}

fn reckon(marks: &Marks, outside: &Outside, began: Timestamp) -> anyhow::Result<Round> {
    let at = |mark: Mark| marks.get(&mark).copied().with_context(|| format!("{mark:?} was not seen"));
    let between = |from: Timestamp, to: Timestamp| to.as_millisecond() - from.as_millisecond();
    let (deploy, finished) = (at(Mark::Began(Phase::Deploy))?, at(Mark::Finished)?);
    Ok(Round {
        build_to_deploy: between(at(Mark::JobComplete)?, deploy),
        deploy_to_install: between(outside.written, at(Mark::Began(Phase::Install))?),
        install_to_test: between(outside.installed, at(Mark::Began(Phase::Test))?),
        test_to_finished: between(outside.tested, finished),
        pod_to_deploy: between(at(Mark::PodOver)?, deploy),
        test_to_finish: between(outside.tested, at(Mark::Finishing)?),
        whole: between(began, finished),
    })
}

fn print(rounds: &[Round]) {
    let of = |value: fn(&Round) -> i64| rounds.iter().map(value).collect::<Figures>();
    let mut hand_overs = table(&["hand-over", "from when", "count", "median ms", "p90 ms", "max ms"]);
    let mut add = |name: &str, from: &str, figures: &Figures| {
        let numbers = [figures.median(), figures.p90(), figures.max()].map(|number| number.to_string());
        let words = [name, from].map(str::to_owned).into_iter();
        hand_overs.add_row(words.chain([figures.count().to_string()]).chain(numbers).collect::<Vec<_>>());
    };
    for (name, from, value) in HAND_OVERS {
        add(name, from, &of(value));
    }
    let all: Figures = HAND_OVERS.iter().flat_map(|(_, _, value)| rounds.iter().map(value)).collect();
    add("all four", "", &all);
    for (name, from, value) in BESIDE {
        add(name, from, &of(value));
    }
    add("whole release", "it is created", &of(|round| round.whole));
    println!("{hand_overs}");
    println!("median of all hand-overs: {} ms (bar: under 1000 ms)", all.median());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_overs_are_counted_from_the_end_of_the_work_outside() {
        let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let marks: Marks = [
            (Mark::PodOver, 4_000),
            (Mark::JobComplete, 5_000),
            (Mark::Began(Phase::Deploy), 5_100),
            (Mark::Began(Phase::Install), 5_900),
            (Mark::Began(Phase::Test), 9_000),
            (Mark::Finishing, 12_000),
            (Mark::Finished, 12_200),
        ]
        .into_iter()
        .map(|(mark, ms)| (mark, time(ms)))
        .collect();
        let outside = Outside { written: time(5_850), installed: time(8_600), tested: time(11_500) };
        let round = reckon(&marks, &outside, time(1_000)).unwrap();
        let values: Vec<i64> = HAND_OVERS.iter().chain(&BESIDE).map(|(_, _, value)| value(&round)).collect();
        assert_eq!(values, [100, 50, 400, 700, 1_100, 500]);
        assert_eq!(round.whole, 11_200);

        let fewer = marks.into_iter().filter(|(mark, _)| *mark != Mark::JobComplete).collect();
        assert!(reckon(&fewer, &outside, time(1_000)).is_err(), "what was not seen is not made up");
    }
}
