//! The parts of the outside, shown the cases that the real ones are shown: the emulator in `crate::contract`, the API
//! server in the crate of API tests.

use std::cell::{RefCell, RefMut};

use brickline_crds::Phase;
use futures::FutureExt;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::bundles::{Bundle, Bundles};
use super::clusters::{CLUSTER, WHEEL};
use super::databricks::{Behaviour, Databricks};
use super::jobs::Jobs;
use super::saved::{self, US};
use crate::contract::databricks::{CASES, Counts, Databricks as Workspace, Duty, check};
use crate::contract::kubernetes::{self, Answered, Named};
use crate::databricks::clusters::ActiveRun;
use crate::databricks::libraries::Library;
use crate::phase::install::{Call, Cluster, Effect, View};
use crate::phase::operate::{Changes, Found, Operated, Wanted};
use crate::phase::test::Sight;
use crate::phase::{Outcome, Trouble};

/// The workspace, and its clock.
struct Fake {
    databricks: RefCell<Databricks>,
    now: RefCell<Timestamp>,
}

impl Fake {
    fn new() -> Self {
        let now = RefCell::new("2026-11-21T12:00:00Z".parse().unwrap());
        Self { databricks: RefCell::new(Databricks::new(Behaviour::default())), now }
    }

    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn databricks(&self) -> RefMut<'_, Databricks> {
        self.databricks.borrow_mut()
    }

    fn view(&self) -> View {
        let (databricks, now) = (self.databricks(), self.now());
        databricks.clusters.view(now, databricks.active_runs(now))
    }
}

impl Workspace for Fake {
    async fn pause(&self) {
        let now = self.now() + 1.seconds();
        *self.now.borrow_mut() = now;
        self.databricks().clusters.tick(now);
    }

    async fn submit(&self, token: &str, duty: Duty) -> Result<i64, Trouble> {
        let hangs = (duty == Duty::Endless).then_some(Phase::Test);
        let sent = json!({"task": {"existing_cluster_id": CLUSTER, "notebook_task": {"notebook_path": "/Shared/one"}}});
        let mut databricks = self.databricks();
        databricks.behaviour.hangs = hangs;
        databricks.submit(token, (0, 0), sent, self.now())
    }

    async fn sights(&self, runs: &[i64]) -> Result<Vec<Sight>, Trouble> {
        Ok(runs.iter().map(|run| self.databricks().sight(*run, self.now())).collect())
    }

    async fn under_way(&self) -> Result<Vec<ActiveRun>, Trouble> {
        Ok(self.view().runs)
    }

    async fn cancel(&self, run: i64) -> Result<(), Trouble> {
        self.databricks().cancel(run, self.now());
        Ok(())
    }

    async fn delete(&self, run: i64) -> bool {
        self.databricks().delete(run, self.now())
    }

    async fn cluster(&self) -> Result<Cluster, Trouble> {
        Ok(self.view().clusters.swap_remove(0))
    }

    async fn call(&self, call: &Call) -> Result<(), Trouble> {
        self.databricks().clusters.change(&Effect { calls: vec![call.clone()] }, self.now())
    }

    async fn wheel(&self, is_there: bool) -> Result<Library, Trouble> {
        self.databricks().clusters.all[0].fails = !is_there;
        Ok(Library::Whl(WHEEL.to_owned()))
    }

    fn wanted(&self, name: &str) -> Wanted {
        saved::wanted(name)
    }

    async fn jobs(&self) -> Result<Vec<Found>, Trouble> {
        Ok(self.databricks().saved.found())
    }

    async fn change(&self, changes: &Changes) -> Result<Vec<Operated>, Trouble> {
        match self.databricks().saved.apply(changes)? {
            Outcome::Operated { jobs, .. } => Ok(jobs),
            other => unreachable!("{other:?}"),
        }
    }

    async fn put_job(&self, name: &str, ours: bool) -> Result<i64, Trouble> {
        Ok(self.databricks().saved.put(name, "old settings", US, ours))
    }

    async fn deploy(&self, uid: &str, notebooks: &[(&str, &str)], tries: u32) -> Result<Counts, Trouble> {
        let changes = self.databricks().workspace.deploy(uid, notebooks, tries)?;
        Ok((changes.added, changes.changed, changes.removed))
    }

    async fn notebooks(&self) -> Result<Vec<String>, Trouble> {
        Ok(self.databricks().workspace.notebooks())
    }

    async fn says(&self, notebook: &str, text: &str) -> Result<bool, Trouble> {
        Ok(self.databricks().workspace.says(notebook, text))
    }

    async fn edit(&self, notebook: &str, text: Option<&str>) -> Result<(), Trouble> {
        self.databricks().workspace.edit(notebook, text);
        Ok(())
    }
}

#[test]
fn databricks_keeps_the_contract_of_the_real_one() {
    let shown = |case| check(case, &Fake::new()).now_or_never().expect("it waits for nobody");
    let broken: Vec<_> = CASES.into_iter().filter_map(|case| Some((case, shown(case).err()?))).collect();
    assert_eq!(broken, []);
}

/// Jobs as the phases make them: of builds, and of asset bundles.
#[derive(Default)]
struct BuildJobs(RefCell<Jobs>);

#[derive(Default)]
struct BundleJobs(RefCell<Bundles>);

/// All that the simulator knows of a Job by its name: how many there were before it says which one it is.
fn shown(is_there: bool, created: Option<&usize>) -> Answered {
    if is_there { Ok(json!({"metadata": {"uid": created}})) } else { Err(404) }
}

impl Named for BuildJobs {
    async fn create(&self, name: &str) -> Answered {
        self.0.borrow_mut().create(name, "artifact", Timestamp::UNIX_EPOCH)?;
        self.get(name).await
    }

    async fn get(&self, name: &str) -> Answered {
        let jobs = self.0.borrow();
        shown(jobs.exists(name), jobs.created.get(name))
    }

    async fn delete(&self, name: &str) -> Answered {
        self.0.borrow_mut().delete(name).map(|()| Value::Null)
    }
}

impl Named for BundleJobs {
    async fn create(&self, name: &str) -> Answered {
        self.0.borrow_mut().create(name, Bundle::Succeeds, Timestamp::UNIX_EPOCH)?;
        self.get(name).await
    }

    async fn get(&self, name: &str) -> Answered {
        let bundles = self.0.borrow();
        shown(bundles.exists(name), bundles.created.get(name))
    }

    async fn delete(&self, name: &str) -> Answered {
        self.0.borrow_mut().delete(name, Bundle::Succeeds).map(|()| Value::Null)
    }
}

#[test]
fn jobs_keep_the_contract_of_the_real_ones() {
    for case in kubernetes::NAMED {
        let builds = kubernetes::check_named(case, "it", &BuildJobs::default()).now_or_never();
        assert_eq!(builds, Some(Ok(())), "{case}");
        let bundles = kubernetes::check_named(case, "it", &BundleJobs::default()).now_or_never();
        assert_eq!(bundles, Some(Ok(())), "{case}");
    }
}
