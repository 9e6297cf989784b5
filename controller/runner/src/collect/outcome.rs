//! The account puts together what the checkout, the steps and their reports say; the worst of it counts.

use std::io::{self, Read};
use std::path::Path;

use brickline_artifact::result::{Outcome, Reason, StepResult, bound};
use serde::de::DeserializeOwned;

use crate::Run;
use crate::beneath::Root;
use crate::place::name;
use crate::source::SourceInfo;
use crate::steps::ledger::{MAX_PAGE_BYTES, Page};
use crate::steps::reports::{self, Reports};
use crate::steps::shop::Failure;

/// The most steps handed in.
const MAX_STEPS: usize = 200;

/// What is known of a build that ended.
pub struct Account {
    pub outcome: Outcome,
    pub source: Option<SourceInfo>,
    pub steps: Vec<StepResult>,
    pub reports: Reports,
}

/// Reads everything that the other containers left.
pub fn account(run: &Run) -> Account {
    let none = |outcome| Account { outcome, source: None, steps: Vec::new(), reports: Reports::default() };
    match checkout(&run.place.meta) {
        Outcome::Succeeded => {}
        other => return none(other),
    }
    let source = match SourceInfo::read(&run.place.meta) {
        Ok(source) => source,
        Err(error) => return none(Outcome::failed(Reason::CheckoutFailed, &format!("the checkout's word: {error}"))),
    };
    let page = read::<Page>(&run.place.work, name::LEDGER).unwrap_or_default();
    let reports = reports::gather(run, &source).unwrap_or_default();
    let outcome = judge(&page, &reports);
    Account { outcome, source: Some(source), steps: bounded(page.steps), reports }
}

fn checkout(meta: &Path) -> Outcome {
    let never =
        |_| Outcome::failed(Reason::CheckoutFailed, "the checkout never came to its end: stopped, or out of memory");
    read(meta, name::CHECKOUT_OUTCOME).unwrap_or_else(never)
}

fn read<T: DeserializeOwned>(folder: &Path, file: &str) -> io::Result<T> {
    let mut text = Vec::new();
    Root::open(folder)?.file(file)?.take(MAX_PAGE_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// The steps' verdict, unless the reports know worse.
fn judge(page: &Page, reports: &Reports) -> Outcome {
    match &page.outcome {
        Some(Outcome::Succeeded) => match reports::verdict(reports, false) {
            Ok(()) => Outcome::Succeeded,
            Err(Failure { reason, message }) => Outcome::failed(reason, &message),
        },
        Some(Outcome::Failed { reason, message }) => Outcome::failed(*reason, message),
        // Steps don't skip; whoever wrote that wasn't the runner.
        Some(Outcome::Skipped { .. }) => Outcome::failed(Reason::BuildFailed, "the steps left an unknown verdict"),
        None => Outcome::failed(Reason::BuildFailed, &unfinished(page)),
    }
}

fn unfinished(page: &Page) -> String {
    match &page.running {
        Some(step) => format!("the build ended during {step}: killed, out of memory, or over its deadline"),
        None => "the build ended without a verdict: the steps never started, or were killed".to_owned(),
    }
}

fn bounded(steps: Vec<StepResult>) -> Vec<StepResult> {
    let bounded = steps.into_iter().take(MAX_STEPS);
    bounded.map(|step| StepResult { name: bound(&step.name), message: bound(&step.message), ..step }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(outcome: Option<Outcome>) -> Page {
        Page { outcome, running: Some("pytest".into()), steps: Vec::new() }
    }

    #[test]
    fn reports_can_only_worsen_the_verdict() {
        let failing =
            crate::junit::read(b"<testsuite><testcase name='x'><failure/></testcase></testsuite>").expect("a report");
        let failing = Reports { suites: failing, broken: Vec::new() };
        assert_eq!(judge(&page(Some(Outcome::Succeeded)), &Reports::default()), Outcome::Succeeded);
        assert!(matches!(
            judge(&page(Some(Outcome::Succeeded)), &failing),
            Outcome::Failed { reason: Reason::TestsFailed, .. }
        ));
        let build = Outcome::failed(Reason::BuildFailed, "no");
        assert_eq!(judge(&page(Some(build.clone())), &failing), build);
    }

    #[test]
    fn a_build_without_a_verdict_failed_where_it_was() {
        let Outcome::Failed { reason, message } = judge(&page(None), &Reports::default()) else { panic!("it failed") };
        assert_eq!(reason, Reason::BuildFailed);
        assert!(message.contains("pytest"));
    }
}
