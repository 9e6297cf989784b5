//! What a plan may say of the jobs that it leaves.

use brickline_tests::Table;
use serde_json::{Map, Value, json};

use crate::trigger::CRON;

const DAYS: &str = "Databricks' schedules have a day of the month or a day of the week, not both: write '*' for one of them, \
                    or make two jobs";
const ZONE: &str = "timeZone is a name of the IANA time zone database, such as Europe/Lisbon or UTC";
const DEPENDS: &str = "dependsOn names other tasks of the same job, by their key";
const KEY: &str = "a task's key is a word of letters, digits, '_' and '-'";
const RUNS: &str = "a task runs exactly one of notebook, pythonWheel or sparkPython";
const PATH: &str = "path is a notebook relative to the repository's root, without '..'";
const FILE: &str = "file is a Python file relative to the repository's root, without '..'";
const ARGUMENTS: &str = "pythonWheel has either parameters or namedParameters";
const TAGS: &str = "names of a job's tags begin with a letter and have letters, digits, spaces and ._+=@-, at most 63 characters; \
                    those that begin with brickline are set by the controller";
const PARAMETERS: &str = "names of a job's parameters are words of letters, digits, '_', '-' and '.'";

/// What is said of a job on a cluster that nothing is installed on.
pub const OTHER_CLUSTER: &str = "a job's compute.cluster is none of install.clusters: on another cluster the job would meet other \
                                 libraries than the tests; add it there, run the job on one of them, or set \
                                 operate.allowOtherCluster: true";

/// Jobs on a cluster.
pub fn on(cluster: &str) -> Value {
    let mut jobs = base();
    jobs["jobs"][0]["compute"] = json!({"cluster": cluster});
    jobs
}

/// Jobs whose lists have one item, for a table to vary.
pub fn base() -> Value {
    let task = json!({"key": "load", "notebook": {"path": "notebooks/load.py"}});
    json!({"jobs": [{"name": "nightly", "tasks": [task], "schedule": {"cron": "@daily"}}]})
}

/// Examples of its fields, which are at `at` in the table's object.
pub fn examples(table: &mut Table, at: &str) {
    let job = format!("{at}.jobs.0");
    let mut allowed = on("etl");
    allowed["allowOtherCluster"] = json!(true);
    table.field(at).takes([on("main"), allowed]).refuses(OTHER_CLUSTER, [on("etl")]);
    table.field(format!("{at}.allowOtherCluster")).refuses("must be of type boolean", [json!("yes")]);
    table.field(format!("{at}.prune")).takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    let jobs = |count: usize| {
        let one = &base()["jobs"][0];
        let named = |number: usize| {
            let mut job = one.clone();
            job["name"] = json!(format!("job {number}"));
            job
        };
        (0..count).map(named).collect::<Vec<_>>()
    };
    table
        .field(format!("{at}.jobs"))
        .takes([json!([]), json!(jobs(16))])
        .refuses("must have at most 16 items", [json!(jobs(17))])
        .refuses("Duplicate value", [json!([base()["jobs"][0], base()["jobs"][0]])]);
    table
        .field(format!("{job}.name"))
        .takes(["nightly", "dbxdemo nightly $(params.env)"].map(Value::from))
        .refuses("should be at least 1 chars long", [json!("")])
        .refuses("may not be more than 128", [json!("a".repeat(129))])
        .is_required();
    schedules(table, &format!("{job}.schedule"));
    tasks(table, &format!("{job}.tasks"));
    runs(table, &format!("{job}.tasks.0"));
    settings(table, &job);
}

fn schedules(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.cron"))
        .takes(["0 3 * * MON-FRI", "0 3 1,15 * ?", "*/15 * * * *", "@weekly", "$(params.cron)"].map(Value::from))
        .refuses(
            CRON,
            ["0 3 * *x", "0 0 3 * * 1-5", "@every 1h", "tomorrow", "$(params.hour) * * * *", "0 25 * * *"]
                .map(Value::from),
        )
        .refuses(DAYS, ["0 3 1 * MON", "0 3 */2 * 1-5"].map(Value::from))
        .is_required();
    table
        .field(format!("{at}.timeZone"))
        .takes(["Europe/Lisbon", "UTC", "$(workspace.vars.zone)"].map(Value::from))
        .refuses(ZONE, ["Local", "+02:00", "Europe/Lis bon"].map(Value::from));
    table.field(format!("{at}.paused")).takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
}

