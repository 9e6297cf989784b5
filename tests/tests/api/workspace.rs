//! What a `DatabricksWorkspace` may say.

use brickline_tests::{Table, object};
use serde_json::{Map, Value, json};

use crate::{change::Change, pipeline::OBJECT, trigger::BRANCHES};

const HOST: &str =
    "host is the workspace's URL alone, such as https://adb-123.4.azuredatabricks.net, without path or trailing slash";
const AUTH: &str = "auth needs exactly one of federation, oauth, azure or token";
const ACCOUNT: &str = "serviceAccountName is the name of a ServiceAccount of the workspace's namespace";
const AUDIENCE: &str = "audience must not be Kubernetes' own: such a token would open the cluster to whoever sees it";
const AZURE: &str = "azure needs exactly one of clientSecretRef or serviceAccountName";
const TENANT: &str =
    "tenantId is the directory's id, such as 12345678-90ab-cdef-1234-567890abcdef, or one of its domains";
const RESOURCE: &str =
    "resourceId is /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Databricks/workspaces/NAME";
const CLUSTERS: &str = "cluster names are lower-case words of a-z, 0-9 and '-', at most 63 characters";
const CLUSTER_ID: &str =
    "id is the cluster's id, such as 0123-456789-abcdefgh: the last part of its page's address, not its name";

const VARIABLES: &str =
    "variable names are letters, digits and '_', begin with no digit, and have at most 63 characters";
const VARIABLE: &str = "a variable needs exactly one of value or secretRef";
const PIPELINES: &str = "allowedPipelines are namespace/name, such as data/dbxdemo, data/team-* or */dbxdemo";
const NAMESPACES: &str = "allowedNamespaces are whole names of namespaces, such as data";
const PATHS: &str = "allowedPaths are absolute folders below /Shared, /Workspace, /Users, /Repos, /Volumes or dbfs:, \
                     without trailing slash or '..'";
const SAME: &str = "from and to are the same: a whole day is from 00:00 to 24:00";
const FROM: &str = "from is a time of day in quotes, from \"00:00\" to \"23:59\"";
const TO: &str = "to is a time of day in quotes, from \"00:00\" to \"24:00\"";
const ZONE: &str = "timeZone is a name of the IANA time zone database, such as Europe/Lisbon or UTC";
const KEY: &str = "key is one of the Secret's keys: letters, digits, '-', '_' and '.'";

/// Examples of its fields.
pub fn table() -> Table {
    let mut table = Table::new(object::workspace("example"));
    names(&mut table);
    hosts(&mut table);
    auth(&mut table);
    clusters(&mut table);
    new_clusters(&mut table);
    bundles(&mut table);
    variables(&mut table);
    limits(&mut table);
    allowed(&mut table);
    approvals(&mut table);
    windows(&mut table);
    table.field("spec.suspend").takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    table
}

fn names(table: &mut Table) {
    let sentence = "metadata.name may have at most 63 characters";
    table.field("metadata.name").takes([json!("a".repeat(63))]).refuses(sentence, [json!("a".repeat(64))]);
}

fn hosts(table: &mut Table) {
    let good = [
        "https://adb-123.4.azuredatabricks.net",
        "https://dbc-1.cloud.databricks.com:8443",
        "http://emulator.lab:8080",
    ];
    let bad = [
        "https://adb-123.4.azuredatabricks.net/",
        "https://adb-123.4.azuredatabricks.net/?o=123",
        "https://adb-123.4.azuredatabricks.net?o=123",
        "https://adb-123.4.azuredatabricks.net#setting",
        "adb-123.4.azuredatabricks.net",
        "ftp://adb-123.4.azuredatabricks.net",
        "HTTPS://adb-123.4.azuredatabricks.net",
        "https://ana:secret@adb-123.4.azuredatabricks.net",
        "https://adb-123.4.azuredatabricks.net:",
        "https://adb-123.4.azuredatabricks.net.",
        "https://adb_123.azuredatabricks.net",
        "https://-adb.azuredatabricks.net",
        " https://adb-123.4.azuredatabricks.net",
        "https://adb-123.4.azuredatabricks.net\n",
    ];
    table
        .field("spec.host")
        .takes(good.map(Value::from))
        .takes([json!("https://ADB-123.4.AzureDatabricks.net")])
        .refuses(HOST, bad.map(Value::from))
        .refuses("may not be more than 300", [json!(format!("https://{}.net", "a".repeat(300)))])
        .refuses("must be of type string", [json!(5)])
        .is_required();
}

