//! What a deployment asks of the workspace, what it leaves there, and what it says when it could not.

mod drift;
mod fake;
mod libraries;
mod pages;

use brickline_crds::{
    Artifact, DatabricksReleaseSpec, DatabricksReleaseStatus, DeployItem, GitSource, ItemKind, ReleaseReason,
};
use futures::future::pending;
use rstest::rstest;
use serde_json::json;

use super::super::plan::Seen;
use super::super::samples::{author, by_place};
use super::*;
use crate::artifact::samples::{Shop, built, named, zipped};
use fake::Fake;

const FOLDER: &str = "/Shared/dbxdemo";

/// A release of a pipeline.
fn release(uid: &str, artifact: Artifact) -> DatabricksRelease {
    let mut spec: DatabricksReleaseSpec = serde_json::from_value(json!({"source": {}})).unwrap();
    let item = DeployItem { from: "notebooks/**".into(), to: FOLDER.into(), prune: true, ..DeployItem::default() };
    spec.deploy.items = Some(vec![item]);
    spec.deploy.drift = Drift::Off;
    let mut release = DatabricksRelease::new(uid, spec);
    release.metadata.uid = Some(uid.into());
    release.metadata.namespace = Some("data".into());
    release.metadata.labels = Some([(labels::PIPELINE.to_owned(), "dbxdemo".to_owned())].into());
    release.status = Some(DatabricksReleaseStatus { artifact: Some(artifact), ..DatabricksReleaseStatus::default() });
    release
}

#[test]
fn each_pull_request_has_a_state_of_its_own() {
    let of = |number: u32| {
        let mut release = release("one", Artifact::default());
        let git = GitSource { reference: format!("refs/pull/{number}/head"), ..GitSource::default() };
        (release.spec.source.git, release.spec.reason) = (Some(git), ReleaseReason::PullRequest);
        owner(&release)
    };
    let (first, second, own) = (of(12), of(13), owner(&release("one", Artifact::default())));
    assert!(first.0 != second.0 && first.0 != own.0, "{first:?}");
    assert_eq!(first.1, "pipeline dbxdemo of namespace data, refs/pull/12/head");
}

/// So many notebooks, of which the first `changed` are of this release.
fn notebooks(count: usize, changed: usize, version: &str) -> Vec<(String, String)> {
    let text = |n| if n < changed { format!("print({n}, '{version}')") } else { format!("print({n})") };
    (0..count).map(|n| (format!("notebooks/{}/{n:04}.py", n % 10), text(n))).collect()
}

/// What is deployed to, and from where.
struct Stand {
    fake: Fake,
    shop: Shop,
    log: Logs,
}

impl Stand {
    async fn new() -> Self {
        Self { fake: Fake::start().await, shop: Shop::new(), log: Logs::default() }
    }

    async fn built(&self, uid: &str, files: &[(String, String)], wheels: &[(&str, &str)]) -> DatabricksRelease {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        release(uid, named(&self.shop.hand_in(uid, &built(uid, &files, wheels)).await))
    }

    async fn work<'a>(&'a self, release: &'a DatabricksRelease, annotations: &[(&str, &str)]) -> Work<'a> {
        let connection = self.fake.connection(annotations);
        Work::begin(release, connection, &self.shop.artifacts, self.log.clone(), "installation".into()).await.unwrap()
    }

    /// All of the phase: compares, and writes what differs.
    async fn deploy(&self, release: &DatabricksRelease) -> Result<Deployed, Trouble> {
        let work = self.work(release, &[]).await;
        match work.plan().await? {
            Outcome::Planned(planned) => deployed(work.write(planned.ticket, pending()).await),
            outcome => deployed(Ok(outcome)),
        }
    }

