//! Who may do what: the chart's roles and admission policies, tried by people with those roles.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_tests::{Lab, Mode, Room, Suite, object};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use crate::chart;

/// The namespace that the policies are bound to here; the other tests' stay free of them.
const NAMESPACE: &str = "policies";
/// How long a new policy or role may take until the API server goes by it.
const PATIENCE: Duration = Duration::from_mins(1);

const CONTROLLER: &str = "system:serviceaccount:brickline:brickline";
/// Has `edit` in the namespace.
const ANA: &str = "ana@example.com";
/// Has `brickline-approver`.
const BOB: &str = "bob@example.com";
/// May write releases, and no pipelines.
const EVE: &str = "eve@example.com";
/// Has `admin`.
const ADA: &str = "ada@example.com";

const REQUESTER: &str = "spec.requestedBy must be who creates the release: write requestedBy: ";
const REASON: &str = "spec.reason of a release that a person creates is manual, retry or rollback";
const PIPELINE: &str =
    "label brickline.dev/pipeline: only who may update ReleasePipeline dbxdemo may release in its name";
const LABELS: &str = "labels of brickline.dev say what the spec says, and a new release has no result";
const KEPT_LABELS: &str = "labels of brickline.dev are set by the controller alone";
const ANNOTATIONS: &str = "annotations of brickline.dev other than requestedAt are set by the controller alone";
const FINALIZER: &str = "the finalizer goes when the controller has cleaned up";
const APPROVER: &str = "spec.approver must be who creates the approval: write approver: ";
const TAKEN_BACK: &str = "only bob@example.com takes this decision back";

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("a release carries its creator's name", requesters);
    suite.add("automatic reasons are the controller's", reasons);
    suite.add("a release in a pipeline's name needs the right to update the pipeline", pipelines);
    suite.add("labels of a new release say what its spec says", labels);
    suite.add("labels and finalizers of a release stay as the controller left them", metadata);
    suite.add("nobody approves for others or takes their decisions back", approvals);
    suite.add("editors write neither workspaces nor approvals", editors);
    suite.add("the controller has the rights it needs and no more", controller);
}

/// The namespace with the policies enforced and everybody's roles bound.
async fn room(lab: &Lab) -> anyhow::Result<Room> {
    static READY: OnceCell<()> = OnceCell::const_new();
    let room = lab.room(NAMESPACE).await?;
    READY.get_or_try_init(|| set_up(lab, &room)).await?;
    Ok(room)
}

async fn set_up(lab: &Lab, room: &Room) -> anyhow::Result<()> {
    let wanted = ["ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    for mut object in chart::render(&json!({})).await? {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        if wanted.contains(&kind.as_str()) {
            if kind == "ValidatingAdmissionPolicyBinding" {
                let here = json!({"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}});
                object["spec"]["matchResources"] = json!({"namespaceSelector": here});
            }
            chart::apply(lab, room, &object, Mode::Real).await.with_context(|| kind.clone())?;
        }
    }
    for (user, name) in [
        (ANA, "brickline-edit"),
        (ANA, "brickline-view"),
        (BOB, "brickline-approver"),
        (EVE, "releaser"),
        (ADA, "brickline-view"),
        (ADA, "brickline-edit"),
        (ADA, "brickline-admin"),
        (CONTROLLER, "brickline-tenant"),
    ] {
        bind(room, user, name).await.with_context(|| format!("{name} for {user}"))?;
    }
    enforced(room).await
}

async fn bind(room: &Room, user: &str, role: &str) -> anyhow::Result<()> {
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}");
    let kind = if role == "releaser" { "Role" } else { "ClusterRole" };
    if kind == "Role" {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": role},
            "rules": [{"apiGroups": ["brickline.dev"], "resources": ["databricksreleases"], "verbs": ["create", "patch"]}],
        });
        room.send(Method::POST, &format!("{path}/roles"), "application/json", &role).await?.accepted()?;
    }
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"generateName": "test-"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    room.send(Method::POST, &format!("{path}/rolebindings"), "application/json", &binding).await?.accepted().map(drop)
}

