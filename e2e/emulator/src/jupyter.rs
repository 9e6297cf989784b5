//! Jupyter notebooks, turned into the source form that everything else here understands.

use serde::Deserialize;

#[derive(Deserialize)]
struct Notebook {
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    cell_type: String,
    source: Text,
}

/// Jupyter writes text as one string or as a list of lines.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Whole(String),
    Lines(Vec<String>),
}

impl Text {
    fn whole(self) -> String {
        match self {
            Self::Whole(text) => text,
            Self::Lines(lines) => lines.concat(),
        }
    }
}

/// The source of a Python notebook: cells between `COMMAND` lines, Markdown and magics behind `MAGIC`.
pub(crate) fn to_source(content: &[u8]) -> serde_json::Result<Vec<u8>> {
    let notebook: Notebook = serde_json::from_slice(content)?;
    let cells: Vec<_> = notebook.cells.into_iter().filter_map(cell).collect();
    Ok(format!("# Databricks notebook source\n{}\n", cells.join("\n\n# COMMAND ----------\n\n")).into_bytes())
}

fn cell(cell: Cell) -> Option<String> {
    let text = cell.source.whole();
    match cell.cell_type.as_str() {
        "code" if text.trim_start().starts_with('%') => Some(magic(&text)),
        "code" => Some(text),
        "markdown" => Some(magic(&format!("%md\n{text}"))),
        _ => None,
    }
}

fn magic(text: &str) -> String {
    text.lines().map(|line| format!("# MAGIC {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_become_commands() {
        let notebook = br##"{"cells":[{"cell_type":"markdown","source":["# T\n","x"]},
            {"cell_type":"code","source":"a = 1\nb = 2"},{"cell_type":"raw","source":"no"},
            {"cell_type":"code","source":["%sql\n","select 1"]}],"nbformat":4}"##;
        let source = String::from_utf8(super::to_source(notebook).unwrap()).unwrap();
        assert_eq!(
            source,
            "# Databricks notebook source\n# MAGIC %md\n# MAGIC # T\n# MAGIC x\n\n# COMMAND ----------\n\na = 1\nb = 2\n\n\
             # COMMAND ----------\n\n# MAGIC %sql\n# MAGIC select 1\n"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(super::to_source(b"print(1)").is_err());
    }
}