    /// What an earlier release of the same pipeline left.
    fn leave(&self, work: &Work<'_>) {
        let places = by_place(&work.targets);
        let plan = plan(&State::default(), &work.wanted(&places), &Seen::default());
        let begun = State::default().begun(&plan, &author("earlier"));
        let written = plan.write.keys().chain(&plan.put).cloned().collect();
        let progress = Progress { written, ..Progress::default() };
        let state = begun.settled(&State::default(), &plan, &progress).completed(&work.artifact, &work.locations);
        self.fake.inside().put(&work.place, "FILE", &state.write().unwrap());
        for place in places.keys() {
            self.fake.inside().put(place, "NOTEBOOK", b"");
        }
    }

    fn report(&self, release: &DatabricksRelease) -> Report {
        let file = self.shop.file(&place::of_deploy(release, place::DEPLOYED));
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }
}

fn deployed(outcome: Result<Outcome, Trouble>) -> Result<Deployed, Trouble> {
    match outcome? {
        Outcome::Deployed(deployed) => Ok(deployed),
        other => panic!("{other:?}"),
    }
}

fn count(calls: &[String], of: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(of)).count()
}

#[tokio::test]
async fn the_first_release_makes_each_folder_once_and_the_next_one_asks_once() {
    let stand = Stand::new().await;
    let first = stand.built("one", &notebooks(40, 0, ""), &[("dbxdemo-0.1.0-py3-none-any.whl", "wheel")]).await;
    let done = stand.deploy(&first).await.unwrap();
    assert_eq!((done.changes.added, done.changes.libraries), (40, 1));
    let calls = stand.fake.calls();
    let folders = calls.iter().filter(|call| call.starts_with("workspace/mkdirs /Shared/dbxdemo/")).count();
    assert_eq!((count(&calls, "workspace/import"), folders), (40, 10), "{calls:?}");
    assert_eq!(stand.fake.below(FOLDER).len(), 40);

    assert_eq!(stand.deploy(&first).await.unwrap().changes.unchanged, 40);
    assert_eq!(stand.fake.calls().len(), 1, "the same artifact needs one look");
    let again = stand.built("two", &notebooks(40, 0, ""), &[("dbxdemo-0.1.0-py3-none-any.whl", "wheel")]).await;
    assert_eq!(stand.deploy(&again).await.unwrap().changes.unchanged, 40);
    assert!(stand.fake.calls().len() <= 2, "another one with the same content is written down");
}

#[tokio::test]
async fn the_log_names_what_was_planned_and_each_thing_that_was_done() {
    let stand = Stand::new().await;
    let first = stand.built("one", &notebooks(1, 0, ""), &[("dbxdemo-0.1.0-py3-none-any.whl", "wheel")]).await;
    stand.deploy(&first).await.unwrap();
    stand.log.flush(&stand.shop.artifacts).await;
    let log = place::of_log("data", "one", Phase::Deploy);
    let (text, _) = stand.shop.artifacts.part(&log, 0, usize::MAX).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let told: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert!(
        told[0].starts_with("planned: 1 added, 0 changed, 0 changed by others, 0 removed, 1 libraries"),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.starts_with("written: /Shared/dbxdemo/0/0000.py")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("library in place: ")), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
}

#[tokio::test]
async fn the_log_names_what_stays_as_it_is_within_bounds() {
    let stand = Stand::new().await;
    let old = stand.built("one", &notebooks(1_005, 0, ""), &[]).await;
    stand.leave(&stand.work(&old, &[]).await);
    stand.deploy(&stand.built("two", &notebooks(1_005, 2, "new"), &[]).await).await.unwrap();
    stand.log.flush(&stand.shop.artifacts).await;
    let log = place::of_log("data", "two", Phase::Deploy);
    let (text, _) = stand.shop.artifacts.part(&log, 0, usize::MAX).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let lines = text.lines().filter_map(|line| Some(line.split_once(' ')?.1));
    let told: Vec<&str> = lines.filter_map(|line| line.strip_prefix("unchanged: ")).collect();
    assert_eq!((told.len(), told[0], told[1_000]), (1_001, "/Shared/dbxdemo/0/0010.py", "3 more"));
}

