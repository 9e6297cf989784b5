//! What the further jobs of a build may say.

use brickline_tests::Table;
use serde_json::{Value, json};

use super::{DURATION, EMPTY, GLOBS, IMAGE, POOL, PYTHON, QUANTITIES};

const NAME: &str = "a job's name is a lower-case word of a-z, 0-9 and '-', at most 20 characters";
const RESERVED: &str = "artifact is the job that makes the artifact: give this one another name";
const COPY: &str = "a copy's name is a lower-case word of a-z, 0-9 and '-', at most 20 characters";
const STEP: &str = "a step's name has letters, digits, spaces, '.', '_' and '-'";
const VARIABLES: &str =
    "names of variables are words of letters, digits and '_', at most 63 characters; BRICKLINE_ is the runner's own";
const FOLDER: &str = "workingDirectory is a folder of the repository, without a leading '/' and without '..'";
const COPIES: &str = "build.jobs has at most 12 jobs, each copy of a matrix counted";
const OTHERS: &str = "dependsOn names other jobs of build.jobs";
const ARTIFACT: &str = "build.dependsOn names jobs of build.jobs";
const CONDITION: &str = "condition is about the jobs of dependsOn: name them";

/// A job with every list in use.
pub fn base() -> Value {
    json!({"jobs": [{
        "name": "lint",
        "steps": [{"name": "ruff", "run": "ruff check ."}],
        "strategy": {"matrix": [{"name": "py311"}]},
    }]})
}

fn named(name: &str) -> Value {
    json!({"name": name, "steps": [{"name": "a", "run": "true"}]})
}

fn with(name: &str, field: &str, value: Value) -> Value {
    let mut job = named(name);
    job[field] = value;
    job
}

fn matrix(copies: usize) -> Value {
    json!({"matrix": (0..copies).map(|copy| json!({"name": format!("c{copy}")})).collect::<Vec<_>>()})
}

/// Examples of the fields of `build.jobs`.
pub fn examples(table: &mut Table, at: &str) {
    together(table, at);
    let job = format!("{at}.jobs.0");
    table
        .field(format!("{job}.name"))
        .takes(["lint", "unit-2"].map(Value::from))
        .refuses(NAME, ["Lint", "a.b", "a_b"].map(Value::from))
        .refuses("may not be more than 20", [json!("a".repeat(21))])
        .refuses(RESERVED, [json!("artifact")])
        .is_required();
    image_and_python(table, &job);
    table
        .field(format!("{job}.pool"))
        .takes([json!("large")])
        .refuses(POOL, [json!("GPU")])
        .refuses(EMPTY, [json!("")]);
    table.field(format!("{job}.timeout")).takes([json!("10m")]).refuses(DURATION, [json!("2d")]);
    table.field(format!("{job}.continueOnError")).takes([json!(true)]).refuses("of type boolean", [json!("yes")]);
    table.field(format!("{job}.reports")).takes([json!(["**/*.xml"]), json!([])]).refuses(GLOBS, [json!(["../a.xml"])]);
    for part in ["requests", "limits"] {
        let resources = format!("{job}.resources.{part}");
        table.field(resources).takes([json!({"memory": "1Gi"})]).refuses(QUANTITIES, [json!({"memory": "much"})]);
    }
    variables(table, &job);
    strategy(table, &format!("{job}.strategy"));
    steps(table, &job);
}

