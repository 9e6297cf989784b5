//! Compares what the release wants with what the last one left, and carries the difference out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickline_artifact::Manifest;
use brickline_crds::annotations::TAKE_OVER_FROM;
use brickline_crds::{
    Artifact, Changes, DatabricksRelease, DeployTicket, Drift, OnDrift, Phase, Reason, ReleaseReason, labels,
};
use futures::{StreamExt, stream};
use kube::ResourceExt;

use super::bundle;
use super::check::check;
use super::collect::collect;
use super::guard;
use super::key::key;
use super::look::{self, Eyes, lists, look};
use super::plan::{Plan, Wanted, plan};
use super::report::{Done, Report};
use super::state::{self, Author, Progress, State};
use super::store::Store;
use super::target::{Library, Target, libraries, targets};
use super::words::{self, failed, forbidden, issues};
use super::write::{Site, carry_out};
use super::{Deployed, Planned};
use crate::artifact::{Artifacts, Content, place};
use crate::forge::origin;
use crate::log::Logs;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace::Connection;

/// How long a deployment that was cut off may take to write down how far it came.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Everything that both effects need.
pub(super) struct Work<'a> {
    release: &'a DatabricksRelease,
    artifacts: &'a Artifacts,
    log: Logs,
    connection: Connection,
    author: Author,
    /// Where the state file is.
    place: String,
    artifact: String,
    targets: Vec<Target>,
    libraries: Vec<Library>,
    locations: Vec<String>,
    prune: Vec<String>,
}

impl<'a> Work<'a> {
    pub(super) async fn begin(
        release: &'a DatabricksRelease,
        connection: Connection,
        artifacts: &'a Artifacts,
        log: Logs,
        installation: String,
    ) -> Result<Self, Trouble> {
        let artifact = release.status.as_ref().and_then(|status| status.artifact.as_ref());
        let manifest = artifacts.manifest(artifact).await?;
        if let Some(bundle) = &release.spec.deploy.bundle {
            bundle::check(bundle, &manifest)?;
        }
        let (targets, libraries) = wanted(release, &manifest)?;
        let (place, owner) = owner(release);
        let name = format!("{}/{}", release.namespace().unwrap_or_default(), release.name_any());
        let author = Author { installation, owner, release: name, uid: release.uid().unwrap_or_default() };
        let locations = libraries.iter().map(|library| library.location.clone()).collect();
        let prune = release.spec.deploy.items().iter().filter(|item| item.prune).map(|item| item.to.clone()).collect();
        let artifact = artifact.map(|artifact| artifact.digest.clone()).unwrap_or_default();
        Ok(Self { release, artifacts, log, connection, author, place, artifact, targets, libraries, locations, prune })
    }

    fn tell(&self, line: &str) {
        self.log.line(self.release, Phase::Deploy, format_args!("{line}"));
    }

    /// The artifact, to be read file by file.
    async fn open(&self) -> Result<Arc<Content>, Trouble> {
        Ok(Arc::new(self.artifacts.open(self.artifact()).await?))
    }

    fn artifact(&self) -> Option<&Artifact> {
        self.release.status.as_ref().and_then(|status| status.artifact.as_ref())
    }

