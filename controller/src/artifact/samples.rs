//! Small artifacts as builds hand them in, and a store for them.

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use brickline_artifact::manifest::{Change, File, Manifest, Origin, Source, VERSION, Wheel};
use brickline_artifact::{ArtifactPath, Digest, layout, wheel};
use brickline_crds::Artifact;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::receive::{Attempt, Refused};
use super::{Artifacts, Content, Entry};

/// A store in a folder that goes with it.
pub(crate) struct Shop {
    pub(crate) artifacts: Artifacts,
    folder: TempDir,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { artifacts: Artifacts::in_folder(folder.path()).unwrap(), folder }
    }

    /// The file of an object.
    pub(crate) fn file(&self, place: &object_store::path::Path) -> PathBuf {
        self.folder.path().join(place.as_ref())
    }

    /// Hands an artifact in as the build of a release.
    pub(crate) async fn hand_in(&self, uid: &str, zip: &Bytes) -> Digest {
        let attempt = Attempt {
            namespace: "data".into(),
            uid: uid.into(),
            job: brickline_crds::Build::ARTIFACT.into(),
            number: 1,
        };
        let digest = Digest::of(zip);
        let body = futures::stream::iter([Ok::<_, String>(zip.clone())]);
        let received = self.artifacts.receive_artifact(&attempt, digest, u64::MAX, body).await;
        assert!(matches!(received, Ok(()) | Err(Refused::Sealed)), "{received:?}");
        digest
    }

    /// Writes an object that was last written so long ago.
    pub(crate) fn put(&self, place: &object_store::path::Path, age: Duration) {
        let file = self.file(place);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "content").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    /// Turns one bit of an object round.
    pub(crate) fn flip(&self, place: &object_store::path::Path, at: usize) {
        let mut bytes = std::fs::read(self.file(place)).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1;
        std::fs::write(self.file(place), bytes).unwrap();
    }
}

/// The artifact of a build: files, and wheels by their names, with their contents.
pub(crate) fn built(release: &str, files: &[(&str, &str)], wheels: &[(&str, &str)]) -> Bytes {
    let digests = |content: &str| (Digest::of(content.as_bytes()), content.len() as u64);
    let file = |(path, content): &(&str, &str)| {
        let (digest, size) = digests(content);
        let path = ArtifactPath::new(*path).unwrap();
        let (change, previous_path, notebook) = (Change::Added, None, None);
        File { path, digest, size, executable: content.starts_with("#!"), change, previous_path, notebook }
    };
    let wheel = |(name, content): &(&str, &str)| {
        let (named, (digest, size)) = (wheel::parse(name).unwrap(), digests(content));
        let path = ArtifactPath::new(format!("{}{name}", layout::WHEELS_PREFIX)).unwrap();
        Wheel { path, distribution: named.distribution, version: named.version, digest, size }
    };
    let (made_of, removed, skipped) = Default::default();
    let mut manifest = Manifest {
        version: VERSION,
        release: Origin { namespace: "data".into(), name: release.into(), uid: release.into() },
        source: Source {
            url: "https://git.example.com/data/dbxdemo.git".into(),
            reference: "refs/heads/release".into(),
            commit: "9b1c0de".repeat(6)[..40].to_owned(),
            base: None,
            committed_at: 0,
        },
        made_of,
        files: files.iter().map(file).collect(),
        removed,
        skipped,
        wheels: wheels.iter().map(wheel).collect(),
    };
    let text = manifest.to_json().unwrap();
    let mut entries = vec![(layout::MANIFEST_ENTRY.to_owned(), text)];
    entries.extend(
        files.iter().map(|(path, content)| (format!("{}{path}", layout::FILES_PREFIX), content.as_bytes().into())),
    );
    entries.extend(
        wheels.iter().map(|(name, content)| (format!("{}{name}", layout::WHEELS_PREFIX), content.as_bytes().into())),
    );
    zipped(&entries)
}

/// A zip of these entries.
pub(crate) fn zipped(entries: &[(String, Vec<u8>)]) -> Bytes {
    // As if of a build long ago: no compressor's version changes it.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name.as_str(), options.last_modified_time(DateTime::DEFAULT)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner().into()
}

/// The artifact as a status names it.
pub(crate) fn named(digest: &Digest) -> Artifact {
    Artifact { digest: digest.to_string(), ..Artifact::default() }
}

/// All of an entry.
pub(crate) async fn read(content: &Content, entry: &Entry) -> std::io::Result<Bytes> {
    content
        .parts(entry)
        .try_fold(BytesMut::new(), async |mut all, part| {
            all.extend_from_slice(&part);
            Ok(all)
        })
        .await
        .map(BytesMut::freeze)
}

/// The entry of a file.
pub(crate) fn file(manifest: &Manifest, path: &str) -> Entry {
    Entry::of_file(manifest.files.iter().find(|file| file.path.as_str() == path).unwrap())
}
