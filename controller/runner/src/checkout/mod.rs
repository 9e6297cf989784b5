//! A checkout brings exactly the plan's commit, says what changed in it, and stops a release that isn't due.

mod changes;
mod conditions;
mod fetch;
mod session;
mod tree;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use brickline_artifact::plan::SourcePlan;
use brickline_artifact::result::{Outcome, Reason};

use self::session::{Session, Trouble};
use crate::Run;
use crate::git::Git;
use crate::journal::Journal;
use crate::place::name;
use crate::process::Bounds;
use crate::source::SourceInfo;
use crate::stop::Stop;

/// Checks the commit out; the outcome also goes to the meta folder for `collect`.
pub fn checkout(run: &Run) -> Outcome {
    let outcome = match attempt(run) {
        Ok(()) => Outcome::Succeeded,
        Err(Trouble::Skip(reason, message)) => Outcome::skipped(reason, &message),
        Err(Trouble::Failed(message)) => Outcome::failed(Reason::CheckoutFailed, &message),
    };
    if let Ok(text) = serde_json::to_vec(&outcome) {
        let _ = fs::write(run.place.meta.join(name::CHECKOUT_OUTCOME), text);
    }
    outcome
}

fn attempt(run: &Run) -> Result<(), Trouble> {
    let (plan, place) = (&run.plan, &run.place);
    prepare(&place.source)?;
    prepare(&place.meta)?;
    let journal = Journal::create(&place.meta.join(name::CHECKOUT_LOG), plan.limits.log_bytes)?;
    let deadline = Instant::now() + Duration::from_secs(plan.deadlines.checkout_seconds);
    let grace = Duration::from_secs(plan.deadlines.step_grace_seconds);
    let bounds = Bounds { stop: Stop::listen()?, deadline, grace };
    let mut session = Session { git: Git::prepare(place, &plan.source)?, journal, bounds };
    let result = bring(&mut session, run);
    if let Err(trouble) = &result {
        session.journal.say(&trouble.to_string());
    }
    result
}

fn prepare(folder: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(folder).map_err(|error| Trouble::Failed(format!("{}: {error}", folder.display())))
}

/// The checkout in its order.
fn bring(session: &mut Session, run: &Run) -> Result<(), Trouble> {
    let source = &run.plan.source;
    session.journal.say(&format!("checkout of {} at {} from {}", source.reference, source.commit, source.url));
    fetch::commit(session, source)?;
    let commit = tree::inspect(session, &source.commit)?;
    conditions::merge(&run.plan.conditions, &commit)?;
    let base = fetch::base(session, source, &commit)?;
    let changes = changes::between(session, base.as_deref(), &source.commit)?;
    conditions::paths(&run.plan.conditions, &changes)?;
    tree::check_out(session, source)?;
    let files = tree::files(session, &changes)?;
    let info = SourceInfo {
        commit: source.commit.clone(),
        base,
        parents: commit.parents,
        committed_at: commit.time,
        removed: changes.removed,
        files,
    };
    session.journal.say(&summary(&info, source));
    Ok(info.write(&run.place.meta)?)
}

fn summary(info: &SourceInfo, source: &SourcePlan) -> String {
    use brickline_artifact::manifest::Change;
    let changed = info.files.iter().filter(|file| file.change != Change::Unchanged).count();
    let against = match (&info.base, &source.base) {
        (None, _) => "nothing before it".to_owned(),
        (Some(base), Some(_)) => format!("the stage's last release {base}"),
        (Some(base), None) => format!("its first parent {base}"),
    };
    let (files, removed) = (info.files.len(), info.removed.len());
    format!("{files} tracked files; {changed} changed and {removed} removed against {against}")
}
