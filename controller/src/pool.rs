//! Build pools: where builds run, and how many at the same time.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use serde::Deserialize;

/// One pool, as the chart's `builds.pools` has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Pool {
    /// How many builds run at the same time.
    pub(crate) slots: usize,
    /// Labels that the nodes of the pool have.
    pub(crate) node_selector: BTreeMap<String, String>,
    /// Taints of those nodes that its builds tolerate.
    pub(crate) tolerations: Vec<Toleration>,
}

/// The pools that `BRICKLINE_BUILD_POOLS` holds as JSON.
pub(crate) fn read(text: &str) -> Result<BTreeMap<String, Pool>, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_has_slots_and_nodes() {
        let pools = read(r#"{"default": {"slots": 10}, "gpu": {"slots": 1, "nodeSelector": {"gpu": "yes"}}}"#).unwrap();
        assert_eq!(pools["default"].slots, 10);
        assert_eq!(pools["gpu"].node_selector["gpu"], "yes");
        assert!(read(r#"{"default": {"slot": 10}}"#).is_err(), "a word that nobody reads is a mistake");
    }
}