    fn store(&self) -> Store<'_> {
        Store { client: &self.connection.client, place: &self.place }
    }

    fn wanted<'b>(&'b self, places: &'b BTreeMap<String, &'b Target>) -> Wanted<'b> {
        let is_rollback = self.release.spec.reason == ReleaseReason::Rollback;
        let back_to = is_rollback.then_some(self.artifact.as_str());
        Wanted { places, libraries: &self.locations, prune: &self.prune, back_to }
    }

    /// What the last deployment left; an empty state if there was none.
    async fn read(&self) -> Result<State, Trouble> {
        let Some(state) = self.store().read().await? else { return Ok(State::default()) };
        let allowed = self.connection.workspace.annotations().get(TAKE_OVER_FROM);
        guard::admit(&state, &self.author, allowed.map(String::as_str), &self.place)?;
        Ok(state)
    }

    /// Looks, compares, and leaves the lists in the artifact store. What needs nothing is done with that.
    pub(super) async fn plan(&self) -> Result<Outcome, Trouble> {
        let places = check(&self.targets, &self.libraries)?;
        let (state, wanted) = (self.read().await?, self.wanted(&places));
        let deploy = &self.release.spec.deploy;
        let (client, parallel, artifact) = (&self.connection.client, self.connection.uploads(), self.artifact());
        let eyes = Eyes { client, artifacts: self.artifacts, artifact, drift: deploy.drift, parallel };
        let seen = look(&eyes, &state, &wanted).await?;
        let plan = plan(&state, &wanted, &seen);
        let report = Report {
            release: self.author.release.clone(),
            artifact: self.artifact.clone(),
            sequence: state.sequence,
            ..Report::of_plan(&plan, &seen)
        };
        let uri = self.keep(place::PLAN, &report).await?;
        self.tell(&words::planned(&report, &uri));
        for line in words::unchanged(&plan, places.keys()) {
            self.tell(&line);
        }
        if deploy.on_drift == OnDrift::Fail && !report.drifted.is_empty() {
            return Err(forbidden(&report, &uri));
        }
        if plan.is_empty() {
            self.settle_unchanged(&state, &plan).await?;
        }
        let mut changes = plan.changes();
        changes.report = uri;
        if plan.is_empty() {
            return Ok(Outcome::Deployed(Deployed { changes, issues: Vec::new() }));
        }
        Ok(Outcome::Planned(Planned { changes, ticket: DeployTicket { sequence: state.sequence } }))
    }

    /// Everything is there. Only that this artifact is, and what it uses, is written down, once.
    async fn settle_unchanged(&self, state: &State, plan: &Plan) -> Result<(), Trouble> {
        if state.has(&self.artifact) {
            return Ok(());
        }
        let next = state.begun(plan, &self.author).completed(&self.artifact, &self.locations);
        self.store().write(&next).await
    }

    /// Writes down what is about to be changed, changes it, and writes down what was.
    pub(super) async fn write(
        &self,
        ticket: DeployTicket,
        stop: impl Future<Output = Trouble>,
    ) -> Result<Outcome, Trouble> {
        let places = check(&self.targets, &self.libraries)?;
        let before = self.read().await?;
        guard::expected(&before, &self.author, ticket)?;
        let mut report = self.planned().await?;
        let plan = plan(&before, &self.wanted(&places), &report.seen);
        if plan.is_empty() {
            return self.done_before(report).await;
        }
        let begun = before.begun(&plan, &self.author);
        self.store().write(&begun).await?;
        let (content, parallel) = (self.open().await?, self.connection.uploads());
        let (client, content) = (&self.connection.client, &content);
        let tell = |line: String| self.tell(&line);
        let roots: Vec<String> = self.release.spec.deploy.items().iter().map(|item| key(&item.to)).collect();
        let (libraries, roots) = (&self.libraries, &roots);
        let site = Site { client, content, places: &places, libraries, roots, parallel, tell: &tell };
        let (mut progress, trouble) = carry_out(&site, &before, &plan, stop).await;
        progress.modified = self.modified(&places, &progress).await;
        progress.cells = self.cells(content, &places, &progress).await;
        let done = Done::of(&plan, &progress, trouble.as_ref().map(|trouble| trouble.message.clone()));
        let settled = begun.settled(&before, &plan, &progress);
        if let Some(trouble) = trouble {
            let settle = tokio::time::timeout(LAST_WORDS, self.settle(&begun, settled, done.clone(), &mut report));
            let settled = settle.await.is_ok_and(|settled| settled.is_ok());
            return Err(failed(&trouble, &plan, &done, settled, &self.uri(place::DEPLOYED)));
        }
        let completed = settled.completed(&self.artifact, &self.locations);
        self.settle(&begun, completed, done, &mut report).await?;
        let mut changes = plan.changes();
        changes.report = self.uri(place::DEPLOYED);
        Ok(Outcome::Deployed(Deployed { changes, issues: issues(&report) }))
    }

    /// There was something to do, and it is done: an earlier try came to its end, and its answer was lost. Its report may
    /// be, too.
    async fn done_before(&self, planned: Report) -> Result<Outcome, Trouble> {
        let kept = self.report(place::DEPLOYED).await?.and_then(|report| report.result);
        let issues = issues(&planned);
        if kept.is_none_or(|done| done.error.is_some()) {
            let result = Some(Done::all_of(&planned));
            self.keep(place::DEPLOYED, &Report { result, ..planned }).await?;
        }
        let changes = Changes { report: self.uri(place::DEPLOYED), ..Changes::default() };
        Ok(Outcome::Deployed(Deployed { changes, issues }))
    }

    /// Nobody else may have written meanwhile. Old libraries go once a deployment came to its end.
    async fn settle(
        &self,
        begun: &State,
        mut state: State,
        mut done: Done,
        report: &mut Report,
    ) -> Result<(), Trouble> {
        guard::still_ours(self.store().read().await?.as_ref(), begun)?;
        if done.error.is_none() {
            done.collected = collect(&self.connection, &self.place, &state, self.connection.uploads()).await;
            state.forget(&done.collected);
            done.collected.iter().for_each(|library| self.tell(&format!("old library deleted: {library}")));
        }
        self.store().write(&state).await?;
        report.result = Some(done);
        self.keep(place::DEPLOYED, report).await.map(drop)
    }

    /// The times of files that were written, to know later whether somebody else wrote them; none if they can't be told.
    async fn modified(&self, places: &BTreeMap<String, &Target>, progress: &Progress) -> BTreeMap<String, i64> {
        let is_file = |place: &&String| places.get(*place).is_some_and(|target| target.is_file());
        let files: Vec<&String> = progress.written.iter().filter(is_file).collect();
        if self.release.spec.deploy.drift == Drift::Off || files.is_empty() {
            return BTreeMap::new();
        }
        let names = files.iter().map(|place| place.as_str());
        let Ok(listed) = lists(&self.connection.client, names, self.connection.uploads()).await else {
            return BTreeMap::new();
        };
        let times = files.into_iter().filter_map(|place| Some((place.clone(), listed.get(place)?.modified?)));
        times.collect()
    }

    /// What the cells of notebooks that were written are known by, for a look at them that is `Full`; none if that can't be
    /// told.
    async fn cells(
        &self,
        content: &Arc<Content>,
        places: &BTreeMap<String, &Target>,
        progress: &Progress,
    ) -> BTreeMap<String, String> {
        if self.release.spec.deploy.drift == Drift::Off {
            return BTreeMap::new();
        }
        let written = progress.written.iter().filter_map(|place| Some((place, *places.get(place)?)));
        let notebooks: Vec<_> = written.filter(|(_, target)| target.has_cells()).collect();
        let digests = stream::iter(notebooks)
            .filter_map(async |(place, target)| Some((place.clone(), look::cells(content, target).await.ok()?)));
        digests.collect().await
    }

    fn uri(&self, name: &str) -> String {
        place::of_deploy(self.release, name).to_string()
    }

    async fn keep(&self, name: &str, report: &Report) -> Result<String, Trouble> {
        let text =
            serde_json::to_vec(report).map_err(|error| Trouble::lasting(Reason::InternalError, error.to_string()))?;
        let place = place::of_deploy(self.release, name);
        self.artifacts.write(&place, text).await?;
        Ok(place.to_string())
    }

    /// What was planned, with what was seen then.
    async fn planned(&self) -> Result<Report, Trouble> {
        self.report(place::PLAN).await?.ok_or_else(|| {
            Trouble::lasting(Reason::ArtifactFailed, "the plan of the deployment is gone: release again")
        })
    }

    /// None if there is none, or none that can be read.
    async fn report(&self, name: &str) -> Result<Option<Report>, Trouble> {
        let text = self.artifacts.read(&place::of_deploy(self.release, name)).await?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }
}

