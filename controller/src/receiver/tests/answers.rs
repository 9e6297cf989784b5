//! What is taken, refused and passed over.

use super::*;

#[tokio::test]
async fn a_push_becomes_a_release_before_the_answer() {
    let scene = Scene::new();
    let reply = scene.push().await;
    let releases = scene.releases();
    let (name, release) = releases.first_key_value().expect("a release");
    assert_eq!((reply.code, &reply.body), (202, &json!({"release": name})));
    assert_eq!(release["metadata"]["namespace"], "data");
    assert_eq!(release["spec"]["source"]["git"]["commit"], samples::COMMIT);
    assert_eq!(release["spec"]["workspaceRef"]["name"], "staging");
    assert_eq!(release["spec"]["requestedFor"], "ana@example.com");
    assert!(scene.counted("gitea", "created"));
}

#[tokio::test]
async fn a_push_of_github_becomes_a_release() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.repository.provider = Provider::Github;
    let body = github_push("refs/heads/release/1.2");
    let reply = scene.send("/hooks/data/dbxdemo", github_signed("push", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.releases().len()), (202, 1));
    assert!(scene.counted("github", "created"));
}

#[tokio::test]
async fn the_previous_token_counts_while_it_is_there() {
    let scene = Scene::new();
    assert_eq!(scene.gitea(gitea_push("refs/heads/release"), PREVIOUS).await.code, 202);
    let rotated = Scene::new().with(|cluster| {
        cluster.secrets.insert("hook".to_owned(), secret(&[("token", TOKEN)]));
    });
    assert_eq!(rotated.gitea(gitea_push("refs/heads/release"), PREVIOUS).await.code, 401);
}

#[rstest]
#[case::of_another_token("another", "push")]
#[case::of_an_empty_token("", "push")]
#[case::of_a_ping("another", "ping")]
#[tokio::test]
async fn a_forged_signature_is_refused(#[case] token: &str, #[case] kind: &str) {
    let scene = Scene::new();
    let body = gitea_push("refs/heads/release");
    let reply = scene.send("/hooks/data/dbxdemo", gitea_signed(kind, &body, token), body).await;
    assert_eq!((reply.code, scene.releases().len()), (401, 0));
    assert!(scene.counted("gitea", "unauthenticated"));
}

#[tokio::test]
async fn a_changed_body_is_refused() {
    let scene = Scene::new();
    let headers = gitea_signed("push", &gitea_push("refs/heads/main"), TOKEN);
    let reply = scene.send("/hooks/data/dbxdemo", headers, gitea_push("refs/heads/release")).await;
    assert_eq!((reply.code, scene.releases().len()), (401, 0));
}

#[tokio::test]
async fn without_a_signature_the_api_server_is_not_asked() {
    let scene = Scene::new();
    let reply = scene.send("/hooks/data/dbxdemo", gitea_headers("push"), gitea_push("refs/heads/release")).await;
    assert_eq!((reply.code, scene.requests()), (401, 0));
}

#[tokio::test]
async fn what_is_not_authentic_is_not_parsed() {
    assert_eq!(Scene::new().gitea(b"{".to_vec(), "another").await.code, 401);
    let scene = Scene::new();
    assert_eq!(scene.gitea(b"{".to_vec(), TOKEN).await.code, 400);
    assert!(scene.counted("gitea", "invalid"));
}

#[rstest]
#[case::empty(&[("token", "")])]
#[case::missing(&[("other", "x")])]
#[tokio::test]
async fn an_empty_token_opens_nothing(#[case] data: &[(&str, &str)]) {
    let scene = Scene::new().with(|cluster| {
        cluster.secrets.insert("hook".to_owned(), secret(data));
    });
    let reply = scene.gitea(gitea_push("refs/heads/release"), "").await;
    assert_eq!((reply.code, scene.releases().len()), (503, 0));
}

#[rstest]
#[case::missing_right(Some(403))]
#[case::missing_secret(None)]
#[case::broken_server(Some(500))]
#[tokio::test]
async fn a_secret_that_can_t_be_read_is_our_fault(#[case] code: Option<u16>) {
    let scene = Scene::new().with(|cluster| {
        cluster.secrets.clear();
        cluster.secrets_fail = code;
    });
    let reply = scene.push().await;
    assert_eq!(reply.code, 503);
    assert!(reply.retry_after.is_some());
    assert_eq!(reply.body, json!({"error": "the delivery can't be taken now"}));
    assert!(scene.counted("gitea", "error"));
}

#[tokio::test]
async fn the_same_push_twice_is_one_release() {
    let scene = Scene::new();
    let first = scene.push().await;
    let second = scene.push().await;
    assert_eq!((first.code, second.code), (202, 200));
    assert_eq!(second.body, json!({"release": first.body["release"], "duplicate": true}));
    assert_eq!(scene.releases().len(), 1);
    assert!(scene.counted("gitea", "duplicate"));
}

