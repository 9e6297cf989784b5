//! The saved jobs of the workspace: ours, and other people's. They pass the same contract as those of the emulator.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, Reason};

use crate::phase::operate::{Changes, Found, Operated, View, Wanted};
use crate::phase::{Outcome, Trouble};

/// Who the controller is at Databricks.
pub(crate) const US: &str = "sp-release";

/// How the workspace takes changes of jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Behaviour {
    /// How often it fails after the first thing that was to be changed.
    pub(crate) halfway: u32,
    /// It refuses the settings.
    pub(crate) refuses: bool,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) creator: String,
    /// Whether it has our tags.
    pub(crate) ours: bool,
}

/// All of them, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saved {
    pub(crate) jobs: BTreeMap<i64, Job>,
    behaviour: Behaviour,
    last: i64,
    /// How often a job that is not ours was changed.
    pub(crate) foreign: usize,
}

/// What the settings of a job are now.
pub(crate) fn digest(name: &str) -> String {
    format!("new settings of {name}")
}

/// How a job of ours is to be.
pub(super) fn wanted(name: &str) -> Wanted {
    Wanted { name: name.to_owned(), key: name.to_owned(), digest: digest(name) }
}

impl Saved {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, ..Self::default() }
    }

    /// Somebody makes a job.
    pub(crate) fn put(&mut self, name: &str, digest: &str, creator: &str, ours: bool) -> i64 {
        self.last += 1;
        let [name, digest, creator] = [name, digest, creator].map(str::to_owned);
        self.jobs.insert(self.last, Job { name, digest, creator, ours });
        self.last
    }

    pub(super) fn view(&self, release: &DatabricksRelease) -> View {
        let wanted = release.spec.operate.jobs.iter().map(|job| wanted(&job.name));
        View { wanted: wanted.collect(), found: self.found(), us: US.to_owned() }
    }

    /// Those that have our tags.
    pub(super) fn found(&self) -> Vec<Found> {
        let found = self.jobs.iter().filter(|(_, job)| job.ours).map(|(id, job)| {
            let Job { name, digest, creator, .. } = job.clone();
            Found { id: *id, key: name, digest, creator, created: *id }
        });
        found.collect()
    }

    /// Changes what was asked for; what is gone counts as deleted.
    pub(super) fn apply(&mut self, changes: &Changes) -> Result<Outcome, Trouble> {
        if self.behaviour.refuses {
            return Err(Trouble::lasting(Reason::DeployFailed, "job nightly: 400 INVALID_PARAMETER_VALUE"));
        }
        let mut jobs = changes.keep.clone();
        for name in &changes.create {
            jobs.push(Operated { name: name.clone(), id: self.put(name, &digest(name), US, true) });
            self.stumble()?;
        }
        for known in &changes.reset {
            let gone = || Trouble::lasting(Reason::DeployFailed, format!("job {} does not exist", known.id));
            let job = self.jobs.get_mut(&known.id).ok_or_else(gone)?;
            job.digest = digest(&known.name);
            self.foreign += usize::from(!job.ours);
            jobs.push(known.clone());
            self.stumble()?;
        }
        for id in &changes.delete {
            self.foreign += usize::from(self.jobs.remove(id).is_some_and(|job| !job.ours));
            self.stumble()?;
        }
        Ok(Outcome::Operated { jobs, changes: changes.clone() })
    }

    fn stumble(&mut self) -> Result<(), Trouble> {
        if self.behaviour.halfway == 0 {
            return Ok(());
        }
        self.behaviour.halfway -= 1;
        Err(Trouble::passing(Reason::WorkspaceUnreachable, "503"))
    }

    /// What there is at the end, whoever made it and under whatever id.
    pub(super) fn all(&self) -> Vec<(String, String, bool)> {
        let mut all: Vec<_> = self.jobs.values().map(|job| (job.name.clone(), job.digest.clone(), job.ours)).collect();
        all.sort();
        all
    }
}
