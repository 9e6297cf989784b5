//! Defaults: what the smallest objects mean, written out by the API server.

use anyhow::{Context as _, ensure};
use brickline_crds::{GoDuration, all_crds};
use brickline_tests::{Lab, Mode, Suite, object};
use serde_json::{Value, json};

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("the smallest workspace gets its defaults", async |lab: &Lab| {
        let host = json!("https://adb-1.2.azuredatabricks.net");
        let auth = json!({"token": {"secretRef": {"name": "dbx", "key": "token"}}});
        let limits = json!({"requestsPerSecond": 100, "uploads": 5, "runs": 20});
        let protection = json!({"allowManual": true, "allowArtifactUrls": false});
        let spec = json!({
            "host": host, "auth": auth, "limits": limits, "protection": protection, "suspend": false,
            "newClusters": {"allowed": false},
            "bundles": {"allowed": false},
            "databricksConnect": {"allowed": false},
        });
        expect(lab, &object::workspace("small"), &spec).await
    });
    suite.add("the smallest pipeline gets its defaults", async |lab: &Lab| {
        let spec = json!({
            "repository": {"url": "https://git.example.com/data/dbxdemo.git", "provider": "generic"},
            "trigger": {"branches": ["release"], "paths": {}, "mergesOnly": false},
            "concurrency": {"policy": "Queue", "limit": 1, "cancelAfterDeploy": false},
            "retention": {"succeeded": 10, "failed": 10, "skipped": 5, "pullRequests": 20, "minimumPerStage": 2, "maxAge": "720h"},
            "reporting": {"commitStatus": true},
            "suspend": false,
            "template": {"metadata": {}, "spec": plan()},
        });
        expect(lab, &object::pipeline("small"), &spec).await
    });
    suite.add("the smallest release gets its defaults", smallest_release);
    suite.add("half-filled parts get the rest of their defaults", half_filled);
    suite.add("the documented defaults are the ones applied", documented);
}

async fn expect(lab: &Lab, object: &Value, spec: &Value) -> anyhow::Result<()> {
    let stored = lab.room("defaults").await?.create(object, Mode::DryRun).await?.accepted()?;
    ensure!(&stored["spec"] == spec, "got {:#}\nbut expected {spec:#}", stored["spec"]);
    Ok(())
}

async fn smallest_release(lab: &Lab) -> anyhow::Result<()> {
    let mut spec = plan();
    spec["source"] = object::release("small")["spec"]["source"].clone();
    spec["source"]["git"]["provider"] = json!("generic");
    spec["source"]["precedence"] = json!(false);
    spec["reason"] = json!("manual");
    spec["reporting"] = json!({"commitStatus": true});
    spec["suspend"] = json!(false);
    spec["cancel"] = json!(false);
    expect(lab, &object::release("small"), &spec).await
}

fn item(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to, "kind": "Notebook", "stripExtension": false, "prune": false})
}

/// A plan of which nothing was said.
fn plan() -> Value {
    json!({
        "build": {
            "pool": "default",
            "only": {"mergesOnly": false},
            "include": ["**"],
            "exclude": [],
            "wheels": [],
            "requirements": [],
            "tests": {"paths": [], "args": [], "reports": ["**/TEST-*.xml"], "required": "Auto"},
        },
        "deploy": {
            "libraries": {"to": "/Workspace/Shared/.brickline/libraries"},
            "drift": "Listed",
            "onDrift": "Overwrite",
        },
        "install": {
            "clusters": ["main"],
            "libraries": [{"wheelsFromArtifact": true}],
            "restart": "IfNeeded",
            "startIfTerminated": true,
        },
        "test": {
            "compute": {},
            "allowOtherCluster": false,
            "notebooks": [{"match": "notebooks/**", "timeout": "1h", "maxDuration": "1m40s"}],
            "maxParallel": 4,
            "innerTests": {"frameworks": ["unittest", "pytest", "nutter", "exitJson"], "required": false},
            "select": "All",
            "source": "Workspace",
            "retryFailed": 0,
            "continueOnError": false,
        },
        "operate": {"jobs": [], "prune": false, "allowOtherCluster": false},
        "timeouts": {
            "release": "6h",
            "build": "1h",
            "deploy": "30m",
            "install": "30m",
            "test": "2h",
            "operate": "10m",
            "restart": "10m",
            "cancelGracePeriod": "1m",
        },
        "waiting": {"slot": "24h", "cluster": "4h", "window": "168h", "dependency": "10m"},
        "retries": {"limit": 3, "limits": {}, "backoff": {"initial": "5s", "max": "5m", "factor": 2}},
        "onFailure": "None",
    })
}

