//! Waits that others have interrupted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reason;

/// A wait that another one has interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waited {
    /// What for, as in `waiting.reason`.
    pub reason: Reason,
    /// How long, in seconds.
    pub seconds: u64,
}
