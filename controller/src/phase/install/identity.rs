//! Which libraries are versions of the same one: pure. Two versions of one library can't be on a cluster together.

use std::collections::BTreeSet;

use brickline_artifact::wheel;

use crate::databricks::libraries::{Library, Maven, Pypi, plain};

/// What makes two libraries versions of the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// A Python distribution by its normalised name (PEP 503), whether it comes as a wheel or from an index.
    Python(String),
    /// `group:artifact`.
    Maven(String),
    /// An R package.
    Cran(String),
    /// A jar of ours by its file's name without version.
    Jar(String),
    /// A requirements file of ours by its name.
    Requirements(String),
    /// Any other file by its path.
    File(String),
}

/// A library's identity; none for kinds that are not known. Jars and requirement files are told apart by path, since their
/// names are anybody's; only below `root`, where nobody but Brickline writes, by the file's name, a jar's without its
/// version.
pub(super) fn identity(library: &Library, root: &str) -> Option<Identity> {
    Some(match library {
        Library::Whl(path) => match wheel::parse(file_name(path)) {
            Some(name) => Identity::Python(name.distribution),
            None => Identity::File(plain(path).to_owned()),
        },
        Library::Pypi(pypi) => Identity::Python(wheel::normalise(split_requirement(&pypi.package).0)),
        Library::Maven(maven) => Identity::Maven(artifact_of(&maven.coordinates).to_owned()),
        Library::Cran(cran) => Identity::Cran(cran.package.trim().to_owned()),
        Library::Jar(path) if is_below(path, root) => Identity::Jar(without_version(file_name(path)).to_owned()),
        Library::Requirements(path) if is_below(path, root) => Identity::Requirements(file_name(path).to_owned()),
        Library::Jar(path) | Library::Requirements(path) => Identity::File(plain(path).to_owned()),
        Library::Other(_) => return None,
    })
}

/// Whether two libraries have the same content: nothing needs to be done.
pub(super) fn same(a: &Library, b: &Library) -> bool {
    match (a, b) {
        (Library::Whl(a), Library::Whl(b))
        | (Library::Jar(a), Library::Jar(b))
        | (Library::Requirements(a), Library::Requirements(b)) => plain(a) == plain(b),
        (Library::Pypi(a), Library::Pypi(b)) => requirement(a) == requirement(b) && a.repo == b.repo,
        (Library::Maven(a), Library::Maven(b)) => {
            a.coordinates.trim() == b.coordinates.trim() && a.repo == b.repo && exclusions(a) == exclusions(b)
        }
        (a, b) => a == b,
    }
}

/// A library as people know it: its path, package or coordinates.
pub(super) fn label(library: &Library) -> String {
    match library {
        Library::Whl(text) | Library::Jar(text) | Library::Requirements(text) => text.clone(),
        Library::Pypi(pypi) => pypi.package.clone(),
        Library::Maven(maven) => maven.coordinates.clone(),
        Library::Cran(cran) => cran.package.clone(),
        Library::Other(value) => value.to_string(),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn is_below(path: &str, root: &str) -> bool {
    plain(path).strip_prefix(plain(root)).is_some_and(|rest| rest.starts_with('/'))
}

/// `etl_2.12` of `etl_2.12-1.0.jar`: what stands before the first `-` with a digit after it.
fn without_version(file: &str) -> &str {
    let stem = file.strip_suffix(".jar").unwrap_or(file);
    let starts = stem.match_indices('-').map(|(at, _)| at);
    let version = starts.into_iter().find(|at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(stem, |at| &stem[..at])
}

/// The name of a requirement (PEP 508) and what follows it: extras, versions, an address.
fn split_requirement(package: &str) -> (&str, &str) {
    let package = package.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    package.split_at(package.find(|c| !is_name(c)).unwrap_or(package.len()))
}

fn requirement(pypi: &Pypi) -> (String, String) {
    let (name, rest) = split_requirement(&pypi.package);
    (wheel::normalise(name), rest.chars().filter(|c| !c.is_whitespace()).collect())
}

/// `group:artifact` of `group:artifact:version`.
fn artifact_of(coordinates: &str) -> &str {
    let coordinates = coordinates.trim();
    let version = coordinates.match_indices(':').nth(1);
    version.map_or(coordinates, |(at, _)| &coordinates[..at])
}

fn exclusions(maven: &Maven) -> BTreeSet<&str> {
    maven.exclusions.iter().map(|text| text.trim()).collect()
}
