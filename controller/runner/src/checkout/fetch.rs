//! Fetching brings the commit with as little history as proves that its ref still reaches it.

use brickline_artifact::plan::SourcePlan;
use brickline_artifact::result::SkipReason;

use super::session::{Session, Trouble};
use super::tree::Commit;

/// Where the ref stands locally.
const LOCAL: &str = "refs/brickline/ref";

/// Brings the commit. Usually it's the ref's tip and two commits' depth do; otherwise the history must tell.
pub fn commit(session: &mut Session, source: &SourcePlan) -> Result<(), Trouble> {
    session.git(&["init", "--quiet", "."])?;
    session.git(&["config", "remote.origin.url", &source.url])?;
    let refspec = format!("+{}:{LOCAL}", source.reference);
    session.git(&["fetch", "--quiet", "--no-tags", "--depth=2", "origin", &refspec])?;
    if tip(session)? == source.commit {
        return Ok(());
    }
    session.journal.say("the ref has moved on; fetching its history to see whether it still reaches the commit");
    whole_history(session, &refspec)?;
    if !is_reachable(session, &source.commit)? {
        return Err(out_of_date(source));
    }
    order(session, source)
}

/// Refuses a commit that the stage has left behind. Where the ref stands at the commit this is not asked: a branch that
/// somebody took back means it.
fn order(session: &mut Session, source: &SourcePlan) -> Result<(), Trouble> {
    let SourcePlan { commit, deployed, .. } = source;
    let Some(deployed) = deployed.as_ref().filter(|deployed| *deployed != commit) else { return Ok(()) };
    // The branch may have been rewritten since; a server need not hand out what no ref reaches.
    let known =
        has(session, deployed) || session.attempt(&["fetch", "--quiet", "--no-tags", "origin", deployed]).is_success();
    if !known || !session.holds(&["merge-base", "--is-ancestor", commit, deployed])? {
        return Ok(());
    }
    let message = format!("commit {commit} is older than {deployed}, which the stage has: it would be moved back");
    Err(Trouble::Skip(SkipReason::OutOfDate, message))
}

fn tip(session: &mut Session) -> Result<String, Trouble> {
    let output = session.ask(&["rev-parse", "--verify", &format!("{LOCAL}^{{commit}}")])?;
    Ok(String::from_utf8_lossy(&output).trim().to_owned())
}

fn whole_history(session: &mut Session, refspec: &str) -> Result<(), Trouble> {
    let shallow = session.ask(&["rev-parse", "--is-shallow-repository"])?.starts_with(b"true");
    let depth = if shallow { "--unshallow" } else { "--no-tags" };
    session.git(&["fetch", "--quiet", "--no-tags", depth, "origin", refspec])
}

fn is_reachable(session: &mut Session, commit: &str) -> Result<bool, Trouble> {
    Ok(has(session, commit) && session.holds(&["merge-base", "--is-ancestor", commit, LOCAL])?)
}

fn has(session: &mut Session, commit: &str) -> bool {
    session.attempt(&["rev-parse", "--verify", "--quiet", &format!("{commit}^{{commit}}")]).is_success()
}

fn out_of_date(source: &SourcePlan) -> Trouble {
    let SourcePlan { commit, reference, .. } = source;
    let message = format!(
        "commit {commit} can no longer be reached from {reference}: the branch was rewritten since; its newer commits have releases of their own"
    );
    Trouble::Skip(SkipReason::OutOfDate, message)
}

/// The commit to compare with: the stage's last release, or the first parent. If the former is gone from the
/// repository there's none, and every file counts as added: too much is tested rather than too little.
pub fn base(session: &mut Session, source: &SourcePlan, commit: &Commit) -> Result<Option<String>, Trouble> {
    let Some(base) = &source.base else { return Ok(commit.parents.first().cloned()) };
    if has(session, base) {
        return Ok(Some(base.clone()));
    }
    let fetched = session.attempt(&["fetch", "--quiet", "--no-tags", "--depth=1", "origin", base]).is_success();
    if !fetched {
        // Some servers hand out a commit only as part of its ref's history.
        whole_history(session, &format!("+{}:{LOCAL}", source.reference))?;
    }
    let found = has(session, base);
    if !found {
        session
            .journal
            .say(&format!("the stage's last release {base} is gone from the repository: all files count as added"));
    }
    Ok(found.then(|| base.clone()))
}
