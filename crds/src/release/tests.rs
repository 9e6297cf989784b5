//! The rules of a release's spec, evaluated as the API server does.

use serde_json::{Map, Value, json};

use super::*;
use crate::examples::{self, Example, rows};

const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

pub(super) fn git() -> Value {
    json!({"git": {
        "url": "https://git.example.com/data/dbxdemo.git",
        "ref": "refs/heads/release",
        "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d",
    }})
}

pub(super) fn artifact() -> Value {
    json!({"artifactFrom": [{"release": "dbxdemo-4f2c91d0a7be", "digest": DIGEST}]})
}

/// One that was built elsewhere.
fn remote(url: &str) -> Value {
    json!({"artifact": {"url": url, "digest": DIGEST}})
}

const ZIP: &str = "https://artifacts.example.com/dbxdemo/1.zip";

/// A commit whose place is told in other words.
fn at(field: &str, words: &str) -> Value {
    let mut source = git();
    source["git"][field] = json!(words);
    source
}

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
pub(super) fn release(source: &Value, fields: Value) -> Value {
    let mut spec = json!({"source": source});
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    spec.as_object_mut().unwrap().extend(fields);
    named("by-hand", &spec)
}

fn named(name: &str, spec: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": "data"});
    json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksRelease", "metadata": metadata, "spec": spec})
}

/// Releases that are taken.
fn taken() -> Vec<Value> {
    rows! {
        release(&git(), json!({}));
        release(&pull(), json!({"reason": "pullRequest", "workspaceRef": {"name": "sandbox"}, "install": {"clusters": []}}));
        release(&remote(ZIP), json!({"workspaceRef": {"name": "staging"}}));
        release(&remote("http://store.lab.svc:8080/a@b/1.zip?sig=a%2Fb&se=2026"), json!({}));
        release(&json!({"artifact": {"url": ZIP, "digest": DIGEST, "credentialsRef": {"name": "store"}}}), json!({}));
        release(&git(), json!({"stage": "staging", "tags": ["nightly"], "parameters": {"env": "staging"}}));
        release(&artifact(), json!({"workspaceRef": {"name": "staging"}, "startAt": "Deploy", "reason": "retry"}));
        release(&artifact(), json!({"workspaceRef": {"name": "staging"}, "startAt": "Operate", "operate": {"jobs": [job()]}}));
        release(&artifact(), json!({"reason": "promotion", "cause": {"release": "dbxdemo-4f2c91d0a7be"}}));
        release(&git(), json!({"install": {"libraries": [
            {"wheelsFromArtifact": true}, {"whl": "/Volumes/a/b.whl"}, {"jar": "dbfs:/a.jar"}, {"requirements": "/Workspace/r.txt"},
            {"fromArtifact": "libraries/*.jar"}, {"fromArtifact": "requirements.txt"}, {"fromArtifact": "$(params.libs)/*.whl"},
            {"pypi": {"package": "foo == 1", "repo": "https://i/simple"}}, {"maven": {"coordinates": "g:a:1"}}, {"cran": {"package": "ada"}},
        ]}}));
        release(&git(), json!({"install": {"clusters": ["etl", "main"]}}));
        release(&git(), json!({"install": {"clusters": []}, "test": {"compute": {"cluster": "etl"}}}));
        release(&git(), json!({"install": {"libraries": []}, "test": {"compute": {"cluster": "etl"}}}));
        release(&git(), json!({"install": {"clusters": ["etl"]}, "test": {"notebooks": []}}));
        release(&git(), json!({"install": {"clusters": ["etl"]}, "test": {"allowOtherCluster": true}}));
        release(&git(), json!({"install": {"clusters": ["etl"]}, "test": {"compute": {"serverless": {}}}}));
        release(&git(), json!({"deploy": {"bundle": {"target": "staging"}}}));
        release(&git(), json!({"deploy": {"bundle": {
            "path": "bundles/etl-1", "target": "$(params.env)", "image": "registry.example.com/cli:1",
            "variables": {"catalog": "$(workspace.vars.catalog)", "_a1": ""}, "resources": {"limits": {"memory": "1Gi"}}, "forceLock": true,
        }}}));
        release(&git(), json!({"build": {"databricksConnect": {"cluster": "etl"}}}));
        release(&artifact(), json!({"build": {"databricksConnect": {"enabled": true}}}));
        release(&artifact(), connect(&json!({"cluster": "etl"}), &json!({})));
        release(&git(), connect(&json!({}), &json!({})));
        release(&git(), connect(&json!({"cluster": "main", "version": "15.4.26"}), &json!({})));
        release(&git(), connect(&json!({"version": "18.0.*"}), &json!({"install": {"clusters": ["etl", "main"]}})));
        release(&git(), connect(&json!({"cluster": "etl", "allowOtherCluster": true}), &json!({})));
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": ["main", "etl"]}, "test": {"compute": {"cluster": "etl"}}})));
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": []}, "test": {"notebooks": []}})));
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"libraries": []}, "test": {"compute": {"serverless": {}}}})));
    }
}

