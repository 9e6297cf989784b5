//! Run numbers: day in UTC and a counter, `20261121.4`, as people know them from other pipelines.

use std::sync::Arc;

use brickline_crds::{DatabricksRelease, Reason, ReleasePipeline, RunCounter, labels};
use jiff::{Timestamp, tz::TimeZone};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};

use crate::context::Context;
use crate::trouble::Trouble;

/// How often a number is tried again when somebody else wrote the pipeline's status at the same time.
const TRIES: usize = 5;

/// The next number of the release's pipeline; empty without one. A crash after it skips a number, which harms nobody.
pub(crate) async fn number(release: &DatabricksRelease, context: &Context) -> Result<String, Trouble> {
    let Some(name) = release.labels().get(labels::PIPELINE) else { return Ok(String::new()) };
    let pipelines: Api<ReleasePipeline> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    let mut known = context.pipeline_of(release);
    for _ in 0..TRIES {
        // What the watch last saw is tried first: if it lags, its version is refused.
        let pipeline = match known.take() {
            Some(pipeline) => pipeline,
            None => match pipelines.get_opt(name).await? {
                Some(pipeline) => Arc::new(pipeline),
                None => return Ok(String::new()),
            },
        };
        let last = pipeline.status.as_ref().and_then(|status| status.run_counter.clone()).unwrap_or_default();
        let next = after(&last, Timestamp::now());
        let patch = serde_json::json!({
            "metadata": {"resourceVersion": pipeline.resource_version()},
            "status": {"runCounter": next},
        });
        match pipelines.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => return Ok(format!("{}.{}", next.date, next.last)),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message =
        format!("pipeline {name} changed under each of {TRIES} attempts to number the release; it is tried again");
    Err(Trouble::passing(Reason::InternalError, message))
}

fn after(last: &RunCounter, now: Timestamp) -> RunCounter {
    // A clock that was set back must not give the numbers of a day again.
    let date = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string().max(last.date.clone());
    let number = if last.date == date { last.last.saturating_add(1) } else { 1 };
    RunCounter { date, last: number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_begins_with_one() {
        let morning: Timestamp = "2026-11-21T00:00:01Z".parse().unwrap();
        let first = after(&RunCounter { date: "20261120".into(), last: 7 }, morning);
        assert_eq!(first, RunCounter { date: "20261121".into(), last: 1 });
        assert_eq!(after(&first, morning).last, 2);
    }

    #[test]
    fn a_clock_that_goes_back_over_midnight_gives_no_number_twice() {
        let night: Timestamp = "2026-11-20T23:59:58Z".parse().unwrap();
        let last = RunCounter { date: "20261121".into(), last: 2 };
        assert_eq!(after(&last, night), RunCounter { date: "20261121".into(), last: 3 });
    }
}
