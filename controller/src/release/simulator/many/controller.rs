//! One process of the controller: the line of releases, what it remembers of the pipeline, and its rounds. Killed, all of
//! it is gone, and another one begins with what is stored.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use brickline_crds::{Concurrency, DatabricksRelease, ReleasePipeline};
use futures::FutureExt;
use jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{reflector, watcher};

use super::super::super::walk;
use super::member::Member;
use super::pipeline::Api;
use super::{Many, is_finished};
use crate::pipeline::Follow;
use crate::queue::{Limits, Queue};

/// Every scenario is over within a few hundred.
const ROUNDS: usize = 5_000;
/// Between two looks.
const MOMENT: SignedDuration = SignedDuration::from_secs(5);

pub(super) struct Controller {
    pub(super) many: Rc<RefCell<Many>>,
    pub(super) queue: Queue,
    pub(super) follow: Follow,
    pub(super) rule: Concurrency,
    unfinished: RefCell<Writer<DatabricksRelease>>,
    /// The version of each release that the watch told last.
    told: RefCell<HashMap<String, Option<String>>>,
    api: Api,
}

impl Controller {
    fn new(many: Rc<RefCell<Many>>) -> Self {
        let pipeline = many.borrow().pipeline.clone();
        let (queue, _) =
            Queue::new(Limits { controller: 10, namespace: 10, pools: [("default".to_owned(), 10)].into() });
        let (unfinished, writer) = reflector::store();
        queue.watch(unfinished);
        let rule = pipeline.spec.concurrency.clone();
        let (pipelines, mut known) = reflector::store::<ReleasePipeline>();
        known.apply_watcher_event(&watcher::Event::Apply(pipeline));
        let (follow, _) = Follow::new(pipelines);
        Self { many, queue, follow, rule, unfinished: RefCell::new(writer), told: RefCell::default(), api: Api::new() }
    }

    /// What the watch of unfinished releases tells.
    fn watch(&self) {
        let mut unfinished = self.unfinished.borrow_mut();
        let mut told = self.told.borrow_mut();
        for release in self.many.borrow().releases() {
            let version = release.resource_version();
            if told.insert(release.name_any(), version.clone()) == Some(version) {
                continue;
            }
            let release = (*release).clone();
            let event =
                if is_finished(&release) { watcher::Event::Delete(release) } else { watcher::Event::Apply(release) };
            unfinished.apply_watcher_event(&event);
        }
    }

    /// Every release that is not over comes to its turn, then the pipeline. Whether anything is still to come.
    fn round(&self, lags: bool) -> bool {
        self.many.borrow_mut().pass();
        self.watch();
        let names = self.many.borrow().order.clone();
        for name in &names {
            let seen = self.many.borrow().members.get(name).and_then(|one| one.behind(usize::from(lags)).ok());
            let Some(seen) = seen.filter(|seen| !is_finished(seen)) else { continue };
            let member = Member { controller: self, name };
            // An error is come back to.
            let walked = walk((*seen).clone(), &member).now_or_never();
            assert!(walked.is_some(), "nothing here waits");
            self.watch();
            self.many.borrow_mut().count_runs();
        }
        let follows = self.api.reconcile(&self.many, &self.follow);
        let many = self.many.borrow();
        follows || !many.deeds.is_empty() || many.releases().any(|release| !is_finished(&release))
    }
}

/// Goes on until nothing more happens. `lags`: the first look of the new process is at the version before.
pub(super) fn go_on(mut many: Many, mut lags: bool) -> Many {
    for outside in many.members.values_mut() {
        outside.newest = None;
    }
    let many = Rc::new(RefCell::new(many));
    let controller = Controller::new(many.clone());
    let over = (0..ROUNDS).any(|_| {
        let goes_on = controller.round(std::mem::take(&mut lags));
        many.borrow_mut().now += MOMENT;
        !goes_on
    });
    if !over {
        let open: Vec<String> =
            many.borrow().releases().filter(|one| !is_finished(one)).map(|one| one.name_any()).collect();
        many.borrow_mut().problems.push(format!("these did not end: {}", open.join(", ")));
    }
    drop(controller);
    let many = Rc::try_unwrap(many).ok().expect("the process is over");
    many.into_inner()
}
