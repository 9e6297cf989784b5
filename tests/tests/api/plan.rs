//! What a release's plan may say: the part of its spec that is also a pipeline's template.

mod build_jobs;
mod test;
pub mod within;

use brickline_tests::Table;
use serde_json::{Value, json};

use crate::{connect, jobs};

const DURATION: &str = "write a duration such as 90s, 15m or 1h30m, longer than zero and at most one year (8760h)";
const PYTHON: &str = "pythonVersion is major.minor of a Python 3, in quotes, such as \"3.11\"";
const FROM: &str = "from is a glob relative to the repository's root, without '..'";
const TO: &str =
    "to is an absolute path below /Shared, /Workspace, /Users, /Repos or /Volumes, without trailing slash or '..'";
const LIBRARIES: &str =
    "libraries.to is an absolute path below /Volumes, /Workspace or dbfs:/, without trailing slash or '..'";
/// What is said of paths outside of the repository.
pub const GLOBS: &str = "these are globs or paths relative to the repository's root, without a leading '/' and without '..'; each [ and { \
     needs its end";
const IMAGE: &str = "image is an image's address such as registry.example.com/build:1, without $(...)";
const POOL: &str = "pool is one of the chart's builds.pools: a lower-case word of a-z, 0-9 and '-'";
const QUANTITIES: &str = "quantities are numbers with a unit, such as 500m for cpu or 1Gi for memory";
const BUNDLE_PATH: &str = "bundle.path is a folder of the repository such as bundles/etl, or '.' for its root, without '..' and \
                           without slashes at its ends";
const BUNDLE_TARGET: &str =
    "bundle.target is the name of a target in databricks.yml: letters, digits, '-', '_' and '.'";
const BUNDLE_VARIABLES: &str = "names of bundle.variables are words of letters, digits and '_', at most 63 characters";
const CLUSTERS: &str = "a cluster is named as in the workspace's spec.clusters, without $(...): what a release may use is \
                        known when it is created";
const FROM_ARTIFACT: &str = "fromArtifact is a glob relative to the repository's root, without '..'";
const FROM_KIND: &str = "fromArtifact ends in .jar, .whl or .txt: that tells what kind of library it is";
const ONE_KIND: &str = "each of install.libraries is exactly one of wheelsFromArtifact: true, fromArtifact, whl, jar, pypi, \
                        maven, cran or requirements";
const LIBRARY: &str = "a library's file is an absolute path below /Volumes, /Workspace or dbfs:/, or a cloud address such as \
                       s3://bucket/file, without '..'";
const PACKAGE: &str = "a package begins with a letter or digit and has no spaces at its ends or in a row";
const REPO: &str = "repo is an address such as https://index.example.com/simple, without credentials: they would be shown to \
                    everybody who sees the cluster";
/// What is said of tests on a cluster that nothing is installed on.
pub const OTHER_CLUSTER: &str = "test.compute.cluster is none of install.clusters: on another cluster the tests would meet other \
                                 libraries; add it there, test on one of them, or set test.allowOtherCluster: true";
const ADD_UP: &str = "timeouts don't add up: release must be at least build + deploy + install + test + operate together, \
                      buildAttempt at most build, deployAttempt at most deploy, restart at most install";
const BACKOFF: &str = "backoff.initial must be at most backoff.max";
const TAGS: &str = "tags are words of letters, digits, '-', '_' and '.', at most 63 characters";
const EMPTY: &str = "should be at least 1 chars long";

/// A plan whose lists have one item, for a table to vary.
pub fn base() -> Value {
    json!({
        "build": build_jobs::base(),
        "deploy": {"items": [{"from": "notebooks/**", "to": "/Shared/dbxdemo"}]},
        "test": {"notebooks": [{"match": "notebooks/**"}], "setup": {"path": "notebooks/setup.py"}},
        "operate": jobs::base(),
    })
}

