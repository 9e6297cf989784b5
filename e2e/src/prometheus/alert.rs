//! An alert, as Prometheus' API shows it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Around every answer.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
}

/// The answer with all alerts.
#[derive(Debug, Deserialize)]
pub(super) struct Alerts {
    pub(super) alerts: Vec<Alert>,
}

/// The answer with all targets.
#[derive(Debug, Deserialize)]
pub(super) struct Targets {
    #[serde(rename = "activeTargets")]
    pub(super) active: Vec<Target>,
}

/// What is scraped, and how that goes. Its fields are read by people.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // printed with `Debug` only
pub(super) struct Target {
    scrape_url: String,
    health: String,
    last_error: String,
}

/// One alert.
#[derive(Clone, Debug, Deserialize)]
pub struct Alert {
    /// The rule's and the series' labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// Summary, description and runbook.
    pub annotations: BTreeMap<String, String>,
    /// `pending` or `firing`.
    pub state: String,
}

impl Alert {
    /// Whether it fires under this name, with at least these labels.
    pub(super) fn fires(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let has = |key: &str, value: &str| self.labels.get(key).is_some_and(|own| own == value);
        self.state == "firing" && has("alertname", name) && labels.iter().all(|(key, value)| has(key, value))
    }
}
