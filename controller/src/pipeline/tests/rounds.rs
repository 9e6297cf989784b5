//! Whole rounds against a small API server in memory: what is read, created, deleted and remembered.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brickline_crds::{DatabricksRelease, OnFailure, Poll, Reason, ReleasePipeline, ReleasePipelineStatus, Schedule};
use http::{Method, Request, Response};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::{reflector, watcher};
use serde_json::{Value, json};

use super::super::ask::Forge;
use super::super::follow::Follow;
use super::super::reconcile::{Tools, look};
use super::super::round::Round;
use super::{at, built, failed, good, two_stages};
use crate::forge::refs::Refs;
use crate::secret::Watches;
use crate::trouble::Trouble;

/// What the API server holds and was asked.
#[derive(Default)]
struct Cluster {
    releases: BTreeMap<String, Value>,
    requests: Vec<String>,
    events: Vec<Value>,
    refuses: bool,
    /// The pipeline, whose status is written over it.
    pipeline: Value,
}

impl Cluster {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if path.contains("/events") {
            self.events.push(serde_json::from_slice(body).unwrap());
            return (201, self.events.last().unwrap().clone());
        }
        self.requests.push(format!("{method} {name}"));
        match *method {
            Method::GET if name == "databricksreleases" => {
                let items: Vec<&Value> = self.releases.values().collect();
                (200, json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "List", "metadata": {}, "items": items}))
            }
            Method::GET => self.releases.get(&name).map_or_else(|| failure(404), |release| (200, release.clone())),
            Method::DELETE => {
                let asked: Value = serde_json::from_slice(body).unwrap();
                let found = self.releases.get(&name).map(|release| release["metadata"]["uid"].clone());
                if found != Some(asked["preconditions"]["uid"].clone()) {
                    return failure(409);
                }
                (200, self.releases.remove(&name).unwrap())
            }
            Method::PATCH => {
                let applied: Value = serde_json::from_slice(body).unwrap();
                self.pipeline["status"] = applied["status"].clone();
                (200, self.pipeline.clone())
            }
            _ if self.refuses => failure(500),
            _ => self.create(serde_json::from_slice(body).unwrap()),
        }
    }

    fn create(&mut self, mut release: Value) -> (u16, Value) {
        let name = release["metadata"]["name"].as_str().unwrap().to_owned();
        if self.releases.contains_key(&name) {
            return failure(409);
        }
        release["metadata"]["creationTimestamp"] = json!(at(500));
        self.releases.insert(name, release.clone());
        (201, release)
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = ["NotFound", "AlreadyExists"].get(usize::from(code == 409)).filter(|_| code < 500);
    let reason = reason.unwrap_or(&"InternalError");
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
}

/// A repository with one branch, and how often it was asked.
#[derive(Default)]
struct Repository(Mutex<(Option<char>, u32)>);

impl Forge for Repository {
    async fn tips(&self, _: &ReleasePipeline, _: &[String]) -> Result<Refs, Trouble> {
        let mut repository = self.0.lock().unwrap();
        repository.1 += 1;
        let commit = repository.0.ok_or_else(|| Trouble::passing(Reason::DependencyNotReady, "away"))?;
        Ok([("refs/heads/release".to_owned(), commit.to_string().repeat(40))].into())
    }
}

struct Scene {
    cluster: Arc<Mutex<Cluster>>,
    repository: Repository,
    follow: Follow,
    kube: kube::Client,
    pipeline: ReleasePipeline,
    start: bool,
}

