//! Samples for tests: a pipeline, a push, and deliveries as Gitea and GitHub write them.

use brickline_crds::{
    LocalRef, PipelineStage, Provider, ReleasePipeline, ReleasePipelineSpec, Repository, Trigger, Webhook,
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::forge::event::{Action, PullRequest, Push};

pub(crate) const COMMIT: &str = "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";
pub(crate) const BEFORE: &str = "1f2e3d4c5b6a1f2e3d4c5b6a1f2e3d4c5b6a1f2e";
const URL: &str = "https://git.example.com/data/dbxdemo.git";

/// A pipeline `data/dbxdemo` on Gitea with one stage and the webhook's Secret `hook`.
pub(crate) fn pipeline() -> ReleasePipeline {
    let spec = ReleasePipelineSpec {
        repository: Repository {
            url: URL.to_owned(),
            provider: Provider::Gitea,
            credentials_ref: Some(LocalRef::new("git")),
        },
        trigger: Trigger {
            branches: vec!["release".to_owned(), "release/*".to_owned()],
            webhook: Some(Webhook { secret_ref: LocalRef::new("hook") }),
            ..Trigger::default()
        },
        stages: vec![PipelineStage {
            name: "staging".to_owned(),
            workspace_ref: LocalRef::new("staging"),
            ..PipelineStage::default()
        }],
        ..ReleasePipelineSpec::default()
    };
    let mut pipeline = ReleasePipeline::new("dbxdemo", spec);
    pipeline.metadata.namespace = Some("data".to_owned());
    pipeline.metadata.uid = Some("5c9f7a70-0000-4000-8000-000000000001".to_owned());
    pipeline
}

/// Another pipeline of the same namespace.
pub(crate) fn pipeline_named(name: &str) -> ReleasePipeline {
    let mut pipeline = pipeline();
    pipeline.metadata.name = Some(name.to_owned());
    pipeline.metadata.uid = Some(format!("uid of {name}"));
    pipeline
}

pub(crate) fn push() -> Push {
    Push {
        repository_urls: vec![URL.to_owned()],
        reference: "refs/heads/release".to_owned(),
        commit: COMMIT.to_owned(),
        before: None,
        pusher: Some("ana@example.com".to_owned()),
    }
}

/// Pull request 12 of the repository itself into `release`, just opened.
pub(crate) fn pull_request() -> PullRequest {
    PullRequest {
        repository_urls: vec![URL.to_owned()],
        number: 12,
        action: Action::Build,
        target: "refs/heads/release".to_owned(),
        commit: COMMIT.to_owned(),
        before: None,
        is_fork: false,
        author: Some("ana@example.com".to_owned()),
        again: None,
    }
}

/// The body of a pull request's event: the fields that Gitea, Forgejo and GitHub have in common, unused ones in part.
/// Gitea adds `review` and `commit_id`, GitHub `before` and `after` if there is another commit.
pub(super) fn pull_request_body(action: &str) -> Value {
    let repository = json!({
        "id": 1,
        "full_name": "data/dbxdemo",
        "private": true,
        "clone_url": URL,
        "ssh_url": "git@git.example.com:data/dbxdemo.git",
        "html_url": "https://git.example.com/data/dbxdemo",
    });
    let user = json!({"id": 1, "login": "ana", "email": "ana@example.com"});
    json!({
        "action": action,
        "number": 12,
        "pull_request": {
            "id": 500,
            "number": 12,
            "user": user,
            "title": "Count better",
            "body": null,
            "labels": [],
            "state": "open",
            "draft": false,
            "merged": false,
            "merge_commit_sha": null,
            "base": {"label": "release", "ref": "release", "sha": BEFORE, "repo": repository},
            "head": {"label": "count", "ref": "count", "sha": COMMIT, "repo": repository},
            "created_at": "2026-11-21T09:00:00Z",
            "updated_at": "2026-11-21T10:00:00+01:00",
        },
        "repository": repository,
        "sender": user,
    })
}

/// The body of Gitea's push event, its unused fields in part.
pub(super) fn gitea_push(reference: &str) -> Vec<u8> {
    let user = json!({"id": 1, "login": "ana", "full_name": "", "email": "ana@example.com", "username": "ana"});
    json!({
        "ref": reference,
        "before": BEFORE,
        "after": COMMIT,
        "compare_url": "",
        "commits": [{"id": COMMIT, "message": "Merge", "added": [], "removed": null, "modified": ["a.py"]}],
        "total_commits": 1,
        "head_commit": {"id": COMMIT, "message": "Merge", "verification": null},
        "repository": {
            "id": 1,
            "full_name": "data/dbxdemo",
            "html_url": "https://git.example.com/data/dbxdemo",
            "clone_url": URL,
            "ssh_url": "git@git.example.com:data/dbxdemo.git",
        },
        "pusher": user,
        "sender": user,
    })
    .to_string()
    .into_bytes()
}

/// The body of GitHub's push event, its unused fields in part.
pub(super) fn github_push(reference: &str) -> Vec<u8> {
    json!({
        "ref": reference,
        "before": BEFORE,
        "after": COMMIT,
        "base_ref": null,
        "created": false,
        "deleted": false,
        "forced": false,
        "compare": "https://git.example.com/data/dbxdemo/compare/1f2e3d4c5b6a...9b1c0de9b1c0",
        "commits": [],
        "head_commit": null,
        "repository": {
            "id": 1,
            "clone_url": URL,
            "ssh_url": "git@git.example.com:data/dbxdemo.git",
            "html_url": "https://git.example.com/data/dbxdemo",
            "url": "https://git.example.com/data/dbxdemo",
        },
        "pusher": {"name": "ana", "email": "ana@example.com"},
        "sender": {"login": "ana", "id": 1},
    })
    .to_string()
    .into_bytes()
}

/// Gitea's headers, without a signature. It sends GitHub's too.
pub(super) fn gitea_headers(kind: &str) -> HeaderMap {
    let mut headers = github_headers(kind);
    headers.insert("x-gitea-event", HeaderValue::from_str(kind).unwrap());
    headers.insert("x-gitea-delivery", HeaderValue::from_static("0b0d2b6e-0000-4000-8000-000000000002"));
    headers
}

/// GitHub's headers, without a signature.
pub(super) fn github_headers(kind: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("x-github-event", HeaderValue::from_str(kind).unwrap());
    headers.insert("x-github-delivery", HeaderValue::from_static("0b0d2b6e-0000-4000-8000-000000000003"));
    headers
}

/// A signature header over `body`.
pub(super) fn signed(name: &'static str, prefix: &str, body: &[u8], token: &[u8]) -> (HeaderName, HeaderValue) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(token).unwrap();
    mac.update(body);
    let hex = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    (HeaderName::from_static(name), HeaderValue::from_str(&format!("{prefix}{hex}")).unwrap())
}

/// JSON of any shape, often with the field names of a push in unexpected places.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just(COMMIT.to_owned()),
        Just("refs/heads/release".to_owned()),
        Just("0".repeat(40)),
        Just("git@a:b".to_owned()),
        Just("opened".to_owned()),
        ".{0,40}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    let key = proptest::sample::select(vec![
        "ref",
        "after",
        "deleted",
        "repository",
        "clone_url",
        "ssh_url",
        "html_url",
        "pusher",
        "sender",
        "email",
        "login",
        "name",
        "action",
        "number",
        "pull_request",
        "head",
        "base",
        "sha",
        "repo",
        "id",
        "x",
    ]);
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..10)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
