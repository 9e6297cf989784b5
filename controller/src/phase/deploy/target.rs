//! Where each file of the artifact goes: pure.

use brickline_artifact::{Manifest, manifest::File, selection::Selection};
use brickline_crds::{Deploy, DeployItem, ItemKind};

use crate::artifact::{Entry, library_location, wheel_location};
use crate::databricks::workspace::{Format, Language};

/// One file and its place in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its path in the repository.
    pub(crate) path: String,
    /// Its place in the workspace.
    pub(crate) to: String,
    /// What it becomes; never `Auto`.
    pub(crate) kind: ItemKind,
    pub(crate) form: Form,
    pub(crate) entry: Entry,
}

impl Target {
    /// Whether it becomes a file.
    pub(super) fn is_file(&self) -> bool {
        self.kind == ItemKind::File
    }

    /// Whether an export of it can be compared with what was written: not if Databricks made a notebook of it anew.
    pub(super) fn has_cells(&self) -> bool {
        matches!(self.form, Form::Notebook(Format::Source, _))
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a notebook.
    Notebook(Format, Option<Language>),
    /// As a workspace file or a file of a volume.
    File,
    /// As a workspace file, although it looks like a notebook: the call for files would make one of it.
    Raw,
}

/// A library and its place below the library root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Library {
    pub(crate) location: String,
    pub(crate) entry: Entry,
}

/// Every file that a deploy item selects, in the order of the items. A path may go to several places.
pub(crate) fn targets(deploy: &Deploy, manifest: &Manifest) -> Vec<Target> {
    deploy.items().iter().flat_map(|item| of_item(item, manifest)).collect()
}

/// The wheels, and the other libraries that `libraries.include` selects.
pub(crate) fn libraries(deploy: &Deploy, manifest: &Manifest) -> Vec<Library> {
    let root = &deploy.libraries.to;
    let wheel = |wheel| Library { location: wheel_location(root, wheel), entry: Entry::of_wheel(wheel) };
    let wheels = manifest.wheels.iter().map(wheel);
    let file = |file| Library { location: library_location(root, file), entry: Entry::of_file(file) };
    wheels.chain(included(deploy, &manifest.files).map(file)).collect()
}

/// The files of the repository that `libraries.include` selects.
pub(crate) fn included<'a>(deploy: &Deploy, files: &'a [File]) -> impl Iterator<Item = &'a File> + use<'a> {
    let selection = Selection::new(&deploy.libraries.include, &[]).ok();
    files.iter().filter(move |file| selection.as_ref().is_some_and(|selection| selection.contains(file.path.as_str())))
}

fn of_item(item: &DeployItem, manifest: &Manifest) -> Vec<Target> {
    let Ok(selection) = Selection::new(std::slice::from_ref(&item.from), &[]) else { return Vec::new() };
    let base = fixed_part(&item.from);
    let selected = manifest.files.iter().filter(|file| selection.contains(file.path.as_str()));
    let target = |file: &File| {
        let form = form(item, file)?;
        let path = file.path.as_str();
        let kind = if matches!(form, Form::Notebook(..)) { ItemKind::Notebook } else { ItemKind::File };
        let below = path.strip_prefix(base).unwrap_or(path).trim_start_matches('/');
        let below = if kind == ItemKind::Notebook && item.strip_extension { stripped(below) } else { below };
        let (path, to) = (path.to_owned(), format!("{}/{below}", item.to));
        Some(Target { path, to, kind, form, entry: Entry::of_file(file) })
    };
    selected.filter_map(target).collect()
}

/// What a file becomes; none if the item has no place for it.
fn form(item: &DeployItem, file: &File) -> Option<Form> {
    let notebook = || language(file.path.as_str()).map(|(format, language)| Form::Notebook(format, language));
    match item.kind {
        ItemKind::Notebook => notebook(),
        ItemKind::Auto if file.notebook.is_some() && !in_volume(&item.to) => notebook(),
        ItemKind::File if file.notebook.is_some() && !in_volume(&item.to) => Some(Form::Raw),
        ItemKind::Auto | ItemKind::File => Some(Form::File),
    }
}

pub(super) fn in_volume(to: &str) -> bool {
    to == "/Volumes" || to.starts_with("/Volumes/")
}

/// The folders of a glob before its first wildcard: `notebooks` of `notebooks/**`. A glob without one names a file or
/// a folder, whose own folder counts.
fn fixed_part(glob: &str) -> &str {
    let fixed = glob.find(['*', '?', '[', '{']).map_or(glob, |at| &glob[..at]);
    fixed.rfind('/').map_or("", |at| &fixed[..at])
}

/// A path without the extension of its last part; a name that begins with its only dot stays.
fn stripped(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, suffix)) if !suffix.contains('/') && !stem.is_empty() && !stem.ends_with('/') => stem,
        _ => path,
    }
}

/// How a notebook is imported, by its suffix in any case: Jupyter files tell their language themselves.
fn language(path: &str) -> Option<(Format, Option<Language>)> {
    let suffix = path.rsplit_once('.')?.1.to_ascii_lowercase();
    match suffix.as_str() {
        "py" => Some((Format::Source, Some(Language::Python))),
        "scala" => Some((Format::Source, Some(Language::Scala))),
        "sql" => Some((Format::Source, Some(Language::Sql))),
        "r" => Some((Format::Source, Some(Language::R))),
        "ipynb" => Some((Format::Jupyter, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
