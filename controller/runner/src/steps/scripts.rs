//! Scripts are the steps of a further job: the user's own, run one after the other in the user's image.

use std::process::Command;

use brickline_artifact::plan::{JobPlan, RunsIf, StepPlan};
use brickline_artifact::result::Reason;

use super::shop::{Failure, Shop};
use super::{python, reports, venv};
use crate::place::name;
use crate::process::Ending;
use crate::source::SourceInfo;

/// Runs the steps that are due. What their reports say counts too, and tells more than an exit code.
pub fn run(shop: &mut Shop<'_>, job: &JobPlan, source: &SourceInfo) -> Result<(), Failure> {
    enter(shop, source)?;
    for (name, value) in &job.variables {
        shop.set(name, value.clone());
    }
    let mut failed = None;
    for step in &job.steps {
        if !is_due(step.condition, failed.is_some()) {
            shop.say(&format!("==> {} is left out: it runs if a step before it {}", step.name, needs(step.condition)));
            continue;
        }
        match run_step(shop, step)? {
            Some(message) if step.continue_on_error => shop.say(&format!("{message}; continueOnError: going on")),
            Some(message) => failed = failed.or(Some(message)),
            None => {}
        }
    }
    match (reports::judge(shop, source, false), failed) {
        (Err(failure), Some(_)) if failure.reason == Reason::TestsFailed => Err(failure),
        (_, Some(message)) => Err(Failure::build(message)),
        (judged, None) => judged,
    }
}

/// The image's Python, in an environment of its own. An image without one has other tools, unless a version was asked for.
fn enter(shop: &mut Shop<'_>, source: &SourceInfo) -> Result<(), Failure> {
    match python::find(shop, source) {
        Ok(python) => venv::make(shop, &python),
        Err(failure) if shop.run.plan.python_version.is_some() => Err(failure),
        Err(_) => {
            shop.say("the image has no Python: the steps run without one");
            Ok(())
        }
    }
}

fn is_due(condition: RunsIf, failed: bool) -> bool {
    match condition {
        RunsIf::Succeeded => !failed,
        RunsIf::Failed => failed,
        RunsIf::Always => true,
    }
}

fn needs(condition: RunsIf) -> &'static str {
    if condition == RunsIf::Failed { "failed" } else { "did not fail" }
}

/// What failed, if the step did. Being stopped, or the job's time being over, ends all steps.
fn run_step(shop: &mut Shop<'_>, step: &StepPlan) -> Result<Option<String>, Failure> {
    let tree = shop.work(name::TREE);
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &step.run]).envs(&step.variables);
    command.current_dir(step.working_directory.as_ref().map_or(tree.clone(), |folder| tree.join(folder)));
    let ending = shop.attempt_within(&step.name, &mut command, step.timeout_seconds)?;
    if ending.is_success() {
        return Ok(None);
    }
    let folder = step.working_directory.as_deref().filter(|folder| !tree.join(folder).is_dir());
    Ok(Some(match (&ending, folder) {
        (Ending::NotRun(_), Some(folder)) => format!("{}: the commit has no folder {folder}", step.name),
        _ => shop.complaint(&step.name, &ending),
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(RunsIf::Succeeded, true, false)]
    #[case(RunsIf::Failed, false, true)]
    #[case(RunsIf::Always, true, true)]
    fn a_step_runs_by_what_was_before(#[case] condition: RunsIf, #[case] after_good: bool, #[case] after_bad: bool) {
        assert_eq!((is_due(condition, false), is_due(condition, true)), (after_good, after_bad));
    }
}
