//! What can be locked, and what its Lease is called: pure.

use std::collections::BTreeSet;
use std::fmt;

use brickline_crds::Reason;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use url::Url;

use super::root::root_of_file;
use crate::trouble::Trouble;

/// The most target roots of one release: each costs requests to Kubernetes.
const MAX_ROOTS: usize = 32;
/// Hex characters of the hash in a Lease's name.
const HASH: usize = 20;

/// One thing with one writer at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lock {
    /// The Lease's name. The first field: locks sort by it, and all releases take theirs in that order, so that no two
    /// wait for each other.
    name: String,
    kind: Kind,
    host: String,
    /// The cluster's id, the root folder, whose jobs they are, or which bundle it is.
    id: String,
}

/// What kind of thing is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Kind {
    /// A cluster: libraries, restarts and runs.
    Cluster,
    /// A folder that files are written to.
    Target,
    /// The jobs that a pipeline's stage keeps.
    Jobs,
    /// An asset bundle.
    Bundle,
}

impl Lock {
    fn new(kind: Kind, host: &Url, id: &str) -> Self {
        let host = host.as_str().trim_end_matches('/');
        Self { name: name(kind, host, id), kind, host: host.to_owned(), id: id.to_owned() }
    }

    /// The Lease's name: a DNS label.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What kind of thing it is.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

/// For people: `cluster 0123-456789-abc of https://adb-1.2.azuredatabricks.net`.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.kind, self.id, self.host)
    }
}

/// Every lock that a release needs: one for each cluster it changes or runs on, and one for each root that holds a file
/// it writes. `files` are the places of its notebooks and files in the workspace, such as `/Shared/dbxdemo/one.py`.
///
/// Wheels need none: they lie at places named by their content and are never overwritten. Two addresses of the same
/// workspace are two hosts here: releases that must not meet name it alike.
///
/// # Errors
/// `InvalidSpec` if the files have more roots than one release may lock.
pub(crate) fn locks_of<'a>(
    host: &Url,
    clusters: impl IntoIterator<Item = &'a str>,
    files: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Lock>, Trouble> {
    let roots: BTreeSet<String> = files.into_iter().map(root_of_file).collect();
    if roots.len() > MAX_ROOTS {
        let some: Vec<&str> = roots.iter().take(3).map(String::as_str).collect();
        let message = format!(
            "the files go to {} separate folders ({}, ...), and a release may hold {MAX_ROOTS}: give the items of \
             spec.deploy.items a folder of their own, such as /Shared/<name of the project>",
            roots.len(),
            some.join(", ")
        );
        return Err(Trouble::lasting(Reason::InvalidSpec, message));
    }
    let clusters = clusters.into_iter().map(|id| Lock::new(Kind::Cluster, host, id));
    Ok(clusters.chain(roots.iter().map(|root| Lock::new(Kind::Target, host, root))).collect())
}

/// The lock of a stage's jobs. `owner` is the pipeline and stage.
pub(crate) fn lock_of_jobs(host: &Url, owner: &str) -> Lock {
    Lock::new(Kind::Jobs, host, &format!("of {owner}"))
}

/// The lock of an asset bundle: `databricks.yml` in a folder of a repository, for one target.
pub(crate) fn lock_of_bundle(host: &Url, repository: &str, path: &str, target: &str) -> Lock {
    Lock::new(Kind::Bundle, host, &format!("{path} of {repository} for target {target}"))
}

/// Every field with its length before it, so that no two locks run together into the same bytes.
fn name(kind: Kind, host: &str, id: &str) -> String {
    let mut hash = Sha256::new();
    for field in [kind.to_string().as_str(), host, id] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    let hash = HEXLOWER.encode(&hash.finalize());
    format!("lock-{}", hash.get(..HASH).unwrap_or(&hash))
}