/// Releases that are refused, and in which words.
fn refused() -> Vec<(Value, &'static str)> {
    rows! {
        release(&json!({}), json!({})) => "exactly one of git";
        release(&json!({"git": git()["git"], "artifact": remote(ZIP)["artifact"]}), json!({})) => "exactly one of git";
        release(&json!({"artifactFrom": artifact()["artifactFrom"], "artifact": remote(ZIP)["artifact"]}), json!({})) => "exactly one of git";
        release(&json!({"artifact": {"url": ZIP, "digest": DIGEST.replace("2c", "2C")}}), json!({})) => "artifact.digest is that of the zip";
        release(&remote("ftp://artifacts.example.com/1.zip"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://ana:secret@artifacts.example.com/1.zip"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://artifacts.example.com"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://artifacts.example.com/"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://artifacts.example.com\\@evil.example/1.zip"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://artifacts.example.com?x=/1.zip"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://artifacts.example.com/1.zip#x"), json!({})) => "url is the https:// address of a file";
        release(&remote("https://artifacts.example.com/a b.zip"), json!({})) => "url is the https:// address of a file";
        release(&remote(ZIP), json!({"startAt": "Deploy", "workspaceRef": {"name": "a"}})) => "startAt needs source.artifactFrom";
        release(&remote(ZIP), json!({"reason": "rollback"})) => "need source.artifactFrom";
        release(&json!({"git": git()["git"], "artifactFrom": artifact()["artifactFrom"]}), json!({})) => "exactly one of git";
        release(&json!({"artifactFrom": [{"release": "a", "digest": DIGEST.to_uppercase()}]}), json!({})) => "digest is status.artifact.digest";
        release(&json!({"artifactFrom": [{"release": "../a", "digest": DIGEST}]}), json!({})) => "the name of an object";
        release(&git(), json!({"stage": "Staging"})) => "stage is a lower-case word";
        release(&git(), json!({"startAt": "Deploy"})) => "startAt needs source.artifactFrom";
        release(&artifact(), json!({"startAt": "Deploy"})) => "startAt needs source.artifactFrom";
        release(&artifact(), json!({"startAt": "Build", "workspaceRef": {"name": "a"}})) => "startAt is Deploy, Install, Test or Operate";
        release(&git(), json!({"operate": {"jobs": [job()]}})) => "operate needs workspaceRef";
        release(&git(), json!({"operate": {"prune": true}})) => "operate needs workspaceRef";
        release(&pull(), json!({})) => "reason pullRequest and the ref of a pull request";
        release(&pull(), json!({"reason": "push"})) => "reason pullRequest and the ref of a pull request";
        release(&git(), json!({"reason": "pullRequest", "install": {"clusters": []}})) => "reason pullRequest and the ref of a pull request";
        release(&artifact(), json!({"reason": "pullRequest", "install": {"clusters": []}})) => "reason pullRequest and the ref of a pull request";
        release(&pull(), json!({"reason": "pullRequest"})) => "has no stage, and installs nothing";
        release(&pull(), json!({"reason": "pullRequest", "stage": "staging", "install": {"clusters": []}})) => "has no stage, and installs nothing";
        release(&git(), json!({"reason": "promotion"})) => "need source.artifactFrom";
        release(&git(), json!({"reason": "rollback"})) => "need source.artifactFrom";
        release(&git(), json!({"cause": {"release": "A"}})) => "the name of an object";
        release(&git(), json!({"workspaceRef": {"name": "data/staging"}})) => "the name of an object";
        release(&git(), json!({"tags": ["a b"]})) => "tags are words";
        release(&git(), json!({"parameters": {"a-b": "x"}})) => "parameter names are words";
        release(&git(), json!({"timeouts": {"release": "1h"}})) => "timeouts don't add up";
        release(&git(), json!({"timeouts": {"operate": "2h1s"}})) => "timeouts don't add up";
        release(&git(), json!({"install": {"clusters": ["etl"]}})) => "test.compute.cluster is none of install.clusters";
        release(&git(), json!({"test": {"compute": {"cluster": "etl"}}})) => "is none of install.clusters";
        release(&git(), json!({"install": {"libraries": [{}]}})) => "each of install.libraries is exactly one of";
        release(&git(), json!({"install": {"libraries": [{"wheelsFromArtifact": true, "jar": "/Volumes/a"}]}})) => "is exactly one of";
        release(&git(), json!({"install": {"libraries": [{"fromArtifact": "a.jar", "jar": "/Volumes/a"}]}})) => "is exactly one of";
        release(&git(), json!({"install": {"libraries": [{"fromArtifact": "/libs/a.jar"}]}})) => "a glob relative to the repository's root";
        release(&git(), json!({"install": {"libraries": [{"fromArtifact": "../a.jar"}]}})) => "a glob relative to the repository's root";
        release(&git(), json!({"install": {"libraries": [{"fromArtifact": "libraries/**"}]}})) => "ends in .jar, .whl or .txt";
        release(&git(), json!({"install": {"libraries": [{"jar": "/tmp/a.jar"}]}})) => "a library's file is an absolute path";
        release(&git(), json!({"install": {"libraries": [{"whl": "/Volumes/a/b.egg"}]}})) => "whl ends in .whl";
        release(&git(), json!({"install": {"libraries": [{"pypi": {"package": "-r x"}}]}})) => "a package begins with";
        release(&git(), json!({"install": {"libraries": [{"cran": {"package": "a", "repo": "https://me:pw@c"}}]}})) => "without credentials";
        release(&git(), json!({"install": {"libraries": [{"maven": {"coordinates": "g:a"}}]}})) => "coordinates are group:artifact:version";
        release(&git(), json!({"deploy": {"bundle": {"target": "a b"}}})) => "bundle.target is the name of a target";
        release(&git(), json!({"deploy": {"bundle": {"target": "--profile"}}})) => "bundle.target is the name of a target";
        release(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "/etl"}}})) => "bundle.path is a folder of the repository";
        release(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "../etl"}}})) => "bundle.path is a folder of the repository";
        release(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "etl/"}}})) => "bundle.path is a folder of the repository";
        release(&git(), json!({"deploy": {"bundle": {"target": "a", "path": "./etl"}}})) => "bundle.path is a folder of the repository";
        release(&git(), json!({"deploy": {"bundle": {"target": "a", "image": "$(params.image)"}}})) => "image is an image's address";
        release(&git(), json!({"deploy": {"bundle": {"target": "a", "variables": {"a-b": "c"}}}})) => "names of bundle.variables are words";
        release(&git(), json!({"build": {"databricksConnect": {"enabled": true}}})) => "build.databricksConnect needs workspaceRef";
        release(&git(), connect(&json!({"version": "$(params.connect)"}), &json!({}))) => "databricksConnect.version is a version of";
        release(&git(), connect(&json!({"version": "15.4"}), &json!({}))) => "databricksConnect.version is a version of";
        release(&git(), connect(&json!({"version": "12.2.*"}), &json!({}))) => "from 13.0 on";
        release(&git(), connect(&json!({"version": "15.4.* -r x"}), &json!({}))) => "databricksConnect.version is a version of";
        release(&git(), connect(&json!({"cluster": "$(params.cluster)"}), &json!({}))) => "a cluster is named as in the workspace's";
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({}))) => "is not where the release installs and tests";
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({"test": {"notebooks": []}}))) => "is not where the release installs and tests";
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": ["main", "etl"]}}))) => "is not where the release installs and tests";
        release(&git(), connect(&json!({"cluster": "etl"}), &json!({"install": {"clusters": []}}))) => "is not where the release installs and tests";
    }
}

