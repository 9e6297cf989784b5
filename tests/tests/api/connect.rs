//! What may be said of Databricks Connect in builds.

use brickline_tests::{Table, object};
use serde_json::{Value, json};

const VERSION: &str = "databricksConnect.version is a version of databricks-connect from 13.0 on, such as \"15.4.*\" or \
                       \"15.4.26\", without $(...): what a release may use is known when it is created";
const CLUSTER: &str = "a cluster is named as in the workspace's spec.clusters, without $(...): what a release may use is known \
                       when it is created";
const ELSEWHERE: &str = "build.databricksConnect.cluster is not where the release installs and tests (install.clusters, \
                         test.compute.cluster): name the same cluster in all three, or set \
                         build.databricksConnect.allowOtherCluster: true";
const WORKSPACE: &str = "build.databricksConnect needs workspaceRef: the build's tests are that workspace's service principal, on \
                         its cluster";
const STAGE: &str = "build.databricksConnect needs exactly one stage that depends on none, without a condition: only there a build \
                     belongs to a workspace; otherwise it is on its own and has no cluster";
const PULL_REQUESTS: &str = "pull requests of a pipeline with build.databricksConnect need trigger.pullRequests.workspaceRef, where \
                             their tests run, and deploy.items beside a bundle: a bundle of a pull request is not deployed";

/// A build whose sessions run on a cluster, and what is installed and tested where.
fn on(cluster: &str, install: &[&str], test: &str) -> Value {
    json!({
        "build": {"databricksConnect": {"enabled": true, "cluster": cluster}},
        "install": {"clusters": install},
        "test": {"compute": {"cluster": test}},
    })
}

/// Examples of its fields, in a plan at `at` of the table's object.
pub fn examples(table: &mut Table, at: &str) {
    let with = |field: &str, value: Value| {
        let mut connect = json!({"enabled": true});
        connect[field] = value;
        connect
    };
    let text = |field: &'static str| move |value: &str| with(field, json!(value));
    let mut allowed = text("cluster")("etl");
    allowed["allowOtherCluster"] = json!(true);
    table
        .field(format!("{at}.build.databricksConnect"))
        .takes([json!({}), json!({"enabled": true}), json!({"cluster": "etl"}), text("cluster")("main"), allowed])
        .takes(["13.3.*", "15.4.26", "18.0.0"].map(text("version")))
        .refuses(VERSION, ["15.4", "15.*", "12.2.*", "15.4.* -r x", ">=15.4.0", "$(params.v)"].map(text("version")))
        .refuses("should be at least 1 chars long", [text("version")("")])
        .refuses(CLUSTER, ["Main", "$(params.cluster)", "a/b"].map(text("cluster")))
        .refuses(ELSEWHERE, [text("cluster")("etl")])
        .refuses("must be of type boolean", [json!({"enabled": "yes"})]);
    let tests = json!({"notebooks": [], "compute": {"cluster": "main"}});
    let (mut untested, mut serverless) = (on("etl", &["etl"], "main"), on("etl", &["etl"], "main"));
    untested["test"] = tests;
    serverless["test"] = json!({"compute": {"serverless": {}}});
    let good =
        [on("etl", &["etl"], "etl"), on("etl", &["main", "etl"], "etl"), on("etl", &[], "etl"), untested, serverless];
    let bad = [on("etl", &["main", "etl"], "main"), on("main", &["main", "etl"], "etl"), on("etl", &[], "main")];
    let spec = |part: Value| match at {
        "spec" => of_release(&part),
        _ => part,
    };
    table.field(at).takes(good.map(spec)).refuses(ELSEWHERE, bad.map(spec));
}

/// A release to a workspace with these fields.
fn of_release(fields: &Value) -> Value {
    let mut spec = object::release("x")["spec"].clone();
    spec["workspaceRef"] = json!({"name": "staging"});
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    spec
}

/// Examples of whole releases.
pub fn releases(table: &mut Table) {
    let mut nowhere = of_release(&on("main", &["main"], "main"));
    nowhere["workspaceRef"] = Value::Null;
    let from = json!([{"release": "dbxdemo-4f2c91d0a7be", "digest": object::digest()}]);
    let mut promoted = of_release(&on("main", &["etl"], "etl"));
    promoted["source"] = json!({"artifactFrom": from});
    let mut kept = promoted.clone();
    kept["workspaceRef"] = Value::Null;
    // What another release built is built with nothing.
    table.field("spec").takes([promoted, kept]).refuses(WORKSPACE, [nowhere]);
}

/// Examples of whole pipelines.
pub fn pipelines(table: &mut Table) {
    let stage = |name: &str, more: &Value| {
        let mut stage = json!({"name": name, "workspaceRef": {"name": name}});
        for (field, value) in more.as_object().into_iter().flatten() {
            stage[field] = value.clone();
        }
        stage
    };
    let spec = |stages: &[Value], deploy: &Value, pulls: &Value| {
        json!({
            "repository": {"url": "https://git.example.com/a", "provider": "gitea"},
            "trigger": {"webhook": {"secretRef": {"name": "hook"}}, "pullRequests": pulls},
            "stages": stages,
            "template": {"spec": {
                "build": {"databricksConnect": {"enabled": true, "cluster": "main"}},
                "deploy": deploy,
            }},
        })
    };
    let (none, elsewhere) = (json!({}), json!({"clusters": ["etl"]}));
    let (first, after) = (stage("staging", &none), json!({"dependsOn": ["staging"], "condition": "true"}));
    let with = |stages: &[Value]| spec(stages, &none, &none);
    let overrides = |install: &Value| json!({"overrides": {"install": install, "test": {"notebooks": []}}});
    let mut next = overrides(&elsewhere);
    next["dependsOn"] = json!(["staging"]);
    table
        .field("spec")
        .takes([with(std::slice::from_ref(&first)), with(&[first.clone(), stage("production", &after)])])
        .takes([with(&[first.clone(), stage("production", &next)])])
        .refuses(ELSEWHERE, [with(&[stage("staging", &overrides(&elsewhere))])])
        .refuses(STAGE, [with(&[]), with(&[first.clone(), stage("production", &none)])])
        .refuses(STAGE, [with(&[stage("staging", &json!({"condition": "true"}))])]);
    let (bundle, items) = (json!({"target": "a"}), json!([{"from": "a", "to": "/Shared/a"}]));
    let to = |deploy: &Value, pulls: &Value| spec(std::slice::from_ref(&first), deploy, pulls);
    let sandbox = json!({"enabled": true, "workspaceRef": {"name": "sandbox"}});
    table
        .field("spec")
        .takes([to(&none, &sandbox), to(&json!({"bundle": bundle, "items": items}), &sandbox)])
        .refuses(PULL_REQUESTS, [to(&none, &json!({"enabled": true})), to(&json!({"bundle": bundle}), &sandbox)]);
}
