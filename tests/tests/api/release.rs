//! What a `DatabricksRelease` may say.

use brickline_tests::{Table, object};
use serde_json::{Map, Value, json};

use crate::{connect, jobs, pipeline, plan};

const COMMIT: &str = "commit is the full commit id in lower case: 40 hex characters (git rev-parse HEAD)";
const REF: &str = "ref is a full ref such as refs/heads/release, refs/tags/v1 or refs/pull/12/head";
const SOURCE: &str = "source needs exactly one of git (a repository, ref and commit to build), artifactFrom (releases whose \
                      artifacts are deployed) or artifact (the url and digest of one that was built elsewhere)";
const URL: &str = "url is the https:// address of a file, without user name, password, spaces or '#': put credentials into \
                   credentialsRef";
const ZIP: &str = "artifact.digest is that of the zip: sha256: and 64 hex characters in lower case (sha256sum)";
const DIGEST: &str = "digest is status.artifact.digest of that release: sha256: and 64 hex characters";
const START: &str = "startAt is Deploy, Install, Test or Operate";
const START_NEEDS: &str =
    "startAt needs source.artifactFrom and workspaceRef: what is not built must come from another release";
const REASON: &str =
    "reasons promotion, rollback and buildCompletion need source.artifactFrom: they release what another release built";
const PULL_REQUEST: &str = "reason pullRequest and the ref of a pull request, such as refs/pull/12/head, go together: what nobody has \
                            merged is released nowhere else";
const STAGE: &str = "stage is a lower-case word of a-z, 0-9 and '-'";
const PARAMETERS: &str = "parameter names are words of letters, digits and '_', at most 63 characters";
const NAME: &str = "metadata.name may have at most 63 characters: it is a label of the build's Job";

/// Examples of its fields.
pub fn table() -> Table {
    let mut base = object::with(object::release("example"), "spec.workspaceRef", json!({"name": "staging"}));
    for (part, value) in plan::base().as_object().into_iter().flatten() {
        base = object::with(base, &format!("spec.{part}"), value.clone());
    }
    let mut table = Table::new(base);
    table.field("metadata.name").takes([json!("a".repeat(63)), json!("a.b")]).refuses(NAME, [json!("a".repeat(64))]);
    source(&mut table);
    artifacts(&mut table);
    elsewhere(&mut table);
    request(&mut table);
    what_for(&mut table);
    plan::examples(&mut table, "spec");
    connect::releases(&mut table);
    table
}

fn source(table: &mut Table) {
    pipeline::clone_urls(table, "spec.source.git.url");
    table.field("spec.source").refuses(SOURCE, [json!({})]).is_required();
    let refs = ["refs/heads/release", "refs/heads/release/1.2", "refs/tags/v1", "refs/heads/été", "refs/heads/a@b"];
    let bad = [
        "release",
        "heads/release",
        "refs/heads/",
        "refs/pull/1/merge",
        "refs/pull/0/head",
        "refs/pull/x/head",
        "refs/merge-requests/1/merge",
        "refs/heads/a..b",
        "refs/heads/a b",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a:b",
        "refs/heads/*",
        "refs/heads/a?",
        "refs/heads/a[b",
        "refs/heads/a\\b",
        "--upload-pack=x",
    ];
    table.field("spec.source.git.ref").takes(refs.map(Value::from)).refuses(REF, bad.map(Value::from)).is_required();
    let hex = "0123456789abcdef".repeat(4);
    let upper = hex[..40].to_uppercase();
    table
        .field("spec.source.git.commit")
        .takes([&hex[..40], &hex].map(Value::from))
        .refuses(COMMIT, [&upper, &hex[..41], &hex[..63], &format!("{}g", &hex[..39])].map(|text| json!(text)))
        .refuses("should be at least 40 chars long", ["9b1c0de", "", "HEAD"].map(Value::from))
        .refuses("may not be more than 64", [json!(format!("{hex}0"))])
        .is_required();
}

