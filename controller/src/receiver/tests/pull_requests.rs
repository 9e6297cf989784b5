//! What becomes of pull requests.

use brickline_crds::PullRequests;

use super::*;

/// A pipeline that builds pull requests.
fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.trigger.pull_requests = Some(PullRequests { enabled: true, ..PullRequests::default() });
    scene
}

impl Scene {
    /// Sends Gitea's event of a pull request.
    async fn request(&self, body: Value) -> Reply {
        let body = body.to_string().into_bytes();
        self.send("/hooks/data/dbxdemo", gitea_signed("pull_request", &body, TOKEN), body).await
    }

    async fn action(&self, action: &str) -> Reply {
        self.request(samples::pull_request_body(action)).await
    }

    /// Ends all releases.
    fn end_all(&self, result: &str) {
        for release in self.cluster.lock().unwrap().releases.values_mut() {
            release["status"] = json!({"state": "Finished", "result": result});
        }
    }
}

#[tokio::test]
async fn a_pull_request_is_built_before_the_answer() {
    let scene = scene();
    let reply = scene.action("opened").await;
    let releases = scene.releases();
    let (name, release) = releases.first_key_value().expect("a release");
    assert_eq!((reply.code, &reply.body), (202, &json!({"release": name})));
    let spec = &release["spec"];
    assert_eq!((&spec["reason"], &spec["requestedFor"]), (&json!("pullRequest"), &json!("ana@example.com")));
    assert_eq!(spec["source"]["git"]["ref"], "refs/pull/12/head");
    assert_eq!((spec.get("stage"), spec.get("workspaceRef")), (None, None));
    assert!(scene.counted("gitea", "created"));
    assert_eq!(scene.action("opened").await.code, 200, "the same delivery again");
}

#[tokio::test]
async fn a_pull_request_of_github_is_built() {
    let mut scene = scene();
    scene.pipelines[0].spec.repository.provider = Provider::Github;
    let body = samples::pull_request_body("synchronize").to_string().into_bytes();
    let reply = scene.send("/hooks/data/dbxdemo", github_signed("pull_request", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.releases().len()), (202, 1));
}

#[tokio::test]
async fn each_time_it_comes_to_a_commit_it_is_built_again() {
    let scene = scene();
    scene.action("opened").await;
    let again = |time: &str| {
        let mut body = samples::pull_request_body("reopened");
        body["pull_request"]["updated_at"] = json!(time);
        body
    };
    assert_eq!(scene.request(again("2026-11-21T10:00:00Z")).await.code, 200, "its release is under way");
    scene.end_all("Canceled");
    assert_eq!(scene.request(again("2026-11-21T11:00:00Z")).await.code, 202);
    scene.end_all("Canceled");
    assert_eq!(scene.request(again("2026-11-21T11:00:00Z")).await.code, 200, "the same delivery again");
    assert_eq!(scene.request(again("2026-11-21T12:00:00Z")).await.code, 202);
    assert_eq!(scene.releases().len(), 3);
}

#[tokio::test]
async fn a_commit_that_it_comes_back_to_is_built_though_the_first_release_of_it_goes_on() {
    let scene = scene();
    let there = |commit: &str| {
        let mut body = samples::pull_request_body("synchronized");
        body["pull_request"]["head"]["sha"] = json!(commit);
        body
    };
    scene.action("opened").await;
    assert_eq!(scene.request(there(&"d".repeat(40))).await.code, 202);
    assert_eq!(scene.action("synchronized").await.code, 202, "another commit came in between");
    let reply = scene.action("synchronized").await;
    assert_eq!((reply.code, scene.releases().len()), (200, 3));
}

#[rstest]
#[case::of_another_branch("/pull_request/base/ref", json!("main"), "branch main")]
#[case::of_a_fork("/pull_request/head/repo/id", json!(2), "pull request from another repository: trigger.pullRequests.forks")]
#[case::of_a_deleted_fork(
    "/pull_request/head/repo",
    Value::Null,
    "pull request from another repository: trigger.pullRequests.forks"
)]
#[case::edited("/action", json!("edited"), "pull request edited")]
#[tokio::test]
async fn some_pull_requests_are_passed_over(#[case] pointer: &str, #[case] value: Value, #[case] why: &str) {
    let scene = scene();
    let mut body = samples::pull_request_body("opened");
    *body.pointer_mut(pointer).unwrap() = value;
    let reply = scene.request(body).await;
    assert_eq!((reply.code, reply.body, scene.releases().len()), (200, json!({"ignored": why}), 0));
    assert!(scene.counted("gitea", "ignored"));
}

#[tokio::test]
async fn another_repository_and_pipelines_that_did_not_ask_pass_them_over() {
    let changed = samples::pull_request_body("opened").to_string().replace("data/dbxdemo", "data/other");
    let reply = scene().request(serde_json::from_str(&changed).unwrap()).await;
    assert_eq!((reply.code, reply.body), (200, json!({"ignored": "repository"})));
    let reply = Scene::new().action("opened").await;
    let why = "pull requests are not built: trigger.pullRequests.enabled";
    assert_eq!((reply.code, reply.body), (200, json!({"ignored": why})));
}

#[tokio::test]
async fn closing_cancels_what_is_to_come_and_nothing_else() {
    let scene = scene();
    let first = scene.action("opened").await.body["release"].clone();
    scene.end_all("Canceled");
    let second = scene.action("synchronized").await.body["release"].clone();
    let mut other = samples::pull_request_body("opened");
    other["number"] = json!(13);
    let other = scene.request(other).await.body["release"].clone();
    let push = scene.push().await.body["release"].clone();
    let name = |release: &Value| release.as_str().unwrap().to_owned();
    let reply = scene.action("closed").await;
    assert_eq!((reply.code, reply.body), (202, json!({"canceled": [second]})));
    let canceled = |release: &Value| scene.releases()[&name(release)]["spec"]["cancel"] == true;
    assert_eq!([&first, &second, &other, &push].map(canceled), [false, true, false, false]);
    assert!(scene.counted("gitea", "canceled"));
    let again = scene.action("closed").await;
    assert_eq!((again.code, again.body), (200, json!({"ignored": "closed pull request"})));
}

#[tokio::test]
async fn closing_one_cancels_also_when_no_more_are_built() {
    let mut scene = scene();
    scene.action("opened").await;
    scene.pipelines[0].spec.trigger.pull_requests = None;
    assert_eq!(scene.action("closed").await.code, 202);
}

#[tokio::test]
async fn what_could_not_be_canceled_is_sent_again() {
    let scene = scene();
    scene.action("opened").await;
    scene.cluster.lock().unwrap().creations_fail = Some(500);
    let reply = scene.action("closed").await;
    assert_eq!((reply.code, reply.retry_after.is_some()), (503, true));
}

#[tokio::test]
async fn a_suspended_pipeline_builds_none() {
    let mut scene = scene();
    scene.pipelines[0].spec.suspend = true;
    assert_eq!(scene.action("opened").await.code, 503);
}
