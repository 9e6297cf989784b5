//! References from one object to another, always inside one namespace.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;

/// Another object of the same namespace, by name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// The object's name. Example: `staging`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(pattern::OBJECT).message(pattern::OBJECT_MESSAGE))]
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
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name. Example: `dbx`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(pattern::OBJECT).message(pattern::OBJECT_MESSAGE))]
    pub name: String,
    /// The key in its `data`. Example: `token`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9._-]+$')").message("key is one of the Secret's keys: letters, digits, '-', '_' and '.'"))]
    pub key: String,
}