fn request(table: &mut Table) {
    table
        .field("spec.stage")
        .takes([json!("staging")])
        .refuses("should be at least 1 chars long", [json!("")])
        .refuses(STAGE, ["Staging", "a b", "-a"].map(Value::from))
        .refuses("may not be more than 40", [json!("a".repeat(41))]);
    table
        .field("spec.requestedBy")
        .takes([json!("system:serviceaccount:brickline:brickline")])
        .refuses("may not be more than 320", [json!("a".repeat(321))]);
    table
        .field("spec.requestedFor")
        .takes([json!("ana@example.com")])
        .refuses("may not be more than 320", [json!("a".repeat(321))]);
    table.field("spec.workspaceRef").takes([json!({"name": "staging"})]).refuses("Required value", [json!({})]);
    table
        .field("spec.workspaceRef.name")
        .refuses(pipeline::OBJECT, [json!("data/staging")])
        .refuses("should be at least 1 chars long", [json!("")]);
}

/// A release of what another one built, with these fields besides.
fn of_artifact(fields: &Value) -> Value {
    let from = json!([{"release": "dbxdemo-4f2c91d0a7be", "digest": object::digest()}]);
    let mut spec = json!({"source": {"artifactFrom": from}, "workspaceRef": {"name": "staging"}});
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    spec
}

fn artifacts(table: &mut Table) {
    let from = |release: &str, digest: &str| json!({"release": release, "digest": digest});
    let one = from("libs-4f2c91d0a7be", &object::digest());
    let many = |count: u32| (0..count).map(|n| from(&format!("r{n}"), &object::digest())).collect::<Vec<_>>();
    let both = object::with(object::release("x")["spec"]["source"].clone(), "artifactFrom", json!([one]));
    let two = json!([one, from("dbxdemo-0a1b2c3d4e5f", &object::digest())]);
    let upper = object::digest().to_uppercase().replace("SHA", "sha");
    let other = object::digest().replace("sha256", "sha512");
    table
        .field("spec.source")
        .takes([json!({"artifactFrom": [one]}), json!({"artifactFrom": two, "precedence": true})])
        .takes([json!({"artifactFrom": many(8)})])
        .refuses(SOURCE, [both])
        .refuses("should have at least 1 items", [json!({"artifactFrom": []})])
        .refuses("Duplicate value", [json!({"artifactFrom": [one, one]})])
        .refuses("must have at most 8 items", [json!({"artifactFrom": many(9)})])
        .refuses(DIGEST, [upper, other].map(|digest| json!({"artifactFrom": [from("a", &digest)]})))
        .refuses("should be at least 71 chars long", [json!({"artifactFrom": [from("a", "sha256:0f")]})])
        .refuses(pipeline::OBJECT, [json!({"artifactFrom": [from("data/a", &object::digest())]})])
        .refuses("Required value", [json!({"artifactFrom": [{"release": "a"}]})]);
}

/// What was built elsewhere.
fn elsewhere(table: &mut Table) {
    let of = |url: &str, digest: &str| json!({"artifact": {"url": url, "digest": digest}});
    let (zip, digest) = ("https://artifacts.example.com/dbxdemo/1.zip", object::digest());
    let good = [zip, "https://store.example.com:8443/a?sig=a%2Fb&se=2026", "http://store.lab.svc:8080/a@b/1.zip"];
    let bad = [
        "ftp://artifacts.example.com/1.zip",
        "HTTPS://artifacts.example.com/1.zip",
        "https://artifacts.example.com",
        "https://artifacts.example.com/",
        "https://ana:secret@artifacts.example.com/1.zip",
        "https://artifacts.example.com\\@evil.example/1.zip",
        "https://artifacts.example.com?to=/1.zip",
        "https://artifacts.example.com/1.zip#part",
        "https://artifacts.example.com/a b.zip",
        "https://artifacts.example.com/1.zip\n",
        "https://-artifacts.example.com/1.zip",
        "https://[::1]/1.zip",
    ];
    let with = |name: &str| object::with(of(zip, &digest), "artifact.credentialsRef", json!({"name": name}));
    let both =
        object::with(object::release("x")["spec"]["source"].clone(), "artifact", of(zip, &digest)["artifact"].clone());
    let upper = digest.to_uppercase().replace("SHA", "sha");
    table
        .field("spec.source")
        .takes(good.map(|url| of(url, &digest)))
        .takes([with("store")])
        .refuses(SOURCE, [both])
        .refuses(URL, bad.map(|url| of(url, &digest)))
        .refuses("should be at least 10 chars long", [of("https://a", &digest)])
        .refuses("may not be more than 2048", [of(&format!("{zip}?{}", "a".repeat(2048)), &digest)])
        .refuses(ZIP, [upper, digest.replace("sha256", "sha512")].map(|digest| of(zip, &digest)))
        .refuses("should be at least 71 chars long", [of(zip, "sha256:0f")])
        .refuses(pipeline::OBJECT, [with("data/store")])
        .refuses("Required value", [json!({"artifact": {"url": zip}}), json!({"artifact": {"digest": digest}})]);
}

