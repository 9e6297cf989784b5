//! A journal is a container's log: every line with its time, on standard output and in a file, within a budget.
//!
//! Secrets of the container are left out. Beyond the budget the end is kept and the middle left out, since the end says why
//! something failed.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::secrets::Secrets;

/// Longer lines are cut into pieces of this size.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// How much of the end is kept beyond the budget.
const TAIL_BYTES: usize = 256 * 1024;
/// How many lines are remembered for messages.
const RECENT_LINES: usize = 60;

/// A log under way.
pub struct Journal {
    file: Option<File>,
    budget: u64,
    tail: VecDeque<u8>,
    left_out: u64,
    line: Vec<u8>,
    recent: VecDeque<String>,
    secrets: Secrets,
}

impl Journal {
    /// Opens the log's file anew, with a budget of bytes.
    pub fn create(path: &Path, budget: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut journal = Self::to_stdout(budget);
        journal.file = Some(File::create(path)?);
        Ok(journal)
    }

    /// A log on standard output alone.
    pub fn to_stdout(budget: u64) -> Self {
        let budget = budget.saturating_sub(TAIL_BYTES as u64);
        let (tail, recent) = (VecDeque::new(), VecDeque::new());
        Self { file: None, budget, tail, left_out: 0, line: Vec::new(), recent, secrets: Secrets::default() }
    }

    /// From now on these are not told, beside those that already were not.
    pub fn hide(&mut self, secrets: &Secrets) {
        self.secrets = std::mem::take(&mut self.secrets).and(secrets);
    }

    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Takes output as it comes, in any pieces.
    pub fn take(&mut self, output: &[u8]) {
        for piece in output.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line();
            } else if self.line.len() >= MAX_LINE_BYTES + self.secrets.overhang() {
                self.cut_line();
            }
        }
    }

    /// Writes a line of the runner's own.
    pub fn say(&mut self, text: &str) {
        self.end_line();
        self.take(text.as_bytes());
        self.end_line();
    }

    /// The remembered lines since the last [`Journal::forget`], newest last.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.recent.iter().map(String::as_str)
    }

    /// Forgets the remembered lines, before a new child.
    pub fn forget(&mut self) {
        self.end_line();
        self.recent.clear();
    }

    /// Writes the kept end.
    pub fn finish(&mut self) {
        self.end_line();
        if self.left_out > self.tail.len() as u64 {
            let gap = self.left_out - self.tail.len() as u64;
            self.emit(format!("... {gap} bytes left out ...\n").as_bytes());
        }
        let tail: Vec<u8> = std::mem::take(&mut self.tail).into();
        self.emit(&tail);
        self.left_out = 0;
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = self.secrets.masked(text.trim_end_matches(['\n', '\r'])).into_owned();
        self.remember(&text);
        let stamped = format!("{:.3} {text}\n", Timestamp::now());
        self.write(stamped.as_bytes());
    }

    /// Writes the beginning of a long line. What may be the beginning of a secret stays, until the rest of it has come.
    fn cut_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let mut masked = self.secrets.masked(&text).into_owned();
        let mut at = masked.len().saturating_sub(self.secrets.overhang());
        while !masked.is_char_boundary(at) {
            at -= 1;
        }
        let rest = masked.split_off(at);
        self.line = masked.into_bytes();
        self.end_line();
        self.line = rest.into_bytes();
    }

    fn remember(&mut self, text: &str) {
        if self.recent.len() == RECENT_LINES {
            self.recent.pop_front();
        }
        self.recent.push_back(text.to_owned());
    }

    fn write(&mut self, line: &[u8]) {
        let size = line.len() as u64;
        if self.left_out == 0 && size <= self.budget {
            self.budget -= size;
            self.emit(line);
            return;
        }
        self.left_out += size;
        self.tail.extend(line);
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
    }

    /// A log that can't be written must not fail what it tells about.
    fn emit(&mut self, bytes: &[u8]) {
        if !cfg!(test) {
            let _ = io::stdout().write_all(bytes);
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(budget: u64, write: impl FnOnce(&mut Journal)) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log/steps.log");
        let mut journal = Journal::create(&path, budget).expect("creatable");
        write(&mut journal);
        drop(journal);
        fs::read_to_string(path).expect("readable")
    }

    #[test]
    fn every_line_has_its_time_in_whatever_pieces_it_comes() {
        let text = log(1 << 30, |journal| {
            journal.take(b"one\ntw");
            journal.take(b"o\r\nthree");
        });
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').expect("a time")).collect();
        assert_eq!(lines.iter().map(|(_, text)| *text).collect::<Vec<_>>(), ["one", "two", "three"]);
        assert!(lines.iter().all(|(time, _)| time.parse::<Timestamp>().is_ok()));
    }

    #[test]
    fn beyond_the_budget_the_end_is_kept() {
        let text = log(TAIL_BYTES as u64 + 1000, |journal| {
            for number in 0..200_000 {
                journal.take(format!("line {number}\n").as_bytes());
            }
        });
        assert!(text.len() < TAIL_BYTES + 2000, "{}", text.len());
        assert!(text.lines().next().expect("a line").ends_with("line 0"));
        assert!(text.contains("bytes left out"));
        assert!(text.ends_with("line 199999\n"));
    }

    #[test]
    fn a_secret_is_not_told_in_whatever_pieces_it_comes() {
        let secret = "dapi0123456789abcdef";
        for before in [0, 100, MAX_LINE_BYTES - 10, MAX_LINE_BYTES, MAX_LINE_BYTES + 15, 3 * MAX_LINE_BYTES - 5] {
            let line = format!("{}{secret}{}", "x".repeat(before), "y".repeat(MAX_LINE_BYTES));
            let text = log(1 << 30, |journal| {
                journal.hide(&crate::secrets::tests::secrets(&[secret]));
                line.as_bytes().chunks(1000).for_each(|piece| journal.take(piece));
                journal.take(b"\n");
                assert!(journal.recent().all(|line| !line.contains("dapi")));
            });
            let joined: String = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, text)| text).collect();
            assert_eq!(joined, line.replace(secret, "[redacted]"), "after {before} bytes");
        }
    }

    #[test]
    fn an_endless_line_is_cut() {
        let text = log(1 << 30, |journal| journal.take(&vec![b'x'; MAX_LINE_BYTES * 3]));
        assert!(text.lines().all(|line| line.len() <= MAX_LINE_BYTES * 3 + 64));
        let mut journal = Journal::to_stdout(0);
        for _ in 0..100 {
            journal.take(&[b'x'; 1000]);
        }
        assert!(journal.line.len() <= MAX_LINE_BYTES + 1000);
    }
}
