//! Clusters: each has a Spark context, libraries, and perhaps other people's runs. They know nothing of one another.
//! They pass the same contract as those of the emulator.

use jiff::{Timestamp, ToSpan};

use brickline_crds::Reason;

use crate::databricks::clusters::{ActiveRun, ClusterState};
use crate::databricks::libraries::{InstallState, Library};
use crate::phase::Trouble;
use crate::phase::install::{Call, Cluster, Effect, Installed, View};

/// Where the artifact's wheel is put.
pub(crate) const WHEEL: &str = "/Workspace/libs/dbxdemo/0123456789ab/dbxdemo-0.1.0-py3-none-any.whl";
/// What an earlier release left on the cluster.
pub(crate) const OLD_WHEEL: &str = "dbfs:/libraries/python/libs/dbxdemo-0.0.9-py3-none-any.whl";
/// The first cluster's id.
pub(crate) const CLUSTER: &str = "0123-456789-abc";

/// How long it takes, in seconds.
const RESTART: i64 = 5;
const INSTALLATION: i64 = 2;

/// One cluster.
#[derive(Clone, Debug)]
pub(crate) struct One {
    pub(crate) id: String,
    pub(crate) state: ClusterState,
    pub(crate) settles: Option<Timestamp>,
    pub(crate) context: u32,
    pub(crate) libraries: Vec<Installed>,
    /// When installations end that are under way, by library. One that waits is begun as soon as the cluster runs.
    pub(crate) installing: Vec<(Library, Timestamp)>,
    /// Nothing can be installed on it.
    pub(crate) fails: bool,
    /// Until when somebody else's run is on it.
    pub(crate) used_until: Option<Timestamp>,
    pub(crate) restarts: usize,
    pub(crate) starts: usize,
}

impl One {
    /// A cluster that runs and has what an earlier release left.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: ClusterState::Running,
            settles: None,
            context: 1,
            libraries: vec![installed(OLD_WHEEL, InstallState::Installed)],
            installing: Vec::new(),
            fails: false,
            used_until: None,
            restarts: 0,
            starts: 0,
        }
    }

    fn is_used(&self, now: Timestamp) -> bool {
        self.used_until.is_some_and(|until| until > now)
    }

    fn tick(&mut self, now: Timestamp) {
        if self.settles.take_if(|at| *at <= now).is_some() {
            (self.state, self.context) = (ClusterState::Running, self.context + 1);
            self.restore(now);
        }
        for one in &mut self.libraries {
            let Some((_, ends)) = self.installing.iter().find(|(library, _)| *library == one.library) else { continue };
            match one.state {
                InstallState::Pending | InstallState::Installing if *ends <= now => {
                    one.state = if self.fails { InstallState::Failed } else { InstallState::Installed };
                    one.messages = if self.fails { "no such wheel" } else { "" }.to_owned();
                }
                InstallState::Pending => one.state = InstallState::Installing,
                _ => {}
            }
        }
    }

    /// A driver that has come up has nothing: what was taken off stays off, everything else is installed again, also what
    /// had failed. Whoever looks first finds it on its way.
    fn restore(&mut self, now: Timestamp) {
        self.libraries.retain(|library| library.state != InstallState::UninstallOnRestart);
        self.installing.clear();
        for one in &mut self.libraries {
            *one = Installed { for_all: one.for_all, ..new(one.library.clone(), InstallState::Pending) };
            self.installing.push((one.library.clone(), now + INSTALLATION.seconds()));
        }
    }

    /// What is on the list already is not added twice; what has failed gets another try.
    fn install(&mut self, library: &Library, now: Timestamp) {
        match self.libraries.iter_mut().find(|known| known.library == *library) {
            Some(known) if known.state == InstallState::UninstallOnRestart => {
                known.state = InstallState::Installed;
                return;
            }
            Some(known) if known.state == InstallState::Failed => *known = new(library.clone(), InstallState::Pending),
            Some(_) => return,
            None => self.libraries.push(new(library.clone(), InstallState::Pending)),
        }
        self.installing.retain(|(other, _)| other != library);
        self.installing.push((library.clone(), now + INSTALLATION.seconds()));
    }
}

