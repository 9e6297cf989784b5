//! What the documents say of the tests must be true: each test that `docs/reliability.md` names for a defect exists.

use std::path::{Path, PathBuf};

/// The heading of the table, and what begins a row.
const HEADING: &str = "## The defects of the scripts";
const ROW: &str = "| ";
/// Where tests are.
const CRATES: [&str; 4] = ["controller", "crds", "tests", "e2e"];

/// The names in backquotes of the last column of each row.
fn named(document: &str) -> Vec<Vec<String>> {
    let after = document.split_once(HEADING).map(|(_, after)| after).unwrap_or_default();
    let section = after.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with(ROW)).skip(2);
    rows.map(|row| {
        let column = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        column.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    })
    .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let is_source = entry.extension().is_some_and(|suffix| suffix == "rs");
        if entry.is_dir() && !entry.ends_with("target") {
            sources(&entry, found);
        } else if is_source {
            found.push(entry);
        }
    }
}

#[test]
fn every_defect_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/reliability.md")).expect("the document");
    let mut files = Vec::new();
    for name in CRATES {
        sources(&root.join(name), &mut files);
    }
    let code: String = files.iter().map(|file| std::fs::read_to_string(file).expect("a source")).collect();
    let rows = named(&document);
    assert_eq!(rows.len(), 19, "fourteen defects and five more");
    for names in rows {
        assert!(!names.is_empty(), "a row names no test");
        for name in names {
            assert!(
                code.contains(&format!("fn {name}(")),
                "docs/reliability.md names the test {name}, which there is not"
            );
        }
    }
}
