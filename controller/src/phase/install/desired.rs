//! The libraries that a release asks for: pure.

use brickline_artifact::manifest::{File, Wheel};
use brickline_artifact::selection::Selection;
use brickline_crds::{DatabricksReleaseSpec, InstallLibrary, Reason};

use super::identity::{identity, label, same};
use crate::artifact::{library_location, wheel_location};
use crate::databricks::libraries::{Cran, Library, Maven, Pypi};
use crate::phase::deploy;
use crate::trouble::Trouble;

/// Every library of `install`, as Databricks' API names them, each once and in the spec's order; those of the artifact at
/// the places where Deploy has put them. A cluster that is made for a run gets them with the run instead. `wheels`, `files`:
/// the artifact's.
///
/// # Errors
/// `InvalidSpec`, if two of them are versions of the same library: which of them would be used is chance. The same for a
/// glob that selects nothing.
pub(crate) fn travelling(
    spec: &DatabricksReleaseSpec,
    wheels: &[Wheel],
    files: &[File],
) -> Result<Vec<Library>, Trouble> {
    let root = &spec.deploy.libraries.to;
    let mut found: Vec<Library> = Vec::new();
    for entry in &spec.install.libraries {
        for library in libraries(entry, spec, wheels, files)? {
            let own = identity(&library, root);
            match found.iter().find(|other| identity(other, root) == own) {
                None => found.push(library),
                Some(other) if same(other, &library) => {}
                Some(other) => {
                    let (one, two) = (label(other), label(&library));
                    return Err(invalid(&format!("has two versions of the same library: {one} and {two}")));
                }
            }
        }
    }
    Ok(found)
}

fn invalid(why: &str) -> Trouble {
    Trouble::lasting(Reason::InvalidSpec, format!("install.libraries {why}"))
}

/// What one entry stands for.
fn libraries(
    entry: &InstallLibrary,
    spec: &DatabricksReleaseSpec,
    wheels: &[Wheel],
    files: &[File],
) -> Result<Vec<Library>, Trouble> {
    if entry.wheels_from_artifact {
        let root = &spec.deploy.libraries.to;
        return Ok(wheels.iter().map(|wheel| Library::Whl(wheel_location(root, wheel))).collect());
    }
    match &entry.from_artifact {
        Some(glob) => included(glob, spec, files),
        None => Ok(named(entry)),
    }
}

/// What Deploy brings of the repository, as far as the glob selects it.
fn included(glob: &str, spec: &DatabricksReleaseSpec, files: &[File]) -> Result<Vec<Library>, Trouble> {
    let selection = Selection::new(&[glob.to_owned()], &[]).map_err(|error| invalid(&format!("{glob}: {error}")))?;
    let brought = deploy::included(&spec.deploy, files);
    let chosen = brought.filter(|file| selection.contains(file.path.as_str()));
    let root = &spec.deploy.libraries.to;
    let found: Vec<Library> = chosen.filter_map(|file| of_file(library_location(root, file))).collect();
    if found.is_empty() {
        return Err(invalid(&format!("wants {glob}, and nothing that deploy.libraries.include brings is that")));
    }
    Ok(found)
}

/// A file as a library of the kind that its name tells.
fn of_file(location: String) -> Option<Library> {
    match location.rsplit_once('.')?.1 {
        "jar" => Some(Library::Jar(location)),
        "whl" => Some(Library::Whl(location)),
        "txt" => Some(Library::Requirements(location)),
        _ => None,
    }
}

/// The one library that an entry names.
fn named(entry: &InstallLibrary) -> Vec<Library> {
    let files = [
        entry.whl.clone().map(Library::Whl),
        entry.jar.clone().map(Library::Jar),
        entry.requirements.clone().map(Library::Requirements),
    ];
    let pypi = entry.pypi.clone().map(|pypi| Library::Pypi(Pypi { package: pypi.package, repo: pypi.repo }));
    let maven = entry.maven.clone().map(|maven| {
        Library::Maven(Maven { coordinates: maven.coordinates, repo: maven.repo, exclusions: maven.exclusions })
    });
    let cran = entry.cran.clone().map(|cran| Library::Cran(Cran { package: cran.package, repo: cran.repo }));
    files.into_iter().chain([pypi, maven, cran]).flatten().collect()
}
