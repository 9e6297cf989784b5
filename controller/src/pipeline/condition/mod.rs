//! The condition of a stage: whether it may begin, in CEL, such as `stages.staging.result == 'Succeeded'`. Pure.
//!
//! Users write conditions, so a condition gets bounds before a parser sees it: its length, the number of its brackets, and
//! a stack that no text of that length fills. Loops are refused, so that answering takes as long as reading.

mod grammar;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::thread;

use brickline_crds::condition::truncate;
use cel::{Context, ParseErrors, Program, Value};

use grammar::{RELEASE, STAGES};

/// The longest condition, in characters.
const LENGTH: usize = 1024;
/// The most brackets of any kind that a condition may open. The time of the parser grows faster than their depth.
const BRACKETS: usize = 32;
/// Four times what the deepest condition of that length needs without optimisation. Pages nobody touches cost nothing.
const STACK: usize = 128 << 20;
/// The longest part of a sentence that repeats what the parser said, in characters.
const QUOTE: usize = 300;

/// What a condition sees of a stage: its newest release. All is empty before there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StageView {
    /// How the release ended, such as `Succeeded`; empty while it hasn't.
    pub(crate) result: String,
    /// The commit it released.
    pub(crate) commit: String,
    /// The digest of its artifact, `sha256:...`.
    pub(crate) artifact: String,
    /// Why it was made, such as `push`.
    pub(crate) reason: String,
}

/// What a condition sees of the release that would go on to the stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReleaseView {
    /// Its branch, without `refs/heads/`.
    pub(crate) branch: String,
    /// The commit it released.
    pub(crate) commit: String,
    /// Why it was made, such as `push`.
    pub(crate) reason: String,
}

/// Whether `expression` can be answered for a pipeline with these stages: read, allowed, and true or false before
/// anything was released.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn check<'a>(expression: &str, stages: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let stages = stages.into_iter().map(|name| (name.to_owned(), StageView::default())).collect();
    holds(expression, &stages, &ReleaseView::default()).map(drop)
}

/// Whether the condition holds.
///
/// # Errors
/// A sentence for the user: what can't be read, is not allowed, names no stage, or is neither true nor false.
pub(crate) fn holds(
    expression: &str,
    stages: &BTreeMap<String, StageView>,
    release: &ReleaseView,
) -> Result<bool, String> {
    bound(expression)?;
    // A parser's recursion can't be caught when it fills a stack; its panics end with its thread.
    let answered = thread::scope(|scope| {
        let reader = thread::Builder::new().stack_size(STACK);
        reader.spawn_scoped(scope, || answer(expression, stages, release)).map(thread::ScopedJoinHandle::join)
    });
    match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err("the condition can't be read".to_owned()),
        Err(error) => Err(format!("the condition can't be read now: {error}")),
    }
}

fn bound(expression: &str) -> Result<(), String> {
    if expression.chars().nth(LENGTH).is_some() {
        return Err(format!("the condition is longer than {LENGTH} characters"));
    }
    // Those in texts count too: to know them would take a parser.
    if expression.matches(['(', '[', '{']).nth(BRACKETS).is_some() {
        return Err(format!("the condition has more than {BRACKETS} opening brackets"));
    }
    Ok(())
}

fn answer(expression: &str, stages: &BTreeMap<String, StageView>, release: &ReleaseView) -> Result<bool, String> {
    let program = Program::compile(expression).map_err(|errors| complaint(&errors))?;
    grammar::check(program.expression(), stages)?;
    let mut context = Context::default();
    let views: HashMap<&str, Value> = stages.iter().map(|(name, view)| (name.as_str(), fields(view))).collect();
    context.add_variable_from_value(STAGES, views);
    context.add_variable_from_value(
        RELEASE,
        HashMap::from([
            ("branch", release.branch.as_str()),
            ("commit", release.commit.as_str()),
            ("reason", release.reason.as_str()),
        ]),
    );
    match program.execute(&context) {
        Ok(Value::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!("the condition is neither true nor false but of type {}", other.type_of())),
        Err(error) => Err(format!("the condition can't be answered: {}", truncate(&error.to_string(), QUOTE))),
    }
}

fn fields(view: &StageView) -> Value {
    HashMap::from([
        ("result", view.result.as_str()),
        ("commit", view.commit.as_str()),
        ("artifact", view.artifact.as_str()),
        ("reason", view.reason.as_str()),
    ])
    .into()
}

/// The first of the parser's complaints, and where.
fn complaint(errors: &ParseErrors) -> String {
    let Some(error) = errors.errors.first() else { return "the condition can't be read".to_owned() };
    let (line, column) = error.pos;
    format!("the condition can't be read at line {line}, column {column}: {}", truncate(&error.msg, QUOTE))
}