fn auth(table: &mut Table) {
    let secret = json!({"name": "dbx", "key": "secret"});
    let token = json!({"secretRef": secret});
    let oauth = json!({"clientId": "12345678-90ab-cdef", "clientSecretRef": secret});
    let federation = json!({"serviceAccountName": "release"});
    let azure = json!({"tenantId": "contoso.example.com", "clientId": "a", "serviceAccountName": "release"});
    table
        .field("spec.auth")
        .takes([json!({"token": token}), json!({"oauth": oauth})])
        .takes([json!({"federation": federation}), json!({"azure": azure})])
        .refuses(AUTH, [json!({}), json!({"token": token, "oauth": oauth})])
        .refuses(AUTH, [json!({"federation": federation, "azure": azure})])
        .is_required();
    identities(table, &secret);
    let at = |field: &str| format!("spec.auth.token.secretRef.{field}");
    let mut name = table.field(at("name"));
    name.is_required().takes(["dbx", "dbx.2"].map(Value::from)).refuses(OBJECT, ["DBX", "a/b", ".."].map(Value::from));
    name.refuses("should be at least 1 chars long", [json!("")]);
    let mut key = table.field(at("key"));
    key.is_required().takes(["token", "a_b.C-d"].map(Value::from)).refuses(KEY, ["a/b", "a b"].map(Value::from));
    key.refuses("should be at least 1 chars long", [json!("")]);
}

fn identities(table: &mut Table, secret: &Value) {
    let federation =
        |account: &str, audience: &str| json!({"federation": {"serviceAccountName": account, "audience": audience}});
    let azure = |field: &str, value: Value| {
        let mut azure = json!({"tenantId": "t", "clientId": "c", "serviceAccountName": "release"});
        azure[field] = value;
        json!({"azure": azure})
    };
    let workspace = "/subscriptions/0-1/resourceGroups/a_b/providers/Microsoft.Databricks/workspaces/w1";
    table
        .field("spec.auth")
        .takes([federation("release.staging", "https://accounts.example.com"), azure("resourceId", json!(workspace))])
        .refuses(ACCOUNT, ["Release", "a/b", "-a"].map(|name| federation(name, "databricks")))
        .refuses(ACCOUNT, [azure("serviceAccountName", json!("a/b"))])
        .refuses(
            AUDIENCE,
            ["https://kubernetes.default.svc", "kubernetes.default"].map(|audience| federation("a", audience)),
        )
        .refuses(TENANT, ["a/b", "..", "t?x=1"].map(|tenant| azure("tenantId", json!(tenant))))
        .refuses(RESOURCE, ["/subscriptions/0", "w1"].map(|id| azure("resourceId", json!(id))))
        .refuses(
            AZURE,
            [azure("clientSecretRef", secret.clone()), json!({"azure": {"tenantId": "t", "clientId": "c"}})],
        );
}

fn clusters(table: &mut Table) {
    let named = |name: &str| Value::Object(Map::from_iter([(name.to_owned(), json!({"id": "0123-456789-abc"}))]));
    let many = |count: u32| (0..count).map(|i| (format!("c{i}"), json!({"id": "a"}))).collect::<Map<_, _>>();
    let long = "a".repeat(64);
    table
        .field("spec.clusters")
        .takes([json!({}), named("main"), named("m"), named("main-2"), named(&long[1..]), many(32).into()])
        .refuses(CLUSTERS, ["Main", "main_2", "-main", "main-", "", "main cluster", "a.b", &long].map(named))
        .refuses("must have at most 32 items", [many(33).into()]);
    table
        .field("spec.clusters.main.id")
        .takes(["0123-456789-abcdefgh", "job_1"].map(Value::from))
        .refuses(CLUSTER_ID, ["My cluster", "0123/456", "$(x)"].map(Value::from))
        .refuses("should be at least 1 chars long", [json!("")]);
}

