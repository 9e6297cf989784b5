//! What the tests of a plan may say.

use brickline_tests::Table;
use serde_json::{Value, json};

use super::{CLUSTERS, EMPTY, OTHER_CLUSTER, with};

const MATCH: &str = "match is a glob relative to the repository's root, without '..'";
const COMPUTE: &str = "compute is one of cluster, newCluster or serverless: remove the others";
const VERSION: &str = "newCluster needs sparkVersion, unless the policy of policyId fixes it";
const MACHINES: &str = "newCluster needs nodeTypeId or instancePoolId, unless the policy of policyId fixes them";
const SIZE: &str = "newCluster has either numWorkers or autoscale";
const POLICY: &str = "policyId is the policy's id, such as E0631F5C0D0006D6, without $(...): what a release may use is known \
                      when it is created";
const SLOWEST: &str = "maxDuration must be at most timeout: the run is stopped by then";
const WORKERS: &str = "newCluster needs numWorkers or autoscale, unless the policy of policyId fixes them; numWorkers: 0 is \
                       a single node";
const LONGEST: &str =
    "write a duration such as 90s, 15m or 1h30m, longer than zero and at most one year (8760h), or Off";
const INNER: &str = "innerTests.required needs innerTests.frameworks: without them no test is looked for";
const ONE: &str = "a task runs exactly one of notebook, pythonWheel or sparkPython";
const TASK: &str = "a task's name is a lower-case word of a-z, 0-9 and '-'";
const FILE: &str = "file is a Python file relative to the repository's root, without '..'";
const PATH: &str = "path is a notebook relative to the repository's root, without '..'";
const ARGUMENTS: &str = "pythonWheel has either parameters or namedParameters";

/// Examples of the fields of `test`.
pub fn examples(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.test.notebooks.0.match"))
        .takes(["notebooks/**", "notebooks/a.py"].map(Value::from))
        .refuses(MATCH, ["/Shared/x", "../x"].map(Value::from))
        .refuses(EMPTY, [json!("")]);
    let notebooks = |count| (0..count).map(|n| json!({"match": format!("a{n}")})).collect::<Vec<_>>();
    table
        .field(format!("{at}.test.notebooks"))
        .takes([json!([]), json!(notebooks(50))])
        .refuses("must have at most 50 items", [json!(notebooks(51))])
        .refuses("Duplicate value", [json!([{"match": "a"}, {"match": "a", "timeout": "2h"}])]);
    table
        .field(format!("{at}.test.notebooks.0.parameters"))
        .takes([json!({"env": "staging"})])
        .refuses("must be of type string", [json!({"env": 1})]);
    table
        .field(format!("{at}.test.maxParallel"))
        .takes([json!(1), json!(50)])
        .refuses("should be greater than or equal to 1", [json!(0)])
        .refuses("should be less than or equal to 50", [json!(51)]);
    table
        .field(format!("{at}.test.compute.cluster"))
        .takes([json!("main")])
        .refuses(OTHER_CLUSTER, [json!("etl")])
        .refuses(EMPTY, [json!("")])
        .refuses(CLUSTERS, [json!("$(params.cluster)"), json!("Main")]);
    compute(table, &format!("{at}.test.compute"));
    judged(table, at);
    tasks(table, &format!("{at}.test.tasks"));
    fixtures(table, at);
    table
        .field(format!("{at}.test.notebooks.0"))
        .takes([json!({"timeout": "100s"}), json!({"timeout": "2h", "maxDuration": "2h"})])
        .takes([json!({"timeout": "10s", "maxDuration": "Off"})])
        .refuses(SLOWEST, [json!({"timeout": "99s"}), json!({"maxDuration": "1h1s"})]);
    table
        .field(format!("{at}.test.retryFailed"))
        .takes([json!(0), json!(5)])
        .refuses("should be less than or equal to 5", [json!(6)]);
    let other = json!({"compute": {"cluster": "etl"}});
    table
        .field(format!("{at}.test"))
        .takes([with(&other, "allowOtherCluster", json!(true)), with(&other, "notebooks", json!([]))])
        .refuses(OTHER_CLUSTER, [other]);
    for flag in [
        "test.allowOtherCluster",
        "test.continueOnError",
        "test.notebooks.0.continueOnError",
        "test.innerTests.required",
    ] {
        table.field(format!("{at}.{flag}")).takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    }
}

