//! A workspace behind HTTP, in memory: what is there, and which calls were made.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use brickline_crds::DatabricksWorkspace;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::super::super::key::{is_below, key};
use crate::databricks::{Auth, Client, ClientConfig, Family, HttpConfig, Limits, Timings, Unobserved, connect};
use crate::workspace::Connection;

/// One object: its kind as Databricks calls it, and its content.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) content: Vec<u8>,
    modified: i64,
}

/// What is behind the server.
#[derive(Default)]
pub(super) struct Inside {
    pub(super) objects: BTreeMap<String, Object>,
    /// Calls as `operation place`.
    pub(super) calls: Vec<String>,
    /// A place that takes nothing.
    pub(super) refuses: Option<String>,
    /// A place that never answers.
    pub(super) hangs: Option<String>,
    /// Another one writes this to a place while a notebook is imported.
    pub(super) meanwhile: Option<(String, Vec<u8>)>,
    /// Libraries of the cluster.
    pub(super) libraries: Vec<String>,
    /// Libraries of saved jobs.
    pub(super) of_jobs: Vec<String>,
    /// Whether some saved job has more tasks than a list shows.
    pub(super) large_job: bool,
}

impl Inside {
    pub(super) fn put(&mut self, place: &str, kind: &'static str, content: &[u8]) {
        let modified = i64::try_from(self.calls.len()).unwrap();
        self.objects.insert(key(place), Object { kind, content: content.to_vec(), modified });
    }

    fn answer(&mut self, request: &Request) -> ResponseTemplate {
        let path = percent_decode_str(request.url.path()).decode_utf8().unwrap().into_owned();
        let operation = path.trim_start_matches("/api/2.0/").trim_start_matches("/api/2.2/").to_owned();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let asked = request.url.query_pairs().find(|(name, _)| name == "path").map(|(_, path)| path.into_owned());
        let place = key(&asked.or_else(|| body["path"].as_str().map(str::to_owned)).unwrap_or_default());
        if let Some(file) = operation.strip_prefix("workspace-files/import-file") {
            self.calls.push(format!("import-file {}", key(file)));
            self.put(file, "FILE", &request.body);
            return ok(&json!({}));
        }
        if let Some(place) = operation.strip_prefix("fs/") {
            return self.volume(place, request);
        }
        self.calls.push(format!("{operation} {place}"));
        match operation.as_str() {
            "workspace/import" => self.import(&place, &body),
            "workspace/export" => self
                .objects
                .get(&place)
                .map_or_else(missing, |object| ResponseTemplate::new(200).set_body_bytes(exported(object))),
            "workspace/get-status" => {
                self.objects.get(&place).map_or_else(missing, |object| ok(&shown(&place, object)))
            }
            "workspace/list" => ok(&json!({"objects": self.list(&place)})),
            "workspace/delete" if self.objects.keys().any(|other| is_below(other, &place)) => {
                let refusal = json!({"error_code": "DIRECTORY_NOT_EMPTY", "message": "it is not empty"});
                ResponseTemplate::new(400).set_body_json(refusal)
            }
            "workspace/delete" => {
                self.objects.remove(&place);
                ok(&json!({}))
            }
            "workspace/mkdirs" if self.hangs.as_ref() == Some(&place) => {
                ok(&json!({})).set_delay(Duration::from_mins(10))
            }
            "workspace/mkdirs" => ok(&json!({})),
            "libraries/all-cluster-statuses" => {
                let status = |path: &String| json!({"library": {"whl": path}, "status": "INSTALLED"});
                let libraries: Vec<_> = self.libraries.iter().map(status).collect();
                ok(
                    &json!({"statuses": [{"cluster_id": "of nobody here"}, {"cluster_id": "c", "library_statuses": libraries}]}),
                )
            }
            "jobs/list" => {
                let task = |path: &String| json!({"settings": {"tasks": [{"libraries": [{"whl": path}]}]}});
                let mut jobs: Vec<_> = self.of_jobs.iter().map(task).collect();
                jobs.push(json!({"job_id": 7, "has_more": self.large_job}));
                ok(&json!({"jobs": jobs}))
            }
            _ => ResponseTemplate::new(404),
        }
    }

