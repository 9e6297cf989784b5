//! The rules of a release's spec, evaluated as the API server does.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn git() -> Value {
    json!({"git": {
        "url": "https://git.example.com/data/dbxdemo.git",
        "ref": "refs/heads/release",
        "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d",
    }})
}

fn artifact() -> Value {
    json!({"artifactFrom": [{"release": "dbxdemo-4f2c91d0a7be", "digest": DIGEST}]})
}

/// One that was built elsewhere.
fn remote(url: &str) -> Value {
    json!({"artifact": {"url": url, "digest": DIGEST}})
}

const ZIP: &str = "https://artifacts.example.com/dbxdemo/1.zip";

/// A commit of a pull request.
fn pull() -> Value {
    let mut source = git();
    source["git"]["ref"] = json!("refs/pull/12/head");
    source
}

fn job() -> Value {
    json!({"name": "nightly", "tasks": [{"key": "load", "notebook": {"path": "notebooks/load.py"}}]})
}

/// A release whose build has Databricks Connect, with these fields besides.
fn connect(fields: &Value, spec: &Value) -> Value {
    let mut connect = json!({"enabled": true});
    connect.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut all = json!({"workspaceRef": {"name": "staging"}, "build": {"databricksConnect": connect}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    all
}

/// A release whose spec has these fields besides its source.
fn release(source: &Value, fields: Value) -> DatabricksRelease {
    let mut spec = json!({"source": source});
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    spec.as_object_mut().unwrap().extend(fields);
    let mut release = DatabricksRelease::new("by-hand", serde_json::from_value(spec).unwrap());
    release.metadata.namespace = Some("data".into());
    release
}

#[rstest]
#[case(&git(), json!({}))]
#[case(&pull(), json!({"reason": "pullRequest", "workspaceRef": {"name": "sandbox"}, "install": {"clusters": []}}))]
#[case(&remote(ZIP), json!({"workspaceRef": {"name": "staging"}}))]
#[case(&remote("http://store.lab.svc:8080/a@b/1.zip?sig=a%2Fb&se=2026"), json!({}))]
#[case(&json!({"artifact": {"url": ZIP, "digest": DIGEST, "credentialsRef": {"name": "store"}}}), json!({}))]
#[case(&git(), json!({"stage": "staging", "tags": ["nightly"], "parameters": {"env": "staging"}}))]
#[case(&artifact(), json!({"workspaceRef": {"name": "staging"}, "startAt": "Deploy", "reason": "retry"}))]
#[case(&artifact(), json!({"workspaceRef": {"name": "staging"}, "startAt": "Operate", "operate": {"jobs": [job()]}}))]
#[case(&artifact(), json!({"reason": "promotion", "cause": {"release": "dbxdemo-4f2c91d0a7be"}}))]
#[case(&git(), json!({"install": {"libraries": [
    {"wheelsFromArtifact": true}, {"whl": "/Volumes/a/b.whl"}, {"jar": "dbfs:/a.jar"}, {"requirements": "/Workspace/r.txt"},
    {"fromArtifact": "libraries/*.jar"}, {"fromArtifact": "requirements.txt"}, {"fromArtifact": "$(params.libs)/*.whl"},
    {"pypi": {"package": "foo == 1", "repo": "https://i/simple"}}, {"maven": {"coordinates": "g:a:1"}}, {"cran": {"package": "ada"}},
]}}))]
#[case(&git(), json!({"install": {"clusters": ["etl", "main"]}}))]
#[case(&git(), json!({"install": {"clusters": []}, "test": {"compute": {"cluster": "etl"}}}))]
#[case(&git(), json!({"install": {"libraries": []}, "test": {"compute": {"cluster": "etl"}}}))]
#[case(&git(), json!({"install": {"clusters": ["etl"]}, "test": {"notebooks": []}}))]
#[case(&git(), json!({"install": {"clusters": ["etl"]}, "test": {"allowOtherCluster": true}}))]
#[case(&git(), json!({"install": {"clusters": ["etl"]}, "test": {"compute": {"serverless": {}}}}))]
#[case(&git(), json!({"deploy": {"bundle": {"target": "staging"}}}))]
#[case(&git(), json!({"deploy": {"bundle": {
    "path": "bundles/etl-1", "target": "$(params.env)", "image": "registry.example.com/cli:1",
    "variables": {"catalog": "$(workspace.vars.catalog)", "_a1": ""}, "resources": {"limits": {"memory": "1Gi"}}, "forceLock": true,
}}}))]
#[case(&git(), json!({"build": {"databricksConnect": {"cluster": "etl"}}}))]
#[case(&artifact(), json!({"build": {"databricksConnect": {"enabled": true}}}))]
#[case(&artifact(), connect(&json!({"cluster": "etl"}), &json!({})))]
#[case(&git(), connect(&json!({}), &json!({})))]
#[case(&git(), connect(&json!({"cluster": "main", "version": "15.4.26"}), &json!({})))]
#[case(&git(), connect(&json!({"version": "18.0.*"}), &json!({"install": {"clusters": ["etl", "main"]}})))]
#[case(&git(), connect(&json!({"cluster": "etl", "allowOtherCluster": true}), &json!({})))]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": ["main", "etl"]}, "test": {"compute": {"cluster": "etl"}}})))]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": []}, "test": {"notebooks": []}})))]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"libraries": []}, "test": {"compute": {"serverless": {}}}})))]
fn is_taken(#[case] source: &Value, #[case] fields: Value) {
    let refusal = release(source, fields).validate_cel().err().map(|errors| errors.to_string());
    assert_eq!(refusal, None);
}