/// Examples of its fields, which are at `at` in the table's object.
pub fn examples(table: &mut Table, at: &str) {
    durations(table, at);
    timeouts(table, at);
    build(table, at);
    build_jobs::examples(table, &format!("{at}.build"));
    connect::examples(table, at);
    deploy(table, at);
    bundle(table, at);
    libraries(table, at);
    install(table, at);
    test::examples(table, at);
    within::examples(table, at);
    jobs::examples(table, &format!("{at}.operate"));
    retries(table, at);
    tags(table, at);
}

fn durations(table: &mut Table, at: &str) {
    let good = ["1s", "90s", "1h30m", "1h30m5s", "0h1s", "100s", "525600m", "8760h"];
    let bad = [
        "", "0s", "0h0m0s", "-1s", "+1s", "1.5h", "9000h", "8760h1s", "1d", "1w", "90", "1h 30m", "30m1h", "5ms", "1H",
        "P1D",
    ];
    table
        .field(format!("{at}.waiting.slot"))
        .takes(good.map(Value::from))
        .refuses(DURATION, bad.map(Value::from))
        .refuses("may not be more than 20", [json!("000000000000000000001s")])
        .refuses("must be of type string", [json!(90)]);
    let others = [
        "timeouts.build",
        "timeouts.deploy",
        "timeouts.install",
        "timeouts.test",
        "timeouts.operate",
        "timeouts.buildAttempt",
        "timeouts.deployAttempt",
        "timeouts.restart",
        "timeouts.cancelGracePeriod",
        "waiting.cluster",
        "waiting.dependency",
        "waiting.window",
        "retries.backoff.max",
        "test.notebooks.0.timeout",
        "test.setup.timeout",
    ];
    for path in others {
        table.field(format!("{at}.{path}")).takes([json!("10m")]).refuses(DURATION, [json!("2d")]);
    }
    table.field(format!("{at}.retries.backoff.initial")).takes([json!("1s")]).refuses(DURATION, [json!("2d")]);
    table.field(format!("{at}.timeouts.release")).takes([json!("10h")]).refuses(DURATION, [json!("2d")]);
}

/// The defaults are 6h for 1h + 30m + 30m + 2h + 10m.
fn timeouts(table: &mut Table, at: &str) {
    let good = [
        json!({}),
        json!({"release": "4h10m"}),
        json!({"build": "2h50m"}),
        json!({"operate": "2h"}),
        json!({"build": "10s", "buildAttempt": "10s", "deploy": "10s", "deployAttempt": "5s"}),
        json!({"install": "10m", "restart": "10m"}),
        json!({"release": "50s", "build": "10s", "deploy": "10s", "install": "10s", "test": "10s", "operate": "10s", "restart": "10s"}),
    ];
    let bad = [
        json!({"release": "4h9m"}),
        json!({"build": "2h50m1s"}),
        json!({"operate": "2h1s"}),
        json!({"build": "10m", "buildAttempt": "11m"}),
        json!({"buildAttempt": "2h"}),
        json!({"deploy": "10m", "deployAttempt": "11m"}),
        json!({"install": "5m"}),
        json!({"restart": "31m"}),
    ];
    table.field(format!("{at}.timeouts")).takes(good).refuses(ADD_UP, bad);
}

