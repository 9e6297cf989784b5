//! Libraries on several clusters, and on clusters that others use.

use brickline_crds::{GoDuration, Reason, ReleaseResult, Restart, WhenIdle};
use jiff::ToSpan;

use super::super::clusters::{CLUSTER, OLD_WHEEL, One, WHEEL, installed};
use super::super::script::Script;
use super::super::world::Outside;
use super::{Scenario, scenario};
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::{InstallState, Library};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        several_clusters(),
        three_wheels(),
        one_of_two_fails(),
        installed_by_a_former_attempt(),
        nothing_to_take_off(),
        never_restarted(),
        idle_awaited(),
        never_idle(),
    ]
}

fn prepared(name: &'static str, ends: (ReleaseResult, Reason), prepare: fn(&mut Outside)) -> Scenario {
    scenario(name, ends.0, ends.1, Script { prepare: Some(prepare), ..Script::default() })
}

const WELL: (ReleaseResult, Reason) = (ReleaseResult::Succeeded, Reason::Succeeded);
const FAILED: (ReleaseResult, Reason) = (ReleaseResult::Failed, Reason::InstallFailed);

/// One has an older version, one is down, one has nothing, one has all of it.
fn several_clusters() -> Scenario {
    prepared("several clusters", WELL, |outside| {
        outside.databricks.clusters.all = vec![
            One::new(CLUSTER),
            One { state: ClusterState::Terminated, ..One::new("down") },
            One { libraries: Vec::new(), ..One::new("empty") },
            One { libraries: vec![installed(WHEEL, InstallState::Installed)], ..One::new("ready") },
        ];
    })
}

/// However many libraries change, one restart.
fn three_wheels() -> Scenario {
    prepared("three wheels, one restart", WELL, |outside| {
        let clusters = &mut outside.databricks.clusters;
        let others = ["etl", "tools"];
        let new = |name: &str| Library::Whl(WHEEL.replace("dbxdemo", name));
        let old = |name: &str| installed(&OLD_WHEEL.replace("dbxdemo", name), InstallState::Installed);
        clusters.desired.extend(others.map(new));
        clusters.all[0].libraries.extend(others.map(old));
    })
}

/// The other one gets its libraries all the same: nobody is left without any.
fn one_of_two_fails() -> Scenario {
    prepared("one of two clusters fails", FAILED, |outside| {
        let fails = One { fails: true, libraries: Vec::new(), ..One::new("fails") };
        outside.databricks.clusters.all.push(fails);
    })
}

fn installed_by_a_former_attempt() -> Scenario {
    prepared("installation under way already", WELL, |outside| {
        let until = outside.now + 30.seconds();
        let one = &mut outside.databricks.clusters.all[0];
        one.libraries = vec![installed(WHEEL, InstallState::Installing)];
        one.installing = vec![(Library::Whl(WHEEL.to_owned()), until)];
    })
}

fn nothing_to_take_off() -> Scenario {
    prepared("library only added", WELL, |outside| outside.databricks.clusters.all[0].libraries.clear())
}

fn never_restarted() -> Scenario {
    let ends = (ReleaseResult::SucceededWithIssues, Reason::SucceededWithIssues);
    let mut never = prepared("restart: Never", ends, |_| {});
    never.release.spec.install.restart = Restart::Never;
    never
}

fn idle(timeout: u64) -> WhenIdle {
    WhenIdle { timeout: GoDuration::from_secs(timeout) }
}

/// The wait is no work: it is longer than the phase may take.
fn idle_awaited() -> Scenario {
    let mut awaited = prepared("other people's run awaited", WELL, |outside| {
        outside.databricks.clusters.all[0].used_until = Some(outside.now + 10.minutes());
    });
    awaited.release.spec.install.when_idle = Some(idle(3600));
    awaited.release.spec.timeouts.install = GoDuration::from_secs(120);
    awaited
}

/// The cluster is left as it was.
fn never_idle() -> Scenario {
    let ends = (ReleaseResult::TimedOut, Reason::ClusterNotReady);
    let mut never = prepared("cluster never idle", ends, |outside| {
        outside.databricks.clusters.all[0].used_until = Some(outside.now + 10.hours());
    });
    never.release.spec.install.when_idle = Some(idle(60));
    never
}
