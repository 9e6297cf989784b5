//! The scenario `road`: what `cargo demo` plays. Merges become tested releases, and broken ones say what is broken.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, ReleaseResult};
use data_encoding::BASE64;
use kube::ResourceExt as _;
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, sleep};

use super::Stage;
use crate::{
    cache::Cache,
    forge::{Change, CommitStatus},
    progress::Progress,
    prometheus::Prometheus,
    system::{NAMESPACE, System, Team},
};

/// How long the forge may take to send its webhooks again, and how often it is asked.
const REDELIVERY: Duration = Duration::from_secs(30);
/// How long the alert may take: a scrape, a rule's evaluation, and a slow machine.
const ALERT: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(200);

/// Tells it without a word, as a test.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    let progress = Progress::default();
    let system = System::up(&stage.cluster, &progress).await?;
    let team = Team::settle(&stage, &system).await?;
    Box::pin(Story { team, progress, aloud: false }.play()).await
}

/// The story, as far as it has come.
pub(crate) struct Story {
    /// Who it happens to.
    pub(crate) team: Team,
    /// Where it is reported.
    pub(crate) progress: Progress,
    /// Whether a person is listening.
    pub(crate) aloud: bool,
}

impl Story {
    /// Plays every act.
    pub(crate) async fn play(&self) -> anyhow::Result<()> {
        let first =
            Change::File { path: "README.md".into(), content: "# dbxdemo\n\nOne library, one notebook.\n".into() };
        self.act("A pull request is merged into release", Box::pin(self.good_merge(&first))).await?;
        self.act("The forge sends its webhooks again", Box::pin(self.redelivery())).await?;
        let good = self.act("A second merge changes the library", Box::pin(self.changed_library())).await?;
        self.act("A third merge breaks what only the notebook sees", Box::pin(self.broken_notebook())).await?;
        self.act("Prometheus fires the alert of the broken release", Box::pin(self.alert())).await?;
        self.act("A fourth merge breaks a pytest", Box::pin(self.broken_pytest())).await?;
        self.act("A release by hand, without any pipeline", Box::pin(self.by_hand(&good))).await?;
        self.act("Somebody forges a signature", Box::pin(self.forged_signature())).await?;
        self.act("Somebody looks for secrets where none may be", Box::pin(self.no_secret_in_sight())).await
    }

    async fn act<T>(&self, name: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let played = self.progress.step(name, work).await.with_context(|| name.to_owned())?;
        if self.aloud {
            self.show().await?;
        }
        Ok(played)
    }

    /// What a person would look at now.
    async fn show(&self) -> anyhow::Result<()> {
        let look = ["get", "dbrel", "--namespace", &self.team.stage.namespace, "--sort-by=.metadata.creationTimestamp"];
        let table = self.team.stage.cluster.kubectl(look).run().await?;
        self.progress.note(table.trim_end());
        Ok(())
    }

    /// Merges a change and waits until its release is over.
    async fn merge(&self, change: &Change) -> anyhow::Result<(DatabricksRelease, String)> {
        let merged = self.team.repository.merge(change).await?;
        let name = self.team.release_of(&merged.commit).await?;
        Ok((self.walk(&name).await?, merged.commit))
    }

    /// Waits until a release is over; aloud, says each step on its way.
    async fn walk(&self, name: &str) -> anyhow::Result<DatabricksRelease> {
        let mut last = String::new();
        let say = |release: &DatabricksRelease| {
            let step = step(release);
            if self.aloud && step != last {
                self.progress.note(&format!("    {name}  {step}"));
                last = step;
            }
        };
        self.team.watch(name, say).await
    }

    async fn good_merge(&self, change: &Change) -> anyhow::Result<String> {
        let (release, commit) = self.merge(change).await?;
        succeeded(&release)?;
        let status = status(&release)?;
        ensure!(status.run.ends_with(".1") || !status.run.is_empty(), "the run has no number");
        ensure!(status.tests.build.is_some_and(|tests| tests.passed >= 2 && tests.failed == 0), "{:?}", status.tests);
        ensure!(status.tests.notebooks.is_some_and(|tests| tests.passed == 2), "{:?}", status.tests);
        ensure!(status.artifact.as_ref().is_some_and(|artifact| artifact.digest.starts_with("sha256:")), "no artifact");
        let told = self.told(&commit).await?;
        ensure!(told.contains_key("success") && told.contains_key("pending"), "the forge was told {told:?}");
        self.read_out(status);
        Ok(commit)
    }

    /// The new wheel has the old one's name and version: only its content differs, and it must take effect.
    async fn changed_library(&self) -> anyhow::Result<String> {
        let (release, commit) = self.merge(&Change::Behaviour).await?;
        succeeded(&release)?;
        let status = status(&release)?;
        let install = status.phase(Phase::Install).context("no Install phase")?;
        let restarts = install.ticket.as_ref().map_or(0, |ticket| ticket.restarts.len());
        ensure!(restarts == 1, "a replaced wheel takes one restart, there were {restarts}: {}", install.message);
        Ok(commit)
    }

