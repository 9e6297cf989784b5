//! SCIM: who Databricks takes us for. API pages: "Current user" (`/api/2.0/preview/scim/v2/Me`).

use serde::Deserialize;

use super::limits::Family;
use super::transport::Call;
use super::{Client, Error};

/// The identity behind the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The identity's id in the workspace.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub id: String,
    /// A person's address, or a service principal's application id.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub user_name: String,
    /// The name shown to people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// False for a deactivated identity.
    #[serde(default)]
    pub active: Option<bool>,
}

impl Client {
    /// `GET preview/scim/v2/Me`: the cheapest call that proves host and credentials. Harmless when repeated.
    ///
    /// # Errors
    /// `Authentication` for refused credentials, `Unavailable` for an unreachable host, the general ones.
    pub async fn me(&self) -> Result<Me, Error> {
        self.read(Call::get("scim/me", Family::Identity, "/api/2.0/preview/scim/v2/Me")).await
    }
}
