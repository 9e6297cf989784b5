//! Libraries: what is installed on a cluster. API page: "Managed libraries" (`/api/2.0/libraries`).

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::limits::Family;
use super::transport::Call;
use super::{Client, Error, Once};

/// A library, as Databricks names it. Kinds this client doesn't know are kept as they are, so that they survive a round trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Library {
    /// A wheel's location: `/Volumes/...`, `/Workspace/...`, `dbfs:/...` or a cloud address.
    Whl(String),
    /// A jar's location.
    Jar(String),
    /// A requirements file's location.
    Requirements(String),
    /// A package of a Python index.
    Pypi(Pypi),
    /// A Maven artifact.
    Maven(Maven),
    /// An R package.
    Cran(Cran),
    /// Any other kind.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// A package of a Python index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pypi {
    /// Name and version, such as `great-expectations==1.2`.
    pub package: String,
    /// The index's address, if not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
}

/// A Maven artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maven {
    /// `group:artifact:version`.
    pub coordinates: String,
    /// The repository's address, if not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Dependencies left out, as `group:artifact`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<String>,
}

/// An R package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cran {
    /// The package's name.
    pub package: String,
    /// The repository's address, if not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
}

/// A library and what the cluster did with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LibraryStatus {
    /// The library.
    pub library: Library,
    /// How far its installation is.
    #[serde(default)]
    pub status: InstallState,
    /// Databricks' words, mostly about a failure.
    #[serde(default, deserialize_with = "super::tolerant::list")]
    pub messages: Vec<String>,
    /// Whether an administrator installs it on every cluster.
    #[serde(default)]
    pub is_library_for_all_clusters: bool,
}

/// How far a library's installation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstallState {
    /// Not begun.
    Pending,
    /// Its dependencies are being found.
    Resolving,
    /// Being installed.
    Installing,
    /// Usable.
    Installed,
    /// Usable, brought back from before.
    Restored,
    /// Left out, for instance because of the cluster's Scala version.
    Skipped,
    /// Not installed; the messages say why.
    Failed,
    /// Still there until the cluster restarts.
    UninstallOnRestart,
    /// A word this client doesn't know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A library's location without the `dbfs:` that volumes may have in front: their two spellings are one place.
#[must_use]
pub fn plain(location: &str) -> &str {
    location.strip_prefix("dbfs:").filter(|rest| rest.starts_with("/Volumes/")).unwrap_or(location)
}

#[derive(Deserialize)]
struct AllStatuses {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    statuses: Vec<StatusAnswer>,
}

#[derive(Deserialize)]
struct StatusAnswer {
    /// Absent when the cluster has none.
    #[serde(default, deserialize_with = "super::tolerant::list")]
    library_statuses: Vec<LibraryStatus>,
}

#[derive(Serialize)]
struct Change<'a> {
    cluster_id: &'a str,
    libraries: &'a [Library],
}

impl Client {
    /// `GET libraries/cluster-status`. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound` if there is no such cluster, the general ones.
    pub async fn library_statuses(&self, cluster_id: &str) -> Result<Vec<LibraryStatus>, Error> {
        let call = Call::get("libraries/cluster-status", Family::Libraries, "/api/2.0/libraries/cluster-status");
        let answer: StatusAnswer = self.read(call.query("cluster_id", cluster_id)).await?;
        Ok(answer.library_statuses)
    }

    /// `GET libraries/all-cluster-statuses`: the libraries of every cluster of the workspace. Harmless when repeated.
    ///
    /// # Errors
    /// The general ones.
    pub async fn all_library_statuses(&self) -> Result<Vec<LibraryStatus>, Error> {
        let path = "/api/2.0/libraries/all-cluster-statuses";
        let answer: AllStatuses =
            self.read(Call::get("libraries/all-cluster-statuses", Family::Libraries, path)).await?;
        Ok(answer.statuses.into_iter().flat_map(|cluster| cluster.library_statuses).collect())
    }

    /// `POST libraries/install`, asynchronous: watch the statuses. Harmless when repeated: what is installed stays.
    ///
    /// # Errors
    /// `InvalidState` for a cluster that is going down, `NotFound`, the general ones.
    pub async fn install_libraries(&self, cluster_id: &str, libraries: &[Library]) -> Result<(), Error> {
        self.change("libraries/install", "/api/2.0/libraries/install", cluster_id, libraries).await
    }

    /// `POST libraries/uninstall`; takes effect when the cluster restarts. Harmless when repeated: absent libraries are ignored.
    ///
    /// # Errors
    /// As [`install_libraries`](Self::install_libraries).
    pub async fn uninstall_libraries(&self, cluster_id: &str, libraries: &[Library]) -> Result<(), Error> {
        self.change("libraries/uninstall", "/api/2.0/libraries/uninstall", cluster_id, libraries).await
    }

    async fn change(
        &self,
        operation: &'static str,
        path: &str,
        cluster_id: &str,
        libraries: &[Library],
    ) -> Result<(), Error> {
        let call = Call::new(operation, Family::Libraries, Method::POST, path, Once::Harmless);
        self.act(call.json(&Change { cluster_id, libraries })?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"whl": "dbfs:/libs/a.whl"}), true)]
    #[case(json!({"jar": "/Volumes/a/b.jar"}), true)]
    #[case(json!({"requirements": "/Workspace/r.txt"}), true)]
    #[case(json!({"pypi": {"package": "x==1"}}), true)]
    #[case(json!({"pypi": {"package": "x", "repo": "https://index.example.com"}}), true)]
    #[case(json!({"maven": {"coordinates": "g:a:1", "exclusions": ["x:y"]}}), true)]
    #[case(json!({"cran": {"package": "ada"}}), true)]
    #[case(json!({"egg": "dbfs:/old.egg"}), false)]
    #[case(json!({"glue": {"arn": [1, null]}}), false)]
    fn every_kind_survives_a_round_trip(#[case] value: serde_json::Value, #[case] known: bool) {
        let library: Library = serde_json::from_value(value.clone()).expect("a library");
        assert_eq!(!matches!(library, Library::Other(_)), known);
        assert_eq!(serde_json::to_value(&library).expect("JSON"), value);
    }

    #[test]
    fn a_cluster_without_libraries_has_no_list() {
        let none: StatusAnswer = serde_json::from_str(r#"{"cluster_id":"c"}"#).expect("an answer");
        assert!(none.library_statuses.is_empty());
        let one = r#"{"library_statuses":[{"library":{"whl":"w"},"status":"NEW_WORD","messages":null}]}"#;
        let one: StatusAnswer = serde_json::from_str(one).expect("an answer");
        assert_eq!(one.library_statuses[0].status, InstallState::Unknown);
    }
}