/// All clusters of the workspace that the release installs on.
#[derive(Clone)]
pub(crate) struct Clusters {
    pub(crate) all: Vec<One>,
    /// What the release wants on them.
    pub(crate) desired: Vec<Library>,
    /// A restart never ends.
    hangs: bool,
    /// Restarts that ended somebody else's run.
    pub(crate) disturbed: usize,
    /// Installations that were begun although they were under way.
    pub(crate) repeated: usize,
}

impl Clusters {
    pub(super) fn new(hangs: bool, fails: bool) -> Self {
        let one = One { fails, ..One::new(CLUSTER) };
        let desired = vec![Library::Whl(WHEEL.to_owned())];
        Self { all: vec![one], desired, hangs, disturbed: 0, repeated: 0 }
    }

    /// Lets time pass: restarts and installations that are due come to their end.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.all.iter_mut().for_each(|one| one.tick(now));
    }

    /// What a look shows. The workspace's own runs are those of `runs`, beside other people's.
    pub(super) fn view(&self, now: Timestamp, runs: Vec<ActiveRun>) -> View {
        let cluster = |one: &One| Cluster {
            id: one.id.clone(),
            state: one.state,
            message: String::new(),
            // It is told of a cluster that is down, too: only another one means that it has come up.
            context: one.context.to_string(),
            runtime: "15.4.x-scala2.12".to_owned(),
            libraries: one.libraries.clone(),
        };
        let used = self.all.iter().filter(|one| one.is_used(now));
        let run = |one: &One| ActiveRun { run_id: 1, name: "nightly".to_owned(), clusters: [one.id.clone()].into() };
        View {
            desired: self.desired.clone(),
            clusters: self.all.iter().map(cluster).collect(),
            runs: used.map(run).chain(runs).collect(),
        }
    }

    /// Each cluster does what it can; the first refusal is the answer.
    pub(super) fn change(&mut self, effect: &Effect, now: Timestamp) -> Result<(), Trouble> {
        let done: Vec<Result<(), Trouble>> = effect.calls.iter().map(|call| self.call(call, now)).collect();
        done.into_iter().collect()
    }

    /// A cluster between two states takes no request.
    fn call(&mut self, call: &Call, now: Timestamp) -> Result<(), Trouble> {
        let (id, wanted) = match call {
            Call::Start { cluster } => (cluster, ClusterState::Terminated),
            Call::Uninstall { cluster, .. } | Call::Restart { cluster } | Call::Install { cluster, .. } => {
                (cluster, ClusterState::Running)
            }
        };
        let settles = (!self.hangs).then(|| now + RESTART.seconds());
        let unknown = || Trouble::lasting(Reason::InstallFailed, "there is no such cluster");
        let one = self.all.iter_mut().find(|one| one.id == *id).ok_or_else(unknown)?;
        if one.state != wanted {
            return Err(Trouble::passing(Reason::ClusterNotReady, "the cluster is between two states"));
        }
        match call {
            Call::Start { .. } => {
                one.starts += 1;
                (one.state, one.settles) = (ClusterState::Pending, settles);
            }
            Call::Restart { .. } => {
                self.disturbed += usize::from(one.is_used(now));
                one.restarts += 1;
                (one.state, one.settles) = (ClusterState::Restarting, settles);
            }
            Call::Uninstall { libraries, .. } => {
                for installed in one.libraries.iter_mut().filter(|installed| libraries.contains(&installed.library)) {
                    installed.state = InstallState::UninstallOnRestart;
                }
            }
            Call::Install { libraries, .. } => {
                for library in libraries {
                    self.repeated += usize::from(one.libraries.iter().any(|known| known.library == *library));
                    one.install(library, now);
                }
            }
        }
        Ok(())
    }
}

fn new(library: Library, state: InstallState) -> Installed {
    Installed { library, state, messages: String::new(), for_all: false }
}

pub(crate) fn installed(path: &str, state: InstallState) -> Installed {
    new(Library::Whl(path.into()), state)
}
