//! Small manifests, and what a release wants of them.

use std::collections::BTreeMap;

use brickline_artifact::manifest::{Change, File, Manifest, Origin, Source, VERSION};
use brickline_artifact::notebook::Notebook;
use brickline_artifact::{ArtifactPath, Digest};
use brickline_crds::{Deploy, DeployItem, ItemKind};

use super::key::key;
use super::state::Author;
use super::target::{Target, targets};

/// A manifest of these files with their contents.
pub(crate) fn manifest(files: &[(&str, &str)]) -> Manifest {
    let file = |(path, content): &(&str, &str)| File {
        path: ArtifactPath::new(*path).unwrap(),
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
        executable: false,
        change: Change::Added,
        previous_path: None,
        notebook: None,
    };
    Manifest {
        version: VERSION,
        release: Origin { namespace: "data".into(), name: "one".into(), uid: "one".into() },
        source: Source {
            url: "https://git.example.com/data/dbxdemo.git".into(),
            reference: "refs/heads/release".into(),
            commit: "9b1c0de".repeat(6)[..40].to_owned(),
            base: None,
            committed_at: 0,
        },
        made_of: Vec::new(),
        files: files.iter().map(file).collect(),
        removed: Vec::new(),
        skipped: Vec::new(),
        wheels: Vec::new(),
    }
}

/// Marks a file as a notebook.
pub(super) fn with_mark(manifest: &mut Manifest, path: &str, notebook: Notebook) {
    for file in manifest.files.iter_mut().filter(|file| file.path.as_str() == path) {
        file.notebook = Some(notebook);
    }
}

/// Where these files of the repository go, all of them below one folder.
pub(super) fn below(to: &str, kind: ItemKind, files: &[(&str, &str)]) -> Vec<Target> {
    let item = DeployItem { from: "**".into(), to: to.into(), kind, ..DeployItem::default() };
    targets(&Deploy { items: Some(vec![item]), ..Deploy::default() }, &manifest(files))
}

/// The same by place.
pub(super) fn by_place(targets: &[Target]) -> BTreeMap<String, &Target> {
    targets.iter().map(|target| (key(&target.to), target)).collect()
}

/// A release of this uid.
pub(super) fn author(uid: &str) -> Author {
    Author {
        installation: "installation".into(),
        owner: "pipeline dbxdemo of namespace data".into(),
        release: format!("data/{uid}"),
        uid: uid.into(),
    }
}
