//! The approvals of a release, listed once however often its gate is looked at in a row.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brickline_crds::{DatabricksRelease, Reason, ReleaseApproval};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::trouble::Trouble;
use crate::workspace::protection::Approval;

/// How long a list holds while the watch tells of no change: as long as one walk through a gate may take.
const HOLDS: Duration = Duration::from_secs(10);

/// How many approvals one request lists, and how many requests there are at most. People who may approve may write as many
/// as they like; a list that was not read to its end could miss a rejection.
const PAGE: u32 = 500;
const PAGES: usize = 20;

/// Shared by all gates. An approval that comes or goes makes every list be read again.
#[derive(Clone, Default)]
pub(crate) struct Given(Arc<State>);

#[derive(Default)]
struct State {
    /// How often an approval came or went.
    changes: AtomicU64,
    /// By the release's uid.
    lists: Mutex<HashMap<String, Listed>>,
}

#[derive(Clone)]
struct Listed {
    /// The count of changes before it was read.
    changes: u64,
    at: Instant,
    approvals: Arc<Vec<Approval>>,
}

impl Given {
    /// An approval came or went.
    pub(crate) fn changed(&self) {
        self.0.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// What people said of the release.
    pub(crate) async fn of(&self, release: &DatabricksRelease, kube: &Client) -> Result<Arc<Vec<Approval>>, Trouble> {
        let uid = release.uid().unwrap_or_default();
        let changes = self.0.changes.load(Ordering::SeqCst);
        if let Some(listed) = self.lists().get(&uid).filter(|listed| listed.holds(changes)) {
            return Ok(Arc::clone(&listed.approvals));
        }
        let approvals = Arc::new(list(release, kube).await?);
        let mut lists = self.lists();
        lists.retain(|_, listed| listed.holds(changes));
        lists.insert(uid, Listed { changes, at: Instant::now(), approvals: Arc::clone(&approvals) });
        Ok(approvals)
    }

    /// The next look at this release's reads them anew.
    pub(crate) fn forget(&self, release: &DatabricksRelease) {
        self.lists().remove(&release.uid().unwrap_or_default());
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<String, Listed>> {
        self.0.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    fn holds(&self, changes: u64) -> bool {
        self.changes == changes && self.at.elapsed() < HOLDS
    }
}

async fn list(release: &DatabricksRelease, kube: &Client) -> Result<Vec<Approval>, Trouble> {
    let approvals: Api<ReleaseApproval> = Api::namespaced(kube.clone(), &release.namespace().unwrap_or_default());
    let mut ours = ListParams::default().fields(&format!("spec.releaseRef.name={}", release.name_any())).limit(PAGE);
    let read = |approval: ReleaseApproval| Approval {
        created: approval.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        approver: approval.spec.approver,
        decision: approval.spec.decision,
        comment: approval.spec.comment,
        uid: approval.spec.release_ref.uid,
        digest: approval.spec.artifact_digest,
    };
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let page = approvals.list(&ours).await?;
        found.extend(page.items.into_iter().map(read));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => ours = ours.continue_token(&token),
            None => return Ok(found),
        }
    }
    let why = format!("release {} has more than {} approvals: delete some", release.name_any(), found.len());
    Err(Trouble::passing(Reason::DependencyNotReady, why))
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn approvals_are_listed_once_until_one_comes_or_goes() {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let service = tower::service_fn(move |request: Request<Body>| {
            assert_eq!(request.uri().query(), Some("&fieldSelector=spec.releaseRef.name%3Done&limit=500"));
            count.fetch_add(1, Ordering::SeqCst);
            let list = json!({"kind": "ReleaseApprovalList", "apiVersion": "brickline.dev/v1alpha1", "metadata": {}, "items": []});
            async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from(list.to_string().into_bytes()))) }
        });
        let kube = Client::new(service, "default");
        let mut release = DatabricksRelease::new("one", brickline_crds::DatabricksReleaseSpec::default());
        release.metadata.namespace = Some("data".to_owned());
        release.metadata.uid = Some("uid".to_owned());
        let given = Given::default();
        for expected in [1, 1, 2] {
            if expected == 2 {
                given.changed();
            }
            assert_eq!(*given.of(&release, &kube).await.unwrap(), []);
            assert_eq!(asked.load(Ordering::SeqCst), expected);
        }
    }

    #[tokio::test]
    async fn however_many_there_are_all_are_read_or_none_counts() {
        let endless = |pages: u32| {
            let asked = Arc::new(AtomicU64::new(0));
            let service = tower::service_fn(move |_: Request<Body>| {
                let page = asked.fetch_add(1, Ordering::SeqCst) + 1;
                let more = if page < u64::from(pages) { "more" } else { "" };
                let list = json!({"kind": "ReleaseApprovalList", "apiVersion": "brickline.dev/v1alpha1", "metadata": {"continue": more}, "items": [{
                    "metadata": {"name": "a"},
                    "spec": {"releaseRef": {"name": "one", "uid": "uid"}, "artifactDigest": "sha256:a", "approver": "ana", "decision": "Approved"},
                }]});
                async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from(list.to_string().into_bytes()))) }
            });
            Client::new(service, "default")
        };
        let release = DatabricksRelease::new("one", brickline_crds::DatabricksReleaseSpec::default());
        assert_eq!(list(&release, &endless(3)).await.unwrap().len(), 3);
        assert_eq!(list(&release, &endless(u32::MAX)).await.unwrap_err().reason, Reason::DependencyNotReady);
    }
}