#[tokio::test]
async fn ten_changed_of_two_thousand_cost_fifteen_calls() {
    let stand = Stand::new().await;
    let old = stand.built("one", &notebooks(2000, 0, ""), &[]).await;
    stand.leave(&stand.work(&old, &[]).await);
    let new = stand.built("two", &notebooks(2000, 10, "new"), &[]).await;
    let changes = stand.deploy(&new).await.unwrap().changes;
    assert_eq!((changes.changed, changes.unchanged), (10, 1990));
    let calls = stand.fake.calls();
    assert!(calls.len() <= 15, "{calls:?}");
}

/// Tests may come from the repository itself, or from a bundle.
#[tokio::test]
async fn who_asks_for_no_files_gets_none_and_who_asks_for_some_that_are_not_there_is_told() {
    let stand = Stand::new().await;
    let mut release = stand.built("one", &notebooks(1, 0, ""), &[]).await;
    release.spec.deploy.items = Some(Vec::new());
    assert_eq!(stand.deploy(&release).await.unwrap().changes.added, 0);
    release.spec.deploy.items =
        Some(vec![DeployItem { from: "none/**".into(), to: FOLDER.into(), ..DeployItem::default() }]);
    let artifact = release.status.as_ref().and_then(|status| status.artifact.as_ref());
    let trouble = wanted(&release, &stand.shop.artifacts.manifest(artifact).await.unwrap()).unwrap_err();
    assert!(trouble.message.contains("no file of the commit matches none/**"), "{}", trouble.message);
}

#[tokio::test]
async fn what_the_repository_removed_goes_and_what_others_put_there_stays() {
    let stand = Stand::new().await;
    stand.deploy(&stand.built("one", &notebooks(3, 0, ""), &[]).await).await.unwrap();
    stand.fake.inside().put("/Shared/dbxdemo/0/theirs.py", "NOTEBOOK", b"");
    let done = stand.deploy(&stand.built("two", &notebooks(2, 0, ""), &[]).await).await.unwrap();
    assert_eq!(done.changes.removed, 1);
    let left = stand.fake.below(FOLDER);
    assert_eq!(left, ["/Shared/dbxdemo/0/0000.py", "/Shared/dbxdemo/0/theirs.py", "/Shared/dbxdemo/1/0001.py"]);
}

/// A folder with nothing in it would be left for good.
#[tokio::test]
async fn a_folder_goes_with_its_last_notebook_unless_others_use_it() {
    let stand = Stand::new().await;
    stand.deploy(&stand.built("one", &notebooks(4, 0, ""), &[]).await).await.unwrap();
    stand.fake.inside().put("/Shared/dbxdemo/2/theirs.py", "NOTEBOOK", b"");
    stand.fake.calls();
    stand.deploy(&stand.built("two", &notebooks(2, 0, ""), &[]).await).await.unwrap();
    let calls = stand.fake.calls();
    let removed: Vec<&String> = calls.iter().filter(|call| call.starts_with("workspace/delete")).collect();
    let of = |place: &str| removed.iter().filter(|call| call.ends_with(place)).count();
    assert_eq!((of("/dbxdemo/3"), of("/dbxdemo/1"), of("/dbxdemo")), (1, 0, 0), "{removed:?}");
    assert!(stand.fake.below(FOLDER).contains(&"/Shared/dbxdemo/2/theirs.py".to_owned()));
}

/// Folders are made one by one where Databricks is slow.
#[tokio::test]
async fn who_cancels_does_not_wait_for_folders() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(3, 0, ""), &[]).await;
    stand.fake.inside().hangs = Some("/Shared/dbxdemo/1".into());
    let work = stand.work(&release, &[]).await;
    let Outcome::Planned(planned) = work.plan().await.unwrap() else { panic!("nothing to do") };
    let stop = async {
        while count(&stand.fake.inside().calls, "workspace/mkdirs /Shared/dbxdemo") < 3 {
            tokio::task::yield_now().await;
        }
        Trouble::passing(Reason::Canceled, "the deployment was cut off")
    };
    let trouble = work.write(planned.ticket, stop).await.unwrap_err();
    assert!(trouble.message.starts_with("the deployment was cut off"), "{}", trouble.message);
}