fn build(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.build.pythonVersion"))
        .takes(["3.9", "3.11"].map(Value::from))
        .refuses(PYTHON, ["3", "3.11.4", "2.7", "3.x", ">=3.11", ""].map(Value::from))
        .refuses("must be of type string", [json!(3.11)]);
    let digest = format!("registry.example.com:5000/a_b/build@sha256:{}", "0".repeat(64));
    table
        .field(format!("{at}.build.image"))
        .takes([json!("registry.example.com/build:1"), json!(digest), json!("python")])
        .refuses(EMPTY, [json!("")])
        .refuses(IMAGE, ["build 1", "$(params.image)", "-x", "https://registry.example.com/build?"].map(Value::from));
    table
        .field(format!("{at}.build.pool"))
        .takes(["default", "gpu-2"].map(Value::from))
        .refuses(POOL, ["GPU", "a b", "-a", "$(params.pool)"].map(Value::from))
        .refuses("may not be more than 63", [json!("a".repeat(64))]);
    build_lists(table, at);
    let required = format!("{at}.build.tests.required");
    table
        .field(required)
        .takes(["Auto", "Always", "Never"].map(Value::from))
        .refuses("supported values: \"Auto\", \"Always\", \"Never\"", [json!("always")]);
    for part in ["requests", "limits"] {
        let good = [json!({"cpu": "500m", "memory": "1Gi"}), json!({"cpu": "1.5", "ephemeral-storage": "20G"})];
        let bad = ["1 Gi", "much", "", "-1", "1gb", "$(params.memory)"].map(|memory| json!({"memory": memory}));
        table
            .field(format!("{at}.build.resources.{part}"))
            .takes(good)
            .refuses(QUANTITIES, bad)
            .refuses("must be of type string", [json!({"cpu": 1})]);
    }
}

fn build_lists(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.build.include"))
        .takes([json!(["**"]), globs(100)])
        .refuses("should have at least 1 items", [json!([])])
        .refuses(EMPTY, [json!([""])])
        .refuses("must have at most 100 items", [globs(101)]);
    let lists: [(&str, Value, &'static str); 8] = [
        ("exclude", globs(101), "must have at most 100 items"),
        ("wheels", globs(101), "must have at most 100 items"),
        ("requirements", globs(51), "must have at most 50 items"),
        ("tests.paths", globs(101), "must have at most 100 items"),
        ("tests.args", globs(51), "must have at most 50 items"),
        ("tests.reports", globs(21), "must have at most 20 items"),
        ("only.includePaths", globs(51), "must have at most 50 items"),
        ("only.excludePaths", globs(51), "must have at most 50 items"),
    ];
    for (list, long, words) in lists {
        let mut field = table.field(format!("{at}.build.{list}"));
        field.takes([json!([]), json!(["a/**", "a[0-9].{py,s[qh]l}", "[]]"])]).refuses(words, [long]);
        if list != "tests.args" {
            field.refuses(GLOBS, ["/a", "../a", "a/../b", "a/[b", "{a,b", "a\\"].map(|path| json!([path])));
        }
    }
    table.field(format!("{at}.build.tests.args")).takes([json!(["-m", "not slow", "--rootdir=/tmp/.."])]);
    table.field(format!("{at}.build.include")).refuses(GLOBS, [json!(["**", "/etc/**"])]);
    table.field(format!("{at}.build.only.mergesOnly")).takes([json!(true)]).refuses("of type boolean", [json!("yes")]);
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
        "/Shared/$(params.team)/dbxdemo",
        "$(params.root)",
        "$(workspace.vars.root)/dbxdemo",
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
        "$(release.branch)/x",
        "$(params.root)/../x",
        "/Shared/..",
    ];
    table.field(item("to")).takes(good.map(Value::from)).refuses(TO, bad.map(Value::from)).is_required();
    table
        .field(item("kind"))
        .takes(["Notebook", "File"].map(Value::from))
        .refuses("supported values: \"Notebook\", \"File\"", [json!("notebook")]);
    let items = |count| (0..count).map(|n| json!({"from": "a", "to": format!("/Shared/a{n}")})).collect::<Vec<_>>();
    table
        .field(format!("{at}.deploy.items"))
        .takes([json!([]), json!(items(100))])
        .refuses("must have at most 100 items", [json!(items(101))])
        .refuses(
            "Duplicate value",
            [json!([{"from": "a", "to": "/Shared/a"}, {"from": "a", "to": "/Shared/a", "kind": "File"}])],
        );
}