impl Scene {
    fn new(mut pipeline: ReleasePipeline, releases: &[DatabricksRelease]) -> Self {
        pipeline.metadata.generation = Some(1);
        pipeline.status.get_or_insert_default();
        let rows = releases.iter().map(|release| (release.name_any(), serde_json::to_value(release).unwrap()));
        let cluster = Cluster { releases: rows.collect(), pipeline: json!(pipeline), ..Cluster::default() };
        let cluster = Arc::new(Mutex::new(cluster));
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Apply(pipeline.clone()));
        let (follow, _) = Follow::new(store);
        let server = cluster.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let (code, answer) = server.lock().unwrap().answer(&parts.method, parts.uri.path(), &body);
                let body = kube::client::Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        let kube = kube::Client::new(service, "default");
        Self { cluster, repository: Repository::default(), follow, kube, pipeline, start: true }
    }

    /// One round at that minute, as the reconciler does it; what was asked, and what went wrong.
    async fn round(&mut self, minute: i64) -> (Vec<String>, Option<Trouble>) {
        self.round_at(at(minute)).await
    }

    async fn round_at(&mut self, now: Timestamp) -> (Vec<String>, Option<Trouble>) {
        let reporter = Reporter { controller: "brickline".to_owned(), instance: None };
        let recorder = Recorder::new(self.kube.clone(), reporter);
        let mut status = self.pipeline.status.clone().unwrap();
        let (pipeline, forge) = (&self.pipeline, &self.repository);
        let (kube, follow) = (&self.kube, &self.follow);
        let round = Round { pipeline, kube, recorder: &recorder, follow, forge, start: self.start, now };
        let outcome = round.run(&mut status).await.unwrap();
        status.observed_generation = 1;
        if let Some(memory) = outcome.memory {
            self.follow.remember(&self.pipeline, memory);
        }
        self.pipeline.status = Some(status);
        (std::mem::take(&mut self.cluster.lock().unwrap().requests), outcome.trouble)
    }

    /// One whole reconcile.
    async fn reconcile(&self, minute: i64) -> Action {
        let reporter = Reporter { controller: "brickline".to_owned(), instance: None };
        let recorder = Recorder::new(self.kube.clone(), reporter);
        let secrets = Watches::new(self.kube.clone());
        let (kube, follow, forge) = (&self.kube, &self.follow, &self.repository);
        let tools = Tools { kube, recorder: &recorder, follow, forge, secrets: &secrets };
        look(&self.pipeline, &tools, at(minute)).await.unwrap()
    }

    fn status(&self) -> &ReleasePipelineStatus {
        self.pipeline.status.as_ref().unwrap()
    }

    fn created(&self, reason: &str) -> Vec<Value> {
        let cluster = self.cluster.lock().unwrap();
        cluster.releases.values().filter(|release| release["spec"]["reason"] == reason).cloned().collect()
    }

    fn push(&self, release: &DatabricksRelease) {
        let row = (release.name_any(), serde_json::to_value(release).unwrap());
        self.cluster.lock().unwrap().releases.extend([row]);
        self.follow.note(release);
    }

    fn tip(&self, letter: Option<char>) {
        self.repository.0.lock().unwrap().0 = letter;
    }

    fn asked(&self) -> u32 {
        self.repository.0.lock().unwrap().1
    }
}

#[tokio::test]
async fn a_good_release_is_promoted_once_and_then_nothing_is_read() {
    let pipeline = two_stages();
    let mut scene = Scene::new(pipeline.clone(), &[good(built(&pipeline, "a", 1, 'a'))]);
    let (requests, _) = scene.round(2).await;
    assert_eq!(requests, ["GET databricksreleases", "POST databricksreleases"]);
    let promotion = scene.created("promotion").remove(0);
    assert_eq!(promotion["spec"]["workspaceRef"]["name"], "production");
    let status = scene.status();
    assert_eq!(status.stages[1].promoted.as_ref().unwrap().release, "a");
    assert!(
        status.last.starts_with("promotion dbxdemo-") && status.last.ends_with(" to production"),
        "{}",
        status.last
    );
    for minute in 3..100 {
        assert_eq!(scene.round(minute).await.0, Vec::<String>::new());
    }
    scene.follow.note(&good(built(&pipeline, "a", 1, 'a')));
    assert_eq!(scene.round(100).await.0, ["GET databricksreleases"]);
}

#[tokio::test]
async fn after_a_crash_before_the_status_the_same_release_is_found() {
    let pipeline = two_stages();
    let mut scene = Scene::new(pipeline.clone(), &[good(built(&pipeline, "a", 1, 'a'))]);
    scene.round(2).await;
    // Another process, which has never looked, with the status of before.
    let before = Scene::new(pipeline, &[]);
    (scene.follow, scene.pipeline) = (before.follow, before.pipeline);
    let (requests, trouble) = scene.round(3).await;
    assert_eq!((scene.created("promotion").len(), trouble), (1, None));
    assert_eq!(requests[1], "POST databricksreleases");
    assert!(scene.status().stages[1].promoted.as_ref().unwrap().release == "a");
}

#[tokio::test]
async fn what_could_not_be_created_is_tried_again() {
    let pipeline = two_stages();
    let mut scene = Scene::new(pipeline.clone(), &[good(built(&pipeline, "a", 1, 'a'))]);
    scene.cluster.lock().unwrap().refuses = true;
    let (_, trouble) = scene.round(2).await;
    assert!(trouble.is_some_and(|trouble| trouble.transient));
    assert_eq!(scene.status().stages[1].promoted.as_ref().unwrap().release, "");
    scene.cluster.lock().unwrap().refuses = false;
    scene.round(3).await;
    assert_eq!(scene.created("promotion").len(), 1);
}

#[tokio::test]
async fn a_suspended_pipeline_promotes_nothing_but_rolls_back() {
    let mut pipeline = two_stages();
    pipeline.spec.template.spec.on_failure = OnFailure::Rollback;
    pipeline.spec.trigger.poll = Some(Poll::default());
    let all = [good(built(&pipeline, "a", 1, 'a')), failed(built(&pipeline, "b", 2, 'b'))];
    let mut scene = Scene::new(pipeline, &all);
    scene.start = false;
    scene.round(3).await;
    assert_eq!((scene.created("promotion").len(), scene.created("rollback").len(), scene.asked()), (0, 1, 0));
    let events = std::mem::take(&mut scene.cluster.lock().unwrap().events);
    assert!(
        events.iter().any(|event| event["reason"] == "RolledBack" && event["regarding"]["name"] == "b"),
        "{events:?}"
    );
}

