//! The releases of a pipeline: which artifact each one has, who built it, and which of two is newer. Pure.

use std::collections::{BTreeSet, HashMap};

use brickline_crds::{
    DatabricksRelease, GitSource, Phase, ReleaseResult, ReleaseState, StoredArtifact, annotations, labels,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::creation::Root;
use crate::order::{Birth, Place, places};

/// How many releases a chain of promotions and retries has at most.
const GENERATIONS: usize = 32;

/// Every release of one pipeline, as one list answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Releases<'a> {
    all: &'a [DatabricksRelease],
    by_name: &'a ByName<'a>,
}

/// Each release by its name, with its place among all.
type ByName<'a> = HashMap<String, (&'a DatabricksRelease, Place)>;

/// The index that [`Releases`] needs.
pub(super) fn by_name(all: &[DatabricksRelease]) -> ByName<'_> {
    let births: Vec<Birth> = all.iter().map(Birth::of).collect();
    all.iter().zip(places(&births)).map(|(release, place)| (release.name_any(), (release, place))).collect()
}

impl<'a> Releases<'a> {
    pub(super) fn new(all: &'a [DatabricksRelease], by_name: &'a ByName<'a>) -> Self {
        Self { all, by_name }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a DatabricksRelease> {
        self.all.iter()
    }

    pub(super) fn get(self, name: &str) -> Option<&'a DatabricksRelease> {
        self.by_name.get(name).map(|(release, _)| *release)
    }

    /// How new a release of these is.
    pub(super) fn age(self, release: &DatabricksRelease) -> Age {
        let name = release.name_any();
        let place = self.by_name.get(&name).map_or_else(|| Place::at(created(release)), |(_, place)| *place);
        Age::new(place, &run(release), &name)
    }

    /// How new a remembered release of these is, also if it is gone.
    pub(super) fn age_of(self, stored: &StoredArtifact) -> Age {
        let created = stored.created.as_ref().map_or(Timestamp::MIN, |time| time.0);
        let known = self.by_name.get(&stored.release).filter(|(release, _)| self::created(release) == created);
        Age::new(known.map_or_else(|| Place::at(created), |(_, place)| *place), &stored.run, &stored.release)
    }

    /// The release that built what `release` releases: itself, or the one that its chain of artifacts leads to. If that
    /// is gone, what the controller wrote down when it created the release.
    pub(super) fn root(self, release: &'a DatabricksRelease) -> Lineage<'a> {
        let mut last = release;
        for _ in 0..GENERATIONS {
            let Some(from) = last.spec.source.artifact_from.first() else { return Lineage::of(last, None) };
            match self.get(&from.release) {
                Some(before) => last = before,
                None => return Lineage::of(last, written(last)),
            }
        }
        Lineage::of(last, written(last))
    }
}

/// The root that the controller wrote down. A time after the release's own creation can't be.
fn written(release: &DatabricksRelease) -> Option<Root> {
    let name = release.annotations().get(annotations::ROOT).filter(|name| !name.is_empty())?.clone();
    let created: Timestamp = release.annotations().get(annotations::ROOT_CREATED)?.parse().ok()?;
    Some(Root { name, created: created.min(self::created(release)) })
}

/// Who built an artifact.
#[derive(Clone, Debug)]
pub(super) struct Lineage<'a> {
    pub(super) root: Root,
    /// The last release of the chain that is still there; the root itself, if it is.
    pub(super) release: &'a DatabricksRelease,
}

impl<'a> Lineage<'a> {
    fn of(release: &'a DatabricksRelease, root: Option<Root>) -> Self {
        let own = || Root { name: release.name_any(), created: created(release) };
        Self { root: root.unwrap_or_else(own), release }
    }