fn compute(table: &mut Table, at: &str) {
    let new = |fields: Value| json!({"newCluster": fields});
    table
        .field(at)
        .takes([json!({}), json!({"cluster": "main"}), new(json!({"policyId": "P1"}))])
        .takes([new(json!({"sparkVersion": "v", "nodeTypeId": "n", "numWorkers": 0, "dataSecurityMode": "Standard"}))])
        .takes([json!({"serverless": {"environmentVersion": "2", "dependencies": ["requests==2"]}})])
        .takes([new(json!({"policyId": "P1", "autoscale": {"min": 1, "max": 2}}))])
        .refuses(COMPUTE, [json!({"cluster": "etl", "serverless": {}})])
        .refuses(VERSION, [new(json!({"nodeTypeId": "n", "numWorkers": 1}))])
        .refuses(MACHINES, [new(json!({"sparkVersion": "v", "numWorkers": 1}))])
        .refuses(WORKERS, [new(json!({"sparkVersion": "v", "nodeTypeId": "n"}))])
        .refuses(SIZE, [new(json!({"policyId": "P1", "numWorkers": 1, "autoscale": {"min": 1, "max": 2}}))])
        .refuses(
            "autoscale.min must be at most autoscale.max",
            [new(json!({"policyId": "P1", "autoscale": {"min": 2, "max": 1}}))],
        )
        .refuses(POLICY, [new(json!({"policyId": "$(params.policy)"}))])
        .refuses("supported values", [new(json!({"policyId": "P1", "dataSecurityMode": "USER_ISOLATION"}))])
        .refuses(
            "environmentVersion is a number in quotes, such as \"2\"",
            [json!({"serverless": {"environmentVersion": "v2"}})],
        );
}

fn judged(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.test.notebooks.0.maxDuration"))
        .takes(["10m", "Off"].map(Value::from))
        .refuses(LONGEST, ["2d", "off", ""].map(Value::from));
    table
        .field(format!("{at}.test.notebooks.0.regression"))
        .takes([json!({}), json!({"percent": 1, "over": 50})])
        .refuses("should be greater than or equal to 1", [json!({"percent": 0}), json!({"over": 0})])
        .refuses("should be less than or equal to 50", [json!({"over": 51})]);
    for field in ["test.innerTests", "test.notebooks.0.innerTests"] {
        table
            .field(format!("{at}.{field}"))
            .takes([json!({}), json!({"frameworks": []}), json!({"frameworks": ["pytest"], "required": true})])
            .refuses(INNER, [json!({"frameworks": [], "required": true})])
            .refuses("Duplicate value", [json!({"frameworks": ["pytest", "pytest"]})])
            .refuses("supported values", [json!({"frameworks": ["nose"]})]);
    }
    table.field(format!("{at}.test.select")).takes([json!("Changed")]).refuses("supported values", [json!("Some")]);
    table.field(format!("{at}.test.source")).takes([json!("Git")]).refuses("supported values", [json!("git")]);
    table
        .field(format!("{at}.test.gitProvider"))
        .takes([json!("gitHub")])
        .refuses("supported values", [json!("gitea")]);
}

fn tasks(table: &mut Table, at: &str) {
    let wheel = json!({"package": "dbxdemo", "entryPoint": "check"});
    let file = |path: &str| json!({"file": path});
    let named = |name: &str| json!([{"name": name, "pythonWheel": wheel}]);
    let one = |fields: Value| {
        let mut task = json!({"name": "smoke"});
        task.as_object_mut().into_iter().for_each(|task| task.extend(fields.as_object().cloned().unwrap_or_default()));
        json!([task])
    };
    table
        .field(at)
        .takes([json!([]), named("smoke"), one(json!({"sparkPython": file("jobs/a.py"), "maxDuration": "Off"}))])
        .takes([one(json!({"notebook": {"path": "notebooks/a.py", "parameters": {"a": "b"}}}))])
        .refuses(ONE, [one(json!({})), one(json!({"pythonWheel": wheel, "sparkPython": file("a.py")}))])
        .refuses(TASK, [named("Smoke")])
        .refuses(SLOWEST, [one(json!({"pythonWheel": wheel, "timeout": "10s"}))])
        .refuses(FILE, [one(json!({"sparkPython": file("/a.py")})), one(json!({"sparkPython": file("../a.py")}))])
        .refuses(PATH, [one(json!({"notebook": {"path": "/a"}}))])
        .refuses(
            ARGUMENTS,
            [one(json!({"pythonWheel": {
                "package": "p", "entryPoint": "e", "parameters": ["a"], "namedParameters": {"a": "b"},
            }}))],
        )
        .refuses(
            "Duplicate value",
            [json!([{"name": "a", "pythonWheel": wheel}, {"name": "a", "pythonWheel": wheel}])],
        );
}

fn fixtures(table: &mut Table, at: &str) {
    for field in ["setup", "teardown"] {
        table
            .field(format!("{at}.test.{field}"))
            .takes([
                json!({"path": "notebooks/setup.py"}),
                json!({"path": "a", "timeout": "1h", "parameters": {"a": "b"}}),
            ])
            .refuses(PATH, [json!({"path": "/Shared/a"})])
            .refuses("Required value", [json!({})]);
    }
}
