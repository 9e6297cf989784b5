//! Where things are in the artifact store: pure.
//!
//! | place | what |
//! | --- | --- |
//! | `artifacts/<hex>.zip` | an artifact, by digest |
//! | `artifacts/<hex>.manifest` | a copy of its manifest |
//! | `artifacts/<hex>.<namespace>.fetched` | empty: a release of this namespace has fetched it from elsewhere |
//! | `releases/<namespace>/<uid>/<attempt>/...` | what one attempt of the artifact's job handed in |
//! | `releases/<namespace>/<uid>/jobs/<job>/<attempt>/...` | what one attempt of a further job of the build handed in |
//! | `releases/<namespace>/<uid>/deploy/...` | what a deployment was about to change, and what it changed |
//! | `releases/<namespace>/<uid>/test/...` | verdicts and JUnit of the notebooks, `<run id>.json` for each run |
//! | `releases/<namespace>/<uid>/log/<phase>/<offset>` | the phase's log, in parts |
//! | `history/<namespace>/<pipeline>/<stage>.json` | how long tests took that passed |

use brickline_artifact::Digest;
use brickline_artifact::manifest::{File, Wheel};
use brickline_crds::{Build, DatabricksRelease, Phase};
use kube::ResourceExt;
use object_store::path::Path;

/// Hex characters of a wheel's digest in its place on the workspace: enough to keep contents apart, short for people.
const SHORT: usize = 12;

/// The folder of the artifacts.
pub(super) const ARTIFACTS: &str = "artifacts";
/// The folder of what builds and tests leave beside.
pub(super) const RELEASES: &str = "releases";

/// The folder of what pipelines remember.
pub(super) const HISTORY: &str = "history";

/// How long a stage's tests took.
pub(crate) fn history(namespace: &str, pipeline: &str, stage: &str) -> Path {
    Path::from(format!("{HISTORY}/{namespace}/{pipeline}/{stage}.json"))
}

/// The zip.
pub(crate) fn artifact(digest: &Digest) -> Path {
    Path::from(format!("{ARTIFACTS}/{}.zip", digest.hex()))
}

/// Whether a place is an artifact's, not that of something beside it.
pub(super) fn is_zip(place: &Path) -> bool {
    place.extension() == Some("zip")
}

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The artifact or something beside it.
    Artifact(Digest),
    /// The release of this namespace and uid.
    Release(String, String),
    /// The pipeline of this namespace and name.
    Pipeline(String, String),
    /// Not one of the places of this table.
    Nobody,
}

/// Reads a place.
pub(super) fn owner(place: &Path) -> Owner {
    let parts: Vec<&str> = place.as_ref().split('/').collect();
    match parts.as_slice() {
        [ARTIFACTS, name] => {
            let hex = name.split('.').next().unwrap_or_default();
            Digest::from_hex(hex).map_or(Owner::Nobody, Owner::Artifact)
        }
        [RELEASES, namespace, uid, _, ..] => Owner::Release((*namespace).to_owned(), (*uid).to_owned()),
        [HISTORY, namespace, pipeline, _] => Owner::Pipeline((*namespace).to_owned(), (*pipeline).to_owned()),
        _ => Owner::Nobody,
    }
}

/// The copy of its manifest.
pub(crate) fn manifest(digest: &Digest) -> Path {
    Path::from(format!("{ARTIFACTS}/{}.manifest", digest.hex()))
}

/// That a release of this namespace has fetched the artifact.
pub(crate) fn fetched(digest: &Digest, namespace: &str) -> Path {
    Path::from(format!("{ARTIFACTS}/{}.{namespace}.fetched", digest.hex()))
}

/// Everything of a release.
pub(super) fn of_release(namespace: &str, uid: &str) -> Path {
    Path::from(format!("{RELEASES}/{namespace}/{uid}"))
}

/// One thing a build attempt handed in.
fn of_attempt(namespace: &str, uid: &str, attempt: u32, name: &str) -> Path {
    Path::from(format!("{RELEASES}/{namespace}/{uid}/{attempt}/{name}"))
}

/// One thing that an attempt of a build's job handed in.
pub(crate) fn of_job(namespace: &str, uid: &str, job: &str, attempt: u32, name: &str) -> Path {
    if job == Build::ARTIFACT {
        return of_attempt(namespace, uid, attempt, name);
    }
    Path::from(format!("{RELEASES}/{namespace}/{uid}/jobs/{job}/{attempt}/{name}"))
}

/// One thing of the Test phase.
pub(crate) fn of_test(release: &DatabricksRelease, name: &str) -> Path {
    let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
    Path::from(format!("{RELEASES}/{namespace}/{uid}/test/{name}"))
}

/// The folder of a phase's log.
pub(crate) fn of_log(namespace: &str, uid: &str, phase: Phase) -> Path {
    Path::from(format!("{RELEASES}/{namespace}/{uid}/log/{phase}"))
}

/// One thing of the Deploy phase.
pub(crate) fn of_deploy(release: &DatabricksRelease, name: &str) -> Path {
    let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
    Path::from(format!("{RELEASES}/{namespace}/{uid}/deploy/{name}"))
}

/// The JUnit report of a build's job, as the status names it.
pub(crate) fn report_uri(release: &DatabricksRelease, job: &str, attempt: u32) -> String {
    let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
    of_job(&namespace, &uid, job, attempt, REPORT).to_string()
}

/// What a deployment is about to change.
pub(crate) const PLAN: &str = "plan.json";
/// The same, with what became of it.
pub(crate) const DEPLOYED: &str = "result.json";
/// The merged JUnit report of a build.
pub(crate) const REPORT: &str = "report.xml";
/// The sealed result of a build.
pub(crate) const RESULT: &str = "result.json";
/// Which artifact a build handed in first.
pub(crate) const ARTIFACT: &str = "artifact.json";

/// A wheel's place in the workspace: another content has another place, so a running job's wheel is never overwritten.
pub(crate) fn wheel_location(root: &str, wheel: &Wheel) -> String {
    location(root, &wheel.distribution, &wheel.digest, wheel.path.file_name())
}

/// The place of another library, such as a jar or a requirement file: by its name, and its content as a wheel's.
pub(crate) fn library_location(root: &str, file: &File) -> String {
    let name = file.path.file_name();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    location(root, if stem.is_empty() { name } else { stem }, &file.digest, name)
}

fn location(root: &str, name: &str, digest: &Digest, file_name: &str) -> String {
    let hex = digest.hex();
    format!("{root}/{name}/{}/{file_name}", hex.get(..SHORT).unwrap_or(&hex))
}

#[cfg(test)]
mod tests {
    use super::*;
    use brickline_artifact::ArtifactPath;
    use brickline_artifact::manifest::Change;
    use rstest::rstest;

    #[rstest]
    #[case("libs/tool-1.0.jar", "/l/tool-1.0/2c26b46b68ff/tool-1.0.jar")]
    #[case("requirements.txt", "/l/requirements/2c26b46b68ff/requirements.txt")]
    #[case(".pins", "/l/.pins/2c26b46b68ff/.pins")]
    fn a_library_lies_at_a_place_named_by_its_content(#[case] path: &str, #[case] place: &str) {
        let (path, digest) = (ArtifactPath::new(path).unwrap(), Digest::of(b"foo"));
        let (change, previous_path, notebook) = (Change::Added, None, None);
        let file = File { path, digest, size: 3, executable: false, change, previous_path, notebook };
        assert_eq!(library_location("/l", &file), place);
    }
}
