//! The rules of a pipeline's spec, evaluated as the API server does.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const HTTPS: &str = "https://git.example.com/data/dbxdemo.git";

/// A pipeline whose spec has these fields besides those it needs.
fn pipeline(fields: Value) -> ReleasePipeline {
    let mut spec = json!({"repository": {"url": HTTPS, "provider": "gitea"}});
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    spec.as_object_mut().unwrap().extend(fields);
    let mut pipeline = ReleasePipeline::new("dbxdemo", serde_json::from_value(spec).unwrap());
    pipeline.metadata.namespace = Some("data".into());
    pipeline
}

fn refusal(fields: Value) -> Option<String> {
    pipeline(fields).validate_cel().err().map(|errors| errors.to_string())
}

fn repository(url: &str, provider: &str, trigger: &Value) -> Value {
    json!({"repository": {"url": url, "provider": provider}, "trigger": trigger})
}

fn stage(fields: Value) -> Value {
    let mut stage = json!({"name": "staging", "workspaceRef": {"name": "staging"}});
    let Value::Object(fields) = fields else { panic!("fields of a stage") };
    stage.as_object_mut().unwrap().extend(fields);
    json!({"stages": [{"name": "dev", "workspaceRef": {"name": "dev"}}, stage], "parameters": [{"name": "env", "enum": ["a", "b"]}]})
}

fn plan(spec: &Value) -> Value {
    json!({"template": {"spec": spec}})
}

/// Parts of a spec with a job on a cluster that nothing is installed on.
fn on_another_cluster() -> Value {
    let tasks = json!([{"key": "load", "notebook": {"path": "notebooks/load.py"}}]);
    json!({
        "install": {"clusters": ["main"]},
        "operate": {"jobs": [{"name": "nightly", "tasks": tasks, "compute": {"cluster": "etl"}}]},
    })
}

/// A pipeline whose builds have Databricks Connect on the cluster `main`, with these stages and trigger.
fn connect(stages: &Value, trigger: &Value) -> Value {
    let build = json!({"databricksConnect": {"enabled": true, "cluster": "main"}});
    let webhook = json!({"webhook": {"secretRef": {"name": "hook"}}});
    let mut fields = json!({"template": {"spec": {"build": build}}, "stages": stages, "trigger": webhook});
    fields["trigger"].as_object_mut().unwrap().extend(trigger.as_object().unwrap().clone());
    fields
}

/// Two stages, one after the other, with these fields of the first and of the second.
fn two_stages(first: &Value, second: &Value) -> Value {
    let mut stages = json!([
        {"name": "staging", "workspaceRef": {"name": "staging"}},
        {"name": "production", "workspaceRef": {"name": "production"}, "dependsOn": ["staging"]},
    ]);
    stages[0].as_object_mut().unwrap().extend(first.as_object().unwrap().clone());
    stages[1].as_object_mut().unwrap().extend(second.as_object().unwrap().clone());
    stages
}

/// Pull requests with these fields.
fn pulls(fields: &Value) -> Value {
    let mut pulls = json!({"enabled": true});
    pulls.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"pullRequests": pulls})
}

/// A stage's `install` and `test` on another cluster than the template's.
fn elsewhere() -> Value {
    json!({"overrides": {"install": {"clusters": ["etl"]}, "test": {"compute": {"cluster": "etl"}}}})
}

