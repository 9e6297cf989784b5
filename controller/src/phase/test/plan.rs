//! Which notebooks are run, and how: pure, the same list at every look, so that an index names a notebook.

use brickline_artifact::{Manifest, selection::Selection};
use brickline_crds::{DatabricksReleaseSpec, ItemKind, NotebookTest};

use super::Notebook;
use crate::artifact::wheel_location;
use crate::databricks::libraries::Library;
use crate::phase::deploy::targets;

/// The deployed notebooks that a test pattern selects, sorted by path; the first pattern that matches decides how.
pub(super) fn plan(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Vec<Notebook> {
    let patterns: Vec<(Selection, &NotebookTest)> = spec
        .test
        .notebooks
        .iter()
        .filter_map(|test| Some((Selection::new(std::slice::from_ref(&test.pattern), &[]).ok()?, test)))
        .collect();
    let mut notebooks: Vec<Notebook> = targets(&spec.deploy, manifest)
        .into_iter()
        .filter(|target| target.kind == ItemKind::Notebook)
        .filter_map(|target| {
            let (_, test) = patterns.iter().find(|(selection, _)| selection.contains(&target.path))?;
            Some(Notebook {
                path: target.path,
                target: target.to,
                parameters: test.parameters.clone(),
                timeout: test.timeout.get(),
                max_duration: test.max_duration.get(),
                continue_on_error: test.continue_on_error.unwrap_or(spec.test.continue_on_error),
            })
        })
        .collect();
    notebooks.sort_by(|a, b| (&a.path, &a.target).cmp(&(&b.path, &b.target)));
    notebooks
}

/// The release's libraries, for a cluster or environment that is made for the run: the wheels where Deploy has put them.
pub(super) fn travelling(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Vec<Library> {
    let wheels = spec.install.libraries.iter().any(|library| library.wheels_from_artifact);
    let root = &spec.deploy.libraries.to;
    manifest.wheels.iter().filter(|_| wheels).map(|wheel| Library::Whl(wheel_location(root, wheel))).collect()
}