fn bundle(table: &mut Table, at: &str) {
    let with = |field: &str, value: Value| {
        let mut bundle = json!({"target": "staging"});
        bundle[field] = value;
        bundle
    };
    let text = |field: &'static str| move |value: &str| with(field, json!(value));
    table
        .field(format!("{at}.deploy.bundle"))
        .takes(["staging", "dev_1.2-b", "$(params.env)", "x-$(params.env)"].map(text("target")))
        .takes([".", "etl", "bundles/etl-1", "$(params.team)/etl", ".bundle"].map(text("path")))
        .takes([text("image")("registry.example.com/cli:1"), with("forceLock", json!(true))])
        .takes([with("variables", json!({"catalog": "$(workspace.vars.catalog)", "_a1": ""}))])
        .takes([with("resources", json!({"requests": {"memory": "256Mi"}}))])
        .refuses(BUNDLE_TARGET, ["a b", "--profile", "-t", "a/b", "a\n"].map(text("target")))
        .refuses(BUNDLE_PATH, ["/etl", "etl/", "..", "a/../b", "./etl", "a//b", "a/."].map(text("path")))
        .refuses(IMAGE, ["cli 1", "$(params.image)"].map(text("image")))
        .refuses(BUNDLE_VARIABLES, ["a-b", "1a", "a.b"].map(|name| with("variables", json!({name: "x"}))))
        .refuses(QUANTITIES, [with("resources", json!({"limits": {"memory": "lots"}}))])
        .refuses("Required value", [json!({})]);
}

fn libraries(table: &mut Table, at: &str) {
    let good =
        ["/Volumes/main/release/libs", "/Workspace/Shared/libs", "dbfs:/FileStore/libs", "$(workspace.vars.libs)/a"];
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
    let others = |count: u32| (1..count).map(|number| format!("c{number}"));
    let clusters = |count| ["main".to_owned()].into_iter().chain(others(count)).collect::<Vec<_>>();
    table
        .field(format!("{at}.install.clusters"))
        .takes([json!([]), json!(["main", "etl-2"]), json!(clusters(8))])
        .refuses(EMPTY, [json!([""])])
        .refuses(CLUSTERS, ["Main", "0123_a", "$(params.cluster)", "-a"].map(|name| json!([name])))
        .refuses("Duplicate value", [json!(["main", "main"])])
        .refuses(OTHER_CLUSTER, [json!(["etl"])])
        .refuses("must have at most 8 items", [json!(clusters(9))]);
    let libraries = |count| vec![json!({"wheelsFromArtifact": true}); count];
    table
        .field(format!("{at}.install.libraries"))
        .takes([json!([]), json!(libraries(1))])
        .refuses("must have at most 32 items", [json!(libraries(33))]);
    table
        .field(format!("{at}.install.restart"))
        .takes(["IfNeeded", "Always", "Never"].map(Value::from))
        .refuses("supported values: \"IfNeeded\", \"Always\", \"Never\"", [json!("WhenIdle")]);
    table
        .field(format!("{at}.install.whenIdle"))
        .takes([json!({}), json!({"timeout": "2h"})])
        .refuses(DURATION, [json!({"timeout": "1d"})]);
    each_library(table, &format!("{at}.install.libraries"));
}

