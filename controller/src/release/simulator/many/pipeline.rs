//! The API server as the pipeline sees it: it lists releases, creates them, and takes the pipeline's status over the version
//! it was decided on. What a reconcile creates and writes is done after it, one by one, so that a kill can fall before and
//! after each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use brickline_crds::{DatabricksRelease, Reason, ReleasePipeline, ReleasePipelineStatus};
use http::{Method, Request, Response};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::super::kill::{Side, named};
use super::Many;
use crate::kstatus::{self, Seen};
use crate::pipeline::{self, Follow};

/// What is stored, and what was created since.
#[derive(Default)]
struct Table {
    releases: BTreeMap<String, Value>,
    created: Vec<Value>,
    /// The pipeline, its version, and the status that was written over it.
    pipeline: Value,
    written: Option<Value>,
}

impl Table {
    /// What is new since the last reconcile.
    fn store(&mut self, many: &Many) {
        self.pipeline = json!(many.pipeline);
        for release in many.releases() {
            let known = self.releases.entry(release.name_any()).or_default();
            if known["metadata"]["resourceVersion"].as_str() != release.resource_version().as_deref() {
                *known = json!(*release);
            }
        }
    }

    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let taken =
            |release: &Value| self.releases.contains_key(release["metadata"]["name"].as_str().unwrap_or_default());
        match *method {
            Method::GET if name == "databricksreleases" => {
                let items: Vec<&Value> = self.releases.values().collect();
                (200, json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "List", "metadata": {}, "items": items}))
            }
            Method::GET => self.releases.get(name).map_or_else(|| failure(404), |release| (200, release.clone())),
            Method::POST if path.contains("/databricksreleases") => {
                let release: Value = serde_json::from_slice(body).expect("a release");
                if taken(&release) {
                    return failure(409);
                }
                self.created.push(release.clone());
                (201, release)
            }
            Method::PATCH => {
                let applied: Value = serde_json::from_slice(body).expect("a status");
                if applied["metadata"]["resourceVersion"] != self.pipeline["metadata"]["resourceVersion"] {
                    return failure(409);
                }
                self.pipeline["status"] = applied["status"].clone();
                self.written = Some(applied["status"].clone());
                (200, self.pipeline.clone())
            }
            _ => (201, serde_json::from_slice(body).expect("an event")),
        }
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = if code == 409 { "AlreadyExists" } else { "NotFound" };
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
}

/// The API server, and the runtime that its client needs.
pub(super) struct Api {
    runtime: tokio::runtime::Runtime,
    table: Arc<Mutex<Table>>,
    kube: kube::Client,
}

impl Api {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let table = Arc::<Mutex<Table>>::default();
        let server = table.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.expect("a body");
                let (code, answer) = server.lock().expect("unpoisoned").answer(&parts.method, parts.uri.path(), &body);
                let body = kube::client::Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).expect("an answer"))
            }
        });
        let kube = runtime.block_on(async { kube::Client::new(service, "default") });
        Self { runtime, table, kube }
    }

    /// One reconcile of the pipeline. Whether it did anything.
    pub(super) fn reconcile(&self, many: &RefCell<Many>, follow: &Follow) -> bool {
        let (pipeline, now) = (many.borrow().pipeline.clone(), many.borrow().now);
        self.table.lock().expect("unpoisoned").store(&many.borrow());
        let done = self.runtime.block_on(pipeline::tests::reconcile(&pipeline, &self.kube, follow, now));
        let (created, written) = {
            let mut table = self.table.lock().expect("unpoisoned");
            (std::mem::take(&mut table.created), table.written.take())
        };
        let mut many = many.borrow_mut();
        many.problems.extend(done.err().map(|error| format!("the pipeline: {error}")));
        let did = !created.is_empty() || written.is_some();
        for release in created {
            let release: DatabricksRelease = serde_json::from_value(release).expect("a release");
            many.point(Side::Before);
            many.followed += 1;
            if !many.create(release) {
                many.problems.push("the pipeline created a release twice".to_owned());
            }
            many.point(Side::After);
            many.calls += 1;
        }
        if let Some(status) = written {
            many.point(Side::Before);
            many.marked += 1;
            let status = Some(serde_json::from_value(status).expect("a status"));
            let same = many.pipeline.status == status;
            many.problems.extend(same.then(|| "the pipeline: a write that changes nothing".to_owned()));
            many.pipeline.status = status;
            many.pipeline.metadata.resource_version = Some(format!("{}", many.marked));
            many.point(Side::After);
            many.calls += 1;
        }
        let broken = broken(pipeline.status.as_ref(), &many.pipeline);
        many.problems.extend(named("the pipeline", broken));
        did
    }
}

/// What kstatus finds wrong with a pipeline that was just reconciled.
fn broken(before: Option<&ReleasePipelineStatus>, pipeline: &ReleasePipeline) -> Vec<String> {
    let before = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(status) = &pipeline.status else { return vec!["it has no status".to_owned()] };
    let conditions = &status.conditions;
    let generation = pipeline.metadata.generation.unwrap_or_default();
    let seen = Seen { conditions, observed_generation: status.observed_generation, generation };
    let mut broken = kstatus::broken(&seen);
    broken.extend(kstatus::moved(before, conditions));
    if pipeline.spec.suspend && !kstatus::is_settled_as(conditions, &Reason::Suspended.to_string()) {
        broken.push("it is suspended and does not say so".to_owned());
    }
    broken
}
