//! A command: another program that is run, with a log, a limit of time, and an error that shows what it said.

mod error;
mod leash;

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process, time::timeout};

use error::last_lines;
pub use error::{CommandError, tail};
use leash::Group;
pub use leash::Leashed;

/// The limit for programs that should be quick; long ones name their own.
const LIMIT: Duration = Duration::from_mins(2);
/// How much of a program's last words an error shows.
const TAIL_LINES: usize = 25;

/// Runs `"$@"` and dies with its parent: the parent holds the other end of standard input, whose end of file means that the
/// parent is gone, however it went. Then the whole process group is killed, the program's own children included.
const LEASH: &str =
    r#"exec 3<&0; "$@" 3<&- </dev/null & p=$!; (cat <&3 >/dev/null; kill -9 0) 2>/dev/null >/dev/null & wait $p"#;

/// A program to run, with its arguments and its surroundings.
#[derive(Clone)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
    log: Option<PathBuf>,
    input: Option<Vec<u8>>,
    limit: Duration,
}

/// Shows the name only: input and variables may be secret.
impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Command {
    /// A program by its name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: None,
            log: None,
            input: None,
            limit: LIMIT,
        }
    }

    /// Adds one argument. Never a secret: arguments are visible to every user of the machine.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Takes an inherited environment variable away.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), None));
        self
    }

    /// Sets the folder that the program runs in.
    #[must_use]
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Writes all output to this file, replacing an older one; without it, output is captured.
    #[must_use]
    pub fn log(mut self, log: impl AsRef<Path>) -> Self {
        self.log = Some(log.as_ref().to_owned());
        self
    }

    /// Feeds the program's standard input. The way to hand over a secret.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Sets the limit of time, two minutes unless said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the program to its end, and returns what it wrote to standard output (empty when it wrote to a log).
    ///
    /// It runs in a process group of its own, which is killed when the limit passes or when this future is dropped; without
    /// [`Command::input`] it is killed as well if this process dies. Standard error is captured for the error only.
    pub async fn run(&self) -> Result<String, CommandError> {
        // Boxed, so that the futures of all callers stay small.
        Box::pin(self.run_to_end()).await
    }

    async fn run_to_end(&self) -> Result<String, CommandError> {
        let mut child = self.spawn()?;
        let group = Group::of(&child);
        let input = child.stdin.take();
        let talk = async {
            // Without text to feed, the pipe stays open for as long as we live: it is the leash.
            let leash = self.feed(input).await?;
            let output = child.wait_with_output().await;
            drop(leash);
            output
        };
        let ended = timeout(self.limit, talk).await;
        drop(group);
        match ended {
            Err(_) => {
                let (program, log) = (self.name(), self.log.clone());
                Err(CommandError::Late { program, limit: self.limit, tail: self.tail(&[]), log })
            }
            Ok(Err(source)) => Err(CommandError::Io { program: self.name(), source }),
            Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(Ok(output)) => {
                let tail = self.tail(&[output.stdout, output.stderr].concat());
                Err(CommandError::Failed { program: self.name(), status: output.status, tail, log: self.log.clone() })
            }
        }
    }

    /// Starts a daemon: a program that outlives this process. It gets a process group of its own, so that Ctrl-C does not
    /// reach it, no standard input, and its output goes to its log (appended), or nowhere. Returns its process id.
    pub fn daemon(&self) -> Result<u32, CommandError> {
        let (out, err) = self.outputs(true)?;
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(out).stderr(err);
        self.surround(&mut command);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // Tokio's child is what reaps the daemon if it ends while we are still there.
        let child = process::Command::from(command).spawn().map_err(|source| self.not_started(source))?;
        child.id().ok_or_else(|| self.not_started(io::ErrorKind::NotFound.into()))
    }

    /// Becomes the program: it takes this process's place with its terminal. Returns only if that failed.
    #[must_use]
    pub fn replace(&self) -> CommandError {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments);
        self.surround(&mut command);
        self.not_started(std::os::unix::process::CommandExt::exec(&mut command))
    }

    /// Starts a program that lives exactly as long as the returned value, and not longer than this process.
    pub fn leashed(&self) -> Result<Leashed, CommandError> {
        let child = self.spawn()?;
        Ok(Leashed { group: Group::of(&child), child })
    }

    fn spawn(&self) -> Result<process::Child, CommandError> {
        let (out, err) = self.outputs(false)?;
        let mut command = if self.input.is_some() {
            std::process::Command::new(&self.program)
        } else {
            let mut leash = std::process::Command::new("/bin/sh");
            leash.args(["-c", LEASH, "sh"]).arg(&self.program);
            leash
        };
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(out).stderr(err);
        self.surround(&mut command);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        process::Command::from(command).kill_on_drop(true).spawn().map_err(|source| self.not_started(source))
    }

    fn surround(&self, command: &mut std::process::Command) {
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
    }

    fn outputs(&self, append: bool) -> Result<(Stdio, Stdio), CommandError> {
        let Some(log) = &self.log else {
            return Ok(if append { (Stdio::null(), Stdio::null()) } else { (Stdio::piped(), Stdio::piped()) });
        };
        let open = || {
            log.parent().map_or(Ok(()), fs::create_dir_all)?;
            let file = File::options().create(true).append(true).open(log)?;
            if !append {
                file.set_len(0)?;
            }
            Ok((file.try_clone()?, file))
        };
        open()
            .map(|(out, err)| (out.into(), err.into()))
            .map_err(|source| CommandError::Io { program: self.name(), source })
    }

    async fn feed(&self, pipe: Option<process::ChildStdin>) -> io::Result<Option<process::ChildStdin>> {
        let Some(input) = &self.input else { return Ok(pipe) };
        let Some(mut pipe) = pipe else { return Ok(None) };
        match pipe.write_all(input).await {
            // The program ended without reading all: its exit code says whether that is an error.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(None),
        }
    }

    fn not_started(&self, source: io::Error) -> CommandError {
        CommandError::Start { program: self.name(), source }
    }

    /// The program's file name and its first argument that is a word: `go build`, `kubectl apply`.
    fn name(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program).to_string_lossy().into_owned();
        match self.arguments.first().map(|word| word.to_string_lossy()) {
            Some(word) if word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') => {
                format!("{program} {word}")
            }
            _ => program,
        }
    }

    fn tail(&self, captured: &[u8]) -> String {
        match &self.log {
            Some(log) => tail(log, TAIL_LINES).unwrap_or_default(),
            None => last_lines(&String::from_utf8_lossy(captured), TAIL_LINES),
        }
    }
}

#[cfg(test)]
mod tests;