#[rstest]
#[case(&json!({}), json!({}), "exactly one of git")]
#[case(&json!({"git": git()["git"], "artifact": remote(ZIP)["artifact"]}), json!({}), "exactly one of git")]
#[case(&json!({"artifactFrom": artifact()["artifactFrom"], "artifact": remote(ZIP)["artifact"]}), json!({}), "exactly one of git")]
#[case(&json!({"artifact": {"url": ZIP, "digest": DIGEST.replace("2c", "2C")}}), json!({}), "artifact.digest is that of the zip")]
#[case(&remote("ftp://artifacts.example.com/1.zip"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://ana:secret@artifacts.example.com/1.zip"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://artifacts.example.com"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://artifacts.example.com/"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://artifacts.example.com\\@evil.example/1.zip"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://artifacts.example.com?x=/1.zip"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://artifacts.example.com/1.zip#x"), json!({}), "url is the https:// address of a file")]
#[case(&remote("https://artifacts.example.com/a b.zip"), json!({}), "url is the https:// address of a file")]
#[case(&remote(ZIP), json!({"startAt": "Deploy", "workspaceRef": {"name": "a"}}), "startAt needs source.artifactFrom")]
#[case(&remote(ZIP), json!({"reason": "rollback"}), "need source.artifactFrom")]
#[case(&json!({"git": git()["git"], "artifactFrom": artifact()["artifactFrom"]}), json!({}), "exactly one of git")]
#[case(&json!({"artifactFrom": [{"release": "a", "digest": DIGEST.to_uppercase()}]}), json!({}), "digest is status.artifact.digest")]
#[case(&json!({"artifactFrom": [{"release": "../a", "digest": DIGEST}]}), json!({}), "the name of an object")]
#[case(&git(), json!({"stage": "Staging"}), "stage is a lower-case word")]
#[case(&git(), json!({"startAt": "Deploy"}), "startAt needs source.artifactFrom")]
#[case(&artifact(), json!({"startAt": "Deploy"}), "startAt needs source.artifactFrom")]
#[case(&artifact(), json!({"startAt": "Build", "workspaceRef": {"name": "a"}}), "startAt is Deploy, Install, Test or Operate")]
#[case(&git(), json!({"operate": {"jobs": [job()]}}), "operate needs workspaceRef")]
#[case(&git(), json!({"operate": {"prune": true}}), "operate needs workspaceRef")]
#[case(&pull(), json!({}), "reason pullRequest and the ref of a pull request")]
#[case(&pull(), json!({"reason": "push"}), "reason pullRequest and the ref of a pull request")]
#[case(&git(), json!({"reason": "pullRequest", "install": {"clusters": []}}), "reason pullRequest and the ref of a pull request")]
#[case(&artifact(), json!({"reason": "pullRequest", "install": {"clusters": []}}), "reason pullRequest and the ref of a pull request")]
#[case(&pull(), json!({"reason": "pullRequest"}), "has no stage, and installs nothing")]
#[case(&pull(), json!({"reason": "pullRequest", "stage": "staging", "install": {"clusters": []}}), "has no stage, and installs nothing")]
#[case(&git(), json!({"reason": "promotion"}), "need source.artifactFrom")]
#[case(&git(), json!({"reason": "rollback"}), "need source.artifactFrom")]
#[case(&git(), json!({"cause": {"release": "A"}}), "the name of an object")]
#[case(&git(), json!({"workspaceRef": {"name": "data/staging"}}), "the name of an object")]
#[case(&git(), json!({"tags": ["a b"]}), "tags are words")]
#[case(&git(), json!({"parameters": {"a-b": "x"}}), "parameter names are words")]
#[case(&git(), json!({"timeouts": {"release": "1h"}}), "timeouts don't add up")]
#[case(&git(), json!({"timeouts": {"operate": "2h1s"}}), "timeouts don't add up")]
#[case(&git(), json!({"install": {"clusters": ["etl"]}}), "test.compute.cluster is none of install.clusters")]
#[case(&git(), json!({"test": {"compute": {"cluster": "etl"}}}), "is none of install.clusters")]
#[case(&git(), json!({"install": {"libraries": [{}]}}), "each of install.libraries is exactly one of")]
#[case(&git(), json!({"install": {"libraries": [{"wheelsFromArtifact": true, "jar": "/Volumes/a"}]}}), "is exactly one of")]
#[case(&git(), json!({"install": {"libraries": [{"fromArtifact": "a.jar", "jar": "/Volumes/a"}]}}), "is exactly one of")]
#[case(&git(), json!({"install": {"libraries": [{"fromArtifact": "/libs/a.jar"}]}}), "a glob relative to the repository's root")]
#[case(&git(), json!({"install": {"libraries": [{"fromArtifact": "../a.jar"}]}}), "a glob relative to the repository's root")]
#[case(&git(), json!({"install": {"libraries": [{"fromArtifact": "libraries/**"}]}}), "ends in .jar, .whl or .txt")]
#[case(&git(), json!({"install": {"libraries": [{"jar": "/tmp/a.jar"}]}}), "a library's file is an absolute path")]
#[case(&git(), json!({"install": {"libraries": [{"whl": "/Volumes/a/b.egg"}]}}), "whl ends in .whl")]
#[case(&git(), json!({"install": {"libraries": [{"pypi": {"package": "-r x"}}]}}), "a package begins with")]
#[case(&git(), json!({"install": {"libraries": [{"cran": {"package": "a", "repo": "https://me:pw@c"}}]}}), "without credentials")]
#[case(&git(), json!({"install": {"libraries": [{"maven": {"coordinates": "g:a"}}]}}), "coordinates are group:artifact:version")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a b"}}}), "bundle.target is the name of a target")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "--profile"}}}), "bundle.target is the name of a target")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "/etl"}}}), "bundle.path is a folder of the repository")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "../etl"}}}), "bundle.path is a folder of the repository")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "etl/"}}}), "bundle.path is a folder of the repository")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "./etl"}}}), "bundle.path is a folder of the repository")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a", "image": "$(params.image)"}}}), "image is an image's address")]
#[case(&git(), json!({"deploy": {"bundle": {"target": "a", "variables": {"a-b": "c"}}}}), "names of bundle.variables are words")]
#[case(&git(), json!({"build": {"databricksConnect": {"enabled": true}}}), "build.databricksConnect needs workspaceRef")]
#[case(&git(), connect(&json!({"version": "$(params.connect)"}), &json!({})), "databricksConnect.version is a version of")]
#[case(&git(), connect(&json!({"version": "15.4"}), &json!({})), "databricksConnect.version is a version of")]
#[case(&git(), connect(&json!({"version": "12.2.*"}), &json!({})), "from 13.0 on")]
#[case(&git(), connect(&json!({"version": "15.4.* -r x"}), &json!({})), "databricksConnect.version is a version of")]
#[case(&git(), connect(&json!({"cluster": "$(params.cluster)"}), &json!({})), "a cluster is named as in the workspace's")]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({})), "is not where the release installs and tests")]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({"test": {"notebooks": []}})), "is not where the release installs and tests")]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": ["main", "etl"]}})), "is not where the release installs and tests")]
#[case(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": []}})), "is not where the release installs and tests")]
fn is_refused_with_a_sentence(#[case] source: &Value, #[case] fields: Value, #[case] sentence: &str) {
    let refusal = release(source, fields).validate_cel().expect_err("a refusal").to_string();
    assert!(refusal.contains(sentence), "{refusal}");
}

