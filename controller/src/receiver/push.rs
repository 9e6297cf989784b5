//! What a delivery means: what every forge says about a branch that moved, in one shape.

use crate::forge::event::{PullRequest, Push};

/// Marks a ref that the push deleted.
const NOTHING: char = '0';
/// The longest clone URL, as in the schema.
const MAX_URL: usize = 1024;
/// Clone URLs looked at: forges send three or four forms.
pub(super) const MAX_URLS: usize = 8;
/// The longest ref, as in the schema.
const MAX_REFERENCE: usize = 512;
/// The longest name of a person, as in the schema.
const MAX_PERSON: usize = 320;

/// What a delivery means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A branch moved.
    Push(Push),
    /// A pull request was opened, changed or closed.
    PullRequest(PullRequest),
    /// Nothing that becomes a release; in a few words why.
    Ignored(String),
}

impl Event {
    /// An event of another kind, by the name in the delivery's header.
    pub(super) fn of_kind(kind: &str) -> Self {
        match kind {
            "ping" => Self::Ignored("ping".to_owned()),
            other => Self::Ignored(format!("event {}", super::delivery::printable(other))),
        }
    }
}

/// Why a delivery is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// The header with the event's name is missing.
    #[error("the header with the event's name is missing")]
    NoKind,
    /// The body is not JSON, or not of such an event. The content type must be `application/json`.
    #[error("the body is not the JSON of such an event: set the webhook's content type to application/json")]
    Json,
    /// A field of the event is missing or not as git would write it.
    #[error("the event has no usable `{0}`")]
    Field(&'static str),
}

/// A push as a forge wrote it, not checked yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    /// The forms of its address that may be a clone URL.
    pub(super) repository_urls: Vec<String>,
    pub(super) reference: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) deleted: bool,
    /// Names of the pusher, the best first.
    pub(super) pushers: Vec<String>,
}

impl Claim {
    /// Checks every field.
    pub(super) fn check(self) -> Result<Event, Malformed> {
        let reference = self.reference.unwrap_or_default();
        if reference.starts_with("refs/tags/") {
            return Ok(Event::Ignored("tag".to_owned()));
        }
        if !is_branch(&reference) {
            return Err(Malformed::Field("ref"));
        }
        let commit = self.after.unwrap_or_default().to_ascii_lowercase();
        if !is_commit(&commit) {
            return Err(Malformed::Field("after"));
        }
        if self.deleted || is_nothing(&commit) {
            return Ok(Event::Ignored("deleted branch".to_owned()));
        }
        let before = self.before.map(|before| before.to_ascii_lowercase());
        let before = before.filter(|before| is_commit(before) && !is_nothing(before));
        if self.repository_urls.is_empty() {
            return Err(Malformed::Field("repository"));
        }
        let pusher = self.pushers.iter().find_map(|name| person(name));
        Ok(Event::Push(Push { repository_urls: self.repository_urls, reference, commit, before, pusher }))
    }
}

/// Whether it may be a clone URL.
pub(super) fn is_usable(url: &str) -> bool {
    !url.is_empty() && url.len() <= MAX_URL
}

/// Whether git allows it as a branch's ref, and the schema of releases too.
pub(super) fn is_branch(reference: &str) -> bool {
    let foreign = |c: char| c.is_whitespace() || c.is_control() || "~^:?*\\[".contains(c);
    let name = reference.strip_prefix("refs/heads/").unwrap_or_default();
    !name.is_empty() && reference.len() <= MAX_REFERENCE && !name.contains("..") && !name.contains(foreign)
}

fn is_nothing(commit: &str) -> bool {
    commit.chars().all(|c| c == NOTHING)
}

pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// One line of bounded length; none if nothing is left.
pub(super) fn person(name: &str) -> Option<String> {
    let line: String = name.chars().filter(|c| !c.is_control()).take(MAX_PERSON).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const COMMIT: &str = "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";

    fn claim(reference: &str, after: &str) -> Claim {
        Claim {
            repository_urls: vec!["https://git.example.com/data/dbxdemo.git".to_owned()],
            reference: Some(reference.to_owned()),
            after: Some(after.to_owned()),
            ..Claim::default()
        }
    }

    #[rstest]
    #[case("refs/tags/v1", COMMIT, "tag")]
    #[case("refs/heads/release", "0000000000000000000000000000000000000000", "deleted branch")]
    fn some_pushes_are_no_release(#[case] reference: &str, #[case] after: &str, #[case] why: &str) {
        assert_eq!(claim(reference, after).check(), Ok(Event::Ignored(why.to_owned())));
    }

    #[rstest]
    #[case("", COMMIT, "ref")]
    #[case("refs/heads/", COMMIT, "ref")]
    #[case("release", COMMIT, "ref")]
    #[case("refs/heads/a b", COMMIT, "ref")]
    #[case("refs/heads/a..b", COMMIT, "ref")]
    #[case("refs/heads/*", COMMIT, "ref")]
    #[case("refs/heads/a\n", COMMIT, "ref")]
    #[case("refs/heads/release", "", "after")]
    #[case("refs/heads/release", "main", "after")]
    #[case("refs/heads/release", "9b1c0de", "after")]
    fn refuses_what_git_would_not_write(#[case] reference: &str, #[case] after: &str, #[case] field: &'static str) {
        assert_eq!(claim(reference, after).check(), Err(Malformed::Field(field)));
    }

    #[rstest]
    #[case(None, None)]
    #[case(Some("main"), None)]
    #[case(Some("0000000000000000000000000000000000000000"), None)]
    #[case(Some("1F2E3D4C5B6A1F2E3D4C5B6A1F2E3D4C5B6A1F2E"), Some("1f2e3d4c5b6a1f2e3d4c5b6a1f2e3d4c5b6a1f2e"))]
    fn where_a_branch_was_before_is_a_commit_or_nothing(#[case] told: Option<&str>, #[case] expected: Option<&str>) {
        let claim = Claim { before: told.map(str::to_owned), ..claim("refs/heads/release", COMMIT) };
        let Ok(Event::Push(push)) = claim.check() else { panic!("not a push") };
        assert_eq!(push.before.as_deref(), expected);
    }

    #[test]
    fn commits_are_lower_case_and_people_bounded() {
        let long = "é\n".repeat(1000);
        let claim = Claim {
            pushers: vec![String::new(), " \t".to_owned(), long],
            ..claim("refs/heads/release/1", &COMMIT.to_uppercase())
        };
        let Ok(Event::Push(push)) = claim.check() else { panic!("not a push") };
        assert_eq!((push.commit.as_str(), push.branch()), (COMMIT, "release/1"));
        assert_eq!(push.pusher.unwrap(), "é".repeat(MAX_PERSON));
    }
}
