//! What this phase's look and its effects ask of one cluster, without a release: for the contract.

use super::{Call, Cluster, act, observe};
use crate::databricks::Client;
use crate::trouble::Trouble;

pub(crate) async fn look(client: &Client, cluster: &str) -> Result<Cluster, Trouble> {
    Ok(observe::look(client, cluster.to_owned()).await?)
}

pub(crate) async fn carry_out(client: &Client, call: &Call) -> Result<(), Trouble> {
    Ok(act::carry_out(client, call).await?)
}