/// What nobody has merged goes with its own reason, and nowhere near what is released.
fn pull_requests(table: &mut Table) {
    let of = |reference: &str, fields: &Value| {
        let source = object::with(object::release("x")["spec"]["source"].clone(), "git.ref", json!(reference));
        let mut spec = json!({"source": source, "reason": "pullRequest", "install": {"clusters": []}});
        for (field, value) in fields.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        spec
    };
    let (pull, merge) = ("refs/pull/12/head", "refs/merge-requests/12/head");
    let sandbox = json!({"workspaceRef": {"name": "sandbox"}});
    table
        .field("spec")
        .takes([of(pull, &json!({})), of(pull, &sandbox), of(merge, &sandbox)])
        .refuses(PULL_REQUEST, [of("refs/heads/release", &json!({})), of(pull, &json!({"reason": "manual"}))])
        .refuses(PULL_REQUEST, [of(pull, &json!({"reason": "push"}))])
        .refuses(
            "a release of a pull request has no stage, and installs nothing on clusters that others use",
            [of(pull, &json!({"stage": "staging"})), of(pull, &json!({"install": {"clusters": ["main"]}}))],
        );
}

fn what_for(table: &mut Table) {
    let reason = |reason: &str| of_artifact(&json!({"reason": reason}));
    table
        .field("spec")
        .takes(["promotion", "rollback", "buildCompletion", "retry", "manual"].map(reason))
        .takes([of_artifact(&json!({"build": {"jobs": [plan::within::job("2h")]}}))])
        .takes(["Deploy", "Install", "Test", "Operate"].map(|phase| of_artifact(&json!({"startAt": phase}))))
        .refuses(START, [of_artifact(&json!({"startAt": "Build"}))])
        .refuses(START_NEEDS, [of_artifact(&json!({"startAt": "Deploy", "workspaceRef": null}))])
        .refuses(
            "operate needs workspaceRef: a job belongs to a workspace",
            [
                of_artifact(&json!({"operate": {"prune": true}, "workspaceRef": null})),
                of_artifact(&json!({"operate": jobs::base(), "workspaceRef": null})),
            ],
        );
    table
        .field("spec.reason")
        .takes(["push", "manual", "schedule", "retry"].map(Value::from))
        .refuses(REASON, ["promotion", "rollback", "buildCompletion"].map(Value::from))
        .refuses(PULL_REQUEST, [json!("pullRequest")])
        .refuses("supported values: \"push\", \"manual\"", [json!("Push"), json!("pull-request")]);
    pull_requests(table);
    table.field("spec.startAt").refuses(START_NEEDS, [json!("Deploy")]);
    table
        .field("spec.cause")
        .takes([json!({"release": "dbxdemo-4f2c91d0a7be", "message": "Test failed: InnerTestsFailed"})])
        .refuses(pipeline::OBJECT, [json!({"release": "data/dbxdemo"})])
        .takes([json!({"release": "a", "uid": "6a2f41c3-a54c-fce8-32d2-0324e1c32e22"})])
        .refuses("may not be more than 1024", [json!({"release": "a", "message": "a".repeat(1025)})])
        .refuses("may not be more than 64", [json!({"release": "a", "uid": "a".repeat(65)})])
        .refuses("should be at least 1 chars long", [json!({"release": "a", "uid": ""})])
        .refuses("Required value", [json!({})]);
    let named = |name: &str| Value::Object(Map::from_iter([(name.to_owned(), json!("staging"))]));
    let many = |count: u32| (0..count).map(|n| (format!("p{n}"), json!("a"))).collect::<Map<_, _>>();
    table
        .field("spec.parameters")
        .takes([named("env"), named("_A1"), json!({}), many(64).into()])
        .refuses(PARAMETERS, ["1a", "a-b", "a.b", ""].map(named))
        .refuses("must have at most 64 items", [many(65).into()])
        .refuses("must be of type string", [json!({"env": 1})]);
    table
        .field("spec.approvals")
        .takes([json!({"required": 2})])
        .refuses("should be less than or equal to 10", [json!({"required": 11})]);
}