async fn half_filled(lab: &Lab) -> anyhow::Result<()> {
    let said = [
        ("spec.build.tests.paths", json!(["tests"])),
        ("spec.deploy.items", json!([{"from": "conf/**", "to": "/Shared/conf"}])),
        ("spec.install.clusters", json!([])),
        ("spec.test.notebooks", json!([{"match": "notebooks/slow/**", "maxDuration": "1h"}])),
        ("spec.timeouts", json!({"test": "3h", "buildAttempt": "20m"})),
        ("spec.retries.backoff.max", json!("1m")),
        ("spec.retries.limit", json!(0)),
    ];
    let release =
        said.into_iter().fold(object::release("half"), |object, (path, value)| object::with(object, path, value));
    let mut wanted = plan();
    wanted["build"]["tests"]["paths"] = json!(["tests"]);
    wanted["deploy"]["items"] = json!([item("conf/**", "/Shared/conf")]);
    wanted["install"]["clusters"] = json!([]);
    wanted["test"]["notebooks"] = json!([{"match": "notebooks/slow/**", "timeout": "1h", "maxDuration": "1h"}]);
    wanted["timeouts"]["test"] = json!("3h");
    wanted["timeouts"]["buildAttempt"] = json!("20m");
    wanted["retries"]["backoff"]["max"] = json!("1m");
    wanted["retries"]["limit"] = json!(0);
    let stored = lab.room("defaults").await?.create(&release, Mode::DryRun).await?.accepted()?;
    for (part, value) in wanted.as_object().into_iter().flatten() {
        ensure!(&stored["spec"][part] == value, "{part}: {:#}", stored["spec"][part]);
    }
    Ok(())
}

/// The descriptions are the reference that people read.
async fn documented(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("defaults").await?;
    let (mut compared, mut wrong) = (0, Vec::new());
    let gate = json!({"approvals": {}, "windows": [{"from": "08:00", "to": "16:00"}]});
    let workspace = object::with(object::workspace("documented"), "spec.protection", gate);
    let pipeline = object::with(object::pipeline("documented"), "spec.trigger.poll", json!({}));
    let stage = json!({"name": "staging", "workspaceRef": {"name": "staging"}, "approvals": {}});
    let parameters = json!([{"name": "env"}]);
    let pipeline = object::with(object::with(pipeline, "spec.stages", json!([stage])), "spec.parameters", parameters);
    let pipeline = object::with(pipeline, "spec.trigger.schedules", json!([{"cron": "@daily"}]));
    let release = object::with(object::release("documented"), "spec.build.databricksConnect", json!({}));
    let objects = [workspace, pipeline, release, object::approval("documented")];
    for (definition, object) in all_crds().iter().zip(&objects) {
        let stored = room.create(object, Mode::DryRun).await?.accepted()?;
        let schema = serde_json::to_value(&definition.spec.versions[0])?;
        let spec = &schema["schema"]["openAPIV3Schema"]["properties"]["spec"];
        compare(spec, &stored["spec"], &mut compared, &mut wrong).context(definition.spec.names.kind.clone())?;
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    ensure!(compared > 70, "only {compared} descriptions name a default");
    Ok(())
}

fn compare(schema: &Value, value: &Value, compared: &mut u32, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let description = schema["description"].as_str().unwrap_or_default();
    if let Some(default) = named_default(description) {
        *compared += 1;
        if !means(default, value) {
            wrong.push(format!("{description:?}, but the API server says {value}"));
        }
    }
    // A part that is absent has no fields.
    let fields = schema["properties"].as_object().filter(|_| value.is_object());
    for (name, field) in fields.into_iter().flatten() {
        compare(field, &value[name], compared, wrong)?;
    }
    match value.as_array().and_then(|items| items.first()) {
        Some(first) => compare(&schema["items"], first, compared, wrong),
        None => Ok(()),
    }
}

/// The default that a description names, if it does so by value: `x` in "Default: `x`.", `4` in "Default: 4."
fn named_default(description: &str) -> Option<&str> {
    let (_, text) = description.split_once("Default: ")?;
    let Some(quoted) = text.strip_prefix('`') else {
        let word = text.split(['.', ';', ' ']).next()?;
        return (word.parse::<i64>().is_ok() || matches!(word, "true" | "false")).then_some(word);
    };
    // What follows such a name tells of more than a value: "`requirements*.txt` at the root".
    quoted.split_once('`').filter(|(_, rest)| rest.starts_with(['.', ';'])).map(|(value, _)| value)
}

fn means(text: &str, value: &Value) -> bool {
    let duration = |text: &str| text.parse::<GoDuration>().ok();
    match value {
        Value::String(value) => value == text || (duration(value).is_some() && duration(value) == duration(text)),
        Value::Array(items) => match &items[..] {
            [item] => means(text.trim_matches(['[', ']']), item.get("match").unwrap_or(item)),
            _ => false,
        },
        other => text.parse().is_ok_and(|text: Value| *other == text),
    }
}
