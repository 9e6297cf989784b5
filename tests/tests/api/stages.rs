//! What a pipeline may say of its stages, their values and their turns.

use brickline_tests::Table;
use serde_json::{Value, json};

use crate::{pipeline::OBJECT, plan};

const STAGE: &str = "a stage's name is a lower-case word of a-z, 0-9 and '-'";
const DEPENDS_ON: &str = "dependsOn names other stages of this pipeline";
const PARAMETERS: &str =
    "a stage's parameters are those of the pipeline's parameters, with one of the values of their enum";
const PARAMETER: &str = "a parameter's name is a word of letters, digits and '_'";
const ENUM: &str = "a parameter's default must be one of its enum";
const TYPE: &str = "a parameter's default must be of its type: true or false for boolean, digits for number";

/// Examples of `spec.stages`, `spec.parameters` and `spec.concurrency`.
pub fn examples(table: &mut Table, stage: &Value) {
    lists(table, stage);
    single(table);
    overrides(table);
    plan::within::stages(table);
    values(table);
    parameters(table);
    concurrency(table);
}

fn named(name: &str, depends_on: &[&str]) -> Value {
    json!({"name": name, "workspaceRef": {"name": name}, "dependsOn": depends_on})
}

fn lists(table: &mut Table, stage: &Value) {
    let many = |count: u32| (0..count).map(|number| named(&format!("s{number}"), &[])).collect::<Vec<_>>();
    let road = json!([named("dev", &[]), named("staging", &["dev"]), named("production", &["staging", "dev"])]);
    // The order of the list says nothing.
    let backwards = json!([named("production", &["staging"]), named("staging", &[])]);
    table
        .field("spec.stages")
        .takes([json!([]), road, backwards, json!(many(16))])
        .refuses(DEPENDS_ON, [json!([named("staging", &["dev"])]), json!([named("staging", &["staging"])])])
        .refuses("Duplicate value", [json!([stage, stage])])
        .refuses("Duplicate value", [json!([stage, named("production", &["staging", "staging"])])])
        .refuses("must have at most 16 items", [json!(many(17))]);
}

fn single(table: &mut Table) {
    table
        .field("spec.stages.0.name")
        .takes(["staging", "s", "eu-west-1"].map(Value::from))
        .takes([json!("a".repeat(40))])
        .refuses(STAGE, ["Staging", "eu_west", "-a", "a-", "a b", "a/b"].map(Value::from))
        .refuses("may not be more than 40", [json!("a".repeat(41))])
        .is_required();
    table
        .field("spec.stages.0.workspaceRef")
        .refuses(OBJECT, ["Staging", "data/staging", "$(params.env)"].map(|name| json!({"name": name})))
        .is_required();
    table
        .field("spec.stages.0.condition")
        .takes([json!("stages.dev.result == 'Succeeded'")])
        .refuses("should be at least 1 chars long", [json!("")])
        .refuses("may not be more than 1024", [json!("a".repeat(1025))]);
    table
        .field("spec.stages.0.approvals")
        .takes([json!({}), json!({"required": 0}), json!({"required": 10})])
        .refuses("should be less than or equal to 10", [json!({"required": 11})]);
}

/// A part of the template that a stage replaces obeys the same rules.
fn overrides(table: &mut Table) {
    let at = |part: &str| format!("spec.stages.0.overrides.{part}");
    table
        .field(at("timeouts"))
        .takes([json!({"build": "2h"})])
        .refuses("timeouts don't add up", [json!({"release": "1h"})]);
    table.field(at("waiting")).takes([json!({"slot": "1h"})]).refuses("write a duration", [json!({"slot": "1d"})]);
    table
        .field(at("retries"))
        .takes([json!({"limit": 0})])
        .refuses("backoff.initial must be at most", [json!({"backoff": {"initial": "1h"}})]);
    table.field(at("onFailure")).takes([json!("Rollback")]).refuses("Unsupported value", [json!("Retry")]);
    table
        .field(at("install"))
        .takes([json!({"clusters": ["etl", "main"]}), json!({"clusters": []})])
        .refuses(plan::OTHER_CLUSTER, [json!({"clusters": ["etl"]})])
        .refuses("a cluster is named as in the workspace's", [json!({"clusters": ["$(params.cluster)"]})]);
    table
        .field(at("test"))
        .takes([plan::base()["test"].clone(), json!({"notebooks": []})])
        .refuses(plan::OTHER_CLUSTER, [json!({"compute": {"cluster": "etl"}})])
        .refuses("match is a glob relative", [json!({"notebooks": [{"match": "/a"}]})]);
    let both =
        |test: &str| json!({"install": {"clusters": ["etl"]}, "test": {"compute": {"cluster": test}}, "operate": {}});
    table.field("spec.stages.0.overrides").takes([both("etl")]).refuses(plan::OTHER_CLUSTER, [both("main")]);
    let jobs = json!({"install": {"clusters": ["main"]}, "operate": crate::jobs::on("etl")});
    table.field("spec.stages.0.overrides").refuses(crate::jobs::OTHER_CLUSTER, [jobs]);
    table.field(at("install")).refuses(crate::jobs::OTHER_CLUSTER, [json!({"clusters": ["etl"]})]);
    table
        .field(at("operate"))
        .takes([json!({}), plan::base()["operate"].clone()])
        .refuses(crate::jobs::OTHER_CLUSTER, [crate::jobs::on("etl")])
        .refuses("should have at least 1 items", [json!({"jobs": [{"name": "nightly", "tasks": []}]})]);
    table
        .field(at("deploy"))
        .takes([plan::base()["deploy"].clone()])
        .refuses("to is an absolute path below", [json!({"items": [{"from": "a", "to": "/Shared/../x"}]})])
        .refuses("libraries.to is an absolute path below", [json!({"libraries": {"to": "/Shared/x"}})]);
}

