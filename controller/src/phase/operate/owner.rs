//! The tags by which a job is found again: whose it is, which of the jobs it is, and what it was set to.
//!
//! A job's tags become tags of the clusters made for its runs. The strictest cloud takes 63 lower-case letters, digits,
//! `_` and `-`, so all three are hashes; people read the job's name and description.

use std::collections::BTreeMap;
use std::fmt;

use brickline_crds::{DatabricksRelease, labels};
use data_encoding::HEXLOWER;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::{Found, Wanted};
use crate::databricks::jobs::{Job, JobSettings};

/// Whose job it is.
const OWNER: &str = "brickline-owner";
/// Which of the owner's jobs it is.
const JOB: &str = "brickline-job";
/// What it was set to.
const DIGEST: &str = "brickline-digest";
/// Hex characters of a hash in a tag.
const HASH: usize = 40;

/// Whose jobs a release keeps: those of its pipeline and stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Which controller keeps them: several may work on one workspace.
    installation: String,
    namespace: String,
    /// Empty for a release that a person made without pipeline, and for one without stage.
    pipeline: String,
    stage: String,
}

impl Owner {
    /// The owner of the jobs that `release` asks for.
    pub(crate) fn of(release: &DatabricksRelease, installation: &str) -> Self {
        Self {
            installation: installation.to_owned(),
            namespace: release.namespace().unwrap_or_default(),
            pipeline: release.labels().get(labels::PIPELINE).cloned().unwrap_or_default(),
            stage: release.spec.stage.clone().unwrap_or_default(),
        }
    }

    /// One word for all of it, which no other owner has.
    pub(crate) fn id(&self) -> String {
        hash(&[&self.installation, &self.namespace, &self.pipeline, &self.stage])
    }

    /// Whether it is a pipeline: jobs of releases by hand have nobody who knows all of them.
    pub(super) fn is_pipeline(&self) -> bool {
        !self.pipeline.is_empty()
    }

    /// What people read beside the job.
    pub(super) fn description(&self) -> String {
        format!("Kept by Brickline for {self}: change it there, not here. A copy must not keep the tags of brickline.")
    }

    /// What the tag of the job with that name says.
    pub(super) fn key(&self, name: &str) -> String {
        hash(&[&self.id(), name])
    }

    /// Puts the tags on a job's settings, and answers their digest.
    pub(super) fn sign(&self, settings: &mut JobSettings) -> String {
        let key = self.key(&settings.name);
        settings.tags.extend([(OWNER.to_owned(), self.id()), (JOB.to_owned(), key)]);
        // A struct of texts, numbers and maps of texts is always JSON; if not, it is one that never is the same.
        let digest = hash(&[&serde_json::to_string(settings).unwrap_or_default()]);
        settings.tags.insert(DIGEST.to_owned(), digest.clone());
        digest
    }

    /// The owner's jobs among all of the workspace.
    pub(super) fn own(&self, jobs: &[Job]) -> Vec<Found> {
        let id = self.id();
        let ours = jobs.iter().filter(|job| job.settings.tags.get(OWNER) == Some(&id));
        ours.map(|job| {
            let tag = |name: &str, tags: &BTreeMap<String, String>| tags.get(name).cloned().unwrap_or_default();
            let tags = &job.settings.tags;
            let (key, digest) = (tag(JOB, tags), tag(DIGEST, tags));
            Found { id: job.job_id, key, digest, creator: job.creator_user_name.clone(), created: job.created_time }
        })
        .collect()
    }

    /// The jobs that the same pipeline and stage had of another installation, which this one takes over from. Those that
    /// are wanted count as ours; the tags that they still have make them be set anew.
    pub(super) fn inherited(&self, installation: &str, jobs: &[Job], wanted: &[Wanted]) -> Vec<Found> {
        let before = Self { installation: installation.to_owned(), ..self.clone() };
        if before == *self {
            return Vec::new();
        }
        let keys: BTreeMap<String, &str> = wanted.iter().map(|job| (before.key(&job.name), job.key.as_str())).collect();
        let known = |found: Found| match keys.get(&found.key) {
            Some(key) => Found { key: (*key).to_owned(), ..found },
            None => found,
        };
        before.own(jobs).into_iter().map(known).collect()
    }
}

/// Takes the digest off jobs whose name or schedule is not the one that was set: somebody changed them by hand, and the tag
/// is as it was. A listing shows no more than that of a job's settings.
pub(super) fn mark_changed(found: &mut [Found], there: &[Job], asked: &[(Wanted, JobSettings)]) {
    for one in found {
        let listed = there.iter().find(|job| job.job_id == one.id).map(|job| &job.settings);
        let wanted = asked.iter().find(|(wanted, _)| wanted.key == one.key).map(|(_, settings)| settings);
        if let (Some(listed), Some(wanted)) = (listed, wanted)
            && (listed.name != wanted.name || listed.schedule != wanted.schedule)
        {
            one.digest.clear();
        }
    }
}

/// For people: `pipeline data/dbxdemo, stage staging`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pipeline.as_str() {
            "" => write!(f, "releases by hand in {}", self.namespace)?,
            pipeline => write!(f, "pipeline {}/{pipeline}", self.namespace)?,
        }
        if self.stage.is_empty() { Ok(()) } else { write!(f, ", stage {}", self.stage) }
    }
}

/// Every field with its length before it, so that no two run together into the same bytes.
fn hash(fields: &[&str]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    let hex = HEXLOWER.encode(&hash.finalize());
    hex.get(..HASH).unwrap_or(&hex).to_owned()
}
