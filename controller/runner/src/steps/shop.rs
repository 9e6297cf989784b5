//! The shop is where steps run: their environment, log, ledger and bounds.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use brickline_artifact::layout::WORKSPACE_SECRETS;
use brickline_artifact::result::{Outcome, Reason, StepResult, bound};

use super::ledger::Ledger;
use crate::Run;
use crate::journal::Journal;
use crate::place::name;
use crate::process::{self, Bounds, Ending};
use crate::secrets::Secrets;
use crate::stop::Stop;

/// Where steps run.
pub struct Shop<'a> {
    pub run: &'a Run,
    journal: Journal,
    ledger: Ledger,
    bounds: Bounds,
    environment: Vec<(OsString, OsString)>,
}

/// Why the steps end early.
#[derive(Debug)]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    pub fn build(message: impl Into<String>) -> Self {
        Self::new(Reason::BuildFailed, message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::build(format!("the work folder: {error}"))
    }
}

impl<'a> Shop<'a> {
    pub fn open(run: &'a Run) -> io::Result<Self> {
        let work = &run.place.work;
        for old in [name::TREE, name::WHEEL_TREE, name::WHEELS, name::REPORTS] {
            remove(&work.join(old))?;
        }
        for folder in ["home", "tmp", name::WHEELS, name::REPORTS] {
            fs::create_dir_all(work.join(folder))?;
        }
        let deadlines = &run.plan.deadlines;
        let deadline = Instant::now() + Duration::from_secs(deadlines.steps_seconds);
        let grace = Duration::from_secs(deadlines.step_grace_seconds);
        let mut journal = Journal::create(&work.join(name::STEPS_LOG), run.plan.limits.log_bytes)?;
        journal.hide(&Secrets::of_environment());
        Ok(Self {
            run,
            journal,
            ledger: Ledger::open(&work.join(name::LEDGER))?,
            bounds: Bounds { stop: Stop::listen()?, deadline, grace },
            environment: environment(run),
        })
    }

    /// Sets a variable for all later steps.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    pub fn say(&mut self, text: &str) {
        self.journal.say(text);
    }

    pub fn work(&self, name: &str) -> PathBuf {
        self.run.place.work.join(name)
    }

    /// Runs a step that must succeed.
    pub fn step(&mut self, name: &str, command: &mut Command) -> Result<(), Failure> {
        let ending = self.attempt(name, command)?;
        if ending.is_success() { Ok(()) } else { Err(Failure::build(self.complaint(name, &ending))) }
    }

    /// Runs a step whose exit code the caller judges. Being stopped or out of time ends all steps.
    pub fn attempt(&mut self, name: &str, command: &mut Command) -> Result<Ending, Failure> {
        self.attempt_within(name, command, None)
    }

    /// The same with so many seconds of its own: running into them is the step's affair alone.
    pub fn attempt_within(
        &mut self,
        name: &str,
        command: &mut Command,
        seconds: Option<u64>,
    ) -> Result<Ending, Failure> {
        self.ledger.start(name)?;
        self.journal.say(&format!("==> {name}"));
        self.journal.forget();
        // A token in a file is renewed while the steps run.
        self.journal.hide(&Secrets::of_environment());
        let started = Instant::now();
        let own = seconds.map(|seconds| started + Duration::from_secs(seconds));
        let deadline = own.map_or(self.bounds.deadline, |own| own.min(self.bounds.deadline));
        let bounds = Bounds { deadline, ..self.bounds.clone() };
        let ending = process::run(self.dress(command), &bounds, &mut self.journal);
        let message = if ending.is_success() { String::new() } else { bound(&self.complaint(name, &ending)) };
        let seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.ledger.end(StepResult { name: bound(name), exit: ending.code(), seconds, message })?;
        let is_all =
            ending == Ending::Stopped || (ending == Ending::TimedOut && Instant::now() >= self.bounds.deadline);
        if is_all { Err(Failure::build(format!("{name} {ending}"))) } else { Ok(ending) }
    }

    /// Asks a program something; it's not a step.
    pub fn ask(&mut self, command: &mut Command) -> Option<String> {
        let (ending, output) = process::capture(self.dress(command), &self.bounds, &mut self.journal);
        ending.is_success().then(|| String::from_utf8_lossy(&output).into_owned())
    }

    /// Whether the last step said something.
    pub fn said(&self, phrase: &str) -> bool {
        self.journal.recent().any(|line| line.contains(phrase))
    }

    /// What ended a step, with its most telling line.
    pub fn complaint(&mut self, name: &str, ending: &Ending) -> String {
        let telling = |line: &&str| line.starts_with("ERROR") || line.contains("Error:") || line.contains("error:");
        let line = self
            .journal
            .recent()
            .rfind(telling)
            .or_else(|| self.journal.recent().rfind(|line| !line.trim().is_empty()));
        match line {
            Some(line) if matches!(ending, Ending::Exited(_)) => format!("{name} {ending}: {}", line.trim()),
            _ => format!("{name} {ending}"),
        }
    }

    /// What nobody is told.
    pub fn secrets(&self) -> &Secrets {
        self.journal.secrets()
    }

    /// Writes the verdict down. A ledger that can't be written leaves the exit code to tell.
    pub fn close(&mut self, outcome: &Outcome) {
        let text = match outcome {
            Outcome::Succeeded => "all steps succeeded".to_owned(),
            Outcome::Failed { reason, message } => format!("{}: {message}", reason.as_str()),
            Outcome::Skipped { reason, message } => format!("{}: {message}", reason.as_str()),
        };
        self.journal.say(&text);
        self.journal.finish();
        if let Err(error) = self.ledger.close(outcome) {
            self.journal.say(&format!("the ledger: {error}"));
        }
    }

    fn dress<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRICKLINE_")) {
            command.env_remove(name);
        }
        // What the command itself sets wins.
        let own: Vec<_> =
            command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).envs(own)
    }
}

/// Nothing of an earlier run may count for this one.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What every step gets beside the container's own variables.
fn environment(run: &Run) -> Vec<(OsString, OsString)> {
    let work = &run.place.work;
    let mut environment: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), work.join("home").into()),
        ("TMPDIR".into(), work.join("tmp").into()),
        ("PIP_NO_INPUT".into(), "1".into()),
        ("PIP_DISABLE_PIP_VERSION_CHECK".into(), "1".into()),
        ("PIP_NO_PYTHON_VERSION_WARNING".into(), "1".into()),
        ("PYTHONUNBUFFERED".into(), "1".into()),
        ("GIT_CONFIG_COUNT".into(), "1".into()),
        ("GIT_CONFIG_KEY_0".into(), "safe.directory".into()),
        ("GIT_CONFIG_VALUE_0".into(), "*".into()),
    ];
    // A Secret made of a file often ends with a line end, which no header and no login takes.
    let secrets = WORKSPACE_SECRETS.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?)));
    environment.extend(secrets.map(|(name, value)| (name.into(), value.trim().into())));
    let index = &run.plan.package_index;
    let mut unless_set = |name: &str, value: String| {
        if !value.is_empty() && std::env::var_os(name).is_none() {
            environment.push((name.into(), value.into()));
        }
    };
    unless_set("PIP_INDEX_URL", index.index_url.clone().unwrap_or_default());
    unless_set("PIP_EXTRA_INDEX_URL", index.extra_index_urls.join(" "));
    environment
}