#[tokio::test]
async fn a_name_taken_by_another_release_is_no_duplicate() {
    let scene = Scene::new();
    let first = scene.push().await.body["release"].as_str().unwrap().to_owned();
    // Another commit has taken the name, and then the longer one too.
    for (taken, length) in [(1, 20), (2, 32)] {
        let names: Vec<String> = scene.releases().into_keys().collect();
        assert_eq!(names.len(), taken);
        scene.cluster.lock().unwrap().releases.values_mut().for_each(|release| {
            release["spec"]["source"]["git"]["commit"] = json!("a".repeat(40));
        });
        let reply = scene.push().await;
        let name = reply.body["release"].as_str().unwrap();
        assert_eq!((reply.code, name.len()), (202, "dbxdemo-".len() + length));
        assert!(name.starts_with(&first));
    }
    scene.cluster.lock().unwrap().releases.values_mut().for_each(|release| {
        release["spec"]["source"]["git"]["commit"] = json!("b".repeat(40));
    });
    assert_eq!(scene.push().await.code, 503);
}

#[rstest]
#[case(403)]
#[case(422)]
#[case(500)]
#[case(503)]
#[tokio::test]
async fn what_was_not_created_is_not_accepted(#[case] code: u16) {
    let scene = Scene::new().with(|cluster| cluster.creations_fail = Some(code));
    let reply = scene.push().await;
    assert_eq!((reply.code, scene.releases().len()), (503, 0));
    assert!(reply.retry_after.is_some());
    // The forge sends again when the API server is back.
    scene.cluster.lock().unwrap().creations_fail = None;
    assert_eq!(scene.push().await.code, 202);
}

#[rstest]
#[case::branch("refs/heads/main", "branch main")]
#[case::deeper_branch("refs/heads/release/1/2", "branch release/1/2")]
#[case::tag("refs/tags/v1", "tag")]
#[tokio::test]
async fn some_pushes_are_passed_over(#[case] reference: &str, #[case] why: &str) {
    let scene = Scene::new();
    let reply = scene.gitea(gitea_push(reference), TOKEN).await;
    assert_eq!((reply.code, reply.body, scene.releases().len()), (200, json!({"ignored": why}), 0));
    assert!(scene.counted("gitea", "ignored"));
}

#[tokio::test]
async fn a_deleted_branch_a_ping_and_another_repository_are_passed_over() {
    let scene = Scene::new();
    let changed = |from: &str, to: &str| {
        String::from_utf8(gitea_push("refs/heads/release")).unwrap().replace(from, to).into_bytes()
    };
    let deleted = scene.gitea(changed(samples::COMMIT, &"0".repeat(40)), TOKEN).await;
    assert_eq!((deleted.code, deleted.body), (200, json!({"ignored": "deleted branch"})));
    let other = scene.gitea(changed("data/dbxdemo", "data/other"), TOKEN).await;
    assert_eq!((other.code, other.body), (200, json!({"ignored": "repository"})));
    let ping = scene.send("/hooks/data/dbxdemo", gitea_signed("ping", b"{}", TOKEN), "{}").await;
    assert_eq!((ping.code, ping.body), (200, json!({"ignored": "ping"})));
    assert!(scene.releases().is_empty());
}

#[rstest]
#[case::name("/hooks/data/other")]
#[case::namespace("/hooks/other/dbxdemo")]
#[case::whole_namespace("/hooks/other")]
#[tokio::test]
async fn an_unknown_pipeline_is_not_found(#[case] path: &str) {
    let scene = Scene::new();
    let body = gitea_push("refs/heads/release");
    let reply = scene.send(path, gitea_signed("push", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.requests()), (404, 0));
    assert!(scene.counted("gitea", "unknown"));
}

#[tokio::test]
async fn a_pipeline_without_webhook_is_not_found() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.trigger.webhook = None;
    assert_eq!(scene.push().await.code, 404);
    let mut scene = Scene::new();
    scene.pipelines[0].spec.repository.provider = Provider::Generic;
    assert_eq!(scene.push().await.code, 404);
}

#[tokio::test]
async fn a_suspended_pipeline_asks_to_come_later() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.suspend = true;
    let reply = scene.push().await;
    assert_eq!((reply.code, reply.retry_after.as_deref(), scene.requests()), (503, Some("300"), 0));
    assert!(scene.counted("gitea", "suspended"));
}

#[tokio::test]
async fn before_the_pipelines_are_listed_nothing_is_unknown() {
    let scene = Scene { listed: false, ..Scene::new() };
    assert_eq!(scene.push().await.code, 503);
}
