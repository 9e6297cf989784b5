//! Merges the verdicts of all runs into one JUnit report.

use std::time::Duration;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, Reason};
use kube::ResourceExt;

use super::plan::plan;
use super::{Item, Role, history};
use crate::artifact::place;
use crate::context::Context;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::verdict::{NotebookVerdict, Outcome as CaseOutcome, TestCase, Verdict, junit};

/// Why a test was skipped.
const NOT_RUN: &str = "not run: the setup failed";

pub(super) async fn publish(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    notebooks: u32,
    context: &Context,
) -> Result<Outcome, Trouble> {
    let internal = |error: &dyn std::fmt::Display| Trouble::lasting(Reason::InternalError, error.to_string());
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let items = plan(&release.spec, &manifest)?;
    let has_setup = items.first().is_some_and(|item| item.role == Role::Setup);
    let (mut verdicts, mut skipped) = (Vec::new(), Vec::new());
    for (index, item) in (0..notebooks).zip(&items) {
        let text = context.artifacts.read(&place::of_test(release, &format!("{index:06}.json"))).await?;
        match text {
            Some(text) => verdicts.push(serde_json::from_slice(&text).map_err(|error| internal(&error))?),
            None if has_setup && item.role == Role::Test => skipped.push(not_run(item)),
            None => return Err(internal(&format!("the verdict of run {index} is gone"))),
        }
    }
    history::remember(release, &items, &verdicts, context).await?;
    verdicts.append(&mut skipped);
    let report = junit::write(&release.name_any(), &verdicts).map_err(|error| internal(&error))?;
    let place = place::of_test(release, "TEST-notebooks.xml");
    context.artifacts.write(&place, report.into_bytes()).await?;
    context.log.line(release, Phase::Test, format_args!("the report is {place}"));
    Ok(Outcome::Published { uri: place.to_string() })
}

fn not_run(item: &Item) -> NotebookVerdict {
    NotebookVerdict {
        notebook: item.path.clone(),
        verdict: Verdict::Passed,
        cases: vec![TestCase::new(&item.path, CaseOutcome::Skipped, NOT_RUN, "")],
        execution: Duration::ZERO,
        trace: String::new(),
    }
}