/// What jobs say of each other.
fn together(table: &mut Table, at: &str) {
    let after = |name: &str, others: &[&str]| with(name, "dependsOn", json!(others));
    let conditional = |condition: &str| {
        let mut job = after("b", &["a"]);
        job["condition"] = json!(condition);
        job
    };
    table
        .field(format!("{at}.jobs"))
        .takes([
            json!([]),
            json!([named("a"), after("b", &["a"])]),
            json!([after("a", &["b"]), named("b")]),
            json!([with("a", "strategy", matrix(12))]),
        ])
        .takes([json!([named("a"), conditional("jobs.a.result == 'Failed'")])])
        .refuses(OTHERS, [json!([after("a", &["a"])]), json!([after("a", &["c"])])])
        .refuses(COPIES, [json!([named("a"), with("b", "strategy", matrix(12))])])
        .refuses(CONDITION, [json!([with("a", "condition", json!("true"))])])
        .refuses("should be at least 1 chars long", [json!([named("a"), conditional("")])])
        .refuses("Duplicate value", [json!([named("a"), named("a")])])
        .refuses("should have at least 1 items", [json!([after("a", &[])])]);
    table
        .field(format!("{at}.dependsOn"))
        .takes([json!(["lint"])])
        .refuses(ARTIFACT, [json!(["unit"])])
        .refuses("should have at least 1 items", [json!([])]);
}

fn image_and_python(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.image"))
        .takes([json!("registry.example.com/node:22")])
        .refuses(IMAGE, [json!("$(params.image)"), json!("a b")])
        .refuses(EMPTY, [json!("")]);
    table.field(format!("{at}.pythonVersion")).takes([json!("3.11")]).refuses(PYTHON, [json!("3"), json!("2.7")]);
}

fn variables(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.variables"))
        .takes([json!({"BRANCH": "$(release.branch)", "_a1": ""})])
        .refuses(VARIABLES, ["a-b", "1a", "BRICKLINE_PLAN", ""].map(|name| json!({name: "x"})))
        .refuses("must be of type string", [json!({"A": 1})]);
}

fn strategy(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.maxParallel"))
        .takes([json!(1), json!(12)])
        .refuses("should be greater than or equal to 1", [json!(0)])
        .refuses("should be less than or equal to 12", [json!(13)]);
    table
        .field(format!("{at}.matrix"))
        .takes([json!([{"name": "a"}, {"name": "b"}])])
        .refuses("should have at least 1 items", [json!([])])
        .refuses("Duplicate value", [json!([{"name": "a"}, {"name": "a"}])])
        .is_required();
    let copy = format!("{at}.matrix.0");
    table
        .field(format!("{copy}.name"))
        .takes([json!("py311")])
        .refuses(COPY, [json!("3.11"), json!("Py")])
        .is_required();
    image_and_python(table, &copy);
    variables(table, &copy);
}

fn steps(table: &mut Table, job: &str) {
    let step = format!("{job}.steps.0");
    let many = |count: usize| (0..count).map(|n| json!({"name": format!("s{n}"), "run": "true"})).collect::<Vec<_>>();
    table
        .field(format!("{job}.steps"))
        .takes([json!(many(16))])
        .refuses("should have at least 1 items", [json!([])])
        .refuses("must have at most 16 items", [json!(many(17))])
        .is_required();
    table
        .field(format!("{step}.name"))
        .takes([json!("unit tests 1.0")])
        .refuses(STEP, [json!("a/b"), json!("-a")])
        .is_required();
    table
        .field(format!("{step}.run"))
        .takes([json!("pip install ruff\nruff check .")])
        .refuses(EMPTY, [json!("")])
        .refuses("may not be more than 4096", [json!("a".repeat(4097))])
        .is_required();
    table
        .field(format!("{step}.workingDirectory"))
        .takes([json!("libraries/python")])
        .refuses(FOLDER, [json!("/tmp"), json!("../a")])
        .refuses(EMPTY, [json!("")]);
    table.field(format!("{step}.timeout")).takes([json!("10m")]).refuses(DURATION, [json!("2d")]);
    table.field(format!("{step}.continueOnError")).takes([json!(true)]).refuses("of type boolean", [json!("yes")]);
    table
        .field(format!("{step}.condition"))
        .takes(["Succeeded", "Failed", "Always"].map(Value::from))
        .refuses("Unsupported value", [json!("Never")]);
    variables(table, &step);
}
