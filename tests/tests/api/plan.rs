//! What a release's plan may say: the part of its spec that is also a pipeline's template.

use brickline_tests::Table;
use serde_json::{Value, json};

const DURATION: &str = "write a duration such as 90s, 15m or 1h30m, longer than zero and at most one year (8760h)";
const PYTHON: &str = "pythonVersion is major.minor of a Python 3, in quotes, such as \"3.11\"";
const FROM: &str = "from is a glob relative to the repository's root, without '..'";
const MATCH: &str = "match is a glob relative to the repository's root, without '..'";
const TO: &str =
    "to is an absolute path below /Shared, /Workspace, /Users, /Repos or /Volumes, without trailing slash or '..'";
const LIBRARIES: &str =
    "libraries.to is an absolute path below /Volumes, /Workspace or dbfs:/, without trailing slash or '..'";
const EMPTY: &str = "should be at least 1 chars long";

/// A plan whose lists have one item, for a table to vary.
pub fn base() -> Value {
    json!({
        "deploy": {"items": [{"from": "notebooks/**", "to": "/Shared/dbxdemo"}]},
        "test": {"notebooks": [{"match": "notebooks/**"}]},
    })
}

/// Examples of its fields, which are at `at` in the table's object.
pub fn examples(table: &mut Table, at: &str) {
    durations(table, at);
    build(table, at);
    deploy(table, at);
    libraries(table, at);
    install(table, at);
    test(table, at);
    retries(table, at);
}

fn durations(table: &mut Table, at: &str) {
    let good = ["1s", "90s", "1h30m", "1h30m5s", "0h1s", "100s", "525600m", "8760h"];
    let bad = [
        "", "0s", "0h0m0s", "-1s", "+1s", "1.5h", "9000h", "8760h1s", "1d", "1w", "90", "1h 30m", "30m1h", "5ms", "1H",
        "P1D",
    ];
    table
        .field(format!("{at}.timeouts.build"))
        .takes(good.map(Value::from))
        .refuses(DURATION, bad.map(Value::from))
        .refuses("may not be more than 20", [json!("000000000000000000001s")])
        .refuses("must be of type string", [json!(90)]);
    let others = ["timeouts.deploy", "timeouts.install", "timeouts.test", "retries.initial", "retries.max"];
    for path in [&others[..], &["test.notebooks.0.timeout", "test.notebooks.0.maxDuration"]].concat() {
        table.field(format!("{at}.{path}")).takes([json!("2m")]).refuses(DURATION, [json!("2d")]);
    }
}

