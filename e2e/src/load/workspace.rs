//! The workspace's side: when the work that a release ordered there was done, asked of the emulator itself.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use crate::system::Emulator;

/// How often the libraries are looked at: the hand-over after Install may come out longer by this, never shorter.
const GLANCE: Duration = Duration::from_millis(50);
/// Requests that change something but belong to other phases than Deploy.
const OTHERS: [&str; 3] = ["/libraries/", "/clusters/", "/jobs/"];

/// A team's emulator, as a watch on it sees it.
pub(super) struct Workspace<'a>(pub(super) &'a Emulator);

impl Workspace<'_> {
    /// When the last request after number `since` that wrote something into the workspace had been answered.
    pub(super) async fn last_write(&self, since: u64) -> anyhow::Result<Timestamp> {
        let requests = self.0.requests(since).await?;
        let answered = requests
            .iter()
            .filter(|request| is_deployment(request))
            .filter_map(|request| Some(request["time"].as_i64()? + request["duration_ms"].as_i64()?));
        let last = answered.max().context("nothing was written into the workspace")?;
        Ok(Timestamp::from_millisecond(last)?)
    }

    /// Looks at the only cluster's libraries again and again, and notes in `missing` when the last look was begun that did not
    /// find exactly one, installed. Ends with the first look that fails.
    pub(super) async fn watch_libraries(&self, missing: &mut Option<Timestamp>) -> anyhow::Error {
        loop {
            let now = Timestamp::now();
            match self.0.get("/api/2.0/libraries/all-cluster-statuses").await {
                Ok(status) if is_installed(&status) => {}
                Ok(_) => *missing = Some(now),
                Err(error) => return error,
            }
            sleep(GLANCE).await;
        }
    }

    /// When the latest run ended.
    pub(super) async fn run_ended(&self) -> anyhow::Result<Timestamp> {
        let runs = self.0.get("/api/2.1/jobs/runs/list?completed_only=true").await?;
        let ends = runs["runs"].as_array().into_iter().flatten().filter_map(|run| run["end_time"].as_i64());
        Ok(Timestamp::from_millisecond(ends.max().context("no run has ended")?)?)
    }
}

fn is_deployment(request: &Value) -> bool {
    let (method, path) = (request["method"].as_str().unwrap_or(""), request["path"].as_str().unwrap_or(""));
    !["GET", "HEAD"].contains(&method) && !OTHERS.iter().any(|other| path.contains(other))
}

fn is_installed(status: &Value) -> bool {
    let libraries = status["statuses"][0]["library_statuses"].as_array().map(Vec::as_slice).unwrap_or_default();
    matches!(libraries, [one] if one["status"] == "INSTALLED")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_writes_of_the_deployment_count() {
        let request = |method: &str, path: &str| is_deployment(&json!({"method": method, "path": path}));
        assert!(request("POST", "/api/2.0/workspace/import"));
        assert!(request("PUT", "/api/2.0/fs/files/Volumes/a/b/c/x.whl"));
        assert!(!request("GET", "/api/2.0/workspace/get-status"));
        assert!(!request("POST", "/api/2.0/libraries/uninstall"));
        assert!(!request("POST", "/api/2.1/clusters/restart"));
    }

    #[test]
    fn a_replaced_library_is_installed_when_it_is_alone() {
        let status = |states: &[&str]| {
            let list: Vec<Value> = states.iter().map(|state| json!({"status": state})).collect();
            is_installed(&json!({"statuses": [{"library_statuses": list}]}))
        };
        assert!(status(&["INSTALLED"]));
        assert!(!status(&["INSTALLING"]));
        assert!(!status(&["UNINSTALL_ON_RESTART", "INSTALLED"]));
        assert!(!is_installed(&json!({"statuses": [{"cluster_id": "x"}]})));
    }
}
