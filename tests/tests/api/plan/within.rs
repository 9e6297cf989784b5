//! That no part of a plan has longer than the whole.

use brickline_tests::Table;
use serde_json::{Value, json};

/// What is said of tests that take longer than all of Test may.
pub const TESTS: &str = "test.notebooks[].timeout, test.tasks[].timeout and test.setup.timeout are at most \
    timeouts.test, which ends all of Test: raise timeouts.test, or shorten theirs; a stage's overrides.timeouts \
    replace all of the template's";
/// What is said of such jobs.
pub const JOBS: &str = "build.jobs[].timeout is at most timeouts.build, which ends all of Build: raise timeouts.build, \
    or shorten the job's; a stage's overrides.timeouts replace all of the template's";

/// Examples of timeouts. The defaults are 2h for Test, 1h for Build.
pub fn examples(table: &mut Table, at: &str) {
    let task = |timeout: &str| json!([{"name": "a", "timeout": timeout, "sparkPython": {"file": "a.py"}}]);
    table
        .field(format!("{at}.test.notebooks.0.timeout"))
        .takes(["2h", "7200s"].map(Value::from))
        .refuses(TESTS, ["2h1s", "121m"].map(Value::from));
    table.field(format!("{at}.test.tasks")).takes([task("2h")]).refuses(TESTS, [task("2h1s")]);
    table.field(format!("{at}.test.setup.timeout")).takes([json!("2h")]).refuses(TESTS, [json!("2h1s")]);
    // It has its time besides.
    table.field(format!("{at}.test.teardown")).takes([json!({"path": "a", "timeout": "24h"})]);
    // The defaults of notebooks and of the setup may be longer.
    table.field(format!("{at}.timeouts.test")).takes(["10m", "1s"].map(Value::from));
    table.field(format!("{at}.build.jobs.0.timeout")).takes([json!("1h")]).refuses(JOBS, [json!("1h1s")]);
}

/// A job that takes this long.
pub fn job(timeout: &str) -> Value {
    json!({"name": "lint", "timeout": timeout, "steps": [{"name": "a", "run": "true"}]})
}

/// Tests and jobs that take this long.
fn long(timeout: &str) -> Value {
    json!({"test": {"notebooks": [{"match": "a", "timeout": timeout}]}, "build": {"jobs": [job(timeout)]}})
}

/// Examples of what a stage has its own version of.
pub fn stages(table: &mut Table) {
    let test = |timeout: &str, limit: &str| json!({"test": long(timeout)["test"], "timeouts": {"test": limit}});
    table
        .field("spec.stages.0.overrides")
        .takes([test("3h", "3h"), json!({"test": long("2h")["test"]}), json!({"timeouts": {"test": "1m"}})])
        .refuses(TESTS, [test("3h", "179m"), json!({"test": long("3h")["test"]})]);
    // A template with time for both, and two stages of which the first one builds.
    let spec = |first: &Value, second: &Value| {
        let mut template = long("3h");
        template["timeouts"] = json!({"release": "8h", "build": "3h", "test": "3h"});
        let stage = |name: &str, after: &[&str], own: &Value| {
            let overrides = json!({"timeouts": own});
            json!({"name": name, "workspaceRef": {"name": name}, "dependsOn": after, "overrides": overrides})
        };
        json!({
            "repository": {"url": "https://git.example.com/data/dbxdemo.git"},
            "stages": [stage("a", &[], first), stage("b", &["a"], second)],
            "template": {"spec": template},
        })
    };
    let (both, tests) = (json!({"release": "8h", "build": "3h", "test": "3h"}), json!({"test": "3h"}));
    table
        .field("spec")
        .takes([spec(&both, &tests)])
        .refuses(JOBS, [spec(&tests, &tests)])
        .refuses(TESTS, [spec(&both, &json!({"deploy": "20m"}))]);
}