/// Defect: a suspended pipeline stands still in its conditions, and so nobody came again for the rollback it owed.
#[tokio::test]
async fn a_rollback_that_could_not_be_created_is_tried_again_while_the_pipeline_is_suspended() {
    let mut pipeline = two_stages();
    pipeline.spec.template.spec.on_failure = OnFailure::Rollback;
    pipeline.spec.suspend = true;
    let all = [good(built(&pipeline, "a", 1, 'a')), failed(built(&pipeline, "b", 2, 'b'))];
    let scene = Scene::new(pipeline, &all);
    scene.cluster.lock().unwrap().refuses = true;
    assert_eq!(scene.reconcile(3).await, Action::requeue(Duration::from_secs(15)));
    scene.cluster.lock().unwrap().refuses = false;
    assert_eq!(scene.reconcile(4).await, Action::await_change());
    assert_eq!(scene.created("rollback").len(), 1);
}

#[tokio::test]
async fn old_releases_are_deleted_by_uid_when_their_time_has_come() {
    let mut pipeline = two_stages();
    pipeline.spec.retention.minimum_per_stage = 0;
    let all: Vec<DatabricksRelease> = (1..4).map(|n| failed(built(&pipeline, &format!("r{n}"), n, 'a'))).collect();
    let mut scene = Scene::new(pipeline, &all);
    scene.round(10).await;
    let hours = |hours: i64| 720 * 60 + hours;
    assert_eq!(scene.round(hours(0)).await.0, Vec::<String>::new());
    assert_eq!(scene.round(hours(2)).await.0, ["GET databricksreleases", "DELETE r1"]);
    assert_eq!(scene.round(hours(3)).await.0, ["GET databricksreleases", "DELETE r2"]);
    assert_eq!(scene.round(hours(9)).await.0, Vec::<String>::new(), "r3 is what the stage has");
}

#[tokio::test]
async fn a_poll_makes_up_for_a_lost_webhook_and_costs_one_question_while_nothing_moves() {
    let mut pipeline = two_stages();
    pipeline.spec.trigger.poll = Some(Poll::default());
    let mut scene = Scene::new(pipeline.clone(), &[]);
    scene.tip(Some('a'));
    scene.round(0).await;
    assert_eq!(scene.created("push").len(), 0, "history");
    assert_eq!((scene.status().observed_commits.len(), scene.asked()), (1, 1));
    scene.round(4).await;
    assert_eq!(scene.asked(), 1, "every five minutes");
    assert_eq!((scene.round(5).await.0, scene.asked()), (vec![], 2));
    scene.tip(Some('b'));
    scene.round(10).await;
    assert_eq!(scene.created("push")[0]["spec"]["source"]["git"]["commit"], "b".repeat(40));
    scene.round(15).await;
    assert_eq!(scene.created("push").len(), 1);
}

#[tokio::test]
async fn a_repository_that_is_away_stops_nothing_else() {
    let mut pipeline = two_stages();
    pipeline.spec.trigger.poll = Some(Poll::default());
    let mut scene = Scene::new(pipeline.clone(), &[good(built(&pipeline, "a", 1, 'a'))]);
    let (_, trouble) = scene.round(2).await;
    assert_eq!((scene.created("promotion").len(), trouble.map(|t| t.message)), (1, Some("away".to_owned())));
    let (requests, trouble) = scene.round(3).await;
    assert_eq!((requests.len(), scene.asked(), trouble.is_some()), (0, 1, true), "left alone, and still told");
    scene.tip(Some('a'));
    let (_, trouble) = scene.round(7).await;
    assert_eq!((scene.asked() > 1, trouble), (true, None));
}

#[tokio::test]
async fn a_schedule_releases_the_branch_at_its_time_once() {
    let mut pipeline = two_stages();
    let daily = json!({"cron": "30 10 * * *"});
    pipeline.spec.trigger.schedules = vec![serde_json::from_value::<Schedule>(daily).unwrap()];
    let mut scene = Scene::new(pipeline.clone(), &[]);
    scene.push(&good(built(&pipeline, "a", 1, 'a')));
    scene.round(2).await;
    assert_eq!((scene.status().next_schedule_time.as_ref().unwrap().0, scene.asked()), (at(30), 0));
    // The forge is away at first: it is asked again half a minute later.
    let (_, trouble) = scene.round(30).await;
    assert!(trouble.is_some());
    assert_eq!(scene.status().next_schedule_time.as_ref().unwrap().0, at(30), "it is owed");
    scene.tip(Some('a'));
    scene.round(31).await;
    let release = scene.created("schedule").remove(0);
    assert_eq!(release["spec"]["source"]["git"]["commit"], "a".repeat(40));
    assert_eq!(scene.status().last_schedule_time.as_ref().unwrap().0, at(30));
    assert_eq!(scene.status().next_schedule_time.as_ref().unwrap().0, at(30 + 24 * 60));
    scene.round(32).await;
    assert_eq!(scene.created("schedule").len(), 1);
}
