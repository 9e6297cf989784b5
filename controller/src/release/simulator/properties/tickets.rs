//! Any ticket, of any phase: the one that the release would have, another attempt's, or one half written.

use brickline_crds::{
    Build, BundleTicket, DeployTicket, Reason, RestartTicket, RunTicket, StartTicket, TestVerdict, Ticket,
};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::clusters::CLUSTER;
use super::super::scenarios::release;
use super::releases::{any_time, words};
use crate::phase::{build, deploy};

/// The clusters that views show, and one that they don't.
pub(super) const CLUSTERS: [&str; 3] = [CLUSTER, "0123-456789-def", "gone"];

pub(super) fn any_ticket() -> impl Strategy<Value = Option<Ticket>> {
    let idle = (any_time(), select(vec![0, 60, u32::MAX]));
    let ticket = (any_jobs(), any_clusters(), any_runs(), idle, proptest::option::of(any_verdict()));
    proptest::option::weighted(
        0.8,
        ticket.prop_map(|(jobs, clusters, runs, (idle_since, idle_seconds), verdict)| {
            let (job, deploy, bundle) = jobs;
            let (restarts, starts, additions) = clusters;
            let (notebooks, done, in_flight) = runs;
            Ticket {
                job,
                deploy,
                bundle,
                restarts,
                starts,
                additions,
                idle_since,
                idle_seconds,
                notebooks,
                done,
                verdict,
                in_flight,
            }
        }),
    )
}

/// The ticket whose Jobs are this attempt's.
pub(super) fn of_attempt(mut ticket: Ticket, attempt: u32) -> Ticket {
    if let Some(job) = &mut ticket.job {
        *job = build::job_name(&release(), Build::ARTIFACT, attempt);
    }
    if let Some(bundle) = &mut ticket.bundle {
        bundle.job = deploy::bundle::job_name(&release(), attempt);
    }
    ticket
}

/// Build's and Deploy's Jobs: of this attempt or of another.
fn any_jobs() -> impl Strategy<Value = (Option<String>, Option<DeployTicket>, Option<BundleTicket>)> {
    let attempt = || proptest::option::of(1..5_u32);
    let sequence = proptest::option::of(select(vec![0, 7, u64::MAX]));
    (attempt(), sequence, attempt(), any::<bool>()).prop_map(|(job, sequence, bundle, created)| {
        (
            job.map(|attempt| build::job_name(&release(), Build::ARTIFACT, attempt)),
            sequence.map(|sequence| DeployTicket { sequence }),
            bundle.map(|attempt| BundleTicket { job: deploy::bundle::job_name(&release(), attempt), created }),
        )
    })
}

/// What becomes of clusters.
fn any_clusters() -> impl Strategy<Value = (Vec<RestartTicket>, Vec<StartTicket>, Vec<String>)> {
    let some = || proptest::sample::subsequence(CLUSTERS.to_vec(), 0..=3);
    (some(), some(), some(), select(vec!["1", "2", ""]), any_time()).prop_map(
        |(restarts, starts, additions, context, since)| {
            let restart = |cluster: &str| RestartTicket {
                cluster: cluster.to_owned(),
                context_before: context.to_owned(),
                since: since.clone(),
            };
            let start = |cluster: &str| StartTicket { cluster: cluster.to_owned(), since: since.clone() };
            (
                restarts.into_iter().map(restart).collect(),
                starts.into_iter().map(start).collect(),
                additions.into_iter().map(str::to_owned).collect(),
            )
        },
    )
}

/// How many runs there are, how many are done, and those in flight.
fn any_runs() -> impl Strategy<Value = (u32, u32, Vec<RunTicket>)> {
    let run = (0..9_u32, 0..3_u32, words(), proptest::option::of(any::<i64>()));
    let run = run.prop_map(|(index, try_, failed, run_id)| RunTicket { index, try_, failed, run_id });
    (0..9_u32, 0..9_u32, proptest::collection::vec(run, 0..4))
}

fn any_verdict() -> impl Strategy<Value = TestVerdict> {
    (select(vec![Reason::InnerTestsFailed, Reason::BuildFailed]), words())
        .prop_map(|(reason, message)| TestVerdict { reason, message })
}
