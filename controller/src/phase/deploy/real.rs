//! A deployment of notebooks without anything around it: for the contract.

use std::future::pending;

use brickline_crds::{
    Changes, DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, DeployItem, Drift, ItemKind, labels,
};
use serde_json::json;

use super::work::Work;
use crate::artifact::samples::{Shop, built, named};
use crate::log::Logs;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace::Connection;

/// Whose deployment it is, and where to.
pub(crate) struct Site {
    pub(crate) shop: Shop,
    pub(crate) folder: String,
    /// It names the state file, too.
    pub(crate) pipeline: String,
}

impl Site {
    /// All of the phase, as a release of this uid; of so many tries only the last one is heard of.
    pub(crate) async fn deploy(
        &self,
        connection: Connection,
        uid: &str,
        notebooks: &[(&str, &str)],
        tries: u32,
    ) -> Result<Changes, Trouble> {
        let release = self.release(uid, notebooks).await;
        let work = Work::begin(&release, connection, &self.shop.artifacts, Logs::default(), "contract".into()).await?;
        let done = match work.plan().await? {
            Outcome::Planned(planned) => {
                for _ in 1..tries {
                    work.write(planned.ticket, pending()).await?;
                }
                work.write(planned.ticket, pending()).await?
            }
            done => done,
        };
        match done {
            Outcome::Deployed(deployed) => Ok(deployed.changes),
            other => panic!("{other:?}"),
        }
    }

    async fn release(&self, uid: &str, notebooks: &[(&str, &str)]) -> DatabricksRelease {
        let mut spec: DatabricksReleaseSpec = serde_json::from_value(json!({"source": {}})).unwrap();
        let (to, kind) = (self.folder.clone(), ItemKind::Notebook);
        spec.deploy.items =
            Some(vec![DeployItem { from: "**".into(), to, kind, prune: true, ..DeployItem::default() }]);
        // Only what the state file says, as in the simulator.
        spec.deploy.drift = Drift::Off;
        let mut release = DatabricksRelease::new(uid, spec);
        release.metadata.uid = Some(uid.to_owned());
        release.metadata.namespace = Some("contract".to_owned());
        release.metadata.labels = Some([(labels::PIPELINE.to_owned(), self.pipeline.clone())].into());
        let artifact = Some(named(&self.shop.hand_in(uid, &built(uid, notebooks, &[])).await));
        release.status = Some(DatabricksReleaseStatus { artifact, ..DatabricksReleaseStatus::default() });
        release
    }
}
