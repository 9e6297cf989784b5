//! A pull request: what Gitea, Forgejo and GitHub say about one, in one shape.

use serde::Deserialize;

use super::payload::{self, Person, Repository};
use super::push::{Event, Malformed, is_branch, is_commit, person};
use crate::forge::event::{Action, PullRequest};

/// The highest number, as in the schema: 18 digits.
const MAX_NUMBER: u64 = 999_999_999_999_999_999;

/// Reads the body of an authenticated delivery. `synchronized` is the forge's word for another commit.
pub(super) fn parse(body: &[u8], synchronized: &str) -> Result<Event, Malformed> {
    let payload: Payload = payload::read(body)?;
    let (action, again) = match payload.action.as_deref() {
        Some("opened") => (Action::Build, false),
        Some("reopened") => (Action::Build, true),
        Some(action) if action == synchronized => (Action::Build, true),
        Some("closed") => (Action::Close, false),
        Some(other) => {
            return Ok(Event::Ignored(format!("pull request {}", super::delivery::printable(other))));
        }
        None => return Err(Malformed::Field("action")),
    };
    payload.check(action, again).map(Event::PullRequest)
}

/// The fields that matter here; all others are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Option<String>,
    number: Option<u64>,
    before: Option<String>,
    pull_request: Option<Request>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    user: Option<Person>,
    head: Option<Side>,
    base: Option<Side>,
    updated_at: Option<String>,
}

/// One of the two branches.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Side {
    #[serde(rename = "ref")]
    reference: Option<String>,
    sha: Option<String>,
    /// None if the repository was deleted.
    repo: Option<Repository>,
}

impl Payload {
    /// Checks every field.
    fn check(self, action: Action, again: bool) -> Result<PullRequest, Malformed> {
        let number =
            self.number.filter(|number| (1..=MAX_NUMBER).contains(number)).ok_or(Malformed::Field("number"))?;
        let request = self.pull_request.unwrap_or_default();
        let (head, base) = (request.head.unwrap_or_default(), request.base.unwrap_or_default());
        let target = format!("refs/heads/{}", base.reference.unwrap_or_default());
        if !is_branch(&target) {
            return Err(Malformed::Field("pull_request.base.ref"));
        }
        let commit = head.sha.unwrap_or_default().to_ascii_lowercase();
        if !is_commit(&commit) {
            return Err(Malformed::Field("pull_request.head.sha"));
        }
        let repository_urls = self.repository.unwrap_or_default().urls();
        if repository_urls.is_empty() {
            return Err(Malformed::Field("repository"));
        }
        let id = |repo: Option<Repository>| repo.and_then(|repo| repo.id).filter(|id| *id > 0);
        let (from, into) = (id(head.repo), id(base.repo));
        let author = request.user.unwrap_or_default().names();
        let updated = request.updated_at.and_then(|time| time.parse().ok());
        Ok(PullRequest {
            repository_urls,
            number,
            action,
            target,
            commit,
            before: self.before.map(|before| before.to_ascii_lowercase()).filter(|before| is_commit(before)),
            // What is not known to be the same repository is another one.
            is_fork: from.is_none() || from != into,
            author: author.iter().find_map(|name| person(name)),
            again: updated.filter(|_| again),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::samples;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn with(pointer: &str, value: Value) -> Vec<u8> {
        let mut body = samples::pull_request_body("opened");
        *body.pointer_mut(pointer).expect(pointer) = value;
        body.to_string().into_bytes()
    }

    fn read(body: &[u8]) -> PullRequest {
        let Ok(Event::PullRequest(request)) = parse(body, "synchronize") else { panic!("not a pull request") };
        request
    }

    #[rstest]
    #[case("opened", Action::Build, false)]
    #[case("synchronize", Action::Build, true)]
    #[case("reopened", Action::Build, true)]
    #[case("closed", Action::Close, false)]
    fn what_matters_is_read(#[case] word: &str, #[case] action: Action, #[case] again: bool) {
        let request = read(samples::pull_request_body(word).to_string().as_bytes());
        assert_eq!((request.action, request.again.is_some()), (action, again));
        assert_eq!((request.number, request.branch()), (12, "release"));
        assert_eq!((request.reference().as_str(), request.commit.as_str()), ("refs/pull/12/head", samples::COMMIT));
        assert_eq!((request.author.as_deref(), request.is_fork), (Some("ana@example.com"), false));
    }

    #[rstest]
    #[case::edited("edited")]
    #[case::labeled("labeled")]
    #[case::of_another_forge("synchronized")]
    fn other_actions_are_passed_over(#[case] word: &str) {
        let body = samples::pull_request_body(word).to_string();
        assert_eq!(parse(body.as_bytes(), "synchronize"), Ok(Event::Ignored(format!("pull request {word}"))));
    }

    #[rstest]
    #[case::another_repository("/pull_request/head/repo/id", json!(2))]
    #[case::deleted_repository("/pull_request/head/repo", Value::Null)]
    #[case::unknown_repository("/pull_request/head/repo/id", Value::Null)]
    #[case::nobodys_repository("/pull_request/head/repo/id", json!(0))]
    fn what_is_not_known_to_be_the_repository_itself_is_a_fork(#[case] pointer: &str, #[case] value: Value) {
        assert!(read(&with(pointer, value)).is_fork);
    }

    #[rstest]
    #[case("/action", Value::Null, "action")]
    #[case("/number", json!(0), "number")]
    #[case("/number", json!(u64::MAX), "number")]
    #[case("/pull_request/base/ref", json!("a..b"), "pull_request.base.ref")]
    #[case("/pull_request/base/ref", Value::Null, "pull_request.base.ref")]
    #[case("/pull_request/head/sha", json!("9b1c0de"), "pull_request.head.sha")]
    #[case("/repository", Value::Null, "repository")]
    fn what_is_missing_is_named(#[case] pointer: &str, #[case] value: Value, #[case] field: &'static str) {
        assert_eq!(parse(&with(pointer, value), "synchronize"), Err(Malformed::Field(field)));
    }

    proptest! {
        #[test]
        fn takes_any_json(body in samples::any_json()) {
            let _ = parse(body.to_string().as_bytes(), "synchronize");
        }
    }
}
