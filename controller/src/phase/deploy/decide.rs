//! What to do next for a deployment. All of it is one effect, harmless when repeated: imports overwrite, wheels lie at
//! places named by their content.

use super::super::{Effect, Ending, Outcome, Step, Turn};
use super::Deployed;

/// One step of the Deploy phase.
pub(crate) fn decide(turn: &Turn) -> Step {
    match turn.outcome {
        Some(Outcome::Deployed(deployed)) => {
            Step::Ended(Box::new(turn.status.clone()), Ending::succeeded(summary(deployed)))
        }
        _ => Step::Act(Effect::Deploy),
    }
}

fn summary(deployed: &Deployed) -> String {
    let Deployed { notebooks, files, libraries } = deployed;
    format!("{notebooks} notebooks, {files} files, {libraries} libraries")
}