/// A plan with one limit for the whole and another one for each part.
fn durations(whole: &str, part: &str) -> Value {
    let phases = ["build", "deploy", "install", "test", "operate"];
    let attempts = ["buildAttempt", "deployAttempt", "restart", "cancelGracePeriod"];
    let mut timeouts: Map<String, Value> =
        [phases.as_slice(), &attempts].concat().into_iter().map(|of| (of.to_owned(), json!(part))).collect();
    timeouts.insert("release".to_owned(), json!(whole));
    let step = json!({"name": "ruff", "run": "ruff check .", "timeout": part});
    json!({
        "timeouts": timeouts,
        "waiting": {"slot": part, "cluster": part, "dependency": part, "window": part},
        "retries": {"backoff": {"initial": part, "max": part}},
        "build": {"jobs": [{"name": "lint", "timeout": part, "steps": [step]}]},
        "test": {
            "notebooks": [{"match": "a", "timeout": part, "maxDuration": "Off"}],
            "setup": {"path": "a", "timeout": part},
        },
    })
}

/// A plan with this glob in every list of files.
fn files(glob: &str) -> Value {
    let lists = ["include", "exclude", "wheels", "requirements"];
    let mut build: Map<String, Value> = lists.into_iter().map(|list| (list.to_owned(), json!([glob]))).collect();
    build.insert("only".to_owned(), json!({"includePaths": [glob], "excludePaths": [glob]}));
    build.insert("tests".to_owned(), json!({"paths": [glob], "reports": [glob]}));
    json!({"build": build})
}