fn tasks(table: &mut Table, at: &str) {
    let task =
        |key: &str, after: &[&str]| json!({"key": key, "dependsOn": after, "notebook": {"path": "notebooks/a.py"}});
    let many = |count: usize| (0..count).map(|number| task(&format!("t{number}"), &[])).collect::<Vec<_>>();
    table
        .field(at)
        .takes([json!([task("a", &[]), task("b_1-C", &["a"])]), json!(many(32))])
        .refuses("should have at least 1 items", [json!([])])
        .refuses("must have at most 32 items", [json!(many(33))])
        .refuses("Duplicate value", [json!([task("a", &[]), task("a", &[])])])
        .refuses(DEPENDS, [json!([task("a", &["b"])]), json!([task("a", &["a"])])])
        .refuses(KEY, ["a b", "a.b", "$(params.key)"].map(|key| json!([task(key, &[])])))
        .is_required();
}

fn runs(table: &mut Table, at: &str) {
    let task = |runs: Value| {
        let mut task = json!({"key": "load"});
        for (field, value) in runs.as_object().into_iter().flatten() {
            task[field] = value.clone();
        }
        task
    };
    let wheel = |fields: Value| {
        let mut wheel = json!({"package": "dbxdemo", "entryPoint": "main"});
        for (field, value) in fields.as_object().into_iter().flatten() {
            wheel[field] = value.clone();
        }
        json!({"pythonWheel": wheel})
    };
    let notebook = json!({"path": "notebooks/load.py"});
    table
        .field(at)
        .takes([task(wheel(json!({"parameters": ["--all"]}))), task(wheel(json!({"namedParameters": {"env": "a"}})))])
        .takes([task(json!({"sparkPython": {"file": "jobs/report.py", "parameters": ["--all"]}}))])
        .takes([task(json!({"notebook": notebook, "compute": {"serverless": {}}, "timeout": "10m"}))])
        .refuses(RUNS, [task(json!({})), task(json!({"notebook": notebook, "sparkPython": {"file": "a.py"}}))])
        .refuses(PATH, ["/Shared/a", "../a"].map(|path| task(json!({"notebook": {"path": path}}))))
        .refuses(FILE, ["/Shared/a.py", "../a.py"].map(|file| task(json!({"sparkPython": {"file": file}}))))
        .refuses(OTHER_CLUSTER, [task(json!({"notebook": notebook, "compute": {"cluster": "etl"}}))])
        .refuses(ARGUMENTS, [task(wheel(json!({"parameters": ["a"], "namedParameters": {"a": "b"}})))])
        .refuses(
            "compute is one of cluster, newCluster or serverless",
            [task(json!({"notebook": notebook, "compute": {"cluster": "etl", "serverless": {}}}))],
        );
}

fn settings(table: &mut Table, at: &str) {
    let named = |name: &str| Value::Object(Map::from_iter([(name.to_owned(), json!("a"))]));
    table
        .field(format!("{at}.tags"))
        .takes([json!({"team": "data", "cost center": "a/b"})])
        .refuses(TAGS, ["brickline-owner", "1a", "a/b", ""].map(named))
        .refuses("may not be more than 255", [json!({"team": "a".repeat(256)})]);
    table
        .field(format!("{at}.parameters"))
        .takes([json!({"env": "$(params.env)", "a.b-c": "x"})])
        .refuses(PARAMETERS, ["a b", ""].map(named));
    table
        .field(format!("{at}.maxConcurrentRuns"))
        .takes([json!(1), json!(1000)])
        .refuses("should be greater than or equal to 1", [json!(0)])
        .refuses("should be less than or equal to 1000", [json!(1001)]);
    table
        .field(format!("{at}.emailOnFailure"))
        .takes([json!(["data@example.com", "$(params.mail)"])])
        .refuses("Duplicate value", [json!(["data@example.com", "data@example.com"])])
        .refuses("must have at most 10 items", [json!((0..11).map(|n| format!("{n}@a.example")).collect::<Vec<_>>())]);
    table.field(format!("{at}.timeout")).takes([json!("2h")]).refuses("write a duration such as", [json!("2d")]);
    table.field(format!("{at}.compute")).takes([json!({"newCluster": {"policyId": "P1"}})]);
}
