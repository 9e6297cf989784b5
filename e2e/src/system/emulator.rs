//! A team's workspace emulator, spoken to directly: what a person would look at or change in the workspace, past Brickline.

use std::time::Duration;

use anyhow::ensure;
use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running emulator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// Its address, without a slash at the end.
    pub address: String,
    /// The workspace's token.
    pub token: SecretString,
    client: Client,
}

impl Emulator {
    /// The emulator at this address.
    pub fn at(address: String, token: SecretString) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { address, token, client })
    }

    /// Asks for something; the path holds the query too. Anything but success is an error.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.done(Method::GET, path, None).await
    }

    /// Asks for something to be done. Anything but success is an error.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.done(Method::POST, path, Some(body)).await
    }

    async fn done(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(method, path, body).await?;
        ensure!((200..300).contains(&status), "{path} was answered {status}: {answer}");
        Ok(answer)
    }

    /// Asks, and answers the status with whatever came; null if that is no JSON.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, Value)> {
        let request = self.client.request(method, format!("{}{path}", self.address));
        let request = request.bearer_auth(self.token.expose_secret());
        let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or_default()))
    }

    /// What was asked after the request of this number, the oldest first; 0: everything that is still known.
    pub async fn requests(&self, since: u64) -> anyhow::Result<Vec<Value>> {
        let mut answer = self.get(&format!("/emulator/requests?since={since}")).await?;
        Ok(serde_json::from_value(answer["requests"].take())?)
    }

    /// The number of the latest request.
    pub async fn latest(&self) -> anyhow::Result<u64> {
        let requests = self.requests(0).await?;
        Ok(requests.last().and_then(|request| request["seq"].as_u64()).unwrap_or(0))
    }
}