#[tokio::test]
async fn a_failed_deployment_says_what_was_and_was_not_changed_and_the_next_does_the_rest() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(30, 0, ""), &[]).await;
    stand.fake.inside().refuses = Some("/Shared/dbxdemo/5/0005.py".into());
    let trouble = stand.deploy(&release).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::NotAuthorized);
    assert!(trouble.message.starts_with("/Shared/dbxdemo/5/0005.py: "), "{}", trouble.message);
    assert!(trouble.message.contains("of 30 changes") && trouble.message.contains("deploy/result.json"));
    let result = stand.report(&release).result.unwrap();
    assert_eq!(result.unknown, ["/Shared/dbxdemo/5/0005.py"]);
    assert_eq!(result.written.len() + result.untouched.len(), 29);
    let written: std::collections::BTreeSet<String> = result.written.iter().cloned().collect();
    assert!(stand.fake.below(FOLDER).iter().eq(&written));

    stand.fake.inside().refuses = None;
    stand.fake.calls();
    let done = stand.deploy(&release).await.unwrap();
    assert_eq!(usize::try_from(done.changes.unchanged).unwrap(), result.written.len());
    assert_eq!(count(&stand.fake.calls(), "workspace/import"), 30 - result.written.len());
}

/// A controller that dies between the end of a deployment and the write of its status asks for it again.
#[rstest]
#[case::its_report_was_kept(true)]
#[case::its_report_was_not(false)]
#[tokio::test]
async fn a_deployment_that_is_asked_for_again_is_the_one_that_was_made(#[case] kept: bool) {
    let stand = Stand::new().await;
    let first = stand.built("one", &notebooks(3, 0, ""), &[]).await;
    stand.deploy(&first).await.unwrap();
    let second = stand.built("two", &notebooks(2, 1, "new"), &[]).await;
    let work = stand.work(&second, &[]).await;
    let Outcome::Planned(planned) = work.plan().await.unwrap() else { panic!("nothing to do") };
    let done = deployed(work.write(planned.ticket, pending()).await).unwrap();
    let report = stand.report(&second);
    if !kept {
        std::fs::remove_file(stand.shop.file(&place::of_deploy(&second, place::DEPLOYED))).unwrap();
    }
    stand.fake.calls();
    for _ in 0..3 {
        let again = deployed(work.write(planned.ticket, pending()).await).unwrap();
        assert_eq!(again.changes.report, done.changes.report);
        assert_eq!(stand.report(&second), report);
    }
    assert_eq!(stand.fake.calls().len(), 3, "only the state file was read");
}

/// What hands had changed is written again, and nobody is taken for another deployment.
#[tokio::test]
async fn a_deployment_over_drift_can_be_asked_for_again() {
    let stand = Stand::new().await;
    let mut first = stand.built("one", &notebooks(3, 0, ""), &[]).await;
    first.spec.deploy.drift = Drift::Full;
    stand.deploy(&first).await.unwrap();
    stand.fake.inside().put("/Shared/dbxdemo/1/0001.py", "NOTEBOOK", b"print('by hand')");
    let mut second = stand.built("two", &notebooks(3, 1, "new"), &[]).await;
    second.spec.deploy.drift = Drift::Full;
    let work = stand.work(&second, &[]).await;
    let Outcome::Planned(planned) = work.plan().await.unwrap() else { panic!("nothing to do") };
    for _ in 0..3 {
        let done = deployed(work.write(planned.ticket, pending()).await).unwrap();
        assert_eq!(done.issues.len(), 1, "{:?}", done.issues);
    }
}

