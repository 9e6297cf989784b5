//! Faults are mishaps ordered for coming requests: which, how often, and what happens to them.

use crate::state::{Refusal, lock};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;

/// Faults in force at a time.
const MAX_FAULTS: usize = 1000;
/// The longest a request may hang or be delayed.
const MAX_SECONDS: u64 = 3600;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Action {
    /// It isn't done; this status is the answer.
    Status {
        status: u16,
        /// Seconds for a `Retry-After` header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// It isn't done and not answered for so long.
    Hang {
        #[serde(default = "default_hang")]
        seconds: u64,
    },
    /// It isn't done; the answer is 200 with a page of HTML, as a login page behind a proxy.
    Html200,
    /// It isn't done; the connection is reset.
    Reset,
    /// It is done, but the answer says that it isn't.
    After {
        #[serde(default = "default_after")]
        status: u16,
    },
    /// It is done, and then the connection is reset.
    AfterReset,
    /// It is done a while later.
    Delay { ms: u64 },
    /// The answer is 200 with XML, as from a gateway.
    Xml200,
    /// A read answers what it would have before the last write.
    Stale,
    /// The request's token is refused from now on.
    Expire {
        #[serde(default = "default_expire")]
        status: u16,
    },
    /// The emulator ends at once, as by SIGKILL.
    Kill {
        /// Whether the request is done first.
        #[serde(default)]
        done: bool,
    },
}

fn default_expire() -> u16 {
    403
}

fn default_hang() -> u64 {
    600
}

fn default_after() -> u16 {
    503
}

impl Action {
    /// The word for the journal.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Hang { .. } => "hang",
            Self::Html200 => "html200",
            Self::Reset => "reset",
            Self::After { .. } => "after",
            Self::AfterReset => "after_reset",
            Self::Delay { .. } => "delay",
            Self::Xml200 => "xml200",
            Self::Stale => "stale",
            Self::Expire { .. } => "expire",
            Self::Kill { .. } => "kill",
        }
    }
}

/// Which requests are meant.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Match {
    /// The method; any if empty.
    method: String,
    /// The beginning of the path; `*` stands for one part of it, as in `/api/*/jobs/runs/get`.
    path: String,
}

impl Match {
    fn fits(&self, method: &str, path: &str) -> bool {
        if !self.method.is_empty() && !self.method.eq_ignore_ascii_case(method) {
            return false;
        }
        let mut given = path.split('/');
        let mut wanted = self.path.split('/').peekable();
        while let Some(want) = wanted.next() {
            let Some(part) = given.next() else { return false };
            let last = wanted.peek().is_none();
            if want != "*" && want != part && !(last && part.starts_with(want)) {
                return false;
            }
        }
        true
    }
}

/// One ordered fault.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Fault {
    #[serde(default, rename = "match")]
    target: Match,
    #[serde(flatten)]
    action: Action,
    /// How many requests it still meets.
    #[serde(default = "once")]
    times: u64,
    /// How many it still lets pass before.
    #[serde(default)]
    after: u64,
}

fn once() -> u64 {
    1
}

/// All faults in force.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// What a login page looks like to a client that wanted JSON.
    pub(crate) const LOGIN_PAGE: &str = "<!doctype html><html><head><title>Sign in</title></head>\
        <body><form action=\"/login.html\"><input name=\"user\"></form></body></html>";

    /// The same for XML.
    pub(crate) const XML_PAGE: &str =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>ServiceUnavailable</Code></Error>";

    /// Orders faults: all of them, or if one can't be, none.
    pub(crate) fn order(&self, more: Vec<Fault>) -> Result<(), Refusal> {
        let out_of_bounds = |fault: &Fault| match &fault.action {
            Action::Hang { seconds } => *seconds > MAX_SECONDS,
            Action::Delay { ms } => *ms > MAX_SECONDS * 1000,
            Action::Status { status, .. } | Action::After { status } => !(200..600).contains(status),
            Action::Expire { status } => !matches!(status, 401 | 403),
            _ => false,
        };
        let mut faults = lock(&self.0);
        if more.iter().any(out_of_bounds) || faults.len() + more.len() > MAX_FAULTS {
            return Err(Refusal::Invalid("a fault is out of bounds".to_owned()));
        }
        faults.extend(more);
        Ok(())
    }

    /// Whether some read will be stale, so that answers have to be kept.
    pub(crate) fn has_stale(&self) -> bool {
        lock(&self.0).iter().any(|fault| fault.action == Action::Stale)
    }

    /// The fault that this request meets: the first that fits. It counts.
    pub(crate) fn strike(&self, method: &str, path: &str) -> Option<Action> {
        let mut faults = lock(&self.0);
        let place = faults.iter().position(|fault| fault.target.fits(method, path))?;
        let fault = &mut faults[place];
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.times = fault.times.saturating_sub(1);
        let action = fault.action.clone();
        if fault.times == 0 {
            faults.remove(place);
        }
        Some(action)
    }

    /// Those still in force.
    pub(crate) fn list(&self) -> Vec<Fault> {
        lock(&self.0).clone()
    }

    /// Ends them all.
    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn order(faults: &Faults, text: &str) {
        faults.order(vec![serde_json::from_str(text).unwrap()]).unwrap();
    }

    #[rstest]
    #[case("/api/*/jobs/runs/get", "/api/2.1/jobs/runs/get", true)]
    #[case("/api/*/jobs/runs/get", "/api/2.1/jobs/runs/get-output", true)]
    #[case("/api/2.0/dbfs", "/api/2.1/dbfs/put", false)]
    #[case("/api/2.0/fs/files/", "/api/2.0/fs/files/Volumes/a", true)]
    #[case("", "/anything", true)]
    #[case("/api/2.0/jobs/runs", "/api/2.0/jobs", false)]
    fn a_path_is_matched_from_its_beginning(#[case] pattern: &str, #[case] path: &str, #[case] want: bool) {
        let target = Match { method: String::new(), path: pattern.to_owned() };
        assert_eq!(target.fits("GET", path), want);
    }

    #[test]
    fn a_fault_lets_some_pass_and_then_strikes_so_often() {
        let faults = Faults::default();
        order(&faults, r#"{"match":{"method":"post","path":"/x"},"kind":"status","status":503,"times":2,"after":1}"#);
        assert_eq!(faults.strike("GET", "/x"), None);
        assert_eq!(faults.strike("POST", "/x"), None);
        assert!(faults.strike("POST", "/x").is_some());
        assert!(faults.strike("POST", "/x").is_some());
        assert_eq!(faults.strike("POST", "/x"), None);
    }

    #[test]
    fn unbounded_faults_are_refused() {
        let fault = serde_json::from_str(r#"{"kind":"hang","seconds":99999999}"#).unwrap();
        let fine = serde_json::from_str(r#"{"kind":"xml200"}"#).unwrap();
        let faults = Faults::default();
        assert!(faults.order(vec![fine, fault]).is_err());
        assert!(faults.list().is_empty(), "all or nothing");
    }
}
