//! The forge's API, version 1: one method for every call, and the shapes of its answers.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::ForgeError;

const LIMIT: Duration = Duration::from_secs(30);

/// Calls the API as one account.
#[derive(Clone, Debug)]
pub(super) struct Api {
    client: Client,
    base: String,
    token: SecretString,
}

/// A commit by its id.
#[derive(Debug, Deserialize)]
pub(super) struct Commit {
    pub(super) sha: String,
}

/// A pull request by its number in the repository.
#[derive(Debug, Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: u64,
}

/// A webhook by its id.
#[derive(Debug, Deserialize)]
pub(super) struct Hook {
    pub(super) id: u64,
}

/// What was said of a commit, as the forge shows it beside the commit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct CommitStatus {
    /// Who says it, such as `brickline/staging`.
    pub context: String,
    /// `pending`, `success`, `failure`, `error` or `warning`.
    #[serde(rename = "status")]
    pub state: String,
    /// One line of explanation.
    pub description: String,
    /// Where to read more.
    #[serde(default)]
    pub target_url: String,
}

/// A client that goes straight to the server: it is on this machine, whatever proxy the environment names.
pub(super) fn client() -> Result<Client, ForgeError> {
    // Redirects are looked at, not followed: a page that asks to sign in is an answer too.
    Ok(Client::builder().no_proxy().timeout(LIMIT).redirect(Policy::none()).build()?)
}

impl Api {
    pub(super) fn new(base: &str, token: &SecretString) -> Result<Self, ForgeError> {
        Ok(Self { client: client()?, base: format!("{base}/api/v1"), token: token.clone() })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ForgeError> {
        Ok(serde_json::from_slice(&self.call(Method::GET, path, None).await?)?)
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ForgeError> {
        Ok(serde_json::from_slice(&self.call(Method::POST, path, Some(body)).await?)?)
    }

    /// Sends one request and returns the answer's body, or the forge's own words when it refuses.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Vec<u8>, ForgeError> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.base));
        let request = request.header("authorization", format!("token {}", self.token.expose_secret()));
        let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
        let answer = request.send().await?;
        let status = answer.status();
        let content = answer.bytes().await?.to_vec();
        if status.is_success() { Ok(content) } else { Err(refused(&method, path, status, &content)) }
    }
}

fn refused(method: &Method, path: &str, status: StatusCode, content: &[u8]) -> ForgeError {
    let said: Option<Value> = serde_json::from_slice(content).ok();
    let message = said.as_ref().and_then(|said| said["message"].as_str()).unwrap_or_default().to_owned();
    ForgeError::Refused { call: format!("{method} {path}"), status: status.as_u16(), message }
}
