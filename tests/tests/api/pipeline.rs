//! What a `ReleasePipeline` may say.

use brickline_tests::{Table, object};
use serde_json::{Value, json};

use crate::plan;

const BRANCHES: &str = "branches are names or globs such as release or release/*, without refs/heads/, spaces or '..'";
const STAGE: &str = "a stage's name is a lower-case word of a-z, 0-9 and '-'";
const LABEL: &str = "label values are letters, digits, '-', '_' and '.', and begin and end with a letter or digit";
/// What is said of a URL that holds credentials or can't be cloned.
const URL: &str =
    "url is an https:// or ssh:// clone URL without user name or password: put credentials into credentialsRef";

/// Examples of its fields.
pub fn table() -> Table {
    let base = object::with(object::pipeline("example"), "spec.template.spec", plan::base());
    let stage = json!({"name": "staging", "workspaceRef": {"name": "staging"}});
    let mut table = Table::new(object::with(base, "spec.stages", json!([stage])));
    let sentence = "metadata.name may have at most 63 characters: it is a label of every release";
    table.field("metadata.name").takes([json!("a".repeat(63))]).refuses(sentence, [json!("a".repeat(64))]);
    clone_urls(&mut table, "spec.repository.url");
    table.field("spec.repository").is_required();
    table
        .field("spec.repository.provider")
        .takes(["gitea", "github", "generic"].map(Value::from))
        .refuses("supported values: \"gitea\", \"github\", \"generic\"", [json!("GitHub")]);
    trigger(&mut table);
    stages(&mut table, &stage);
    template(&mut table);
    table
}

/// Examples of a clone URL, which is at `path` in the table's object.
pub fn clone_urls(table: &mut Table, path: &str) {
    let good = [
        "https://git.example.com/data/dbxdemo.git",
        "https://git.example.com:3000/data/dbxdemo",
        "http://forge.lab.svc:3000/data/dbxdemo.git",
        "https://git.example.com/data/dbx@demo",
        "https://[2001:db8::1]/data/dbxdemo",
        "https://bücher.example/data/dbxdemo",
        "ssh://git.example.com/data/dbxdemo.git",
        "ssh://git@git.example.com:2222/data/dbxdemo.git",
        "git@git.example.com:data/dbxdemo.git",
        "git@[2001:db8::1]:data/dbxdemo.git",
    ];
    let bad = [
        "https://ana:secret@git.example.com/data/dbxdemo.git",
        "https://token@git.example.com/data/dbxdemo.git",
        "ssh://git:secret@git.example.com/data/dbxdemo.git",
        "https://git.example.com",
        "https://git.example.com/",
        "git.example.com/data/dbxdemo.git",
        "file:///srv/git/dbxdemo.git",
        "/srv/git/dbxdemo.git",
        "git://git.example.com/data/dbxdemo.git",
        "ext::sh -c touch% /tmp/x",
        "https://git.example.com/data/dbx demo.git",
        "https://git.example.com/data/dbxdemo.git\n",
        "ssh://-oProxyCommand=x/data/dbxdemo.git",
        "git@-oProxyCommand=x:data/dbxdemo.git",
        "git@git.example.com",
    ];
    table
        .field(path)
        .takes(good.map(Value::from))
        .refuses(URL, bad.map(Value::from))
        .refuses("may not be more than 1024", [json!(format!("https://git.example.com/{}", "a".repeat(1024)))])
        .is_required();
}

fn trigger(table: &mut Table) {
    let good = [json!(["release"]), json!(["release", "release/*"]), json!(["**"]), json!(vec!["a"; 50])];
    let bad = ["refs/heads/release", "/release", "a..b", "my branch"];
    table
        .field("spec.trigger.branches")
        .takes(good)
        .refuses(BRANCHES, bad.map(|branch| json!(["release", branch])))
        .refuses("should have at least 1 items", [json!([])])
        .refuses("must have at most 50 items", [json!(vec!["a"; 51])])
        .refuses("should be at least 1 chars long", [json!([""])])
        .refuses("must be of type array", [json!("release")]);
    table
        .field("spec.trigger.webhook")
        .takes([json!({"secretRef": {"name": "hook"}})])
        .refuses("Required value", [json!({})]);
}

fn stages(table: &mut Table, stage: &Value) {
    table
        .field("spec.stages")
        .takes([json!([])])
        .refuses("must have at most 1 item", [json!([stage, {"name": "production", "workspaceRef": {"name": "p"}}])]);
    table
        .field("spec.stages.0.name")
        .takes(["staging", "s", "eu-west-1"].map(Value::from))
        .takes([json!("a".repeat(40))])
        .refuses(STAGE, ["Staging", "eu_west", "-a", "a-", "a b", "a/b"].map(Value::from))
        .refuses("may not be more than 40", [json!("a".repeat(41))])
        .is_required();
    table.field("spec.stages.0.workspaceRef").is_required();
}

fn template(table: &mut Table) {
    plan::examples(table, "spec.template.spec");
    table
        .field("spec.template.metadata.labels")
        .takes([json!({"team": "data", "example.com/cost": "12"})])
        .refuses("may not be more than 63", [json!({"team": "a".repeat(64)})])
        .refuses(LABEL, [json!({"team": "release/1"}), json!({"team": "-data"}), json!({"team": "data team"})]);
    table
        .field("spec.template.metadata.annotations")
        .takes([json!({"example.com/note": "a note"})])
        .refuses("may not be more than 1024", [json!({"note": "a".repeat(1025)})]);
}