fn new_clusters(table: &mut Table) {
    let many = |count: u32| (0..count).map(|number| format!("P{number}")).collect::<Vec<_>>();
    table.field("spec.newClusters.allowed").takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    table
        .field("spec.newClusters.policyIds")
        .takes([json!([]), json!(many(32))])
        .refuses("Duplicate value", [json!(["P1", "P1"])])
        .refuses("should be at least 1 chars long", [json!([""])])
        .refuses("must have at most 32 items", [json!(many(33))]);
}

fn bundles(table: &mut Table) {
    table
        .field("spec.databricksConnect.allowed")
        .takes([json!(true)])
        .refuses("must be of type boolean", [json!("yes")]);
    table.field("spec.bundles.allowed").takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    table
        .field("spec.bundles.images")
        .takes([json!([]), json!(["registry.example.com/cli:*"])])
        .refuses("Duplicate value", [json!(["a", "a"])])
        .refuses("should be at least 1 chars long", [json!([""])]);
}

fn variables(table: &mut Table) {
    let named = |name: &str| Value::Object(Map::from_iter([(name.to_owned(), json!({"value": "main"}))]));
    let many = |count: u32| (0..count).map(|i| (format!("v{i}"), json!({"value": "a"}))).collect::<Map<_, _>>();
    let long = "a".repeat(64);
    let secret = json!({"name": "vars", "key": "api"});
    table
        .field("spec.variables")
        .takes([json!({}), named("catalog"), named("_a1"), named("A"), named(&long[1..]), many(64).into()])
        .refuses(VARIABLES, ["1a", "a-b", "a.b", "", "a b", "é", &long].map(named))
        .refuses("must have at most 64 items", [many(65).into()]);
    table
        .field("spec.variables.catalog")
        .takes([json!({"value": ""}), json!({"secretRef": secret})])
        .refuses(VARIABLE, [json!({}), json!({"value": "main", "secretRef": secret})])
        .refuses("may not be more than 4096", [json!({"value": "a".repeat(4097)})])
        .refuses("must be of type string", [json!({"value": 5})]);
}

fn limits(table: &mut Table) {
    const THOUSAND: &str = "should be less than or equal to 1000";
    for (field, most, above) in [
        ("requestsPerSecond", 1000, THOUSAND),
        ("families.import", 1000, THOUSAND),
        ("families.export", 1000, THOUSAND),
        ("families.dbfs", 1000, THOUSAND),
        ("families.files", 1000, THOUSAND),
        ("families.runsSubmit", 1000, THOUSAND),
        ("families.runsGet", 1000, THOUSAND),
        ("uploads", 10, "should be less than or equal to 10"),
        ("runs", 200, "should be less than or equal to 200"),
    ] {
        table
            .field(format!("spec.limits.{field}"))
            .takes([json!(1), json!(most)])
            .refuses("should be greater than or equal to 1", [json!(0)])
            .refuses(above, [json!(most + 1)]);
    }
}