#[rstest]
#[case(json!({}))]
#[case(repository(HTTPS, "gitea", &json!({"webhook": {"secretRef": {"name": "hook"}}})))]
#[case(repository("git@git.example.com:a/b", "gitea", &json!({})))]
#[case(repository("http://forge.lab/a/b", "generic", &json!({"poll": {"interval": "30s"}, "schedules": [{"cron": "@daily"}]})))]
#[case(json!({"trigger": {"artifacts": [{"pipeline": "libs", "branches": ["release/*"]}]}}))]
#[case(json!({"trigger": {"pullRequests": {}}}))]
#[case(json!({"trigger": {"pullRequests": {"target": "/Users/ana@example.com/pulls"}}}))]
#[case(repository(HTTPS, "gitea", &json!({"webhook": {"secretRef": {"name": "hook"}}, "pullRequests": {"enabled": true, "workspaceRef": {"name": "sandbox"}}})))]
#[case(json!({"trigger": {"paths": {"include": ["a/**"], "exclude": ["**/*.md"]}}}))]
#[case(stage(json!({"dependsOn": ["dev"], "parameters": {"env": "a"}})))]
#[case(stage(json!({"overrides": {"timeouts": {"build": "2h"}}})))]
#[case(json!({"parameters": [{"name": "n", "type": "number", "default": "1.5"}, {"name": "b", "type": "boolean", "default": "true"}]}))]
#[case(json!({"template": {"metadata": {"labels": {"example.com/team": "data"}, "annotations": {"note": "x"}}}}))]
#[case(plan(&json!({"build": {"image": "registry.example.com:5000/build:1", "pool": "gpu-2", "resources": {"requests": {"memory": "1Gi"}}}})))]
#[case(plan(&json!({"test": {"notebooks": [{"match": "a", "timeout": "2h", "maxDuration": "2h"}]}})))]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"sparkVersion": "15.4.x-scala2.12", "nodeTypeId": "n", "numWorkers": 0}}}})))]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"policyId": "P-1_a", "autoscale": {"min": 1, "max": 1}}}}})))]
#[case(plan(&json!({"test": {"compute": {"serverless": {"environmentVersion": "2", "dependencies": ["requests==2"]}}}})))]
#[case(plan(&json!({"test": {"compute": {}}})))]
#[case(plan(&json!({"test": {"notebooks": [{"match": "a", "timeout": "10s", "maxDuration": "Off"}], "innerTests": {"frameworks": []}}})))]
#[case(plan(&json!({"test": {"tasks": [{"name": "a", "pythonWheel": {"package": "p", "entryPoint": "e"}}]}})))]
#[case(plan(&json!({"test": {"setup": {"path": "a"}, "teardown": {"path": "b", "timeout": "1h"}}})))]
#[case(plan(&json!({"retries": {"backoff": {"initial": "5m", "max": "5m"}}})))]
#[case(stage(json!({"overrides": {"install": {"clusters": ["etl"]}, "test": {"compute": {"cluster": "etl"}}}})))]
#[case(stage(json!({"overrides": {"install": {"clusters": ["etl", "main"]}}})))]
#[case(connect(&two_stages(&json!({}), &elsewhere()), &json!({})))]
#[case(connect(&two_stages(&json!({"overrides": {"install": {"clusters": ["etl", "main"]}}}), &json!({})), &json!({})))]
#[case(connect(&two_stages(&json!({}), &json!({"condition": "true"})), &pulls(&json!({"workspaceRef": {"name": "sandbox"}}))))]
fn is_taken(#[case] fields: Value) {
    assert_eq!(refusal(fields), None);
}

