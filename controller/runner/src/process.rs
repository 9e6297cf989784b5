//! A process is a child in a group of its own: its output goes to the journal, and it never outlives its deadline.
//!
//! At the deadline, or when the container is told to stop, the group gets TERM, then KILL. Whatever it leaves in the
//! background is killed when it ends.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::journal::Journal;
use crate::stop::{Stop, TICK};

/// How long output may still come once the child has ended; something of it may hold the pipe.
const DRAIN: Duration = Duration::from_secs(2);
/// The most that is captured of one child.
const MAX_CAPTURE: usize = 64 * 1024 * 1024;

/// What bounds every child of a container.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub stop: Stop,
    pub deadline: Instant,
    pub grace: Duration,
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By itself; a signal counts as 128 and its number.
    Exited(i32),
    /// Over the deadline.
    TimedOut,
    /// The container was told to stop.
    Stopped,
    /// It couldn't be started, or not be waited for.
    NotRun(String),
}

impl Ending {
    pub fn is_success(&self) -> bool {
        *self == Self::Exited(0)
    }

    /// The exit code, if it ended by itself.
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(*code),
            _ => None,
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(137) => f.write_str("was killed (137): most likely out of memory"),
            Self::Exited(code) => write!(f, "ended with exit code {code}"),
            Self::TimedOut => f.write_str("ran into the time limit"),
            Self::Stopped => f.write_str("was stopped by a cancel or the deadline"),
            Self::NotRun(why) => write!(f, "couldn't be started: {why}"),
        }
    }
}

enum Event {
    Output(Vec<u8>),
    Captured(Vec<u8>),
    /// One of the readers came to its end.
    Closed,
    Exited(io::Result<ExitStatus>),
}

/// Runs a child; all its output goes to the journal.
pub fn run(command: &mut Command, bounds: &Bounds, journal: &mut Journal) -> Ending {
    match start(command, false) {
        Ok(running) => running.attend(bounds, journal).0,
        Err(error) => Ending::NotRun(error.to_string()),
    }
}

/// Runs a child; its standard output is the answer, and only the rest goes to the journal.
pub fn capture(command: &mut Command, bounds: &Bounds, journal: &mut Journal) -> (Ending, Vec<u8>) {
    match start(command, true) {
        Ok(running) => running.attend(bounds, journal),
        Err(error) => (Ending::NotRun(error.to_string()), Vec::new()),
    }
}

struct Running {
    group: Pid,
    events: Receiver<Event>,
    readers: usize,
}

fn start(command: &mut Command, captured: bool) -> io::Result<Running> {
    let (send, events) = sync_channel(64);
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stderr(writer.try_clone()?).process_group(0);
    command.stdout(if captured { Stdio::piped() } else { writer.into() });
    let mut child = command.spawn()?;
    // The command holds the pipe's writing ends; the reader would never see its end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let group = group_of(&child)?;
    read(reader, send.clone(), Event::Output);
    let mut readers = 1;
    if let Some(stdout) = child.stdout.take() {
        read(stdout, send.clone(), Event::Captured);
        readers += 1;
    }
    thread::spawn(move || send.send(Event::Exited(child.wait())));
    Ok(Running { group, events, readers })
}

fn group_of(child: &Child) -> io::Result<Pid> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    id.ok_or_else(|| io::Error::other("the child has no process id"))
}

fn read(mut from: impl Read + Send + 'static, to: SyncSender<Event>, event: fn(Vec<u8>) -> Event) {
    thread::spawn(move || {
        let mut buffer = [0; 8 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if to.send(event(buffer[..count].to_vec())).is_err() {
                return;
            }
        }
        let _ = to.send(Event::Closed);
    });
}

impl Running {
    fn attend(mut self, bounds: &Bounds, journal: &mut Journal) -> (Ending, Vec<u8>) {
        let mut captured = Vec::new();
        let mut cut: Option<(Ending, Instant)> = None;
        let exit = loop {
            self.press(bounds, &mut cut);
            match self.events.recv_timeout(TICK) {
                Ok(Event::Exited(exit)) => break exit,
                Ok(event) => self.note(event, journal, &mut captured),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Err(io::Error::other("its threads are gone")),
            }
        };
        let _ = kill_process_group(self.group, Signal::KILL);
        self.drain(journal, &mut captured);
        let ending = match (cut, exit) {
            (Some((why, _)), _) => why,
            (None, Ok(status)) => Ending::Exited(code(status)),
            (None, Err(error)) => Ending::NotRun(error.to_string()),
        };
        (ending, captured)
    }