fn allowed(table: &mut Table) {
    let at = |field: &str| format!("spec.protection.{field}");
    let good = [json!([]), json!(["data/dbxdemo", "data/team-*"]), json!(["*/*"]), json!(["*/db.x"])];
    let bad = ["dbxdemo", "a/b/c", "data/[a-z]", "Data/x"].map(|pipeline| json!([pipeline]));
    table
        .field(at("allowedPipelines"))
        .takes(good)
        .refuses(PIPELINES, bad)
        .refuses("Duplicate value", [json!(["data/x", "data/x"])])
        .refuses("must have at most 50 items", [json!(names_of("data/a", 51))]);
    let bad = ["team-*", "Data", "-a", "a.b"].map(|name| json!([name]));
    table
        .field(at("allowedNamespaces"))
        .takes([json!([]), json!(["data", "ml-2"])])
        .refuses(NAMESPACES, bad)
        .refuses("must have at most 50 items", [json!(names_of("a", 51))]);
    let bad =
        ["refs/heads/release", "/release", "a..b", "my branch", "a:b", "[a"].map(|branch| json!(["release", branch]));
    table
        .field(at("allowedBranches"))
        .takes([json!([]), json!(["release", "release/**"]), json!(["{main,release}"])])
        .refuses(BRANCHES, bad)
        .refuses("must have at most 50 items", [json!(names_of("a", 51))]);
    let good = ["/Shared", "/Workspace/Users/ana@example.com", "/Volumes/main/release", "dbfs:/libs", "dbfs:"];
    let bad = ["/Shared/", "/Shared/../Users", "/tmp", "Shared", "/Shared//x"].map(|path| json!([path]));
    table
        .field(at("allowedPaths"))
        .takes([json!([]), json!(good)])
        .refuses(PATHS, bad)
        .refuses("should be at least 2 chars long", [json!(["/"])])
        .refuses("must have at most 50 items", [json!(names_of("/Shared/a", 51))]);
    table.field(at("allowArtifactUrls")).takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    table.field(at("allowManual")).takes([json!(false)]).refuses("must be of type boolean", [json!("no")]);
}

fn names_of(start: &str, count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{start}{number}")).collect()
}

fn approvals(table: &mut Table) {
    let at = |field: &str| format!("spec.protection.approvals.{field}");
    table
        .field(at("required"))
        .takes([json!(1), json!(10)])
        .refuses("should be greater than or equal to 1", [json!(0)])
        .refuses("should be less than or equal to 10", [json!(11)]);
    table
        .field(at("timeout"))
        .takes([json!("1h")])
        .refuses("write a duration such as 90s, 15m or 1h30m", [json!("3d"), json!("0s")]);
    table.field(at("notRequester")).takes([json!(false)]).refuses("must be of type boolean", [json!("no")]);
}

fn windows(table: &mut Table) {
    let window = |from: &str, to: &str| json!([{"from": from, "to": to}]);
    let days = |days: Value| json!([{"days": days, "from": "08:00", "to": "16:00"}]);
    let zone = |zone: &str| json!([{"from": "08:00", "to": "16:00", "timeZone": zone}]);
    let windows = |count: usize| vec![json!({"from": "08:00", "to": "16:00"}); count];
    table
        .field("spec.protection.windows")
        .takes([json!([]), window("08:00", "16:00"), window("22:00", "04:00"), window("00:00", "24:00")])
        .takes([days(json!(["Mon", "Sun"])), json!(windows(20))])
        .takes(["Europe/Lisbon", "America/Argentina/Buenos_Aires", "Etc/GMT+1", "UTC"].map(zone))
        .refuses(SAME, [window("08:00", "08:00")])
        .refuses(FROM, ["8:00", "24:00", "08:60", "08.00", "08:000"].map(|from| window(from, "16:00")))
        .refuses(TO, ["9:00", "24:01", "25:00", "noon"].map(|to| window("08:00", to)))
        .refuses(ZONE, ["+01:00", "Europe/", "/Lisbon", "Europe Lisbon", "Local"].map(zone))
        .refuses("should have at least 1 items", [days(json!([]))])
        .refuses("Duplicate value", [days(json!(["Mon", "Mon"]))])
        .refuses("Unsupported value: \"Monday\"", [days(json!(["Monday"]))])
        .refuses("must have at most 20 items", [json!(windows(21))]);
}

/// What may be changed later and what not.
pub fn changes() -> Vec<Change> {
    let change = Change::of(object::workspace("host"));
    vec![
        change("spec.host", json!("https://adb-1.2.azuredatabricks.net"), None),
        change(
            "spec.host",
            json!("https://adb-3.4.azuredatabricks.net"),
            Some("host is immutable: create another DatabricksWorkspace for another host"),
        ),
        change("spec.auth.token.secretRef.key", json!("other"), None),
        change("spec.clusters", json!({"main": {"id": "new"}}), None),
        change("spec.variables", json!({"catalog": {"value": "main"}}), None),
        change("spec.limits.runs", json!(2), None),
        change("spec.protection", json!({"allowManual": false, "approvals": {"required": 2}}), None),
        change("spec.suspend", json!(true), None),
    ]
}
