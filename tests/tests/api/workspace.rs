//! What a `DatabricksWorkspace` may say.

use brickline_tests::{Table, object};
use serde_json::{Map, Value, json};

use crate::change::Change;

const HOST: &str =
    "host is the workspace's URL alone, such as https://adb-123.4.azuredatabricks.net, without path or trailing slash";
const AUTH: &str = "auth needs exactly one of token or oauth";
const CLUSTERS: &str = "cluster names are lower-case words of a-z, 0-9 and '-', at most 63 characters";
const CLUSTER_ID: &str =
    "id is the cluster's id, such as 0123-456789-abcdefgh: the last part of its page's address, not its name";

/// Examples of its fields.
pub fn table() -> Table {
    let mut table = Table::new(object::workspace("example"));
    names(&mut table);
    hosts(&mut table);
    auth(&mut table);
    clusters(&mut table);
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
    table
        .field("spec.auth")
        .takes([json!({"token": token}), json!({"oauth": oauth})])
        .refuses(AUTH, [json!({}), json!({"token": token, "oauth": oauth})])
        .is_required();
    let at = |field: &str| format!("spec.auth.token.secretRef.{field}");
    table.field(at("name")).is_required().refuses("should be at least 1 chars long", [json!("")]);
    table.field(at("key")).is_required().refuses("should be at least 1 chars long", [json!("")]);
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
        change("spec.suspend", json!(true), None),
    ]
}
