//! What the controller asked of Kubernetes, as its own metric counts it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::ensure;

use crate::system::Team;

/// The metric.
const METRIC: &str = "brickline_kubernetes_requests_total{";
/// What goes on for as long as the controller lives: watches that begin anew, and the leader's Lease.
const ALWAYS: [&str; 2] = ["watch ", " leases/leader"];

/// Requests by verb and resource: `patch databricksreleases/status`.
pub(super) type Requests = BTreeMap<String, u64>;

/// All requests since the controller began.
pub(super) async fn requests(team: &Team) -> anyhow::Result<Requests> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let answer = client.get(format!("{}/metrics", team.system.metrics)).send().await?.error_for_status()?;
    let requests = read(&answer.text().await?);
    ensure!(
        !requests.is_empty(),
        "the controller counts no requests to Kubernetes: its metric has another name by now"
    );
    Ok(requests)
}

/// What was asked between two looks; what goes on anyway is left out.
pub(super) fn between(before: &Requests, after: &Requests) -> Requests {
    let new = after.iter().map(|(key, count)| (key.clone(), count - before.get(key).copied().unwrap_or(0)));
    new.filter(|(key, count)| *count > 0 && !ALWAYS.iter().any(|always| key.contains(always))).collect()
}

fn read(text: &str) -> Requests {
    text.lines().filter_map(|line| line.strip_prefix(METRIC)).filter_map(series).collect()
}

/// `resource="jobs",verb="create"} 3` as `create jobs` and 3.
fn series(line: &str) -> Option<(String, u64)> {
    let (labels, count) = line.split_once("} ")?;
    let label = |name: &str| labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix('='));
    let (verb, resource) = (label("verb")?.trim_matches('"'), label("resource")?.trim_matches('"'));
    Some((format!("{verb} {resource}"), count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_verb_and_resource_and_renewals_left_out() {
        let before = read("brickline_kubernetes_requests_total{resource=\"jobs\",verb=\"create\"} 3\n");
        let after = read(
            "# HELP brickline_kubernetes_requests_total x\n\
             brickline_kubernetes_requests_total{resource=\"jobs\",verb=\"create\"} 5\n\
             brickline_kubernetes_requests_total{resource=\"jobs\",verb=\"watch\"} 9\n\
             brickline_kubernetes_requests_total{resource=\"leases/leader\",verb=\"get\"} 70\n\
             brickline_leader 1\n",
        );
        assert_eq!(between(&before, &after), Requests::from([("create jobs".to_owned(), 2)]));
    }
}