fn build(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.build.pythonVersion"))
        .takes(["3.9", "3.11"].map(Value::from))
        .refuses(PYTHON, ["3", "3.11.4", "2.7", "3.x", ">=3.11", ""].map(Value::from))
        .refuses("must be of type string", [json!(3.11)]);
    table.field(format!("{at}.build.image")).takes([json!("registry.example.com/build:1")]).refuses(EMPTY, [json!("")]);
    table
        .field(format!("{at}.build.include"))
        .takes([json!(["**"]), globs(100)])
        .refuses("should have at least 1 items", [json!([])])
        .refuses(EMPTY, [json!([""])])
        .refuses("must have at most 100 items", [globs(101)]);
    let lists: [(&str, Value, &'static str); 6] = [
        ("exclude", globs(101), "must have at most 100 items"),
        ("wheels", globs(101), "must have at most 100 items"),
        ("requirements", globs(51), "must have at most 50 items"),
        ("tests.paths", globs(101), "must have at most 100 items"),
        ("tests.args", globs(51), "must have at most 50 items"),
        ("tests.reports", globs(21), "must have at most 20 items"),
    ];
    for (list, long, words) in lists {
        table.field(format!("{at}.build.{list}")).takes([json!([]), json!(["a/**"])]).refuses(words, [long]);
    }
    let required = format!("{at}.build.tests.required");
    table
        .field(required)
        .takes(["Auto", "Always", "Never"].map(Value::from))
        .refuses("supported values: \"Auto\", \"Always\", \"Never\"", [json!("always")]);
    let requests = format!("{at}.build.resources.requests");
    table
        .field(requests)
        .takes([json!({"cpu": "500m", "memory": "1Gi"})])
        .refuses("must be of type string", [json!({"cpu": 1})]);
}

fn deploy(table: &mut Table, at: &str) {
    let item = |field: &str| format!("{at}.deploy.items.0.{field}");
    table
        .field(item("from"))
        .takes(["notebooks/**", "conf/*.json", "a.py"].map(Value::from))
        .refuses(FROM, ["/notebooks/**", "../secrets", "a/../../b"].map(Value::from))
        .refuses(EMPTY, [json!("")])
        .is_required();
    let good = [
        "/Shared",
        "/Shared/dbxdemo",
        "/Workspace/Shared/conf",
        "/Users/ana@example.com/x",
        "/Volumes/main/r/files",
        "/Repos/x/y",
        "/Shared/a b",
        "/Shared/a..b",
    ];
    let bad = [
        "Shared/dbxdemo",
        "/Shared/",
        "/",
        "//Shared",
        "/Shared//x",
        "/Shared/../Users/ana",
        "/Shared/./x",
        "/tmp/x",
        "/SharedX",
        "dbfs:/x",
        "/shared/x",
    ];
    table.field(item("to")).takes(good.map(Value::from)).refuses(TO, bad.map(Value::from)).is_required();
    table
        .field(item("kind"))
        .takes(["Notebook", "File"].map(Value::from))
        .refuses("supported values: \"Notebook\", \"File\"", [json!("notebook")]);
    let items = |count| vec![json!({"from": "a", "to": "/Shared/a"}); count];
    table
        .field(format!("{at}.deploy.items"))
        .takes([json!([]), json!(items(100))])
        .refuses("must have at most 100 items", [json!(items(101))]);
}

fn libraries(table: &mut Table, at: &str) {
    let good = ["/Volumes/main/release/libs", "/Workspace/Shared/libs", "dbfs:/FileStore/libs"];
    let bad = [
        "/Volumes",
        "/Volumes/main/libs/",
        "/Shared/libs",
        "dbfs:/",
        "dbfs:x",
        "/dbfs/x",
        "/Volumes/../etc",
        "Volumes/main",
    ];
    table
        .field(format!("{at}.deploy.libraries.to"))
        .takes(good.map(Value::from))
        .refuses(LIBRARIES, bad.map(Value::from));
}

fn install(table: &mut Table, at: &str) {
    let clusters = |count| vec!["main"; count];
    table
        .field(format!("{at}.install.clusters"))
        .takes([json!([]), json!(["main", "etl"]), json!(clusters(8))])
        .refuses(EMPTY, [json!([""])])
        .refuses("must have at most 8 items", [json!(clusters(9))]);
    let libraries = |count| vec![json!({"wheelsFromArtifact": true}); count];
    table
        .field(format!("{at}.install.libraries"))
        .takes([json!([]), json!(libraries(1))])
        .refuses("must have at most 32 items", [json!(libraries(33))]);
    table
        .field(format!("{at}.install.restart"))
        .takes(["IfNeeded", "Always"].map(Value::from))
        .refuses("supported values: \"IfNeeded\", \"Always\"", [json!("Never")]);
}

fn test(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.test.notebooks.0.match"))
        .takes(["notebooks/**", "notebooks/a.py"].map(Value::from))
        .refuses(MATCH, ["/Shared/x", "../x"].map(Value::from))
        .refuses(EMPTY, [json!("")]);
    let notebooks = |count| vec![json!({"match": "a"}); count];
    table
        .field(format!("{at}.test.notebooks"))
        .takes([json!([]), json!(notebooks(50))])
        .refuses("must have at most 50 items", [json!(notebooks(51))]);
    table
        .field(format!("{at}.test.notebooks.0.parameters"))
        .takes([json!({"env": "staging"})])
        .refuses("must be of type string", [json!({"env": 1})]);
    table
        .field(format!("{at}.test.maxParallel"))
        .takes([json!(1), json!(50)])
        .refuses("should be greater than or equal to 1", [json!(0)])
        .refuses("should be less than or equal to 50", [json!(51)]);
    table.field(format!("{at}.test.compute.cluster")).takes([json!("etl")]).refuses(EMPTY, [json!("")]);
}

fn retries(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.retries.limit"))
        .takes([json!(0), json!(20)])
        .refuses("should be greater than or equal to 0", [json!(-1)])
        .refuses("should be less than or equal to 20", [json!(21)]);
}

fn globs(count: usize) -> Value {
    json!(vec!["a/**"; count])
}
