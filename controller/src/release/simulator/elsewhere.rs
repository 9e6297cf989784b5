//! A host that has artifacts which were built elsewhere, and the store that they are fetched into.

use std::collections::BTreeSet;

use brickline_crds::{Artifact, DatabricksRelease, Reason};

use crate::artifact::Fetched;
use crate::phase::{Outcome, Trouble};

/// How the host behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Elsewhere {
    #[default]
    Answers,
    /// It hands out something else.
    Lies,
    /// It has nothing there any more.
    Forgot,
    /// It never comes to an end.
    Hangs,
}

/// What was fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    /// The digests of what is in the store.
    pub(crate) stored: BTreeSet<String>,
    /// How often something was.
    pub(crate) fetched: usize,
}

impl Shelf {
    pub(super) fn fetch(&mut self, release: &DatabricksRelease, host: Elsewhere) -> Result<Outcome, Trouble> {
        let lasting = |message: &str| Trouble::lasting(Reason::ArtifactFailed, message);
        match host {
            Elsewhere::Lies => return Err(lasting("the file there is another one")),
            Elsewhere::Forgot => return Err(lasting("no such file (404)")),
            Elsewhere::Answers | Elsewhere::Hangs => {}
        }
        let remote = release.spec.source.artifact.as_ref().ok_or_else(|| lasting("nothing to fetch"))?;
        self.fetched += 1;
        self.stored.insert(remote.digest.clone());
        let artifact = Artifact { digest: remote.digest.clone(), size: 3, uri: "artifacts/zip".to_owned() };
        Ok(Outcome::Fetched(Box::new(Fetched { artifact, message: "fetched".to_owned() })))
    }
}