    /// The notebook ends with `unittest.main(exit=False)`, so Databricks calls its run a success.
    async fn broken_notebook(&self) -> anyhow::Result<()> {
        let (release, commit) = self.merge(&Change::BreakNotebook).await?;
        let status = status(&release)?;
        ensure!(status.result == ReleaseResult::Failed, "{}", picture(&release));
        ensure!(state(status, Phase::Build) == Some(PhaseState::Succeeded), "{}", picture(&release));
        let (reason, message) = ready(status)?;
        ensure!(reason == "InnerTestsFailed", "{reason}: {message}");
        for word in ["notebooks/dbxdemo-notebook.py", "test_no_customer_is_lost", "AssertionError"] {
            ensure!(message.contains(word), "the message does not name {word}: {message}");
        }
        let told = self.told(&commit).await?;
        let failure = told.get("failure").with_context(|| format!("the forge was told {told:?}"))?;
        ensure!(failure.contains("test_no_customer_is_lost"), "the forge was told {failure}");
        self.read_out(status);
        Ok(())
    }

    /// Debian's Prometheus, with the rules of the chart, scrapes the controller as it would anywhere.
    async fn alert(&self) -> anyhow::Result<()> {
        let target = self.team.system.metrics.trim_start_matches("http://").parse().context("the metrics' address")?;
        let prometheus = Prometheus::start(&Cache::open()?, &self.progress, target).await?;
        let labels = [("namespace", self.team.stage.namespace.as_str()), ("pipeline", "dbxdemo")];
        prometheus.wait_for_alert("BricklineReleaseFailed", &labels, ALERT).await?;
        Ok(())
    }

    async fn broken_pytest(&self) -> anyhow::Result<()> {
        let before = self.written().await?;
        let (release, commit) = self.merge(&Change::BreakPytest).await?;
        let status = status(&release)?;
        ensure!(status.result == ReleaseResult::Failed, "{}", picture(&release));
        ensure!(state(status, Phase::Deploy) == Some(PhaseState::Skipped), "{}", picture(&release));
        let (reason, message) = ready(status)?;
        ensure!(reason == "TestsFailed", "{reason}: {message}");
        ensure!(message.contains("test_the_status_is_the_last_column"), "the message names no test: {message}");
        ensure!(self.written().await? == before, "something was written into the workspace");
        let told = self.told(&commit).await?;
        ensure!(told.contains_key("failure"), "the forge was told {told:?}");
        self.read_out(status);
        Ok(())
    }

    /// How many requests have changed the workspace so far.
    async fn written(&self) -> anyhow::Result<usize> {
        let requests = self.team.emulator.requests(0).await?;
        Ok(requests.iter().filter(|request| request["method"] != "GET" && request["method"] != "HEAD").count())
    }

    async fn by_hand(&self, commit: &str) -> anyhow::Result<()> {
        self.team.release_by_hand("by-hand", commit, "staging").await?;
        let release = self.walk("by-hand").await?;
        succeeded(&release)?;
        ensure!(status(&release)?.run.is_empty(), "a release without pipeline has no run number");
        Ok(())
    }

    /// Every delivery so far once more, the merge's among them.
    async fn redelivery(&self) -> anyhow::Result<()> {
        let (repository, webhook) = (&self.team.repository, self.team.webhook);
        let before = self.names().await?;
        let first = repository.deliveries(webhook).await?;
        for delivery in &first {
            repository.redeliver(webhook, delivery).await?;
        }
        let deadline = Instant::now() + REDELIVERY;
        while repository.deliveries(webhook).await?.len() < 2 * first.len() {
            ensure!(Instant::now() < deadline, "the forge did not send its webhooks again");
            sleep(GLANCE).await;
        }
        let after = self.names().await?;
        ensure!(after == before, "a redelivery made a release: {before:?} became {after:?}");
        Ok(())
    }

    async fn names(&self) -> anyhow::Result<Vec<String>> {
        let releases = self.team.stage.api::<DatabricksRelease>().list(&kube::api::ListParams::default()).await?;
        Ok(releases.iter().map(kube::ResourceExt::name_any).collect())
    }

    async fn forged_signature(&self) -> anyhow::Result<()> {
        let before = self.names().await?;
        let url = format!("{}/hooks/{}/dbxdemo", self.team.system.webhooks, self.team.stage.namespace);
        let body = serde_json::json!({
            "ref": "refs/heads/release",
            "before": "0".repeat(40),
            "after": "f".repeat(40),
            "repository": {"clone_url": self.team.repository.clone_url()},
        });
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let sent = client
            .post(url)
            .header("x-gitea-event", "push")
            .header("x-gitea-signature", "0".repeat(64))
            .json(&body)
            .send()
            .await?;
        ensure!(sent.status() == 401, "a forged signature was answered {}", sent.status());
        ensure!(self.names().await? == before, "a forged signature made a release");
        Ok(())
    }

