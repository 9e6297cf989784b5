//! No call without a test: every endpoint of Databricks that the controller or the end-to-end scenarios ask is in the table
//! of `sdk/methods.py`, where Databricks' own SDK asks it too, rightly and wrongly.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "HEAD", "DELETE"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The endpoints of the table, without version and method. What follows a slash at the end is a name.
fn tested() -> BTreeSet<String> {
    let table = std::fs::read_to_string(here("tests/sdk/methods.py")).unwrap();
    let quoted = table.split('"').filter_map(|text| text.split_once(' '));
    quoted.filter(|(method, _)| METHODS.contains(method)).map(|(_, path)| tidy(path)).collect()
}

fn tidy(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

/// All Rust sources below a folder, but for its own tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") && !name.starts_with("tests") {
            found.push(path);
        }
    }
}

/// The endpoints that a source names. Where the last part is filled in, it is one of those that the file names elsewhere.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("/api/").skip(1) {
        let Some((version, rest)) = rest.split_once('/') else { continue };
        if !version.starts_with("2.") && version != "*" {
            continue;
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/_-".contains(c))).unwrap_or(rest.len());
        let (path, behind) = rest.split_at(end);
        let siblings: BTreeSet<_> =
            text.split('"').filter(|text| text.len() > path.len() && text.starts_with(path)).collect();
        if behind.starts_with('{') && path.ends_with('/') && !siblings.is_empty() {
            found.extend(siblings.into_iter().map(str::to_owned));
        } else {
            found.insert(tidy(path));
        }
    }
    found
}

#[test]
fn every_call_has_its_row() {
    let tested = tested();
    let is_tested = |path: &str| {
        let below = |known: &String| path.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('/'));
        tested.contains(path) || tested.iter().any(below)
    };
    let mut files = Vec::new();
    sources(&here("../../controller/src/databricks"), &mut files);
    let of_controller = files.len();
    sources(&here("../src"), &mut files);
    let (mut missing, mut calls) = (BTreeMap::new(), BTreeSet::new());
    for (place, file) in files.iter().enumerate() {
        let text = std::fs::read_to_string(file).unwrap();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let names = named(&code.join("\n"));
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            if !is_tested(&name) {
                missing.insert(name.clone(), file.display().to_string());
            }
            calls.extend((place < of_controller).then_some(name));
        }
    }
    assert!(missing.is_empty(), "these have no row in tests/sdk/methods.py: {missing:#?}");
    // The test would be blind if it found none.
    for known in
        ["jobs/runs/submit", "jobs/runs/get-output", "fs/files", "workspace-files/import-file", "preview/scim/v2/Me"]
    {
        assert!(calls.contains(known), "{known} is not found among {calls:?}");
    }
}

#[test]
fn names_are_found_where_they_are_filled_in() {
    let text = r#"call("jobs/runs/get"); call("jobs/runs/export"); format!("/api/2.2/jobs/runs/{name}"); "/api/2.0/fs/files{}""#;
    let found = named(text);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["fs/files", "jobs/runs/export", "jobs/runs/get"]);
}
