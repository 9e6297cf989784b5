//! Any release, in any state that the road may leave it in.

use brickline_crds::{
    Build as BuildSpec, BuildJobStatus, BundleTicket, DatabricksRelease, DatabricksReleaseStatus, GoDuration, Operate,
    Phase, PhaseState, PhaseStatus, Reason, ReleaseState, RemoteArtifact, RestartTicket, RunTicket, Source, Stopping,
    Ticket,
};
use jiff::{Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use proptest::sample::select;
use strum::IntoEnumIterator;

use super::super::clusters::CLUSTER;
use super::super::scenarios::{self, release};
use super::NOON;
use crate::phase::{build, deploy};

pub(super) fn any_release() -> impl Strategy<Value = DatabricksRelease> {
    let spec = (any::<[bool; 6]>(), 0..4_u32, 0..3_usize);
    (spec, proptest::option::weighted(0.95, any_status())).prop_map(|((flags, limit, clusters), status)| {
        let mut release = release();
        let [cancel, suspend, workspace, notebooks, starts, elsewhere] = flags;
        (release.spec.cancel, release.spec.suspend) = (cancel, suspend);
        release.spec.retries.limit = limit;
        release.spec.install.clusters = vec!["main".to_owned(); clusters];
        release.spec.install.start_if_terminated = starts;
        release.spec.timeouts.test = GoDuration::from_secs(60);
        if !notebooks {
            release.spec.operate = Operate { jobs: scenarios::jobs::jobs(), prune: starts, ..Operate::default() };
        }
        if workspace {
            release.spec.workspace_ref = None;
        }
        if starts != suspend {
            release.spec.build = scenarios::building::build();
        }
        if notebooks {
            release.spec.test.notebooks.clear();
        }
        if elsewhere {
            let remote =
                RemoteArtifact { url: "https://store.example.com/1.zip".to_owned(), ..RemoteArtifact::default() };
            release.spec.source = Source { artifact: Some(remote), ..Source::default() };
        }
        release.metadata.generation = Some(2);
        release.metadata.uid = Some("uid".to_owned());
        release.status = status;
        release
    })
}

/// A status as the road leaves it: what is over, one phase under way or next, and what is still to come.
fn any_status() -> impl Strategy<Value = DatabricksReleaseStatus> {
    let states = vec![ReleaseState::Waiting, ReleaseState::Running, ReleaseState::Finishing, ReleaseState::Finished];
    let phases = proptest::collection::vec(any_phase(), 5);
    (select(states), phases, 0..6_usize, proptest::option::of(select(vec!["pending", "success"]))).prop_map(
        |(state, mut phases, at, reported)| {
            for (index, (phase, name)) in phases.iter_mut().zip(Phase::iter()).enumerate() {
                phase.name = name;
                let over = phase.state.is_terminal();
                phase.state = match index {
                    _ if index < at && !over => PhaseState::Succeeded,
                    _ if index == at && over => PhaseState::Running,
                    _ => phase.state,
                };
                if index > at || phase.state == PhaseState::Pending {
                    *phase = PhaseStatus::pending(name);
                }
            }
            DatabricksReleaseStatus {
                state,
                phases,
                start_time: Some(time(0)),
                completion_time: (state == ReleaseState::Finished).then(|| time(100)),
                reported: reported.map(str::to_owned),
                ..DatabricksReleaseStatus::default()
            }
        },
    )
}

pub(super) fn time(at: i64) -> Time {
    Time(NOON.parse::<Timestamp>().unwrap() + at.seconds())
}

fn any_phase() -> impl Strategy<Value = PhaseStatus> {
    let state = select(PhaseState::iter().collect::<Vec<_>>());
    let times = (any_time(), any_time());
    let stops = proptest::option::weighted(0.3, any::<bool>());
    (state, 0..5_u32, 0..5_u32, times, any_ticket(), stops, any_lines()).prop_map(
        |(state, attempts, faults, (start_time, retry_at), ticket, stops, jobs)| PhaseStatus {
            jobs,
            state,
            attempts,
            faults,
            start_time,
            retry_at,
            ticket,
            stopping: stops.map(stopping),
            ..PhaseStatus::pending(Phase::Build)
        },
    )
}

/// The jobs of a build, or none.
fn any_lines() -> impl Strategy<Value = Vec<BuildJobStatus>> {
    let states = proptest::collection::vec((select(PhaseState::iter().collect::<Vec<_>>()), 0..4_u32), 4);
    proptest::option::of(states).prop_map(|states| {
        let names = [BuildSpec::ARTIFACT, "lint", "unit.py310", "unit.py311"].into_iter();
        let jobs = names.zip(states.into_iter().flatten());
        jobs.map(|(name, (state, attempts))| BuildJobStatus { state, attempts, ..BuildJobStatus::pending(name) })
            .collect()
    })
}

fn stopping(asked: bool) -> Stopping {
    let since = Some(time(0));
    Stopping {
        state: PhaseState::Canceled,
        reason: Reason::Canceled,
        message: "canceled".to_owned(),
        since,
        teardown: None,
        asked,
    }
}

pub(super) fn any_time() -> impl Strategy<Value = Option<Time>> {
    proptest::option::of((-500_000..500_000_i64).prop_map(time))
}

fn any_ticket() -> impl Strategy<Value = Option<Ticket>> {
    let flying = proptest::collection::vec((0..9_u32, proptest::option::of(any::<i64>())), 0..4);
    let context = proptest::option::of(select(vec!["1", "2", ""]));
    let ticket = (any::<bool>(), context, 0..9_u32, 0..9_u32, flying);
    proptest::option::of(ticket.prop_map(|(job, context, notebooks, done, flying)| {
        Ticket {
            job: job.then(|| build::job_name(&release(), BuildSpec::ARTIFACT, 1)),
            bundle: job.then(|| BundleTicket { job: deploy::bundle::job_name(&release(), 1), created: notebooks > 4 }),
            restarts: context
                .into_iter()
                .map(|context| RestartTicket {
                    cluster: CLUSTER.to_owned(),
                    context_before: context.to_owned(),
                    ..RestartTicket::default()
                })
                .collect(),
            notebooks,
            done,
            in_flight: flying
                .into_iter()
                .map(|(index, run_id)| RunTicket { index, run_id, ..RunTicket::default() })
                .collect(),
            ..Ticket::default()
        }
    }))
}