    /// Logs, objects and events of everything that happened so far hold none of the team's secrets.
    async fn no_secret_in_sight(&self) -> anyhow::Result<()> {
        let namespace = ["--namespace", self.team.stage.namespace.as_str()];
        let controller = ["--namespace", NAMESPACE];
        let looks: [(&[&str], [&str; 2]); 4] = [
            (&["logs", "deployment/brickline", "--tail=-1"], controller),
            (&["get", "dbrel,dbpipe,dbws,jobs,pods,events", "--output=yaml"], namespace),
            (&["logs", "--all-containers", "--prefix", "--tail=-1", "--selector=brickline.dev/release"], namespace),
            (&["logs", "emulator", "--tail=-1"], namespace),
        ];
        let git = &self.team.system.forge.account().token;
        for (look, of) in looks {
            let seen = self.team.stage.cluster.kubectl(look.iter().chain(&of)).run().await?;
            ensure!(!seen.trim().is_empty(), "kubectl {} shows nothing", look.join(" "));
            for (name, secret) in [
                ("workspace token", &self.team.emulator.token),
                ("webhook secret", &self.team.hook),
                ("git token", git),
            ] {
                let secret = secret.expose_secret();
                let forms = [secret.to_owned(), BASE64.encode(secret.as_bytes())];
                ensure!(!forms.iter().any(|form| seen.contains(form)), "the {name} is in `kubectl {}`", look.join(" "));
            }
        }
        Ok(())
    }

    /// What the forge shows beside a commit: state to description.
    async fn told(&self, commit: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let statuses = self.team.repository.statuses(commit).await?;
        Ok(statuses.into_iter().map(|CommitStatus { state, description, .. }| (state, description)).collect())
    }

    /// Prints the test table and, if something failed, what.
    fn read_out(&self, status: &DatabricksReleaseStatus) {
        if !self.aloud {
            return;
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header(["tests of", "all", "passed", "failed", "skipped"]);
        for (name, counts) in [("build", status.tests.build), ("notebooks", status.tests.notebooks)] {
            if let Some(counts) = counts {
                let numbers = [counts.total, counts.passed, counts.failed, counts.skipped].map(|n| n.to_string());
                table.add_row([vec![name.to_owned()], numbers.to_vec()].concat());
            }
        }
        self.progress.note(&table.to_string());
        for failure in &status.tests.first_failures {
            self.progress.note(&format!("  {}\n    {}", failure.name, failure.message));
        }
    }
}

pub(super) fn status(release: &DatabricksRelease) -> anyhow::Result<&DatabricksReleaseStatus> {
    release.status.as_ref().with_context(|| format!("release {} has no status", release.name_any()))
}

/// Where a release is, in the words of `kubectl get dbrel`.
fn step(release: &DatabricksRelease) -> String {
    let Some(status) = &release.status else { return "Pending".to_owned() };
    let phase = status.phase.map(|phase| phase.to_string()).unwrap_or_default();
    let ready = status.conditions.iter().find(|one| one.type_ == "Ready").map_or("", |ready| ready.status.as_str());
    format!("{:<10} {phase:<8} Ready={ready}", status.state.to_string())
}

fn state(status: &DatabricksReleaseStatus, phase: Phase) -> Option<PhaseState> {
    status.phase(phase).map(|phase| phase.state)
}

/// Reason and message of the condition Ready.
pub(super) fn ready(status: &DatabricksReleaseStatus) -> anyhow::Result<(String, String)> {
    let ready = status.conditions.iter().find(|one| one.type_ == "Ready").context("no condition Ready")?;
    Ok((ready.reason.clone(), ready.message.clone()))
}

pub(super) fn succeeded(release: &DatabricksRelease) -> anyhow::Result<()> {
    let status = status(release)?;
    ensure!(status.result == ReleaseResult::Succeeded, "{}", picture(release));
    for phase in [Phase::Build, Phase::Deploy, Phase::Install, Phase::Test] {
        ensure!(state(status, phase) == Some(PhaseState::Succeeded), "{}", picture(release));
    }
    Ok(())
}

/// How a release that ended unexpectedly ended.
fn picture(release: &DatabricksRelease) -> String {
    let phases = release.status.iter().flat_map(|status| &status.phases);
    let lines: Vec<String> = phases.map(|phase| format!("{} {}: {}", phase.name, phase.state, phase.message)).collect();
    format!("release {}: {}", release.name_any(), lines.join("; "))
}