/// Releases whose plans are taken.
fn taken_plans() -> Vec<Value> {
    rows! {
        release(&git(), durations("6h", "1m"));
        release(&git(), files("notebooks/**"));
        release(&git(), json!({"deploy": {"items": [{"from": "notebooks/**", "to": "/Shared/dbxdemo"}]}}));
        release(&git(), json!({"deploy": {"libraries": {"to": "/Volumes/main/libs"}}}));
        release(&git(), json!({"install": {"whenIdle": {"timeout": "30m"}}}));
        release(&git(), json!({"test": {"innerTests": {"required": true}}}));
        release(&git(), json!({"test": {"notebooks": [
            {"match": "a", "innerTests": {"frameworks": ["pytest"], "required": true}}
        ]}}));
        release(&git(), json!({"build": {"image": "registry.example.com:5000/build:1", "pool": "gpu-2", "resources": {"requests": {"memory": "1Gi"}}}}));
        release(&git(), json!({"test": {"notebooks": [{"match": "a", "timeout": "2h", "maxDuration": "2h"}]}}));
        release(&git(), json!({"test": {"compute": {"newCluster": {"sparkVersion": "15.4.x-scala2.12", "nodeTypeId": "n", "numWorkers": 0}}}}));
        release(&git(), json!({"test": {"compute": {"newCluster": {"policyId": "P-1_a", "autoscale": {"min": 1, "max": 1}}}}}));
        release(&git(), json!({"test": {"compute": {"serverless": {"environmentVersion": "2", "dependencies": ["requests==2"]}}}}));
        release(&git(), json!({"test": {"compute": {}}}));
        release(&git(), json!({"test": {"notebooks": [{"match": "a", "timeout": "10s", "maxDuration": "Off"}], "innerTests": {"frameworks": []}}}));
        release(&git(), json!({"test": {"tasks": [{"name": "a", "pythonWheel": {"package": "p", "entryPoint": "e"}}]}}));
        release(&git(), json!({"test": {"setup": {"path": "a"}, "teardown": {"path": "b", "timeout": "1h"}}}));
        release(&git(), json!({"retries": {"backoff": {"initial": "5m", "max": "5m"}}}));
    }
}

