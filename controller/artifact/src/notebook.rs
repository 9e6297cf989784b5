//! A notebook is a source file that Databricks imports as cells: by its first line's mark, or as Jupyter's `.ipynb`.

use serde::{Deserialize, Serialize};

/// What a notebook's first line says after the language's comment sign.
const MARK: &str = "Databricks notebook source";

/// How many bytes of a file tell whether it's a notebook.
pub const HEAD_BYTES: usize = 64;

/// A notebook's language, or its format if the language is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Notebook {
    /// `.py`
    Python,
    /// `.scala`
    Scala,
    /// `.sql`
    Sql,
    /// `.r`
    R,
    /// `.ipynb`; the language stands in its metadata.
    Jupyter,
}

/// Tells by a file's name and its first [`HEAD_BYTES`] whether it's a notebook.
#[must_use]
pub fn recognise(path: &str, head: &[u8]) -> Option<Notebook> {
    let (_, suffix) = path.rsplit_once('.')?;
    let (notebook, comment) = match suffix.to_ascii_lowercase().as_str() {
        "py" => (Notebook::Python, "#"),
        "scala" => (Notebook::Scala, "//"),
        "sql" => (Notebook::Sql, "--"),
        "r" => (Notebook::R, "#"),
        "ipynb" => return Some(Notebook::Jupyter),
        _ => return None,
    };
    has_mark(head, comment).then_some(notebook)
}

fn has_mark(head: &[u8], comment: &str) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return false };
    line.strip_prefix(comment).is_some_and(|rest| rest.trim() == MARK)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("n/a.py", "# Databricks notebook source\nimport os", Some(Notebook::Python))]
    #[case("n/a.py", "# Databricks notebook source\r\nimport os", Some(Notebook::Python))]
    #[case("n/a.py", "\u{feff}# Databricks notebook source\n", Some(Notebook::Python))]
    #[case("a.scala", "// Databricks notebook source\n", Some(Notebook::Scala))]
    #[case("a.sql", "-- Databricks notebook source", Some(Notebook::Sql))]
    #[case("a.R", "# Databricks notebook source\n", Some(Notebook::R))]
    #[case("a.ipynb", "{", Some(Notebook::Jupyter))]
    #[case("a.py", "import os\n# Databricks notebook source\n", None)]
    #[case("a.py", "# Databricks notebook sources\n", None)]
    #[case("a.sql", "# Databricks notebook source\n", None)]
    #[case("a.txt", "# Databricks notebook source\n", None)]
    #[case("noSuffix", "# Databricks notebook source\n", None)]
    fn the_first_line_decides(#[case] path: &str, #[case] text: &str, #[case] expected: Option<Notebook>) {
        assert_eq!(recognise(path, text.as_bytes()), expected);
    }
}
