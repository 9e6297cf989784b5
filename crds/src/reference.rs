//! References from one object to another, always inside one namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Another object of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// The object's name. Example: `staging`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

impl LocalRef {
    /// A reference to the object called `name`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// One key of a Secret of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name. Example: `dbx`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its `data`. Example: `token`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}
