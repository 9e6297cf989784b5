//! Whether two sources are the same notebook, although Databricks writes them anew when it exports one: pure.
//!
//! An export always begins with the mark, and is free in line ends and in empty lines around cells.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// What a notebook's first line says after the comment sign.
const MARK: &str = "Databricks notebook source";
/// What stands between two cells after the comment sign.
const CELL: &str = "COMMAND ----------";
/// Hex characters of a digest: 64 bits tell an edit from none, and keep the state file small.
const SHORT: usize = 16;

/// Reads a source part by part, and holds no more of it than one line.
#[derive(Default)]
pub(super) struct Cells {
    hash: Sha256,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    has_begun: bool,
    /// Whether something of the cell that is read was taken.
    in_cell: bool,
    /// Empty lines that count only if the cell goes on.
    empty: usize,
}

impl Cells {
    /// The digest of a source that is in memory.
    pub(super) fn of(source: &[u8]) -> String {
        let mut cells = Self::default();
        cells.read(source);
        cells.digest()
    }

    /// The next part.
    pub(super) fn read(&mut self, mut part: &[u8]) {
        while let Some(end) = part.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = part.split_at(end);
            self.line.extend_from_slice(line);
            self.take();
            part = rest.get(1..).unwrap_or_default();
        }
        self.line.extend_from_slice(part);
    }

    /// The lines of each cell, without the mark and without the empty lines at a cell's begin and end.
    pub(super) fn digest(mut self) -> String {
        self.take();
        let hex = HEXLOWER.encode(&self.hash.finalize());
        hex.get(..SHORT).unwrap_or(&hex).to_owned()
    }

    /// Takes the line that has come to its end.
    fn take(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let text = if is_first { text.strip_prefix('\u{feff}').unwrap_or(&text) } else { &text };
        let text = text.trim_end();
        match comment(text) {
            Some(MARK) if is_first => {}
            Some(CELL) => (self.in_cell, self.empty) = (false, 0),
            _ if text.is_empty() => self.empty += usize::from(self.in_cell),
            _ => self.add(text),
        }
    }

    fn add(&mut self, text: &str) {
        if !std::mem::replace(&mut self.in_cell, true) {
            // No line holds this: it begins a cell.
            self.hash.update(b"\n\n\0");
        }
        (0..std::mem::take(&mut self.empty)).for_each(|_| self.hash.update(b"\n"));
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
    }
}

/// What a line that is a comment in one of the languages says.
fn comment(line: &str) -> Option<&str> {
    ["#", "//", "--"].iter().find_map(|sign| line.strip_prefix(sign)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    // What an export adds or leaves out.
    #[case("print(1)", "# Databricks notebook source\nprint(1)\n", true)]
    #[case("# Databricks notebook source\r\nprint(1)\r\n", "# Databricks notebook source\nprint(1)", true)]
    #[case("\u{feff}# Databricks notebook source\nprint(1)", "print(1)", true)]
    #[case(
        "-- Databricks notebook source\nselect 1\n-- COMMAND ----------\nselect 2",
        "-- Databricks notebook source\nselect 1\n\n-- COMMAND ----------\n\nselect 2\n",
        true
    )]
    #[case(
        "// Databricks notebook source\nval a = 1",
        "// Databricks notebook source\nval a = 1\n\n// COMMAND ----------\n\n",
        true
    )]
    // What somebody edited.
    #[case("print(1)", "print(2)", false)]
    #[case("a\nb", "a\n# COMMAND ----------\nb", false)]
    #[case("a\n\nb", "a\nb", false)]
    #[case("a\n\n\nb", "a\n\nb", false)]
    #[case("if a:\n  b", "if a:\nb", false)]
    #[case("", "a", false)]
    fn a_notebook_is_its_cells(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(Cells::of(one.as_bytes()) == Cells::of(other.as_bytes()), same);
    }

    #[rstest]
    #[case("# Databricks notebook source\nprint('ä')\n\n# COMMAND ----------\n\n\nx = 1\r\n")]
    fn it_may_be_read_in_any_parts(#[case] source: &str) {
        for size in 1..source.len() {
            let mut cells = Cells::default();
            source.as_bytes().chunks(size).for_each(|part| cells.read(part));
            assert_eq!(cells.digest(), Cells::of(source.as_bytes()), "parts of {size}");
        }
    }
}
