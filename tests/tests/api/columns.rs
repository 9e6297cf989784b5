//! What `kubectl get` prints of each kind, and what `-o wide` adds.

use anyhow::ensure;
use brickline_tests::{Lab, Mode, Suite, object};
use serde_json::{Value, json};

const TIME: &str = "2026-11-21T10:00:00Z";

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("kubectl get prints what became of a release", async |lab: &Lab| {
        let short = "Name Pipeline Run Commit State Phase Ready Tests Started Duration";
        let wide = "Branch Result Reason Queued Requested-For Message";
        let wanted = [
            "dbxdemo-4f2c91d0a7be | dbxdemo | 20261121.1 | 9b1c0de | Finished | Test | False | 3/4 | AGE | 2m10s",
            "release/1.2 | Failed | push | AGE | bob@example.com | 1 != 2",
        ];
        prints(lab, &release(), Some(&release_status()), [short, wide], wanted).await
    });
    suite.add("kubectl get prints a release that has not begun", async |lab: &Lab| {
        let short = "Name Pipeline Run Commit State Phase Ready Tests Started Duration";
        let wide = "Branch Result Reason Queued Requested-For Message";
        let wanted = ["new | - | - | - | Pending | - | - | - | - | -", "- | - | manual | AGE | - | -"];
        prints(lab, &object::release("new"), None, [short, wide], wanted).await
    });
    suite.add("kubectl get prints whether a workspace is reachable, as whom and since when", async |lab: &Lab| {
        let protection = json!({"allowedBranches": ["release"], "approvals": {"required": 2}, "allowManual": false});
        let workspace = object::with(object::workspace("staging"), "spec.protection", protection);
        let status = json!({"identity": {"userName": "sp-release"}, "conditions": [ready("True", "answers")]});
        let wanted = [
            "staging | https://adb-1.2.azuredatabricks.net | sp-release | True | Progressing | AGE | answers | AGE",
            "false | false | 2 | [\"release\"]",
        ];
        let short = "Name Host Identity Ready Reason Since Status Age";
        prints(lab, &workspace, Some(&status), [short, "Suspended Manual Approvals Branches"], wanted).await
    });
    suite.add("kubectl get says why a workspace is not ready, and since when", async |lab: &Lab| {
        let mut silent = ready("False", "does not answer");
        silent["reason"] = json!("WorkspaceUnreachable");
        let wanted = [
            "lost | https://adb-1.2.azuredatabricks.net | - | False | WorkspaceUnreachable | AGE | does not answer | AGE",
            "false | true | - | -",
        ];
        let short = "Name Host Identity Ready Reason Since Status Age";
        let status = json!({"conditions": [silent]});
        let columns = [short, "Suspended Manual Approvals Branches"];
        prints(lab, &object::workspace("lost"), Some(&status), columns, wanted).await
    });
    suite.add("kubectl get prints what a pipeline waits for", async |lab: &Lab| {
        let status = json!({
            "conditions": [ready("True", "waits for pushes to release")],
            "last": "push dbxdemo-4f2c91d0a7be to staging",
            "nextScheduleTime": TIME,
        });
        let wanted = [
            "dbxdemo | https://git.example.com/data/dbxdemo.git | [\"release\"] | True | waits for pushes to release | AGE",
            "push dbxdemo-4f2c91d0a7be to staging | 2026-11-21T10:00:00Z",
        ];
        let columns = ["Name Repository Branches Ready Status Age", "Last Next-Run"];
        prints(lab, &object::pipeline("dbxdemo"), Some(&status), columns, wanted).await
    });
    suite.add("kubectl get prints who decided what", async |lab: &Lab| {
        let approval = object::with(object::approval("ana"), "spec.comment", json!("seen"));
        let wanted = ["ana | dbxdemo-4f2c91d0a7be | Approved | ana@example.com | seen | AGE", ""];
        prints(lab, &approval, None, ["Name Release Decision Approver Comment Age", ""], wanted).await
    });
}

fn ready(holds: &str, message: &str) -> Value {
    json!({"type": "Ready", "status": holds, "reason": "Progressing", "message": message, "lastTransitionTime": TIME})
}

fn release() -> Value {
    let labels = json!({"brickline.dev/pipeline": "dbxdemo", "brickline.dev/commit": "9b1c0de"});
    let release = object::with(object::release("dbxdemo-4f2c91d0a7be"), "metadata.labels", labels);
    let release = object::with(release, "spec.requestedFor", json!("bob@example.com"));
    object::with(release, "spec.reason", json!("push"))
}

fn release_status() -> Value {
    json!({
        "run": "20261121.1",
        "state": "Finished",
        "phase": "Test",
        "result": "Failed",
        "branch": "release/1.2",
        "tests": {"summary": "3/4"},
        "conditions": [ready("False", "1 != 2")],
        "startTime": TIME,
        "duration": "2m10s",
    })
}

/// Compares headings and cells, first those that are always shown, then those of `-o wide`.
async fn prints(
    lab: &Lab,
    object: &Value,
    status: Option<&Value>,
    columns: [&str; 2],
    cells: [&str; 2],
) -> anyhow::Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let room = lab.room(&format!("columns-{}", name.split('-').next().unwrap_or_default())).await?;
    room.create(object, Mode::Real).await?.accepted()?;
    if let Some(status) = status {
        let applied = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": name}, "status": status});
        room.apply_status(&applied, "brickline").await?.accepted()?;
    }
    let table = room.table(object["kind"].as_str().unwrap_or_default()).await?;
    for (wide, (columns, cells)) in columns.into_iter().zip(cells).enumerate() {
        let (shown, said) = part(&table, wide > 0);
        ensure!(shown.join(" ") == columns, "{shown:?}");
        ensure!(said.join(" | ") == cells, "{said:?}");
    }
    Ok(())
}

/// Headings and cells of the columns that are always shown, or those of `-o wide`.
fn part(table: &Value, wide: bool) -> (Vec<String>, Vec<String>) {
    let columns = table["columnDefinitions"].as_array().into_iter().flatten();
    let cells = table["rows"][0]["cells"].as_array().into_iter().flatten();
    let of_part = columns.zip(cells).filter(|(column, _)| (column["priority"] != 0) == wide);
    of_part.map(|(column, cell)| (column["name"].as_str().unwrap_or_default().to_owned(), text(column, cell))).unzip()
}

/// A cell; `-` if it is empty, and `AGE` for times, which the API server prints as ages.
fn text(column: &Value, cell: &Value) -> String {
    match cell {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(_) if column["type"] == "date" => "AGE".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
