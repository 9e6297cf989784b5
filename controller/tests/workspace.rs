//! The client and the verdicts against a workspace that really runs notebooks: the emulator, or Databricks itself.
//!
//! Ignored unless asked for, because a workspace must be there: `BRICKLINE_TEST_HOST` (its URL), `BRICKLINE_TEST_TOKEN`,
//! `BRICKLINE_TEST_CLUSTER` (an id) and `BRICKLINE_TEST_VOLUME` (`/Volumes/<catalog>/<schema>/<volume>`).
//! The cluster is restarted. All that is uploaded goes to folders named `brickline-test` and is removed again.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brickline::databricks::clusters::ClusterState;
use brickline::databricks::compute::Place;
use brickline::databricks::libraries::{InstallState, Library};
use brickline::databricks::runs::{Output, Run, Submit};
use brickline::databricks::storage::LibraryRoot;
use brickline::databricks::tasks::{NotebookTask, Origin, Task, Work};
use brickline::databricks::workspace::{Format, Language};
use brickline::databricks::{
    Auth, Category, Client, ClientConfig, HttpConfig, Limits, Timings, Unobserved, Upload, connect,
};
use brickline::verdict::{Cells, Demand, Framework, NotebookVerdict, Reason, RunView, Verdict, export, judge};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const NOTEBOOK: &str = r#"# Databricks notebook source
import brickline_probe

# COMMAND ----------

import unittest


class TestNotebook(unittest.TestCase):
    def test_rows(self):
        self.assertEqual(3, spark.range(3).count())

    def test_answer(self):
        self.assertEqual(42, brickline_probe.ANSWER)


unittest.main(argv=[""], verbosity=2, exit=False)
"#;

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must be set"))
}

fn client(token: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let host = setting("BRICKLINE_TEST_HOST").parse()?;
    let auth = Auth::Token(token.into());
    let http = connect(&HttpConfig::default())?;
    let (timings, observer) = (Timings::default(), Arc::new(Unobserved));
    Ok(Client::new(ClientConfig { host, auth, http, timings, limits: Limits::default(), observer })?)
}