    fn import(&mut self, place: &str, body: &Value) -> ResponseTemplate {
        if self.refuses.as_deref() == Some(place) {
            let refusal = json!({"error_code": "PERMISSION_DENIED", "message": "the folder is protected"});
            return ResponseTemplate::new(403).set_body_json(refusal);
        }
        if self.hangs.as_deref() == Some(place) {
            return ok(&json!({})).set_delay(Duration::from_mins(10));
        }
        if let Some((place, content)) = self.meanwhile.take() {
            self.put(&place, "FILE", &content);
        }
        let content = BASE64_STANDARD.decode(body["content"].as_str().unwrap()).unwrap();
        self.put(place, if body["format"] == "RAW" { "FILE" } else { "NOTEBOOK" }, &content);
        ok(&json!({}))
    }

    /// The Files API.
    fn volume(&mut self, asked: &str, request: &Request) -> ResponseTemplate {
        let (kind, place) = asked.split_at(asked.find('/').unwrap());
        self.calls.push(format!("{} fs/{kind} {place}", request.method));
        match (kind, request.method.as_str()) {
            ("directories", "GET") => ok(&json!({"contents": self.list(place)})),
            ("files", "HEAD") => self
                .objects
                .get(place)
                .map_or_else(missing, |object| ResponseTemplate::new(200).set_body_bytes(object.content.clone())),
            ("files", "GET") => self
                .objects
                .get(place)
                .map_or_else(missing, |object| ResponseTemplate::new(200).set_body_bytes(object.content.clone())),
            ("files", "PUT") => {
                self.put(place, "FILE", &request.body);
                ResponseTemplate::new(204)
            }
            ("files", "DELETE") => {
                self.objects.remove(place);
                ResponseTemplate::new(204)
            }
            _ => ResponseTemplate::new(204),
        }
    }

    fn list(&self, folder: &str) -> Vec<Value> {
        let inside = |place: &String| place.rsplit_once('/').is_some_and(|(parent, _)| parent == folder);
        self.objects.iter().filter(|(place, _)| inside(place)).map(|(place, object)| shown(place, object)).collect()
    }
}

/// An export begins with the mark.
fn exported(object: &Object) -> Vec<u8> {
    let mark: &[u8] = if object.kind == "NOTEBOOK" { b"# Databricks notebook source\n" } else { b"" };
    [mark, &object.content].concat()
}

fn shown(place: &str, object: &Object) -> Value {
    if object.kind == "NOTEBOOK" {
        return json!({"path": place, "object_type": object.kind, "language": "PYTHON"});
    }
    let (size, modified) = (object.content.len(), object.modified);
    if place.starts_with("/Volumes/") {
        return json!({"path": place, "is_directory": false, "file_size": size, "last_modified": modified});
    }
    json!({"path": place, "object_type": object.kind, "size": size, "modified_at": modified})
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn missing() -> ResponseTemplate {
    ResponseTemplate::new(404).set_body_json(json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no object"}))
}

/// The server.
pub(super) struct Fake {
    inside: Arc<Mutex<Inside>>,
    server: MockServer,
}

struct Answers(Arc<Mutex<Inside>>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.0.lock().unwrap().answer(request)
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let (inside, server) = (Arc::default(), MockServer::start().await);
        Mock::given(any()).respond_with(Answers(Arc::clone(&inside))).mount(&server).await;
        Self { inside, server }
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// The calls since the last time this was asked.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().calls)
    }

    /// What lies below a folder.
    pub(super) fn below(&self, folder: &str) -> Vec<String> {
        self.inside().objects.keys().filter(|place| place.starts_with(folder)).cloned().collect()
    }

    /// A connection without the pauses and limits of the real one.
    pub(super) fn connection(&self, annotations: &[(&str, &str)]) -> Connection {
        let moment = Duration::from_millis(2);
        let timings = Timings { first_pause: moment, longest_pause: moment, ..Timings::default() };
        let lifted = [Family::Import, Family::Export, Family::Workspace, Family::Libraries, Family::Files];
        let families = lifted.into_iter().map(|family| (family, NonZeroU32::new(100_000).unwrap())).collect();
        let client = Client::new(ClientConfig {
            host: self.server.uri().parse().unwrap(),
            auth: Auth::Token("token".into()),
            http: connect(&HttpConfig::default()).unwrap(),
            timings,
            limits: Limits { total: None, families },
            observer: Arc::new(Unobserved),
        });
        let spec = serde_json::from_value(json!({
            "host": self.server.uri(),
            "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
            "clusters": {"main": {"id": "0123-456789-abc"}},
        }));
        let mut workspace = DatabricksWorkspace::new("staging", spec.unwrap());
        let annotations: BTreeMap<String, String> =
            annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        workspace.metadata.annotations = Some(annotations);
        Connection { workspace: Arc::new(workspace), client: client.unwrap() }
    }
}