/// Policies and roles are not enforced at once: waits until each has refused or granted something.
async fn enforced(room: &Room) -> anyhow::Result<()> {
    let ana = room.seen_by(ANA);
    let kept = object::with(release(ANA, "kept"), "metadata.finalizers", finalizers());
    let relabel = json!({"metadata": {"labels": {"brickline.dev/result": "succeeded"}}});
    let deadline = Instant::now() + PATIENCE;
    loop {
        let _ = room.seen_by(CONTROLLER).create(&kept, Mode::Real).await?;
        let answers = [
            ana.create(&release(EVE, "probe"), Mode::DryRun).await?.refused(422, REQUESTER),
            ana.merge("DatabricksRelease", "kept", &relabel, Mode::DryRun).await?.refused(422, KEPT_LABELS),
            room.seen_by(BOB).create(&approval(ANA, "probe"), Mode::DryRun).await?.refused(422, APPROVER),
            room.seen_by(EVE).create(&release(EVE, "probe"), Mode::DryRun).await?.accepted().map(drop),
            room.seen_by(ADA).create(&object::workspace("probe"), Mode::DryRun).await?.accepted().map(drop),
        ];
        let Some(error) = answers.into_iter().find_map(Result::err) else { return Ok(()) };
        ensure!(Instant::now() < deadline, "not enforced: {error:#}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn release(requester: &str, name: &str) -> Value {
    object::with(object::release(name), "spec.requestedBy", json!(requester))
}

fn approval(approver: &str, name: &str) -> Value {
    object::with(object::approval(name), "spec.approver", json!(approver))
}

/// Creates the object as each user, and compares: nothing, or the words of a refusal.
async fn tried(lab: &Lab, cases: &[(&str, Value, Option<&str>)]) -> anyhow::Result<()> {
    let room = room(lab).await?;
    for (user, object, refusal) in cases {
        let answer = room.seen_by(user).create(object, Mode::DryRun).await?;
        let judged = match refusal {
            Some(words) => answer.refused(422, words),
            None => answer.accepted().map(drop),
        };
        judged.with_context(|| format!("{user}: {object}"))?;
    }
    Ok(())
}

async fn requesters(lab: &Lab) -> anyhow::Result<()> {
    let cases = [
        (ANA, release(ANA, "own"), None),
        (ANA, release(BOB, "forged"), Some("write requestedBy: ana@example.com")),
        (ANA, release(CONTROLLER, "forged"), Some(REQUESTER)),
        (ANA, release("", "forged"), Some(REQUESTER)),
        (ANA, object::release("silent"), Some(REQUESTER)),
        (ADA, release(ANA, "forged"), Some(REQUESTER)),
        (EVE, release(EVE, "own"), None),
        // Made of its own accord: for whom, is said by requestedFor.
        (CONTROLLER, object::release("silent"), None),
        (CONTROLLER, release(CONTROLLER, "own"), None),
    ];
    tried(lab, &cases).await?;
    // Administrators are people too.
    let room = room(lab).await?;
    room.create(&object::release("silent"), Mode::DryRun).await?.refused(422, "write requestedBy: admin")?;
    room.create(&release("admin", "own"), Mode::DryRun).await?.accepted().map(drop)
}

async fn reasons(lab: &Lab) -> anyhow::Result<()> {
    let from = json!({"artifactFrom": [{"release": "dbxdemo-4f2c91d0a7be", "digest": object::digest()}]});
    let because = |requester: &str, reason: &str| {
        let release = object::with(release(requester, "because"), "spec.source", from.clone());
        object::with(release, "spec.reason", json!(reason))
    };
    let people = ["manual", "retry", "rollback"].map(|reason| (ANA, because(ANA, reason), None));
    let forged = ["push", "schedule", "buildCompletion", "promotion"];
    let forged = forged.map(|reason| (ANA, because(ANA, reason), Some(REASON)));
    let automatic = ["push", "schedule", "buildCompletion", "promotion", "rollback"];
    let automatic = automatic.map(|reason| (CONTROLLER, because(CONTROLLER, reason), None));
    let request = |requester: &str| {
        let release = object::with(release(requester, "because"), "spec.source.git.ref", json!("refs/pull/12/head"));
        let release = object::with(release, "spec.install", json!({"clusters": []}));
        object::with(release, "spec.reason", json!("pullRequest"))
    };
    let requests = [(ANA, request(ANA), Some(REASON)), (CONTROLLER, request(CONTROLLER), None)];
    tried(lab, &[&people[..], &forged, &automatic, &requests].concat()).await
}

fn labelled(requester: &str, label: &str, value: &str) -> Value {
    let staged = object::with(release(requester, "labelled"), "spec.stage", json!("staging"));
    object::with(staged, "metadata.labels", json!({label: value, "team": "data"}))
}

async fn pipelines(lab: &Lab) -> anyhow::Result<()> {
    let named = |user: &str| labelled(user, "brickline.dev/pipeline", "dbxdemo");
    let cases = [
        (ANA, named(ANA), None),
        (EVE, named(EVE), Some(PIPELINE)),
        (EVE, labelled(EVE, "brickline.dev/pipeline", ""), None),
        (CONTROLLER, named(CONTROLLER), None),
    ];
    tried(lab, &cases).await
}

async fn labels(lab: &Lab) -> anyhow::Result<()> {
    let of = |label: &str, value: &str| labelled(ANA, &format!("brickline.dev/{label}"), value);
    let good = [("reason", "manual"), ("stage", "staging"), ("commit", "9b1c0de"), ("branch", "release")];
    let bad =
        [("reason", "push"), ("stage", "production"), ("commit", "1111111"), ("result", "succeeded"), ("new", "a")];
    let good = good.map(|(label, value)| (ANA, of(label, value), None));
    let bad = bad.map(|(label, value)| (ANA, of(label, value), Some(LABELS)));
    // Of what another release built nobody else knows where it came from.
    let taken = |user: &str, label: &str| {
        let from = json!({"artifactFrom": [{"release": "dbxdemo-4f2c91d0a7be", "digest": object::digest()}]});
        let labelled = object::with(release(user, "taken"), "metadata.labels", json!({label: "release"}));
        object::with(labelled, "spec.source", from)
    };
    let cases = [
        (ANA, taken(ANA, "brickline.dev/branch"), Some(LABELS)),
        (ANA, taken(ANA, "brickline.dev/commit"), Some(LABELS)),
        (CONTROLLER, taken(CONTROLLER, "brickline.dev/branch"), None),
    ];
    tried(lab, &cases).await?;
    let result = (CONTROLLER, labelled(CONTROLLER, "brickline.dev/result", "skipped"), None);
    tried(lab, &[&good[..], &bad, &[result]].concat()).await?;
    let noted = |user: &str, name: &str| object::with(release(user, "n"), "metadata.annotations", json!({name: "a"}));
    let cases = [
        (ANA, noted(ANA, "brickline.dev/requestedAt"), None),
        (ANA, noted(ANA, "example.com/note"), None),
        (ANA, noted(ANA, "brickline.dev/root"), Some(ANNOTATIONS)),
        (CONTROLLER, noted(CONTROLLER, "brickline.dev/root"), None),
    ];
    tried(lab, &cases).await
}

async fn metadata(lab: &Lab) -> anyhow::Result<()> {
    let room = room(lab).await?;
    let made = labelled(CONTROLLER, "brickline.dev/pipeline", "dbxdemo");
    let made = object::with(object::with(made, "metadata.name", json!("made")), "metadata.finalizers", finalizers());
    let made = object::with(made, "metadata.annotations", json!({"brickline.dev/root": "dbxdemo-4f2c91d0a7be"}));
    room.seen_by(CONTROLLER).create(&made, Mode::Real).await?.accepted()?;
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let patch = async |user: &str, patch: Value| {
        room.seen_by(user).merge("DatabricksRelease", "made", &patch, Mode::DryRun).await
    };
    for forged in [
        json!({"brickline.dev/pipeline": "another"}),
        json!({"brickline.dev/pipeline": null}),
        json!({"brickline.dev/result": "succeeded"}),
    ] {
        patch(ANA, labels(forged.clone())).await?.refused(422, KEPT_LABELS)?;
        patch(CONTROLLER, labels(forged)).await?.accepted()?;
    }
    let notes = |notes: Value| json!({"metadata": {"annotations": notes}});
    for forged in [json!({"brickline.dev/root": "another"}), json!({"brickline.dev/root": null})] {
        patch(ANA, notes(forged)).await?.refused(422, ANNOTATIONS)?;
    }
    patch(ANA, notes(json!({"brickline.dev/requestedAt": "2", "example.com/note": "a"}))).await?.accepted()?;
    let own = json!({"team": "ml", "tags.brickline.dev/kept": "true"});
    patch(ANA, labels(own)).await?.accepted()?;
    for wish in ["suspend", "cancel"] {
        patch(ANA, json!({"spec": {wish: true}})).await?.accepted()?;
    }
    let freed = json!({"metadata": {"finalizers": null}});
    patch(ANA, freed.clone()).await?.refused(422, FINALIZER)?;
    patch(CONTROLLER, freed.clone()).await?.accepted()?;
    // The way out without a controller.
    room.merge("DatabricksRelease", "made", &freed, Mode::DryRun).await?.accepted()?;
    room.seen_by(ANA).delete("DatabricksRelease", "made", Mode::DryRun).await?.accepted().map(drop)
}

fn finalizers() -> Value {
    json!(["finalizers.brickline.dev/release", "example.com/other"])
}

async fn approvals(lab: &Lab) -> anyhow::Result<()> {
    let room = room(lab).await?;
    let bob = room.seen_by(BOB);
    bob.create(&approval(BOB, "own"), Mode::Real).await?.accepted()?;
    for forged in [ANA, CONTROLLER, "bob"] {
        bob.create(&approval(forged, "forged"), Mode::DryRun).await?.refused(422, APPROVER)?;
    }
    // Even with all rights.
    room.create(&approval(BOB, "forged"), Mode::DryRun).await?.refused(422, "write approver: admin")?;
    bind(&room, EVE, "brickline-approver").await?;
    let eve = room.seen_by(EVE);
    let deadline = Instant::now() + PATIENCE;
    while eve.create(&approval(EVE, "probe"), Mode::DryRun).await?.status == 403 {
        ensure!(Instant::now() < deadline, "the role is not granted");
        sleep(Duration::from_millis(100)).await;
    }
    eve.delete("ReleaseApproval", "own", Mode::DryRun).await?.refused(422, TAKEN_BACK)?;
    bob.delete("ReleaseApproval", "own", Mode::DryRun).await?.accepted()?;
    // As Kubernetes does with what belonged to a release that is gone.
    room.delete("ReleaseApproval", "own", Mode::DryRun).await?.accepted().map(drop)
}

async fn editors(lab: &Lab) -> anyhow::Result<()> {
    let room = room(lab).await?;
    let ana = room.seen_by(ANA);
    ana.create(&object::pipeline("hers"), Mode::DryRun).await?.accepted()?;
    ana.create(&object::workspace("hers"), Mode::DryRun).await?.refused(403, "cannot create resource")?;
    let (ada, bob) = (room.seen_by(ADA), room.seen_by(BOB));
    ada.create(&object::workspace("hers"), Mode::DryRun).await?.accepted()?;
    for (user, name) in [(&ana, ANA), (&ada, ADA)] {
        user.create(&approval(name, "hers"), Mode::DryRun).await?.refused(403, "cannot create resource")?;
        user.get(&user.collection("ReleaseApproval")?).await?.accepted()?;
        let status = json!({"status": {"result": "Succeeded"}});
        let path = format!("{}/any/status", user.collection("DatabricksRelease")?);
        let answer = user.send(Method::PATCH, &path, "application/merge-patch+json", &status).await?;
        answer.refused(403, "cannot patch resource")?;
    }
    bob.get(&bob.collection("DatabricksRelease")?).await?.accepted()?;
    bob.create(&release(BOB, "his"), Mode::DryRun).await?.refused(403, "cannot create resource").map(drop)
}

async fn controller(lab: &Lab) -> anyhow::Result<()> {
    let room = room(lab).await?;
    let (here, other) = (NAMESPACE, "elsewhere");
    let cases = [
        (here, "brickline.dev", "releaseapprovals", "watch", true),
        (here, "brickline.dev", "releaseapprovals", "patch", true),
        (here, "brickline.dev", "releaseapprovals", "create", false),
        (here, "brickline.dev", "databricksreleases", "create", true),
        (here, "brickline.dev", "databricksreleases", "delete", true),
        (other, "brickline.dev", "databricksreleases", "delete", false),
        (here, "brickline.dev", "databricksworkspaces", "patch", false),
        (here, "batch", "jobs", "create", true),
        (other, "batch", "jobs", "create", false),
        (here, "", "secrets", "get", true),
        (here, "", "secrets", "list", false),
        (other, "", "secrets", "get", false),
    ];
    for (namespace, group, resource, verb, wanted) in cases {
        let attributes = json!({"namespace": namespace, "group": group, "resource": resource, "verb": verb});
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": CONTROLLER, "resourceAttributes": attributes},
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = room.send(Method::POST, path, "application/json", &review).await?.accepted()?;
        let allowed = answer["status"]["allowed"] == true;
        ensure!(allowed == wanted, "{verb} {resource} in {namespace}: {allowed}");
    }
    Ok(())
}
