//! A room: one namespace of the lab, and the requests that tests make there.

use std::{sync::LazyLock, time::Duration};

use anyhow::Context as _;
use brickline_crds::{GROUP, VERSION, all_crds};
use http::{
    HeaderValue, Method, Request, Response,
    header::{ACCEPT, CONTENT_TYPE},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionNames;
use kube::{Client, client::Body};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::Answer;

/// How long one request may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

static NAMES: LazyLock<Vec<CustomResourceDefinitionNames>> =
    LazyLock::new(|| all_crds().into_iter().map(|definition| definition.spec.names).collect());

/// Whether a request changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Real,
    /// The API server checks and answers as if, and stores nothing.
    DryRun,
}

impl Mode {
    /// The query of a request whose fields must all be known.
    fn query(self) -> &'static str {
        match self {
            Self::Real => "fieldValidation=Strict&fieldManager=tests",
            Self::DryRun => "fieldValidation=Strict&fieldManager=tests&dryRun=All",
        }
    }
}

/// One namespace. Cheap to clone.
#[derive(Clone)]
pub struct Room {
    client: Client,
    namespace: String,
    user: Option<String>,
}

impl Room {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), user: None }
    }

    /// The same namespace as another user finds it, with nothing but that user's rights.
    #[must_use]
    pub fn seen_by(&self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self.clone() }
    }

    /// The namespace's name.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Creates an object of one of Brickline's kinds.
    pub async fn create(&self, object: &Value, mode: Mode) -> anyhow::Result<Answer> {
        let path = format!("{}?{}", self.collection(kind_of(object))?, mode.query());
        self.send(Method::POST, &path, "application/json", object).await
    }

    /// Changes fields of an object, as `kubectl patch --type=merge` does.
    pub async fn merge(&self, kind: &str, name: &str, change: &Value, mode: Mode) -> anyhow::Result<Answer> {
        let path = format!("{}/{name}?{}", self.collection(kind)?, mode.query());
        self.send(Method::PATCH, &path, "application/merge-patch+json", change).await
    }

    /// Applies an object's status as `manager`, taking fields over from others.
    pub async fn apply_status(&self, object: &Value, manager: &str) -> anyhow::Result<Answer> {
        let name = object["metadata"]["name"].as_str().context("an object without a name")?;
        let query = format!("fieldManager={manager}&force=true&fieldValidation=Strict");
        let path = format!("{}/{name}/status?{query}", self.collection(kind_of(object))?);
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", object).await
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, name: &str, mode: Mode) -> anyhow::Result<Answer> {
        let dry_run = if mode == Mode::DryRun { "?dryRun=All" } else { "" };
        let path = format!("{}/{name}{dry_run}", self.collection(kind)?);
        self.call(Request::delete(path).body(Vec::new())?).await
    }

    /// Reads whatever is at this path.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call(Request::get(path).body(Vec::new())?).await
    }

    /// Reads a collection as the table that `kubectl get` prints.
    pub async fn table(&self, kind: &str) -> anyhow::Result<Value> {
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let request = Request::get(self.collection(kind)?).header(ACCEPT, accept).body(Vec::new())?;
        self.call(request).await?.accepted()
    }

    /// The path of all objects of a kind in this namespace.
    pub fn collection(&self, kind: &str) -> anyhow::Result<String> {
        let names = NAMES.iter().find(|names| names.kind == kind).with_context(|| format!("no kind {kind}"))?;
        Ok(format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{}", self.namespace, names.plural))
    }

    /// Sends any request with a body.
    pub async fn send(&self, method: Method, path: &str, kind: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, kind);
        self.call(request.body(serde_json::to_vec(body)?)?).await
    }

    async fn call(&self, mut request: Request<Vec<u8>>) -> anyhow::Result<Answer> {
        if let Some(user) = &self.user {
            request.headers_mut().insert("impersonate-user", HeaderValue::from_str(user)?);
        }
        let what = format!("{} {}", request.method(), request.uri());
        let conversation = async {
            let (parts, body) = self.client.send(request.map(Body::from)).await?.into_parts();
            let response = Response::from_parts(parts, body.collect_bytes().await?.to_vec());
            anyhow::Ok(Answer::read(&response))
        };
        timeout(LIMIT, conversation).await.with_context(|| what.clone())?.with_context(|| what.clone())
    }
}

/// The path of a kind's objects in all namespaces.
pub(crate) fn group_path(plural: &str) -> String {
    format!("/apis/{GROUP}/{VERSION}/{plural}")
}

fn kind_of(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}
