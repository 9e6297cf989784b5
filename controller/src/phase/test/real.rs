//! What this phase asks of runs, without a release: for the contract.

use super::{Sight, act, observe, stop};
use crate::databricks::Client;
use crate::databricks::runs::Submit;
use crate::trouble::Trouble;

pub(crate) async fn submit(client: &Client, submit: &Submit) -> Result<i64, Trouble> {
    let submitted = client.submit_run(submit).await;
    submitted.map_err(|error| act::refused("notebooks/contract.py", error).trouble)
}

/// The runs in this order.
pub(crate) async fn sights(client: &Client, runs: &[i64]) -> Result<Vec<Sight>, Trouble> {
    let submitted: Vec<(u32, i64)> = (0..).zip(runs.iter().copied()).collect();
    Ok(observe::sights(client, &submitted).await?.into_values().collect())
}

pub(crate) async fn cancel(client: &Client, run: i64) -> Result<(), Trouble> {
    Ok(stop::cancel(client, run).await?)
}