/// Releases whose plans are refused, and in which words.
fn refused_plans() -> Vec<(Value, &'static str)> {
    rows! {
        release(&at("url", "https://ana:secret@git.example.com/a"), json!({})) => "url is an https:// or ssh://";
        release(&at("ref", "release"), json!({})) => "ref is a full ref";
        release(&at("commit", &"9B".repeat(20)), json!({})) => "commit is the full commit id";
        release(&git(), json!({"build": {"resources": {"requests": {"memory": "much"}}}})) => "quantities are numbers";
        release(&git(), json!({"install": {"libraries": [{"whl": "a.whl"}]}})) => "a library's file is";
        release(&git(), json!({"install": {"libraries": [{"requirements": "/tmp/r.txt"}]}})) => "a library's file is";
        release(&git(), json!({"test": {"notebooks": [{"match": "/a"}]}})) => "match is a glob relative";
        release(&git(), durations("0s", "0s")) => "write a duration such as";
        release(&git(), json!({"timeouts": {"build": "8760h1s"}})) => "write a duration such as";
        release(&git(), json!({"test": {"notebooks": [{"match": "a", "maxDuration": "0s"}]}})) => "or Off";
        release(&git(), files("../a")) => "relative to the repository's root";
        release(&git(), files("a/[b")) => "each [ and { needs its end";
        release(&git(), json!({"deploy": {"items": [{"from": "/a", "to": "/Shared/a"}]}})) => "from is a glob relative";
        release(&git(), json!({"install": {"clusters": ["Main"]}})) => "a cluster is named as in the workspace's";
        release(&git(), json!({"install": {"whenIdle": {"timeout": "0s"}}})) => "write a duration such as";
        release(&git(), json!({"test": {"notebooks": [
            {"match": "a", "innerTests": {"frameworks": [], "required": true}}
        ]}})) => "innerTests.required needs";
        release(&git(), json!({"build": {"image": "$(params.image)"}})) => "image is an image's address";
        release(&git(), json!({"build": {"pool": "GPU"}})) => "pool is one of the chart's builds.pools";
        release(&git(), json!({"build": {"include": ["../a"]}})) => "relative to the repository's root";
        release(&git(), json!({"build": {"resources": {"limits": {"memory": "much"}}}})) => "quantities are numbers with a unit";
        release(&git(), json!({"test": {"tasks": [{"name": "a"}]}})) => "exactly one of notebook, pythonWheel or sparkPython";
        release(&git(), json!({"test": {"tasks": [{"name": "A", "pythonWheel": {"package": "p", "entryPoint": "e"}}]}})) => "a task's name is a lower-case word";
        release(&git(), json!({"test": {"tasks": [{"name": "a", "timeout": "1s", "pythonWheel": {"package": "p", "entryPoint": "e"}}]}})) => "maxDuration must be at most timeout";
        release(&git(), json!({"test": {"tasks": [{"name": "a", "sparkPython": {"file": "/a.py"}}]}})) => "file is a Python file";
        release(&git(), json!({"test": {"tasks": [{"name": "a", "notebook": {"path": "../a"}}]}})) => "path is a notebook";
        release(&git(), json!({"test": {"tasks": [{"name": "a", "pythonWheel": {"package": "p", "entryPoint": "e", "parameters": ["a"], "namedParameters": {"a": "b"}}}]}})) => "either parameters or namedParameters";
        release(&git(), json!({"test": {"setup": {"path": "/a"}}})) => "path is a notebook";
        release(&git(), json!({"test": {"innerTests": {"frameworks": [], "required": true}}})) => "innerTests.required needs innerTests.frameworks";
        release(&git(), json!({"test": {"compute": {"cluster": "$(params.c)"}}})) => "a cluster is named as in the workspace's";
        release(&git(), json!({"test": {"compute": {"cluster": "main", "serverless": {}}}})) => "compute is one of cluster";
        release(&git(), json!({"test": {"compute": {"newCluster": {"nodeTypeId": "n", "numWorkers": 1}}}})) => "newCluster needs sparkVersion";
        release(&git(), json!({"test": {"compute": {"newCluster": {"sparkVersion": "v", "numWorkers": 1}}}})) => "newCluster needs nodeTypeId or instancePoolId";
        release(&git(), json!({"test": {"compute": {"newCluster": {"sparkVersion": "v", "nodeTypeId": "n"}}}})) => "newCluster needs numWorkers or autoscale";
        release(&git(), json!({"test": {"compute": {"newCluster": {"policyId": "a", "numWorkers": 1, "autoscale": {"min": 1, "max": 2}}}}})) => "either numWorkers or autoscale";
        release(&git(), json!({"test": {"compute": {"newCluster": {"policyId": "a", "autoscale": {"min": 2, "max": 1}}}}})) => "autoscale.min must be at most";
        release(&git(), json!({"test": {"compute": {"newCluster": {"policyId": "$(params.p)"}}}})) => "policyId is the policy's id";
        release(&git(), json!({"test": {"compute": {"serverless": {"environmentVersion": "v2"}}}})) => "environmentVersion is a number";
        release(&git(), json!({"test": {"notebooks": [{"match": "a", "maxDuration": "2h"}]}})) => "maxDuration must be at most timeout";
        release(&git(), json!({"retries": {"backoff": {"initial": "6m"}}})) => "backoff.initial must be at most";
        release(&git(), json!({"deploy": {"items": [{"from": "a", "to": "/Shared/.."}]}})) => "to is an absolute path below";
        release(&git(), json!({"deploy": {"libraries": {"to": "/Volumes/a/../b"}}})) => "libraries.to is an absolute path";
        release(&git(), json!({"tags": ["a b"]})) => "tags are words";
        release(&git(), json!({"build": {"databricksConnect": {"version": "$(params.v)"}}})) => "databricksConnect.version is a version of";
    }
}

