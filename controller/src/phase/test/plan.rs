//! Which notebooks are run, and how: pure, the same list at every look, so that an index names a notebook.

use brickline_artifact::{Manifest, selection::Selection};
use brickline_crds::{DatabricksReleaseSpec, ItemKind, NotebookTest, Reason};

use super::Notebook;
use crate::databricks::libraries::Library;
use crate::phase::deploy::targets;
use crate::phase::install;
use crate::trouble::Trouble;

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

/// The release's libraries, for a cluster or environment that is made for the run: all that Install would put on a cluster.
pub(crate) fn travelling(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Result<Vec<Library>, Trouble> {
    let libraries = install::travelling(&spec.install, &manifest.wheels, &spec.deploy.libraries.to);
    libraries.map_err(|message| Trouble::lasting(Reason::InvalidSpec, message))
}

#[cfg(test)]
mod tests;