    /// Sends TERM when it's time, and KILL a grace later.
    fn press(&self, bounds: &Bounds, cut: &mut Option<(Ending, Instant)>) {
        let now = Instant::now();
        match cut {
            Some((_, kill_at)) if now >= *kill_at => {
                let _ = kill_process_group(self.group, Signal::KILL);
            }
            Some(_) => {}
            None => {
                let why = if bounds.stop.is_set() { Some(Ending::Stopped) } else { None };
                let why = why.or_else(|| (now >= bounds.deadline).then_some(Ending::TimedOut));
                if let Some(why) = why {
                    let _ = kill_process_group(self.group, Signal::TERM);
                    *cut = Some((why, now + bounds.grace));
                }
            }
        }
    }

    fn note(&mut self, event: Event, journal: &mut Journal, captured: &mut Vec<u8>) {
        match event {
            Event::Output(bytes) => journal.take(&bytes),
            Event::Captured(bytes) if captured.len() + bytes.len() <= MAX_CAPTURE => captured.extend(bytes),
            Event::Closed => self.readers -= 1,
            Event::Captured(_) | Event::Exited(_) => {}
        }
    }

    fn drain(&mut self, journal: &mut Journal, captured: &mut Vec<u8>) {
        let until = Instant::now() + DRAIN;
        while self.readers > 0 {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => self.note(event, journal, captured),
                Err(_) => return,
            }
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(seconds: u64) -> Bounds {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        Bounds { stop: Stop::default(), deadline, grace: Duration::from_millis(300) }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn journal() -> Journal {
        Journal::to_stdout(1 << 30)
    }

    #[test]
    fn the_exit_code_and_all_output_arrive() {
        let mut journal = journal();
        let ending = run(&mut shell("echo out; echo err >&2; exit 7"), &bounds(60), &mut journal);
        assert_eq!(ending, Ending::Exited(7));
        journal.say("end");
        assert_eq!(journal.recent().collect::<Vec<_>>(), ["out", "err", "end"]);
    }

    #[test]
    fn captured_output_stays_out_of_the_journal() {
        let mut journal = journal();
        let (ending, output) = capture(&mut shell("printf answer; echo note >&2"), &bounds(60), &mut journal);
        assert!(ending.is_success());
        assert_eq!(output, b"answer");
        journal.say("end");
        assert_eq!(journal.recent().collect::<Vec<_>>(), ["note", "end"]);
    }

    #[test]
    fn one_that_ignores_term_is_killed_with_its_children() {
        let mut journal = journal();
        let script = "trap '' TERM; sh -c 'trap \"\" TERM; sleep 60; echo late' & echo $!; wait; echo late";
        assert_eq!(run(&mut shell(script), &bounds(0), &mut journal), Ending::TimedOut);
        // Nobody waited for its end, and nothing of it is left. It may not even have come to its first word.
        nothing_is_left(&mut journal);
    }

    #[test]
    fn what_stays_in_the_background_does_not_hold_the_step() {
        let mut journal = journal();
        let script = "(sleep 60; echo late) & echo $!; exit 0";
        assert_eq!(run(&mut shell(script), &bounds(600), &mut journal), Ending::Exited(0));
        nothing_is_left(&mut journal);
    }

    /// The journal has no line but the id of a process that is gone.
    fn nothing_is_left(journal: &mut Journal) {
        journal.say("end");
        for line in journal.recent().filter(|line| *line != "end") {
            assert!(line.parse::<u32>().is_ok(), "somebody waited: {line}");
            while is_alive(line) {
                thread::sleep(TICK);
            }
        }
    }

    /// What was killed may still be waited for by its parent.
    fn is_alive(id: &str) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        !status.is_empty() && !status.contains(") Z ")
    }

    #[test]
    fn a_missing_program_is_said_so() {
        let ending = run(&mut Command::new("/nowhere/program"), &bounds(60), &mut journal());
        assert!(matches!(ending, Ending::NotRun(_)));
    }
}
