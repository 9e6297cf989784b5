//! The condition of a stage or of a build's job: whether it may begin, in CEL, such as
//! `stages.staging.result == 'Succeeded'`. Pure.
//!
//! Users write conditions, so a condition gets bounds before a parser sees it: its length, the number of its brackets, and
//! a stack that no text of that length fills. Loops are refused, so that answering takes as long as reading.

mod grammar;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::thread;

use brickline_crds::{Build, condition::truncate};
use cel::{Context, ParseErrors, Program, Value};

use crate::graph;
use grammar::RELEASE;

/// The longest condition, in characters.
const LENGTH: usize = 1024;
/// The most brackets of any kind that a condition may open. The time of the parser grows faster than their depth.
const BRACKETS: usize = 32;
/// Four times what the deepest condition of that length needs without optimisation. Pages nobody touches cost nothing.
const STACK: usize = 128 << 20;
/// The longest part of a sentence that repeats what the parser said, in characters.
const QUOTE: usize = 300;

/// What a condition is about besides the release: things that came before, by their names.
pub(crate) trait Subject: Default + Sync {
    /// What one is called in sentences.
    const NOUN: &'static str;
    /// The variable that holds all of them.
    const VARIABLE: &'static str;
    /// What may be asked of one.
    const FIELDS: &'static [&'static str];

    /// The values of those fields, in their order.
    fn values(&self) -> Vec<&str>;
}

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

impl Subject for StageView {
    const NOUN: &'static str = "stage";
    const VARIABLE: &'static str = "stages";
    const FIELDS: &'static [&'static str] = &["result", "commit", "artifact", "reason"];

    fn values(&self) -> Vec<&str> {
        vec![&self.result, &self.commit, &self.artifact, &self.reason]
    }
}

/// What a condition sees of a job of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobView {
    /// How it ended, such as `Succeeded`; of a job with a matrix the worst of its copies.
    pub(crate) result: String,
}

impl Subject for JobView {
    const NOUN: &'static str = "job";
    const VARIABLE: &'static str = "jobs";
    const FIELDS: &'static [&'static str] = &["result"];

    fn values(&self) -> Vec<&str> {
        vec![&self.result]
    }
}

/// What a condition sees of the release that would go on to the stage, or that is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReleaseView {
    /// Its branch, without `refs/heads/`.
    pub(crate) branch: String,
    /// The commit it released.
    pub(crate) commit: String,
    /// Why it was made, such as `push`.
    pub(crate) reason: String,
}

/// Whether `expression` can be answered where these names are known: read, allowed, and true or false before anything
/// was released.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn check<'a, S: Subject>(expression: &str, names: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let subjects: BTreeMap<String, S> = names.into_iter().map(|name| (name.to_owned(), S::default())).collect();
    holds(expression, &subjects, &ReleaseView::default()).map(drop)
}

/// Whether all jobs of a build can begin: none waits for itself, and every condition can be answered.
///
/// # Errors
/// A sentence for the user, with the name of the job.
pub(crate) fn check_jobs(build: &Build) -> Result<(), String> {
    let jobs: Vec<_> = build.jobs.iter().map(|job| (job.name.as_str(), job.depends_on.as_slice())).collect();
    if let Some(cycle) = graph::cycle(&jobs) {
        return Err(format!("build.jobs wait for each other and none can begin: {cycle}; take one dependsOn away"));
    }
    build.jobs.iter().try_for_each(|job| {
        let Some(expression) = &job.condition else { return Ok(()) };
        let before = job.depends_on.iter().map(String::as_str);
        check::<JobView>(expression, before).map_err(|why| format!("build.jobs: job {}: {why}", job.name))
    })
}

/// Whether the condition holds.
///
/// # Errors
/// A sentence for the user: what can't be read, is not allowed, names nothing that is known, or is neither true nor false.
pub(crate) fn holds<S: Subject>(
    expression: &str,
    subjects: &BTreeMap<String, S>,
    release: &ReleaseView,
) -> Result<bool, String> {
    bound(expression)?;
    // A parser's recursion can't be caught when it fills a stack; its panics end with its thread.
    let answered = thread::scope(|scope| {
        let reader = thread::Builder::new().stack_size(STACK);
        reader.spawn_scoped(scope, || answer(expression, subjects, release)).map(thread::ScopedJoinHandle::join)
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

fn answer<S: Subject>(expression: &str, subjects: &BTreeMap<String, S>, release: &ReleaseView) -> Result<bool, String> {
    let program = Program::compile(expression).map_err(|errors| complaint(&errors))?;
    grammar::check(program.expression(), subjects)?;
    let mut context = Context::default();
    let views: HashMap<&str, Value> = subjects.iter().map(|(name, view)| (name.as_str(), fields(view))).collect();
    context.add_variable_from_value(S::VARIABLE, views);
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

fn fields<S: Subject>(view: &S) -> Value {
    S::FIELDS.iter().copied().zip(view.values()).collect::<HashMap<_, _>>().into()
}

/// The first of the parser's complaints, and where.
fn complaint(errors: &ParseErrors) -> String {
    let Some(error) = errors.errors.first() else { return "the condition can't be read".to_owned() };
    let (line, column) = error.pos;
    format!("the condition can't be read at line {line}, column {column}: {}", truncate(&error.msg, QUOTE))
}
