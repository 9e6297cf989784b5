//! The rules of a pipeline's spec, evaluated as the API server does.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::DatabricksRelease;
use crate::examples::{self, Example, rows};

const HTTPS: &str = "https://git.example.com/data/dbxdemo.git";

/// A pipeline whose spec has these fields besides those it needs.
fn pipeline(fields: Value) -> Value {
    let mut spec = json!({"repository": {"url": HTTPS, "provider": "gitea"}});
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    spec.as_object_mut().unwrap().extend(fields);
    named("dbxdemo", &spec)
}

fn named(name: &str, spec: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": "data"});
    json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "ReleasePipeline", "metadata": metadata, "spec": spec})
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

/// A job of the build.
fn job(fields: &Value) -> Value {
    let mut job = json!({"name": "lint", "steps": [{"name": "ruff", "run": "ruff check ."}]});
    job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    job
}

fn copies(count: usize) -> Value {
    (0..count).map(|copy| json!({"name": format!("c{copy}")})).collect()
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

/// Fields that are taken.
fn taken() -> Vec<Value> {
    rows! {
        json!({});
        repository(HTTPS, "gitea", &json!({"webhook": {"secretRef": {"name": "hook"}}}));
        repository("git@git.example.com:a/b", "gitea", &json!({}));
        repository("http://forge.lab/a/b", "generic", &json!({"poll": {"interval": "30s"}, "schedules": [{"cron": "@daily"}]}));
        json!({"trigger": {"branches": ["release", "release/*"]}});
        json!({"trigger": {"schedules": [{"cron": "0 3 * * 1-5", "timeZone": "Europe/Lisbon", "branch": "release"}]}});
        json!({"retention": {"maxAge": "24h"}});
        plan(&json!({"tags": ["nightly"], "timeouts": {"release": "4h10m"}}));
        json!({"trigger": {"artifacts": [{"pipeline": "libs", "branches": ["release/*"]}]}});
        json!({"trigger": {"pullRequests": {}}});
        json!({"trigger": {"pullRequests": {"target": "/Users/ana@example.com/pulls"}}});
        repository(HTTPS, "gitea", &json!({"webhook": {"secretRef": {"name": "hook"}}, "pullRequests": {"enabled": true, "workspaceRef": {"name": "sandbox"}}}));
        json!({"trigger": {"paths": {"include": ["a/**"], "exclude": ["**/*.md"]}}});
        stage(json!({"dependsOn": ["dev"], "parameters": {"env": "a"}}));
        stage(json!({"overrides": {"timeouts": {"build": "2h"}}}));
        json!({"parameters": [{"name": "n", "type": "number", "default": "1.5"}, {"name": "b", "type": "boolean", "default": "true"}]});
        json!({"template": {"metadata": {"labels": {"example.com/team": "data"}, "annotations": {"note": "x"}}}});
        stage(json!({"overrides": {"install": {"clusters": ["etl"]}, "test": {"compute": {"cluster": "etl"}}}}));
        stage(json!({"overrides": {"install": {"clusters": ["etl", "main"]}}}));
        connect(&two_stages(&json!({}), &elsewhere()), &json!({}));
        connect(&two_stages(&json!({"overrides": {"install": {"clusters": ["etl", "main"]}}}), &json!({})), &json!({}));
        connect(&two_stages(&json!({}), &json!({"condition": "true"})), &pulls(&json!({"workspaceRef": {"name": "sandbox"}})));
    }
}

/// Fields that are refused, and in which words.
fn refused() -> Vec<(Value, &'static str)> {
    rows! {
        repository(HTTPS, "generic", &json!({"webhook": {"secretRef": {"name": "hook"}}})) => "trigger.webhook needs repository.provider";
        repository(HTTPS, "gitea", &json!({"webhook": {"secretRef": {"name": "a/b"}}})) => "the name of an object";
        repository("git@git.example.com:a/b", "gitea", &json!({"poll": {}})) => "need a repository.url with https://";
        repository("ssh://git@git.example.com/a", "gitea", &json!({"schedules": [{"cron": "@daily"}]})) => "need a repository.url with https://";
        json!({"trigger": {"poll": {"interval": "29s"}}}) => "poll.interval is at least 30s";
        json!({"trigger": {"poll": {"interval": "0s"}}}) => "write a duration such as";
        json!({"trigger": {"schedules": [{"cron": "tomorrow"}]}}) => "cron is five fields";
        json!({"trigger": {"schedules": [{"cron": "@daily", "timeZone": "Local"}]}}) => "timeZone is a name";
        json!({"trigger": {"schedules": [{"cron": "@daily", "branch": "release/*"}]}}) => "branch is the name";
        json!({"trigger": {"paths": {"exclude": ["../a"]}}}) => "relative to the repository's root";
        json!({"retention": {"maxAge": "0s"}}) => "write a duration such as";
        repository("https://token@git.example.com/a", "gitea", &json!({})) => "url is an https:// or ssh:// clone URL";
        plan(&json!({"tags": ["a b"]})) => "tags are words";
        plan(&json!({"timeouts": {"release": "4h9m"}})) => "timeouts don't add up";
        plan(&json!({"build": {"dependsOn": ["lint"]}})) => "build.dependsOn names jobs of build.jobs";
        plan(&json!({"build": {"jobs": [job(&json!({"dependsOn": ["lint"]}))]}})) => "dependsOn names other jobs";
        plan(&json!({"build": {"jobs": [job(&json!({"strategy": {"matrix": copies(13)}}))]}})) => "at most 12 jobs";
        json!({"trigger": {"artifacts": [{"pipeline": "dbxdemo"}]}}) => "would start it for ever";
        json!({"trigger": {"artifacts": [{"pipeline": "data/libs"}]}}) => "the name of an object";
        json!({"trigger": {"artifacts": [{"pipeline": "libs", "branches": ["refs/heads/a"]}]}}) => "branches are names or globs";
        json!({"trigger": {"pullRequests": {"enabled": true}}}) => "trigger.pullRequests needs trigger.webhook";
        json!({"trigger": {"pullRequests": {"target": "/Shared"}}}) => "pullRequests.target is an absolute folder";
        json!({"trigger": {"pullRequests": {"target": "/Shared/../a"}}}) => "pullRequests.target is an absolute folder";
        json!({"trigger": {"pullRequests": {"target": "/Shared/$(params.a)"}}}) => "pullRequests.target is an absolute folder";
        json!({"trigger": {"pullRequests": {"workspaceRef": {"name": "dev"}}}, "stages": [{"name": "dev", "workspaceRef": {"name": "dev"}}]}) => "is a workspace of its own";
        json!({"trigger": {"branches": ["refs/heads/a"]}}) => "branches are names or globs";
        json!({"trigger": {"paths": {"include": ["/a"]}}}) => "relative to the repository's root";
        stage(json!({"dependsOn": ["production"]})) => "dependsOn names other stages";
        stage(json!({"dependsOn": ["staging"]})) => "dependsOn names other stages";
        stage(json!({"parameters": {"evn": "a"}})) => "a stage's parameters are those of the pipeline";
        stage(json!({"parameters": {"env": "c"}})) => "a stage's parameters are those of the pipeline";
        stage(json!({"name": "Staging"})) => "a stage's name is a lower-case word";
        stage(json!({"overrides": {"timeouts": {"release": "1h"}}})) => "timeouts don't add up";
        stage(json!({"overrides": {"install": {"clusters": ["$(params.env)"]}}})) => "a cluster is named as in the workspace's";
        json!({"parameters": [{"name": "a-b"}]}) => "a parameter's name is a word";
        json!({"parameters": [{"name": "a", "enum": ["x"], "default": "y"}]}) => "must be one of its enum";
        json!({"parameters": [{"name": "a", "type": "number", "default": "x"}]}) => "must be of its type";
        json!({"template": {"metadata": {"labels": {"brickline.dev/stage": "a"}}}}) => "those of brickline.dev are set by";
        json!({"template": {"metadata": {"annotations": {"tags.brickline.dev/a": "a"}}}}) => "those of brickline.dev are set by";
        json!({"template": {"metadata": {"labels": {"team": "a b"}}}}) => "label values are letters";
        plan(&json!({"test": {"compute": {"cluster": "etl"}}})) => "is none of install.clusters";
        plan(&on_another_cluster()) => "a job's compute.cluster is none of install.clusters";
        stage(json!({"overrides": on_another_cluster()})) => "a job's compute.cluster is none of install.clusters";
        stage(json!({"overrides": {"operate": on_another_cluster()["operate"]}})) => "a job's compute.cluster";
        stage(json!({"overrides": {"install": {"clusters": ["etl"]}}})) => "is none of install.clusters";
        stage(json!({"overrides": {"test": {"compute": {"cluster": "etl"}}}})) => "is none of install.clusters";
        stage(json!({"overrides": {"install": {"clusters": ["etl"]}, "test": {}}})) => "is none of install.clusters";
        plan(&json!({"build": {"databricksConnect": {"enabled": true, "cluster": "etl"}}})) => "is not where the release installs and tests";
        connect(&two_stages(&elsewhere(), &json!({})), &json!({})) => "is not where the release installs and tests";
        connect(&two_stages(&json!({"overrides": {"test": {"compute": {"cluster": "etl"}, "allowOtherCluster": true}}}), &json!({})), &json!({})) => "is not where the release installs and tests";
        connect(&json!([]), &json!({})) => "needs exactly one stage that depends on none";
        connect(&two_stages(&json!({}), &json!({"dependsOn": []})), &json!({})) => "needs exactly one stage that depends on none";
        connect(&two_stages(&json!({"condition": "true"}), &json!({})), &json!({})) => "needs exactly one stage that depends on none";
        connect(&two_stages(&json!({}), &json!({})), &pulls(&json!({}))) => "need trigger.pullRequests.workspaceRef";
    }
}

/// Tests and jobs that take this long.
fn long(timeout: &str) -> Value {
    let job = job(&json!({"timeout": timeout}));
    json!({"test": {"notebooks": [{"match": "a", "timeout": timeout}]}, "build": {"jobs": [job]}})
}

/// A template with such tests and jobs, and time for both, with these stages.
fn in_time(stages: &Value) -> Value {
    let mut spec = long("3h");
    spec["timeouts"] = json!({"release": "8h", "build": "3h", "test": "3h"});
    json!({"template": {"spec": spec}, "stages": stages})
}

/// A stage's own timeouts, which replace all of the template's.
fn timeouts(own: &Value) -> Value {
    json!({"overrides": {"timeouts": own}})
}

/// Pipelines whose tests and jobs have the time they ask for.
fn taken_times() -> Vec<Value> {
    rows! {
        plan(&long("1h"));
        in_time(&two_stages(&json!({}), &json!({})));
        in_time(&two_stages(&timeouts(&json!({"release": "9h", "build": "3h", "test": "4h"})), &json!({})));
        in_time(&two_stages(&json!({}), &timeouts(&json!({"test": "3h"}))));
        in_time(&two_stages(&timeouts(&json!({"test": "3h"})), &json!({"dependsOn": []})));
        in_time(&two_stages(&json!({"overrides": {"timeouts": {"test": "3h"}}, "condition": "true"}), &json!({})));
        stage(json!({"overrides": {"timeouts": {"test": "1m"}}}));
        stage(json!({"overrides": {"timeouts": {"test": "3h"}, "test": long("3h")["test"]}}));
        stage(json!({"overrides": {"test": long("2h")["test"]}}));
    }
}

/// Pipelines whose tests or jobs don't.
fn refused_times() -> Vec<(Value, &'static str)> {
    rows! {
        plan(&json!({"test": long("3h")["test"]})) => "are at most timeouts.test";
        plan(&json!({"build": long("3h")["build"]})) => "is at most timeouts.build";
        in_time(&two_stages(&timeouts(&json!({"test": "3h"})), &json!({}))) => "is at most timeouts.build";
        in_time(&two_stages(&json!({}), &timeouts(&json!({"deploy": "20m"})))) => "are at most timeouts.test";
        stage(json!({"overrides": {"timeouts": {"build": "1h"}, "test": long("3h")["test"]}})) => "at most timeouts.test";
        stage(json!({"overrides": {"test": long("3h")["test"]}})) => "at most timeouts.test";
    }
}

#[test]
fn every_rule_is_shown_both_ways() {
    let taken = [taken(), taken_times()].concat().into_iter().map(|fields| Example::taken(pipeline(fields)));
    let refused = [refused(), refused_times()]
        .concat()
        .into_iter()
        .map(|(fields, words)| Example::refused((pipeline(fields), words)));
    let long = named(&"a".repeat(64), &pipeline(json!({}))["spec"]);
    let long = Example::refused((long, "at most 63 characters"));
    // The rules of what its releases do are shown by a release.
    examples::check::<ReleasePipeline>(taken.chain(refused).chain([long]), &[DatabricksRelease::crd()]);
}