#[rstest]
#[case(repository(HTTPS, "generic", &json!({"webhook": {"secretRef": {"name": "hook"}}})), "trigger.webhook needs repository.provider")]
#[case(repository(HTTPS, "gitea", &json!({"webhook": {"secretRef": {"name": "a/b"}}})), "the name of an object")]
#[case(repository("git@git.example.com:a/b", "gitea", &json!({"poll": {}})), "need a repository.url with https://")]
#[case(repository("ssh://git@git.example.com/a", "gitea", &json!({"schedules": [{"cron": "@daily"}]})), "need a repository.url with https://")]
#[case(json!({"trigger": {"poll": {"interval": "29s"}}}), "poll.interval is at least 30s")]
#[case(json!({"trigger": {"artifacts": [{"pipeline": "dbxdemo"}]}}), "would start it for ever")]
#[case(json!({"trigger": {"artifacts": [{"pipeline": "data/libs"}]}}), "the name of an object")]
#[case(json!({"trigger": {"artifacts": [{"pipeline": "libs", "branches": ["refs/heads/a"]}]}}), "branches are names or globs")]
#[case(json!({"trigger": {"pullRequests": {"enabled": true}}}), "trigger.pullRequests needs trigger.webhook")]
#[case(json!({"trigger": {"pullRequests": {"target": "/Shared"}}}), "pullRequests.target is an absolute folder")]
#[case(json!({"trigger": {"pullRequests": {"target": "/Shared/../a"}}}), "pullRequests.target is an absolute folder")]
#[case(json!({"trigger": {"pullRequests": {"target": "/Shared/$(params.a)"}}}), "pullRequests.target is an absolute folder")]
#[case(json!({"trigger": {"pullRequests": {"workspaceRef": {"name": "dev"}}}, "stages": [{"name": "dev", "workspaceRef": {"name": "dev"}}]}), "is a workspace of its own")]
#[case(json!({"trigger": {"branches": ["refs/heads/a"]}}), "branches are names or globs")]
#[case(json!({"trigger": {"paths": {"include": ["/a"]}}}), "relative to the repository's root")]
#[case(stage(json!({"dependsOn": ["production"]})), "dependsOn names other stages")]
#[case(stage(json!({"dependsOn": ["staging"]})), "dependsOn names other stages")]
#[case(stage(json!({"parameters": {"evn": "a"}})), "a stage's parameters are those of the pipeline")]
#[case(stage(json!({"parameters": {"env": "c"}})), "a stage's parameters are those of the pipeline")]
#[case(stage(json!({"name": "Staging"})), "a stage's name is a lower-case word")]
#[case(stage(json!({"overrides": {"timeouts": {"release": "1h"}}})), "timeouts don't add up")]
#[case(stage(json!({"overrides": {"install": {"clusters": ["$(params.env)"]}}})), "a cluster is named as in the workspace's")]
#[case(json!({"parameters": [{"name": "a-b"}]}), "a parameter's name is a word")]
#[case(json!({"parameters": [{"name": "a", "enum": ["x"], "default": "y"}]}), "must be one of its enum")]
#[case(json!({"parameters": [{"name": "a", "type": "number", "default": "x"}]}), "must be of its type")]
#[case(json!({"template": {"metadata": {"labels": {"brickline.dev/stage": "a"}}}}), "those of brickline.dev are set by")]
#[case(json!({"template": {"metadata": {"annotations": {"tags.brickline.dev/a": "a"}}}}), "those of brickline.dev are set by")]
#[case(json!({"template": {"metadata": {"labels": {"team": "a b"}}}}), "label values are letters")]
#[case(plan(&json!({"build": {"image": "$(params.image)"}})), "image is an image's address")]
#[case(plan(&json!({"build": {"pool": "GPU"}})), "pool is one of the chart's builds.pools")]
#[case(plan(&json!({"build": {"include": ["../a"]}})), "relative to the repository's root")]
#[case(plan(&json!({"build": {"resources": {"limits": {"memory": "much"}}}})), "quantities are numbers with a unit")]
#[case(plan(&json!({"test": {"tasks": [{"name": "a"}]}})), "exactly one of notebook, pythonWheel or sparkPython")]
#[case(plan(&json!({"test": {"tasks": [{"name": "A", "pythonWheel": {"package": "p", "entryPoint": "e"}}]}})), "a task's name is a lower-case word")]
#[case(plan(&json!({"test": {"tasks": [{"name": "a", "timeout": "1s", "pythonWheel": {"package": "p", "entryPoint": "e"}}]}})), "maxDuration must be at most timeout")]
#[case(plan(&json!({"test": {"tasks": [{"name": "a", "sparkPython": {"file": "/a.py"}}]}})), "file is a Python file")]
#[case(plan(&json!({"test": {"tasks": [{"name": "a", "notebook": {"path": "../a"}}]}})), "path is a notebook")]
#[case(plan(&json!({"test": {"tasks": [{"name": "a", "pythonWheel": {"package": "p", "entryPoint": "e", "parameters": ["a"], "namedParameters": {"a": "b"}}}]}})), "either parameters or namedParameters")]
#[case(plan(&json!({"test": {"setup": {"path": "/a"}}})), "path is a notebook")]
#[case(plan(&json!({"test": {"innerTests": {"frameworks": [], "required": true}}})), "innerTests.required needs innerTests.frameworks")]
#[case(plan(&json!({"test": {"compute": {"cluster": "$(params.c)"}}})), "a cluster is named as in the workspace's")]
#[case(plan(&json!({"test": {"compute": {"cluster": "main", "serverless": {}}}})), "compute is one of cluster")]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"nodeTypeId": "n", "numWorkers": 1}}}})), "newCluster needs sparkVersion")]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"sparkVersion": "v", "numWorkers": 1}}}})), "newCluster needs nodeTypeId or instancePoolId")]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"sparkVersion": "v", "nodeTypeId": "n"}}}})), "newCluster needs numWorkers or autoscale")]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"policyId": "a", "numWorkers": 1, "autoscale": {"min": 1, "max": 2}}}}})), "either numWorkers or autoscale")]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"policyId": "a", "autoscale": {"min": 2, "max": 1}}}}})), "autoscale.min must be at most")]
#[case(plan(&json!({"test": {"compute": {"newCluster": {"policyId": "$(params.p)"}}}})), "policyId is the policy's id")]
#[case(plan(&json!({"test": {"compute": {"serverless": {"environmentVersion": "v2"}}}})), "environmentVersion is a number")]
#[case(plan(&json!({"test": {"notebooks": [{"match": "a", "maxDuration": "2h"}]}})), "maxDuration must be at most timeout")]
#[case(plan(&json!({"retries": {"backoff": {"initial": "6m"}}})), "backoff.initial must be at most")]
#[case(plan(&json!({"deploy": {"items": [{"from": "a", "to": "/Shared/.."}]}})), "to is an absolute path below")]
#[case(plan(&json!({"deploy": {"libraries": {"to": "/Volumes/a/../b"}}})), "libraries.to is an absolute path")]
#[case(plan(&json!({"tags": ["a b"]})), "tags are words")]
#[case(plan(&json!({"test": {"compute": {"cluster": "etl"}}})), "is none of install.clusters")]
#[case(plan(&on_another_cluster()), "a job's compute.cluster is none of install.clusters")]
#[case(stage(json!({"overrides": on_another_cluster()})), "a job's compute.cluster is none of install.clusters")]
#[case(stage(json!({"overrides": {"operate": on_another_cluster()["operate"]}})), "a job's compute.cluster")]
#[case(stage(json!({"overrides": {"install": {"clusters": ["etl"]}}})), "is none of install.clusters")]
#[case(stage(json!({"overrides": {"test": {"compute": {"cluster": "etl"}}}})), "is none of install.clusters")]
#[case(stage(json!({"overrides": {"install": {"clusters": ["etl"]}, "test": {}}})), "is none of install.clusters")]
#[case(plan(&json!({"build": {"databricksConnect": {"version": "$(params.v)"}}})), "databricksConnect.version is a version of")]
#[case(plan(&json!({"build": {"databricksConnect": {"enabled": true, "cluster": "etl"}}})), "is not where the release installs and tests")]
#[case(connect(&two_stages(&elsewhere(), &json!({})), &json!({})), "is not where the release installs and tests")]
#[case(connect(&two_stages(&json!({"overrides": {"test": {"compute": {"cluster": "etl"}, "allowOtherCluster": true}}}), &json!({})), &json!({})), "is not where the release installs and tests")]
#[case(connect(&json!([]), &json!({})), "needs exactly one stage that depends on none")]
#[case(connect(&two_stages(&json!({}), &json!({"dependsOn": []})), &json!({})), "needs exactly one stage that depends on none")]
#[case(connect(&two_stages(&json!({"condition": "true"}), &json!({})), &json!({})), "needs exactly one stage that depends on none")]
#[case(connect(&two_stages(&json!({}), &json!({})), &pulls(&json!({}))), "need trigger.pullRequests.workspaceRef")]
fn is_refused_with_a_sentence(#[case] fields: Value, #[case] sentence: &str) {
    let refusal = refusal(fields).expect("a refusal");
    assert!(refusal.contains(sentence), "{refusal}");
}

#[test]
fn a_name_is_a_label() {
    let mut pipeline = pipeline(json!({}));
    pipeline.metadata.name = Some("a".repeat(64));
    let refusal = pipeline.validate_cel().expect_err("a long name").to_string();
    assert!(refusal.contains("at most 63 characters"), "{refusal}");
}
