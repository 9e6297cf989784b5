//! Where things are in the artifact store: pure.
//!
//! | place | what |
//! | --- | --- |
//! | `artifacts/<hex>.zip` | an artifact, by digest |
//! | `artifacts/<hex>.manifest` | a copy of its manifest |
//! | `releases/<namespace>/<uid>/<attempt>/...` | what one build attempt handed in |
//! | `releases/<namespace>/<uid>/test/...` | verdicts and JUnit of the notebooks |

use brickline_artifact::Digest;
use brickline_artifact::manifest::Wheel;
use brickline_crds::DatabricksRelease;
use kube::ResourceExt;
use object_store::path::Path;

/// Hex characters of a wheel's digest in its place on the workspace: enough to keep contents apart, short for people.
const SHORT: usize = 12;

/// The zip.
pub(crate) fn artifact(digest: &Digest) -> Path {
    Path::from(format!("artifacts/{}.zip", digest.hex()))
}

/// The copy of its manifest.
pub(crate) fn manifest(digest: &Digest) -> Path {
    Path::from(format!("artifacts/{}.manifest", digest.hex()))
}

/// One thing a build attempt handed in.
pub(crate) fn of_attempt(namespace: &str, uid: &str, attempt: u32, name: &str) -> Path {
    Path::from(format!("releases/{namespace}/{uid}/{attempt}/{name}"))
}

/// One thing of the Test phase.
pub(crate) fn of_test(release: &DatabricksRelease, name: &str) -> Path {
    let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
    Path::from(format!("releases/{namespace}/{uid}/test/{name}"))
}

/// The build's JUnit report, as the status names it.
pub(crate) fn report_uri(release: &DatabricksRelease, attempt: u32) -> String {
    let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
    of_attempt(&namespace, &uid, attempt, REPORT).to_string()
}

/// The merged JUnit report of a build.
pub(crate) const REPORT: &str = "report.xml";
/// The sealed result of a build.
pub(crate) const RESULT: &str = "result.json";
/// Which artifact a build handed in first.
pub(crate) const ARTIFACT: &str = "artifact.json";

/// A wheel's place in the workspace: another content has another place, so a running job's wheel is never overwritten.
pub(crate) fn wheel_location(root: &str, wheel: &Wheel) -> String {
    let hex = wheel.digest.hex();
    format!("{root}/{}/{}/{}", wheel.distribution, &hex[..SHORT], wheel.path.file_name())
}