#[tokio::test]
async fn a_deployment_that_is_cut_off_names_what_it_does_not_know() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(3, 0, ""), &[]).await;
    let hangs = "/Shared/dbxdemo/1/0001.py";
    stand.fake.inside().hangs = Some(hangs.into());
    let work = stand.work(&release, &[]).await;
    let Outcome::Planned(planned) = work.plan().await.unwrap() else { panic!("nothing to do") };
    // It is stopped once the other two are there.
    let stop = async {
        while stand.fake.below(FOLDER).len() < 2 {
            tokio::task::yield_now().await;
        }
        Trouble::passing(Reason::Canceled, "the deployment was cut off")
    };
    let trouble = work.write(planned.ticket, stop).await.unwrap_err();
    assert!(trouble.message.contains("of 3 changes"), "{}", trouble.message);
    let result = stand.report(&release).result.unwrap();
    assert!(result.unknown.contains(&hangs.to_owned()), "{result:?}");
    assert!(!result.written.contains(&hangs.to_owned()));
}

#[tokio::test]
async fn another_installation_is_not_fought() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(1, 0, ""), &[]).await;
    let work = stand.work(&release, &[]).await;
    let mut foreign = State::default().begun(&Plan::default(), &author("two"));
    foreign.installation = "elsewhere".into();
    stand.fake.inside().put(&work.place, "FILE", &foreign.write().unwrap());
    let trouble = work.plan().await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::TargetTaken, false));
    assert_eq!(stand.fake.calls().len(), 1, "nothing was written");
    let allowed = stand.work(&release, &[(TAKE_OVER_FROM, "elsewhere")]).await;
    assert!(matches!(allowed.plan().await, Ok(Outcome::Planned(_))));
}

#[tokio::test]
async fn a_release_that_writes_in_between_is_found_out() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(3, 0, ""), &[]).await;
    let work = stand.work(&release, &[]).await;
    let Outcome::Planned(planned) = work.plan().await.unwrap() else { panic!("nothing to do") };
    let other = State::default().begun(&Plan::default(), &author("two")).write().unwrap();
    stand.fake.inside().meanwhile = Some((work.place.clone(), other.clone()));
    let trouble = work.write(planned.ticket, pending()).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::TargetTaken, false));
    assert_eq!(stand.fake.inside().objects[&super::super::key::key(&work.place)].content, other, "theirs stays");
}

/// Of the documents' holes: a wheel that is not what was built.
#[tokio::test]
async fn a_wheel_whose_bytes_no_longer_match_the_manifest_is_never_put() {
    let stand = Stand::new().await;
    let name = "dbxdemo-0.1.0-py3-none-any.whl";
    let honest = built("one", &[("notebooks/a.py", "print(1)")], &[(name, "wheel")]);
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(honest)).unwrap();
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        let path = entry.name().unwrap().into_owned();
        let content = if path.ends_with(name) { b"other".to_vec() } else { content };
        entries.push((path, content));
    }
    let release = release("one", named(&stand.shop.hand_in("one", &zipped(&entries)).await));
    let trouble = stand.deploy(&release).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::ArtifactFailed, false));
    assert!(trouble.message.contains("is not what its manifest says"), "{}", trouble.message);
    assert!(stand.fake.below("/Shared/.brickline/libraries").is_empty());
}

#[tokio::test]
async fn an_artifact_whose_bytes_no_longer_match_its_digest_deploys_nothing() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(1, 0, ""), &[]).await;
    let digest = release.status.as_ref().unwrap().artifact.as_ref().unwrap().digest.parse().unwrap();
    stand.shop.flip(&place::artifact(&digest), 600);
    let trouble = stand.deploy(&release).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::ArtifactFailed, false));
    assert!(trouble.message.contains("damaged"), "{}", trouble.message);
    assert!(stand.fake.below(FOLDER).is_empty());
}

#[tokio::test]
async fn a_file_with_a_notebooks_mark_stays_a_file() {
    let stand = Stand::new().await;
    let mut release = stand.built("one", &[("notebooks/lib.py".into(), "x = 1".into())], &[]).await;
    release.spec.deploy.items.as_mut().unwrap()[0].kind = ItemKind::File;
    stand.deploy(&release).await.unwrap();
    assert_eq!(stand.fake.inside().objects["/Shared/dbxdemo/lib.py"].kind, "FILE");
}