/// A release that says something in every field that can't be changed, and another one's artifact.
fn full() -> Value {
    let fields = json!({
        "workspaceRef": {"name": "staging"}, "stage": "staging", "reason": "manual", "cause": {"release": "a"},
        "tags": ["a"], "parameters": {"env": "a"}, "startAt": "Deploy", "approvals": {"required": 1},
        "requestedBy": "ana", "requestedFor": "ana@example.com", "build": {"pool": "small"},
        "deploy": {"drift": "Full"}, "install": {"restart": "Always"}, "test": {"maxParallel": 2},
        "operate": {"prune": false}, "reporting": {"commitStatus": false}, "timeouts": {"build": "2h"},
        "waiting": {"slot": "2h"}, "retries": {"limit": 1}, "onFailure": "None", "suspend": false, "cancel": false,
    });
    release(&artifact(), fields)
}

/// A release with these fields instead; without those that are null.
fn changed(mut release: Value, change: &Value) -> Value {
    let spec = release["spec"].as_object_mut().unwrap();
    spec.extend(change.as_object().unwrap().clone());
    spec.retain(|_, value| !value.is_null());
    release
}

/// Changes of it that are taken.
fn changeable() -> Vec<Value> {
    rows! {
        json!({});
        json!({"suspend": true});
        json!({"cancel": true});
    }
}

/// Changes of it that are refused, and in which words.
fn unchangeable() -> Vec<(Value, &'static str)> {
    rows! {
        json!({"source": {"artifactFrom": artifact()["artifactFrom"], "precedence": true}}) => "source is immutable";
        json!({"stage": "production"}) => "stage is immutable";
        json!({"reason": "retry"}) => "reason is immutable";
        json!({"cause": {"release": "b"}}) => "cause is immutable";
        json!({"tags": ["b"]}) => "tags are immutable";
        json!({"requestedBy": "bob"}) => "requestedBy is immutable";
        json!({"requestedFor": "bob@example.com"}) => "requestedFor is immutable";
        json!({"workspaceRef": {"name": "production"}}) => "workspaceRef is immutable";
        json!({"parameters": {"env": "b"}}) => "parameters are immutable";
        json!({"startAt": "Test"}) => "startAt is immutable";
        json!({"approvals": {"required": 2}}) => "approvals are immutable";
        json!({"build": {"pool": "large"}}) => "build is immutable";
        json!({"deploy": {"drift": "Off"}}) => "deploy is immutable";
        json!({"install": {"restart": "Never"}}) => "install is immutable";
        json!({"test": {"maxParallel": 3}}) => "test is immutable";
        json!({"operate": {"prune": true}}) => "operate is immutable";
        json!({"reporting": {"commitStatus": true}}) => "reporting is immutable";
        json!({"timeouts": {"build": "1h"}}) => "timeouts are immutable";
        json!({"waiting": {"slot": "1h"}}) => "waiting is immutable";
        json!({"retries": {"limit": 2}}) => "retries are immutable";
        json!({"onFailure": "Rollback"}) => "onFailure is immutable";
        json!({"tags": null}) => "a release is immutable but for suspend and cancel";
        json!({"requestedBy": null}) => "a release is immutable but for suspend and cancel";
    }
}

#[test]
fn every_rule_is_shown_both_ways() {
    let taken = [taken(), taken_plans()].concat().into_iter().map(Example::taken);
    let refused = [refused(), refused_plans()].concat().into_iter().map(Example::refused);
    let kept = changeable().into_iter().map(|change| Example::taken(changed(full(), &change)).of(full()));
    let change = |(change, words)| Example::refused((changed(full(), &change), words)).of(full());
    let canceled = changed(full(), &json!({"cancel": true}));
    let at = |state: &str, change: &Value| {
        let mut release = changed(full(), change);
        release["status"] = json!({"state": state});
        release
    };
    let suspend = json!({"suspend": true});
    let others = [
        Example::refused((named(&"a".repeat(64), &full()["spec"]), "at most 63 characters")),
        Example::refused((full(), "cancel can't be taken back")).of(canceled),
        Example::taken(at("Running", &suspend)).of(at("Running", &json!({}))),
        Example::taken(at("Finished", &suspend)).of(at("Finished", &suspend)),
        Example::refused((at("Finished", &suspend), "this release has finished")).of(at("Finished", &json!({}))),
    ];
    let parts = job::tests::examples().chain(operate::tests::examples()).chain(within::tests::examples());
    let all = taken.chain(refused).chain(kept).chain(unchangeable().into_iter().map(change)).chain(others).chain(parts);
    examples::check::<DatabricksRelease>(all, &[]);
}
