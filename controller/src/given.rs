//! The approvals of a release, listed once however often its gate is looked at in a row.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brickline_crds::{DatabricksRelease, ReleaseApproval};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::workspace::protection::Approval;

/// How long a list holds while the watch tells of no change: as long as one walk through a gate may take.
const HOLDS: Duration = Duration::from_secs(10);

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
    pub(crate) async fn of(
        &self,
        release: &DatabricksRelease,
        kube: &Client,
    ) -> Result<Arc<Vec<Approval>>, kube::Error> {
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

    fn lists(&self) -> MutexGuard<'_, HashMap<String, Listed>> {
        self.0.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    fn holds(&self, changes: u64) -> bool {
        self.changes == changes && self.at.elapsed() < HOLDS
    }
}

async fn list(release: &DatabricksRelease, kube: &Client) -> Result<Vec<Approval>, kube::Error> {
    let approvals: Api<ReleaseApproval> = Api::namespaced(kube.clone(), &release.namespace().unwrap_or_default());
    let ours = ListParams::default().fields(&format!("spec.releaseRef.name={}", release.name_any()));
    let listed = approvals.list(&ours).await?;
    let read = |approval: ReleaseApproval| Approval {
        created: approval.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        approver: approval.spec.approver,
        decision: approval.spec.decision,
        comment: approval.spec.comment,
        uid: approval.spec.release_ref.uid,
        digest: approval.spec.artifact_digest,
    };
    Ok(listed.items.into_iter().map(read).collect())
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
            assert_eq!(request.uri().query(), Some("&fieldSelector=spec.releaseRef.name%3Done"));
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
}