fn each_library(table: &mut Table, at: &str) {
    let one = |kind: &str, value: Value| json!([{ kind: value }]);
    let files = [
        "/Volumes/main/libs/a-1.jar",
        "/Workspace/Shared/a.jar",
        "dbfs:/libs/a.jar",
        "s3://bucket/a.jar",
        "$(workspace.vars.libs)/a.jar",
    ];
    table
        .field(at)
        .takes(files.map(|path| one("jar", json!(path))))
        .takes([
            one("whl", json!("/Volumes/main/a-1-py3-none-any.whl")),
            one("requirements", json!("/Workspace/r.txt")),
        ])
        .takes([one("pypi", json!({"package": "great-expectations[spark] >= 1.2"}))])
        .takes([one("pypi", json!({"package": "$(params.p)", "repo": "https://index.example.com/simple"}))])
        .takes([one(
            "maven",
            json!({"coordinates": "g:a:1.0", "repo": "https://r.example.com", "exclusions": ["x:y"]}),
        )])
        .takes([one("cran", json!({"package": "ada", "repo": "https://cran.example.com"}))])
        .takes(["libraries/*.jar", "requirements.txt", "**/*.whl"].map(|glob| one("fromArtifact", json!(glob))))
        .refuses(FROM_ARTIFACT, ["/libs/a.jar", "../a.jar", "a/../b.jar"].map(|glob| one("fromArtifact", json!(glob))))
        .refuses(FROM_KIND, ["libraries/**", "a.jar.bak"].map(|glob| one("fromArtifact", json!(glob))))
        .refuses(ONE_KIND, [json!([{"fromArtifact": "a.jar", "jar": "/Volumes/a/a.jar"}])])
        .refuses(ONE_KIND, [json!([{}]), json!([{"wheelsFromArtifact": false}])])
        .refuses(ONE_KIND, [json!([{"jar": "/Volumes/a/b.jar", "whl": "/Volumes/a/b.whl"}])])
        .refuses(ONE_KIND, [json!([{"wheelsFromArtifact": true, "cran": {"package": "ada"}}])])
        .refuses(LIBRARY, ["/dbfs/a.jar", "a.jar", "/Volumes/../a.jar", "/tmp/a.jar"].map(|at| one("jar", json!(at))))
        .refuses(LIBRARY, [one("whl", json!("libs/a.whl")), one("requirements", json!("/tmp/r.txt"))])
        .refuses("whl ends in .whl", [one("whl", json!("/Volumes/main/a.egg"))])
        .refuses(PACKAGE, [" foo", "foo  bar", "-r x", "foo "].map(|name| one("pypi", json!({"package": name}))))
        .refuses(REPO, ["ftp://a", "https://me:secret@a"].map(|at| one("cran", json!({"package": "ada", "repo": at}))))
        .refuses("coordinates are group:artifact:version", [one("maven", json!({"coordinates": "g:a"}))])
        .refuses("Required value", [one("pypi", json!({})), one("maven", json!({})), one("cran", json!({}))]);
}

fn retries(table: &mut Table, at: &str) {
    table
        .field(format!("{at}.retries.limit"))
        .takes([json!(0), json!(20)])
        .refuses("should be greater than or equal to 0", [json!(-1)])
        .refuses("should be less than or equal to 20", [json!(21)]);
    for phase in ["build", "deploy", "install", "test", "operate"] {
        table
            .field(format!("{at}.retries.limits.{phase}"))
            .takes([json!(0), json!(20)])
            .refuses("should be less than or equal to 20", [json!(21)]);
    }
    table
        .field(format!("{at}.retries.backoff"))
        .takes([json!({"initial": "5m"}), json!({"initial": "1h", "max": "1h", "factor": 1}), json!({"factor": 10})])
        .refuses(BACKOFF, [json!({"initial": "6m"}), json!({"max": "4s"})])
        .refuses("should be less than or equal to 10", [json!({"factor": 11})])
        .refuses("should be greater than or equal to 1", [json!({"factor": 0})]);
    table
        .field(format!("{at}.onFailure"))
        .takes(["None", "Rollback"].map(Value::from))
        .refuses("supported values: \"None\", \"Rollback\"", [json!("rollback")]);
}

fn tags(table: &mut Table, at: &str) {
    let many = |count: u32| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>();
    table
        .field(format!("{at}.tags"))
        .takes([json!(["nightly", "v1.2_3", "A"]), json!(["a".repeat(63)]), json!(many(16))])
        .refuses(TAGS, ["a b", "-a", "a.", "été", "a/b"].map(|tag| json!([tag])))
        .refuses("Duplicate value", [json!(["nightly", "nightly"])])
        .refuses("may not be more than 63", [json!(["a".repeat(64)])])
        .refuses("must have at most 16 items", [json!(many(17))]);
}

fn with(value: &Value, field: &str, to: Value) -> Value {
    let mut value = value.clone();
    value[field] = to;
    value
}

fn globs(count: usize) -> Value {
    json!(vec!["a/**"; count])
}
