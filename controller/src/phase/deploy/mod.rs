//! Deploy: the artifact into the workspace. Notebooks are imported, files and wheels uploaded.

mod act;
mod check;
mod decide;
mod key;
#[cfg(test)]
mod samples;
mod target;

pub(crate) use act::act;
pub(crate) use decide::decide;
pub(crate) use target::targets;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deployed {
    pub(crate) notebooks: usize,
    pub(crate) files: usize,
    pub(crate) libraries: usize,
}
