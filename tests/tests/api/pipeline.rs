//! What a `ReleasePipeline` may say.

use brickline_tests::{Table, object};
use serde_json::{Map, Value, json};

use crate::{connect, plan, stages, trigger};

const LABEL: &str = "label values are letters, digits, '-', '_' and '.', and begin and end with a letter or digit";
const KEYS: &str = "names of labels and annotations are words of at most 63 characters, after a domain and '/' if need be; \
                    those of brickline.dev are set by the controller";
/// What is said of a URL that holds credentials or can't be cloned.
const URL: &str =
    "url is an https:// or ssh:// clone URL without user name or password: put credentials into credentialsRef";

/// What is said of names of other objects.
pub const OBJECT: &str = "this is the name of an object: lower-case letters, digits, '-' and '.', beginning and ending with a \
                          letter or digit";

/// Examples of its fields.
pub fn table() -> Table {
    let base = object::with(object::pipeline("example"), "spec.template.spec", plan::base());
    let stage = json!({"name": "staging", "workspaceRef": {"name": "staging"}});
    let base = object::with(base, "spec.stages", json!([stage]));
    let mut table = Table::new(object::with(base, "spec.parameters", json!([{"name": "env"}])));
    let sentence = "metadata.name may have at most 63 characters: it is a label of every release";
    table.field("metadata.name").takes([json!("a".repeat(63))]).refuses(sentence, [json!("a".repeat(64))]);
    clone_urls(&mut table, "spec.repository.url");
    table.field("spec.repository").is_required();
    table
        .field("spec.repository.provider")
        .takes(["gitea", "github", "generic"].map(Value::from))
        .refuses("supported values: \"gitea\", \"github\", \"generic\"", [json!("GitHub")]);
    table
        .field("spec.repository.credentialsRef")
        .takes([json!({"name": "git"})])
        .refuses(OBJECT, ["Git", "a/b", "../git", "a_b", "-a", "$(params.git)"].map(|name| json!({"name": name})));
    table.field("spec.reporting.commitStatus").takes([json!(false)]).refuses("must be of type boolean", [json!("no")]);
    table.field("spec.suspend").takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
    trigger::examples(&mut table);
    stages::examples(&mut table, &stage);
    template(&mut table);
    retention(&mut table);
    connect::pipelines(&mut table);
    table
}

fn retention(table: &mut Table) {
    for (field, most, above) in [
        ("succeeded", 1000, "should be less than or equal to 1000"),
        ("failed", 1000, "should be less than or equal to 1000"),
        ("skipped", 1000, "should be less than or equal to 1000"),
        ("pullRequests", 1000, "should be less than or equal to 1000"),
        ("minimumPerStage", 100, "should be less than or equal to 100"),
    ] {
        table
            .field(format!("spec.retention.{field}"))
            .takes([json!(0), json!(most)])
            .refuses("should be greater than or equal to 0", [json!(-1)])
            .refuses(above, [json!(most + 1)]);
    }
    table.field("spec.retention.maxAge").takes([json!("1h")]).refuses("write a duration such as 90s", [json!("30d")]);
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

fn template(table: &mut Table) {
    let key = |key: &str| Value::Object(Map::from_iter([(key.to_owned(), json!("a"))]));
    plan::examples(table, "spec.template.spec");
    table
        .field("spec.template.metadata.labels")
        .takes([json!({"team": "data", "example.com/cost": "12"})])
        .refuses("may not be more than 63", [json!({"team": "a".repeat(64)})])
        .refuses(LABEL, [json!({"team": "release/1"}), json!({"team": "-data"}), json!({"team": "data team"})])
        .refuses(KEYS, ["brickline.dev/pipeline", "tags.brickline.dev/x", "a b", "-a", "a/b/c", "/a"].map(key));
    table
        .field("spec.template.metadata.annotations")
        .takes([json!({"example.com/note": "a note"}), json!({"notbrickline.dev/x": "a"})])
        .refuses(KEYS, ["brickline.dev/requestedAt", "", "é"].map(key))
        .refuses("may not be more than 1024", [json!({"note": "a".repeat(1025)})]);
}