#[rstest]
#[case(json!({"stage": "production"}), "stage is immutable")]
#[case(json!({"reason": "retry"}), "reason is immutable")]
#[case(json!({"cause": {"release": "b"}}), "cause is immutable")]
#[case(json!({"tags": ["b"]}), "tags are immutable")]
#[case(json!({"parameters": {"env": "b"}}), "parameters are immutable")]
#[case(json!({"startAt": "Test"}), "startAt is immutable")]
#[case(json!({"approvals": {"required": 2}}), "approvals are immutable")]
#[case(json!({"operate": {"prune": true}}), "operate is immutable")]
#[case(json!({"waiting": {"slot": "1h"}}), "waiting is immutable")]
#[case(json!({"onFailure": "Rollback"}), "onFailure is immutable")]
#[case(json!({"tags": null}), "a release is immutable but for suspend and cancel")]
fn stays_as_it_is(#[case] change: Value, #[case] sentence: &str) {
    let fields = json!({
        "workspaceRef": {"name": "staging"}, "stage": "staging", "reason": "manual", "cause": {"release": "a"},
        "tags": ["a"], "parameters": {"env": "a"}, "startAt": "Deploy", "approvals": {"required": 1},
    });
    let old = release(&artifact(), fields.clone());
    let mut changed = fields;
    for (field, value) in change.as_object().unwrap() {
        changed[field] = value.clone();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(field);
        }
    }
    assert!(release(&artifact(), changed.clone()).validate_cel().is_ok());
    let refusal = release(&artifact(), changed).validate_cel_update(&old).expect_err("a refusal").to_string();
    assert!(refusal.contains(sentence), "{refusal}");
}

#[test]
fn a_cancel_is_not_taken_back() {
    let of = |fields| release(&git(), fields);
    let (old, canceled) = (of(json!({})), of(json!({"cancel": true})));
    assert!(canceled.validate_cel_update(&old).is_ok());
    assert!(of(json!({"suspend": true})).validate_cel_update(&old).is_ok());
    let refusal = old.validate_cel_update(&canceled).expect_err("a refusal").to_string();
    assert!(refusal.contains("cancel can't be taken back"), "{refusal}");
}
