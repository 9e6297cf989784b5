//! Argo CD judges our objects by the script of the documentation, run here as Argo CD runs it: Lua 5.1, the object in `obj`.

use std::fs;

use anyhow::{Context as _, ensure};
use brickline_tests::{Lab, Suite, checkout};
use mlua::{Lua, LuaSerdeExt as _, Table};
use serde_json::{Value, json};

const KINDS: [&str; 3] = ["DatabricksRelease", "ReleasePipeline", "DatabricksWorkspace"];

/// Adds the test.
pub fn add(suite: &mut Suite) {
    suite.add("Argo CD judges objects rightly", async |_: &Lab| judged());
}

fn judged() -> anyhow::Result<()> {
    let text = fs::read_to_string(checkout("docs/examples/argocd.yaml"))?;
    let map: Value = serde_saphyr::from_str(&text)?;
    for kind in KINDS {
        let key = format!("resource.customizations.health.brickline.dev_{kind}");
        let script = map["data"][&key].as_str().with_context(|| format!("no {key}"))?;
        for (object, expected) in objects() {
            let health = health(script, &object)?;
            ensure!(health == expected, "{kind} {object} is {health:?} and not {expected:?}");
        }
    }
    Ok(())
}

fn health(script: &str, object: &Value) -> anyhow::Result<(String, String)> {
    let lua = Lua::new();
    lua.globals().set("obj", lua.to_value(object)?)?;
    let health: Table = lua.load(script).eval()?;
    Ok((health.get("status")?, health.get("message")?))
}

fn object(state: &str, seen: i64, conditions: &[(&str, &str, &str)]) -> Value {
    let conditions = conditions.iter().map(|(kind, status, reason)| {
        json!({"type": kind, "status": status, "reason": reason, "message": format!("{kind} says {reason}")})
    });
    let conditions: Vec<_> = conditions.collect();
    json!({"metadata": {"generation": 2}, "status": {"state": state, "observedGeneration": seen, "conditions": conditions}})
}

/// Objects as the controller leaves them, and what their owner should see.
fn objects() -> Vec<(Value, (String, String))> {
    let unseen = ("Progressing", "the controller has not looked at it yet");
    let table = [
        (json!({"metadata": {"generation": 1}}), unseen),
        (json!({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}), unseen),
        (object("Running", 1, &[("Ready", "True", "Succeeded")]), unseen),
        (object("", 2, &[("Ready", "True", "Succeeded")]), ("Healthy", "Ready says Succeeded")),
        (object("Finished", 1, &[("Ready", "True", "Succeeded")]), ("Healthy", "Ready says Succeeded")),
        (
            object("Running", 2, &[("Ready", "False", "Progressing"), ("Reconciling", "True", "Progressing")]),
            ("Progressing", "Ready says Progressing"),
        ),
        (
            object(
                "Waiting",
                2,
                &[("Ready", "False", "WaitingForApproval"), ("Reconciling", "True", "WaitingForApproval")],
            ),
            ("Suspended", "Ready says WaitingForApproval"),
        ),
        (
            object("Finished", 2, &[("Ready", "False", "TestsFailed"), ("Stalled", "True", "TestsFailed")]),
            ("Degraded", "Stalled says TestsFailed"),
        ),
        (
            object("", 2, &[("Ready", "False", "AuthenticationFailed"), ("Stalled", "True", "AuthenticationFailed")]),
            ("Degraded", "Stalled says AuthenticationFailed"),
        ),
    ];
    table.map(|(object, (status, message))| (object, (status.to_owned(), message.to_owned()))).into()
}