/// Looks again until `seen` says so, ten minutes at most.
async fn until<T, F: Future<Output = Result<T, brickline::databricks::Error>>>(
    what: &str,
    look: impl Fn() -> F,
    seen: impl Fn(&T) -> bool,
) -> Result<T, Box<dyn std::error::Error>> {
    let start = Instant::now();
    loop {
        let state = look().await?;
        if seen(&state) {
            return Ok(state);
        }
        if start.elapsed() > Duration::from_mins(10) {
            return Err(format!("not seen in ten minutes: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A wheel with one module that knows one answer.
fn wheel(answer: u32) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let info = format!("brickline_probe-0.{answer}.dist-info");
    let files = [
        ("brickline_probe.py".to_owned(), format!("ANSWER = {answer}\n")),
        (format!("{info}/METADATA"), format!("Metadata-Version: 2.1\nName: brickline-probe\nVersion: 0.{answer}\n")),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        ),
        (
            format!("{info}/RECORD"),
            format!("brickline_probe.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"),
        ),
    ];
    for (name, content) in files {
        zip.start_file(name, zip::write::SimpleFileOptions::default())?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

async fn import(client: &Client, path: &str, content: &str) -> Result<(), brickline::databricks::Error> {
    let (format, language) = (Format::Source, Some(Language::Python));
    client.import(path, format, language, &Upload::of(content.to_owned())).await
}

fn submit(path: &str, cluster: &str, token: &str, timeout_seconds: u64) -> Submit {
    let work = Work::NotebookTask(NotebookTask {
        notebook_path: path.into(),
        source: Origin::Workspace,
        base_parameters: [].into(),
    });
    let task = Task::new("notebook", work, timeout_seconds).at(&Place::Existing(cluster.into()));
    Submit {
        run_name: path.into(),
        idempotency_token: token.into(),
        tasks: vec![task],
        timeout_seconds,
        ..Submit::default()
    }
}

async fn ended(client: &Client, run_id: i64) -> Result<Run, Box<dyn std::error::Error>> {
    until("the end of a run", || client.run(run_id), |run| run.state.is_over()).await
}

async fn verdict(client: &Client, run: &Run) -> Result<NotebookVerdict, Box<dyn std::error::Error>> {
    let task = run.tasks.first().ok_or("a run without task")?.run_id;
    let output = client.run_output(task).await?;
    let views = client.export_run(task).await?;
    let export = export::read(&views.first().ok_or("a run without view")?.content)?;
    let demand = Demand { limit: None, require_tests: false, frameworks: Framework::ALL.to_vec(), baseline: None };
    Ok(judge(&RunView::of("notebooks/probe.py", run), &output, Cells::Read(&export), &demand))
}

async fn judged(client: &Client, submit: &Submit) -> Result<NotebookVerdict, Box<dyn std::error::Error>> {
    let run = ended(client, client.submit_run(submit).await?).await?;
    verdict(client, &run).await
}

/// A token no other run of this test used.
fn token(name: &str) -> String {
    format!("{name}-{:x}", rand::random::<u64>())
}

async fn restart(client: &Client, cluster: &str) -> Outcome {
    let before = client.cluster(cluster).await?.spark_context_id;
    client.restart_cluster(cluster).await?;
    let restarted = |now: &brickline::databricks::clusters::Cluster| {
        now.state.is_ready() && now.spark_context_id.is_some() && now.spark_context_id != before
    };
    until("the restart of the cluster", || client.cluster(cluster), restarted).await?;
    Ok(())
}

async fn install(client: &Client, cluster: &str, library: &Library) -> Outcome {
    client.install_libraries(cluster, std::slice::from_ref(library)).await?;
    let settled = |state: &InstallState| matches!(state, InstallState::Installed | InstallState::Failed);
    let done = until(
        "the installation of the wheel",
        || client.library_statuses(cluster),
        |all| all.iter().any(|one| one.library == *library && settled(&one.status)),
    );
    let status = done.await?.into_iter().find(|one| one.library == *library).ok_or("the library vanished")?;
    assert_eq!(status.status, InstallState::Installed, "{:?}", status.messages);
    Ok(())
}

fn failed(verdict: &NotebookVerdict) -> (Reason, &str) {
    match &verdict.verdict {
        Verdict::Failed { reason, message } => (*reason, message),
        Verdict::Passed => panic!("passed: {verdict:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a workspace, see the head of this file"]
async fn credentials_are_told_apart() -> Outcome {
    let me = client(&setting("BRICKLINE_TEST_TOKEN"))?.me().await?;
    assert!(!me.user_name.is_empty(), "{me:?}");
    let error = client("dapi-wrong")?.me().await.err().ok_or("a wrong token was accepted")?;
    assert!(matches!(error.category(), Category::Authentication | Category::Permission), "{error}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a workspace, see the head of this file"]
async fn every_root_stores_finds_and_removes() -> Outcome {
    let client = client(&setting("BRICKLINE_TEST_TOKEN"))?;
    let volume = setting("BRICKLINE_TEST_VOLUME");
    for root in [volume.as_str(), "/Workspace/Shared/brickline-test", "dbfs:/brickline-test"] {
        for size in [3, (9 << 20) + 1] {
            let location = LibraryRoot::parse(root)?.location(&format!("brickline-test/{size}/a b.bin"))?;
            assert_eq!(client.stored_size(&location).await?, None, "{location}");
            client.upload(&location, &Upload::of(vec![7; size])).await?;
            client.upload(&location, &Upload::of(vec![8; size])).await?;
            assert_eq!(client.stored_size(&location).await?, Some(size as u64), "{location}");
            client.remove(&location).await?;
            client.remove(&location).await?;
            assert_eq!(client.stored_size(&location).await?, None, "{location}");
        }
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs a workspace, see the head of this file"]
async fn what_is_missing_is_not_found() -> Outcome {
    let client = client(&setting("BRICKLINE_TEST_TOKEN"))?;
    let errors = [
        client.run(1).await.err(),
        client.cluster("0000-000000-nothing").await.err(),
        client.object("/Shared/brickline-test-nothing").await.err(),
        client.dbfs_status("/brickline-test-nothing").await.err(),
        client.export_notebook("/Shared/brickline-test-nothing", Format::Source).await.err(),
    ];
    for error in errors {
        let error = error.ok_or("something that isn't there was found")?;
        assert!(error.is_not_found(), "{error}");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs a workspace, see the head of this file"]
async fn a_release_by_hand_is_judged_by_its_assertions() -> Outcome {
    let (client, cluster) = (client(&setting("BRICKLINE_TEST_TOKEN"))?, setting("BRICKLINE_TEST_CLUSTER"));
    let path = "/Shared/brickline-test/deep/probe.py";
    import(&client, path, NOTEBOOK).await?;
    assert_eq!(String::from_utf8(client.export_notebook(path, Format::Source).await?)?.trim(), NOTEBOOK.trim());
    if client.cluster(&cluster).await?.state == ClusterState::Terminated {
        client.start_cluster(&cluster).await?;
    }
    until("a running cluster", || client.cluster(&cluster), |now| now.state.is_ready()).await?;

    let mut last: Option<Library> = None;
    for (answer, fails) in [(41, true), (42, false)] {
        let bytes = wheel(answer)?;
        let below = format!("brickline-test/{answer}/brickline_probe-0.{answer}-py3-none-any.whl");
        let location = LibraryRoot::parse(&setting("BRICKLINE_TEST_VOLUME"))?.location(&below)?;
        client.upload(&location, &Upload::of(bytes)).await?;
        if let Some(old) = last.take() {
            client.uninstall_libraries(&cluster, &[old]).await?;
            restart(&client, &cluster).await?;
        }
        let library = Library::Whl(location);
        install(&client, &cluster, &library).await?;
        last = Some(library);

        let submit = submit(path, &cluster, &token("probe"), 300);
        let run = client.submit_run(&submit).await?;
        assert_eq!(client.submit_run(&submit).await?, run, "the same token, the same run");
        let verdict = verdict(&client, &ended(&client, run).await?).await?;
        assert_eq!(verdict.cases.len(), 2, "{verdict:?}");
        assert!(verdict.execution > Duration::ZERO);
        if fails {
            let words = "notebooks/probe.py: TestNotebook.test_answer: AssertionError: 42 != 41";
            assert_eq!(failed(&verdict), (Reason::InnerTestsFailed, words));
        } else {
            assert_eq!(verdict.verdict, Verdict::Passed);
        }
    }
    client.uninstall_libraries(&cluster, last.as_slice()).await?;
    Ok(client.delete_object("/Shared/brickline-test/deep", true).await?)
}

#[tokio::test]
#[ignore = "needs a workspace, see the head of this file"]
async fn notebooks_fail_in_different_ways() -> Outcome {
    let (client, cluster) = (client(&setting("BRICKLINE_TEST_TOKEN"))?, setting("BRICKLINE_TEST_CLUSTER"));
    let head = "# Databricks notebook source\n";
    for (name, code, timeout, reason, words) in [
        (
            "raises",
            "x = 1\n\n# COMMAND ----------\n\nundefined_name",
            300,
            Reason::NotebookFailed,
            "NameError: name 'undefined_name' is not defined",
        ),
        ("sleeps", "import time\ntime.sleep(600)", 5, Reason::TimedOut, "its time ran out"),
        (
            "exits",
            "dbutils.notebook.exit('{\"passed\": 1, \"failed\": 1, \"message\": \"rows: 1 != 2\"}')",
            300,
            Reason::InnerTestsFailed,
            "rows: 1 != 2",
        ),
    ] {
        let path = format!("/Shared/brickline-test/ways/{name}.py");
        import(&client, &path, &format!("{head}{code}\n")).await?;
        let verdict = judged(&client, &submit(&path, &cluster, &token(name), timeout)).await?;
        let (found, message) = failed(&verdict);
        assert!(found == reason && message.contains(words), "{name}: {verdict:?}");
    }
    let path = "/Shared/brickline-test/ways/sleeps.py";
    let run = client.submit_run(&submit(path, &cluster, &token("cancel"), 300)).await?;
    client.cancel_run(run).await?;
    client.cancel_run(run).await?;
    let verdict = verdict_without_cells(&ended(&client, run).await?);
    assert_eq!(failed(&verdict).0, Reason::Canceled);
    Ok(client.delete_object("/Shared/brickline-test/ways", true).await?)
}

/// A run that was canceled before it began has no export.
fn verdict_without_cells(run: &Run) -> NotebookVerdict {
    let demand = Demand { limit: None, require_tests: false, frameworks: vec![], baseline: None };
    judge(&RunView::of("notebooks/sleeps.py", run), &Output::default(), Cells::Unreadable("not asked"), &demand)
}
