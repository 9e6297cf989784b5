//! Whether two sources are the same notebook, although Databricks writes them anew when it exports one: pure.
//!
//! An export always begins with the mark, and is free in line ends and in empty lines around cells.

/// What a notebook's first line says after the comment sign.
const MARK: &str = "Databricks notebook source";
/// What stands between two cells after the comment sign.
const CELL: &str = "COMMAND ----------";

/// Whether both have the same cells.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    cells(&String::from_utf8_lossy(one)) == cells(&String::from_utf8_lossy(other))
}

/// The lines of each cell, without the mark and without the empty lines at a cell's begin and end.
fn cells(source: &str) -> Vec<Vec<&str>> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut cells = vec![Vec::new()];
    for (number, line) in source.lines().enumerate() {
        let line = line.trim_end();
        match comment(line) {
            Some(MARK) if number == 0 => {}
            Some(CELL) => cells.push(Vec::new()),
            _ => cells.last_mut().map(|cell| cell.push(line)).unwrap_or_default(),
        }
    }
    for cell in &mut cells {
        while cell.last().is_some_and(|line| line.is_empty()) {
            cell.pop();
        }
        let first = cell.iter().position(|line| !line.is_empty()).unwrap_or(0);
        cell.drain(..first);
    }
    cells.retain(|cell| !cell.is_empty());
    cells
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
    #[case("if a:\n  b", "if a:\nb", false)]
    #[case("", "a", false)]
    fn a_notebook_is_its_cells(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(is_same(one.as_bytes(), other.as_bytes()), same);
        assert_eq!(is_same(other.as_bytes(), one.as_bytes()), same);
    }
}