fn values(table: &mut Table) {
    let good = [json!({}), json!({"env": "staging"}), json!({"env": "a".repeat(4096)})];
    table
        .field("spec.stages.0.parameters")
        .takes(good)
        .refuses(PARAMETERS, [json!({"evn": "staging"})])
        .refuses("must be of type string", [json!({"env": 1})])
        .refuses("may not be more than 4096", [json!({"env": "a".repeat(4097)})]);
    let spec = |value: &str| {
        let mut stage = named("staging", &[]);
        stage["parameters"] = json!({"env": value});
        json!({
            "repository": {"url": "https://git.example.com/data/dbxdemo.git"},
            "stages": [stage],
            "parameters": [{"name": "env", "enum": ["staging", "production"]}],
        })
    };
    table.field("spec").takes([spec("staging")]).refuses(PARAMETERS, [spec("dev")]);
}

fn parameters(table: &mut Table) {
    let many = |count: u32| {
        let others = (1..count).map(|number| json!({"name": format!("p{number}")}));
        [json!({"name": "env"})].into_iter().chain(others).collect::<Vec<_>>()
    };
    table
        .field("spec.parameters")
        .takes([json!([]), json!(many(64))])
        .refuses("Duplicate value", [json!([{"name": "env"}, {"name": "env"}])])
        .refuses("must have at most 64 items", [json!(many(65))]);
    let at = |field: &str| format!("spec.parameters.0{field}");
    table
        .field(at(".name"))
        .takes(["env", "_a", "A1"].map(Value::from))
        .refuses(PARAMETER, ["1a", "a-b", "a.b", "a b", "é"].map(Value::from))
        .refuses("may not be more than 63", [json!("a".repeat(64))])
        .is_required();
    let of = |kind: &str, default: &str| json!({"name": "env", "type": kind, "default": default});
    let good = [of("string", ""), of("number", "-1.50"), of("boolean", "true"), of("string", "1")];
    let bad = [of("number", "1e3"), of("number", ""), of("number", "1,5"), of("boolean", "yes"), of("boolean", "True")];
    let one_of = |default: &str| json!({"name": "env", "enum": ["dev", "prod"], "default": default});
    table
        .field(at(""))
        .takes(good)
        .takes([one_of("dev"), json!({"name": "env", "description": "Where to"})])
        .refuses(TYPE, bad)
        .refuses(ENUM, [one_of("test")])
        .refuses("Duplicate value", [json!({"name": "env", "enum": ["dev", "dev"]})])
        .refuses("supported values: \"string\", \"number\", \"boolean\"", [json!({"name": "env", "type": "int"})]);
}

fn concurrency(table: &mut Table) {
    table
        .field("spec.concurrency.policy")
        .takes(["Queue", "Supersede", "Parallel"].map(Value::from))
        .refuses("supported values: \"Queue\", \"Supersede\", \"Parallel\"", [json!("queue")]);
    table
        .field("spec.concurrency.limit")
        .takes([json!(1), json!(100)])
        .refuses("should be greater than or equal to 1", [json!(0)])
        .refuses("should be less than or equal to 100", [json!(101)]);
    let flag = "spec.concurrency.cancelAfterDeploy";
    table.field(flag).takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
}
