//! The libraries that a release asks for: pure.

use brickline_artifact::manifest::Wheel;
use brickline_crds::{Install, InstallLibrary};

use super::identity::{identity, label, same};
use crate::artifact::wheel_location;
use crate::databricks::libraries::{Cran, Library, Maven, Pypi};

/// Every library of `install`, as Databricks' API names them, each once and in the spec's order. `root` is where Deploy
/// has put the artifact's `wheels`. A cluster that is made for a run gets them with the run instead.
///
/// # Errors
/// A sentence, if two of them are versions of the same library: which of them would be used is chance.
pub(crate) fn travelling(install: &Install, wheels: &[Wheel], root: &str) -> Result<Vec<Library>, String> {
    let mut found: Vec<Library> = Vec::new();
    for library in install.libraries.iter().flat_map(|entry| libraries(entry, wheels, root)) {
        let own = identity(&library, root);
        match found.iter().find(|other| identity(other, root) == own) {
            None => found.push(library),
            Some(other) if same(other, &library) => {}
            Some(other) => {
                let (one, two) = (label(other), label(&library));
                return Err(format!("install.libraries has two versions of the same library: {one} and {two}"));
            }
        }
    }
    Ok(found)
}

/// What one entry stands for.
fn libraries(entry: &InstallLibrary, wheels: &[Wheel], root: &str) -> Vec<Library> {
    if entry.wheels_from_artifact {
        return wheels.iter().map(|wheel| Library::Whl(wheel_location(root, wheel))).collect();
    }
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
