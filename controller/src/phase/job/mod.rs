//! What the phases share that work in a pod of their own: Build, and the asset bundles of Deploy.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `sight.rs` | our Jobs and pods, as the watches last saw them |
//! | `look.rs` | one Job and its pod, read for a phase |
//! | `make.rs` | creating a Job, stopping it, and whether it is gone |
//! | `lost.rs` | what becomes of a Job that left no verdict. Pure |
//! | `credentials.rs` | how the workspace's credentials reach a pod that may have them. Pure |
//! | `parts.rs` | what all pods have in common: no rights, and how they reach the network. Pure |

mod credentials;
mod look;
mod lost;
mod make;
pub(crate) mod parts;
mod sight;

use brickline_crds::{Build, DatabricksRelease};
use data_encoding::HEXLOWER;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

pub(crate) use credentials::{Credentials, credentials};
pub(crate) use look::{asked, disrupted, has_begun, known, newest, terminated, waiting};
pub(crate) use lost::lost;
pub(crate) use make::{alive, create, grace, put_ca, stop};
pub(crate) use sight::{JOB_NAME, Jobs};

/// The longest part of a release's name in its Job's name: a Job's name has at most 63 characters.
const NAME: usize = 41;
/// Hex characters of the release's uid in it: a release made anew under the same name has Jobs of its own.
const HASH: usize = 8;

/// The longest part of the name of a build's job in its Job's name.
const JOB: usize = 16;

/// Where an attempt's Job is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// There is none.
    Missing,
    /// Waiting for its pod, or under way.
    Active,
    /// Its main container ended with 0.
    Complete,
    /// It failed; Kubernetes' own reason and message.
    Failed { reason: String, message: String },
}

/// The Job of one attempt of a build's job: `artifact`, or a further one.
pub(crate) fn of_build(release: &DatabricksRelease, job: &str, attempt: u32) -> String {
    if job == Build::ARTIFACT { name(release, "build", attempt) } else { name_of(release, job, attempt) }
}

/// The Job of one attempt of a further job of the build, which is called as users like, `unit.py311` for one. The hash holds
/// its name, so that two that are cut alike stay two.
fn name_of(release: &DatabricksRelease, job: &str, attempt: u32) -> String {
    let cut = |text: &str, most: usize| -> String {
        let text: String = text.chars().take(most).map(|c| if c == '.' { '-' } else { c }).collect();
        text.trim_end_matches('-').to_owned()
    };
    let hash = HEXLOWER.encode(&Sha256::digest(format!("{}/{job}", release.uid().unwrap_or_default())));
    let hash = hash.get(..HASH).unwrap_or_default();
    format!("{}-{hash}-{}-{attempt}", cut(&release.name_any(), NAME - JOB), cut(job, JOB))
}

/// The Job of one attempt: derived, so that creating it again is a conflict and not a second one. `work` has at most six
/// letters.
pub(crate) fn name(release: &DatabricksRelease, work: &str, attempt: u32) -> String {
    let name: String = release.name_any().chars().take(NAME).collect();
    let hash = HEXLOWER.encode(&Sha256::digest(release.uid().unwrap_or_default()));
    format!("{}-{}-{work}-{attempt}", name.trim_end_matches(['-', '.']), hash.get(..HASH).unwrap_or_default())
}
