//! What a client submits as a one-time run, in the flat shape of API 2.0 or with `tasks`.

use crate::{
    spec::{Known, Plan, invalid, job::QueueSettings},
    state::{Refusal, RunRecord, run::Origin},
};
use serde::Deserialize;

const MAX_TOKEN: usize = 64;

/// The token that makes a run unique; an empty one is none.
pub(crate) fn check_token(token: Option<String>) -> Result<Option<String>, Refusal> {
    let token = token.filter(|token| !token.is_empty());
    if token.as_ref().is_some_and(|token| token.len() > MAX_TOKEN) {
        return invalid(format!("idempotency_token must have at most {MAX_TOKEN} characters."));
    }
    Ok(token)
}

/// The body of `runs/submit`.
#[derive(Deserialize)]
pub(crate) struct Submission {
    #[serde(default)]
    run_name: Option<String>,
    #[serde(default)]
    idempotency_token: Option<String>,
    /// What becomes of it if the workspace has no room for it.
    #[serde(default)]
    queue: Option<QueueSettings>,
    #[serde(flatten)]
    plan: Plan,
}

impl Submission {
    /// Whether it may wait.
    pub(crate) fn may_wait(&self) -> bool {
        self.queue.is_some_and(|queue| queue.enabled)
    }

    /// The record of the run, not yet started.
    pub(crate) fn accept(self, creator: &str, known: Known<'_>) -> Result<RunRecord, Refusal> {
        let token = check_token(self.idempotency_token)?;
        let name = self.run_name.as_deref().unwrap_or("Untitled");
        Ok(RunRecord::new(self.plan.accept(known)?, name, creator, token, Origin::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Clusters;
    use serde_json::json;

    #[test]
    fn a_token_has_a_length() {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(folder.path().to_owned()).unwrap();
        clusters.define(crate::state::ClusterRecord::new("c", "c", "14.3"));
        let accept = |token: &str| {
            let body = json!({ "existing_cluster_id": "c", "notebook_task": { "notebook_path": "/n" }, "idempotency_token": token });
            serde_json::from_value::<Submission>(body).unwrap().accept("me", Known::strict(&clusters))
        };
        assert_eq!(accept(&"x".repeat(64)).unwrap().idempotency_token, Some("x".repeat(64)));
        assert_eq!(accept("").unwrap().idempotency_token, None);
        assert!(accept(&"x".repeat(65)).is_err());
    }
}