    /// What is remembered of the root, with the artifact it built.
    pub(super) fn stored(&self, digest: &str) -> StoredArtifact {
        let known = self.release.name_any() == self.root.name;
        StoredArtifact {
            release: self.root.name.clone(),
            run: if known { run(self.release) } else { String::new() },
            commit: git(self.release).map(|git| git.commit.clone()).unwrap_or_default(),
            reference: git(self.release).map(|git| git.reference.clone()).unwrap_or_default(),
            before: if known { before(self.release) } else { String::new() },
            artifact: digest.to_owned(),
            created: Some(Time(self.root.created)),
        }
    }
}

/// Which of two releases is newer: their place, and where that tells nothing, the higher run number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age(Place, (u64, u64), String);

impl Age {
    fn new(place: Place, run: &str, name: &str) -> Self {
        let (day, number) = run.split_once('.').unwrap_or_default();
        Self(place, (day.parse().unwrap_or(0), number.parse().unwrap_or(0)), name.to_owned())
    }
}

/// When the API server took the release.
pub(super) fn created(release: &DatabricksRelease) -> Timestamp {
    release.creation_timestamp().map_or(Timestamp::MIN, |time| time.0)
}

/// Where its branch was before, as the forge told it.
fn before(release: &DatabricksRelease) -> String {
    release.annotations().get(annotations::BEFORE).cloned().unwrap_or_default()
}

fn run(release: &DatabricksRelease) -> String {
    release.status.as_ref().map(|status| status.run.clone()).unwrap_or_default()
}

/// How it ended; `None` until then.
pub(super) fn result(release: &DatabricksRelease) -> ReleaseResult {
    let finished = |status: &&brickline_crds::DatabricksReleaseStatus| status.state == ReleaseState::Finished;
    release.status.as_ref().filter(finished).map_or(ReleaseResult::None, |status| status.result)
}

pub(super) fn is_finished(release: &DatabricksRelease) -> bool {
    result(release) != ReleaseResult::None
}

/// Whether it ended well, with or without issues.
pub(super) fn is_good(release: &DatabricksRelease) -> bool {
    matches!(result(release), ReleaseResult::Succeeded | ReleaseResult::SucceededWithIssues)
}

/// Whether it changed its workspace, or may have.
pub(super) fn has_deployed(release: &DatabricksRelease) -> bool {
    let deploy = release.status.as_ref().and_then(|status| status.phase(Phase::Deploy));
    deploy.is_some_and(|deploy| deploy.start_time.is_some())
}

/// Everybody who asked for the release, or for the one that built what it releases.
pub(super) fn requesters(releases: Releases, release: &DatabricksRelease) -> BTreeSet<String> {
    let root = releases.root(release).release.requesters();
    release.requesters().into_iter().chain(root).collect()
}

/// The digest of the artifact it built or releases.
pub(super) fn digest(release: &DatabricksRelease) -> Option<&str> {
    let built = release.status.as_ref().and_then(|status| status.artifact.as_ref());
    match (built, release.spec.source.artifact_from.as_slice()) {
        (Some(artifact), _) => Some(artifact.digest.as_str()).filter(|digest| !digest.is_empty()),
        (None, [from]) => Some(&from.digest),
        (None, _) => None,
    }
}

/// What its artifact was built from.
pub(super) fn git(release: &DatabricksRelease) -> Option<&GitSource> {
    release.spec.source.git.as_ref().or_else(|| release.status.as_ref()?.origin.as_ref())
}

/// The branch of what it releases.
pub(super) fn branch(release: &DatabricksRelease) -> &str {
    git(release).map(|git| labels::branch_of(&git.reference)).unwrap_or_default()
}

/// What is remembered of a release and its artifact.
pub(super) fn stored(release: &DatabricksRelease) -> Option<StoredArtifact> {
    Some(StoredArtifact {
        release: release.name_any(),
        run: run(release),
        commit: git(release).map(|git| git.commit.clone()).unwrap_or_default(),
        reference: git(release).map(|git| git.reference.clone()).unwrap_or_default(),
        before: before(release),
        artifact: digest(release)?.to_owned(),
        created: release.creation_timestamp(),
    })
}