/// What goes where; something must if files were asked for, and no asset bundle is deployed.
fn wanted(release: &DatabricksRelease, manifest: &Manifest) -> Result<(Vec<Target>, Vec<Library>), Trouble> {
    let deploy = &release.spec.deploy;
    let (targets, libraries) = (targets(deploy, manifest), libraries(deploy, manifest));
    let items = deploy.items();
    if targets.is_empty() && libraries.is_empty() && deploy.bundle.is_none() && !items.is_empty() {
        let globs: Vec<&str> = items.iter().map(|item| item.from.as_str()).collect();
        let message =
            format!("nothing to deploy: no wheel was built and no file of the commit matches {}", globs.join(", "));
        return Err(Trouble::lasting(Reason::DeployFailed, message));
    }
    Ok((targets, libraries))
}

/// Whose state it is: a stage of a pipeline, or of a repository where there is none; each pull request has its own. Its
/// place, and its name for people.
fn owner(release: &DatabricksRelease) -> (String, String) {
    let namespace = release.namespace().unwrap_or_default();
    let pull_request = origin(release).filter(|_| release.spec.reason == ReleaseReason::PullRequest);
    let stage = pull_request.map(|git| git.reference.clone()).or_else(|| release.spec.stage.clone());
    let stage = stage.unwrap_or_default();
    let (kind, name) = match release.labels().get(labels::PIPELINE) {
        Some(pipeline) => ("pipeline", pipeline.clone()),
        // What came from a URL is of no repository that anybody vouches for.
        None => origin(release)
            .map_or_else(|| ("source", "artifacts from URLs".to_owned()), |git| ("repository", git.url.clone())),
    };
    let place = state::place(&[kind, &namespace, &name, &stage]);
    let of_stage = match (stage.as_str(), pull_request) {
        ("", _) => String::new(),
        (reference, Some(_)) => format!(", {reference}"),
        (stage, None) => format!(", stage {stage}"),
    };
    (place, format!("{kind} {name} of namespace {namespace}{of_stage}"))
}

#[cfg(test)]
mod tests;
