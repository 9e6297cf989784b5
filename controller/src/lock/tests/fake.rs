//! An API server for Leases, and for reading releases and Jobs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response, Uri};
use kube::client::Body;
use serde_json::{Value, json};

use super::super::{Leftovers, Locks};

/// The controller's namespace.
pub(super) const NAMESPACE: &str = "brickline";

/// What happens just before a request is answered.
type Event = Box<dyn FnOnce(&mut State) + Send>;

/// What the API server holds.
#[derive(Default)]
pub(super) struct State {
    leases: BTreeMap<String, Value>,
    /// Releases and Jobs by the end of their path: `databricksreleases/one`.
    others: BTreeMap<String, Value>,
    version: u64,
    pub(super) requests: Vec<String>,
    event: Option<(Method, Event)>,
}

impl State {
    pub(super) fn answer(&mut self, method: &Method, uri: &Uri, body: &[u8]) -> (u16, Value) {
        if self.event.as_ref().is_some_and(|(at, _)| at == method) {
            let (_, event) = self.event.take().unwrap();
            event(self);
        }
        let (folder, name) = uri.path().rsplit_once('/').unwrap();
        let kind = folder.rsplit('/').next().unwrap();
        self.requests.push(format!("{method} {}", if name == "leases" { name } else { kind }));
        let body = || serde_json::from_slice::<Value>(body).unwrap();
        match (method, kind, name) {
            (&Method::GET, _, "leases") => self.list(uri),
            (&Method::POST, _, "leases") => self.create(body()),
            (&Method::GET, "leases", _) => found(self.leases.get(name)),
            (&Method::PUT, "leases", _) => self.replace(name, body()),
            (&Method::DELETE, "leases", _) => self.delete(name, &body()),
            (&Method::GET, _, _) => found(self.others.get(&format!("{kind}/{name}"))),
            _ => failure(405, "MethodNotAllowed"),
        }
    }

    fn list(&self, uri: &Uri) -> (u16, Value) {
        let query = uri.query().unwrap_or_default();
        let selector = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "labelSelector").unwrap().1;
        let selects = |lease: &&Value| {
            selector.split(',').all(|term| {
                let (key, value) = term.split_once('=').map_or((term, None), |(key, value)| (key, Some(value)));
                let label = lease["metadata"]["labels"][key].as_str();
                label.is_some() && (value.is_none() || label == value)
            })
        };
        let items: Vec<&Value> = self.leases.values().filter(selects).collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        (
            200,
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "LeaseList", "metadata": metadata, "items": items}),
        )
    }

    fn create(&mut self, mut lease: Value) -> (u16, Value) {
        let name = lease["metadata"]["name"].as_str().unwrap().to_owned();
        if self.leases.contains_key(&name) {
            return failure(409, "AlreadyExists");
        }
        lease["metadata"]["uid"] = json!(format!("lease-{}", self.version));
        (201, self.store(&name, lease))
    }

    fn replace(&mut self, name: &str, lease: Value) -> (u16, Value) {
        let Some(stored) = self.leases.get(name) else { return failure(404, "NotFound") };
        let same = |field: &str| stored["metadata"][field] == lease["metadata"][field];
        if same("uid") && same("resourceVersion") { (200, self.store(name, lease)) } else { failure(409, "Conflict") }
    }

    fn delete(&mut self, name: &str, options: &Value) -> (u16, Value) {
        let Some(stored) = self.leases.get(name) else { return failure(404, "NotFound") };
        let meets = |field: &str| {
            let wanted = &options["preconditions"][field];
            wanted.is_null() || *wanted == stored["metadata"][field]
        };
        if !(meets("uid") && meets("resourceVersion")) {
            return failure(409, "Conflict");
        }
        self.leases.remove(name);
        (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    }

    fn store(&mut self, name: &str, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.leases.insert(name.to_owned(), lease.clone());
        lease
    }

    pub(super) fn lease(&self, name: &str) -> Option<&Value> {
        self.leases.get(name)
    }

    /// The uids that hold Leases, by the Leases' names.
    pub(super) fn holders(&self) -> BTreeMap<&str, &str> {
        self.leases.iter().map(|(name, lease)| (&**name, lease["spec"]["holderIdentity"].as_str().unwrap())).collect()
    }

    /// Changes a Lease as another client would.
    pub(super) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut lease = self.leases[name].clone();
        change(&mut lease);
        self.store(name, lease);
    }

    /// Deletes a Lease as an operator would.
    pub(super) fn override_lock(&mut self, name: &str) {
        self.leases.remove(name).unwrap();
    }

    /// Puts a release there, with a result (empty: unfinished) and the runs of its ticket.
    pub(super) fn put_release(&mut self, name: &str, uid: &str, result: &str, runs: &[i64]) {
        let in_flight: Vec<Value> = runs.iter().map(|id| json!({"index": 0, "runId": id})).collect();
        let phases = json!([{"name": "Test", "ticket": {"inFlight": in_flight}}]);
        let release = json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": "DatabricksRelease",
            "metadata": {"name": name, "namespace": "data", "uid": uid},
            "spec": {"source": {"git": {
                "url": "https://git.example.com/data/dbxdemo.git", "ref": "refs/heads/release",
                "commit": "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0",
            }}},
            "status": {"result": result, "phases": phases},
        });
        self.others.insert(format!("databricksreleases/{name}"), release);
    }

    pub(super) fn remove_release(&mut self, name: &str) {
        self.others.remove(&format!("databricksreleases/{name}"));
    }

    pub(super) fn put_job(&mut self, name: &str, conditions: &Value) {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "status": {"conditions": conditions}});
        self.others.insert(format!("jobs/{name}"), job);
    }
}

fn found(object: Option<&Value>) -> (u16, Value) {
    object.map_or_else(|| failure(404, "NotFound"), |object| (200, object.clone()))
}

pub(super) fn failure(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
}

/// The API server, for tests that need no say in the order of requests.
#[derive(Clone, Default)]
pub(super) struct Cluster(Arc<Mutex<State>>);

impl Cluster {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets `event` happen just before the next request with that method is answered.
    pub(super) fn before(&self, method: Method, event: impl FnOnce(&mut State) + Send + 'static) {
        self.state().event = Some((method, Box::new(event)));
    }

    pub(super) fn client(&self) -> kube::Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let (code, answer) = cluster.state().answer(&parts.method, &parts.uri, &body);
                Ok::<_, Infallible>(response(code, &answer))
            }
        });
        kube::Client::new(service, "default")
    }

    pub(super) fn locks(&self) -> Locks {
        Locks { kube: self.client(), namespace: NAMESPACE.to_owned(), leftovers: Leftovers::default() }
    }

    /// The requests since the last look.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }
}

pub(super) fn response(code: u16, answer: &Value) -> Response<Body> {
    Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap()
}
