//! Giving locks back, or keeping them for work that did not stop.
//!
//! The holder's locks are found by its uid, not named again: what they were named by (the artifact, the workspace) may be
//! gone by now. Both are harmless when repeated.

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};

use super::lease::{LOCK, RELEASE_UID, recording, tenant};
use super::work::Work;
use super::{Locks, TRIES, restless};
use crate::trouble::Trouble;

impl Locks {
    /// Deletes every lock of the release with that uid. What is gone, or another's by now, counts as done.
    pub(crate) async fn release(&self, uid: &str) -> Result<(), Trouble> {
        for lease in self.held_by(uid).await? {
            self.delete(lease, uid).await?;
        }
        Ok(())
    }

    /// Writes into every lock of the release what may still be alive. The locks stay when the release ends, until that
    /// work is over or an operator deletes the Lease.
    pub(crate) async fn keep(&self, uid: &str, work: &Work) -> Result<(), Trouble> {
        for lease in self.held_by(uid).await? {
            self.record(lease, uid, work).await?;
        }
        Ok(())
    }

    async fn held_by(&self, uid: &str) -> Result<Vec<Lease>, Trouble> {
        let ours = ListParams::default().labels(&format!("{LOCK},{RELEASE_UID}={uid}"));
        let leases = self.leases().list(&ours).await?;
        Ok(leases.items.into_iter().filter(|lease| is_of(lease, uid)).collect())
    }

    async fn delete(&self, lease: Lease, uid: &str) -> Result<(), Trouble> {
        let name = lease.name_any();
        let mut lease = Some(lease);
        for _ in 0..TRIES {
            let Some(stored) = lease.filter(|lease| is_of(lease, uid)) else { return Ok(()) };
            let unchanged = Preconditions { uid: stored.uid(), resource_version: stored.resource_version() };
            let delete = DeleteParams { preconditions: Some(unchanged), ..DeleteParams::default() };
            match self.leases().delete(&name, &delete).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
            lease = self.leases().get_opt(&name).await?;
        }
        Err(restless(&name))
    }

    async fn record(&self, lease: Lease, uid: &str, work: &Work) -> Result<(), Trouble> {
        let name = lease.name_any();
        let mut lease = Some(lease);
        for _ in 0..TRIES {
            let Some(stored) = lease.filter(|lease| is_of(lease, uid)) else { return Ok(()) };
            let recorded = recording(stored.clone(), work);
            if recorded == stored {
                return Ok(());
            }
            match self.leases().replace(&name, &PostParams::default(), &recorded).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
            lease = self.leases().get_opt(&name).await?;
        }
        Err(restless(&name))
    }
}

fn is_of(lease: &Lease, uid: &str) -> bool {
    tenant(lease).is_some_and(|tenant| tenant.uid == uid)
}
