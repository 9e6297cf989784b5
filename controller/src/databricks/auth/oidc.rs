//! Databricks' own token endpoint: where it is, and the two grants it is asked for.

use std::time::Instant;

use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Identity;
use super::header::Authorization;
use super::token::{Held, TokenAnswer};
use crate::databricks::Answer;
use crate::databricks::limits::Family;
use crate::databricks::transport::{Call, protocol};
use crate::databricks::{Client, Error, Once};

/// The name of the call that fetches a token.
pub(in crate::databricks) const TOKEN: &str = "oidc/token";
const DISCOVERY: &str = "oidc/discovery";
/// Where the token endpoint is unless the workspace says otherwise.
const USUAL: &str = "/oidc/v1/token";

/// `GET /oidc/.well-known/oauth-authorization-server`: the path of the token endpoint. A workspace that has no such page
/// has the usual one. <https://datatracker.ietf.org/doc/html/rfc8414>
pub(super) async fn discover(client: &Client) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        token_endpoint: String,
    }
    // A page instead of JSON is a workspace that has no such document, not a fault.
    let call = Call::get(DISCOVERY, Family::Identity, "/oidc/.well-known/oauth-authorization-server");
    let call = call.promises(Answer::Page);
    let reply = match client.exchange(&call, None, &Authorization::none()).await {
        Ok(reply) => reply,
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => return Ok(USUAL.to_owned()),
    };
    match serde_json::from_slice::<Page>(&reply.body) {
        Ok(page) if !page.token_endpoint.is_empty() => path_on(client.host(), &page.token_endpoint),
        _ => Ok(USUAL.to_owned()),
    }
}

/// Credentials only go to the workspace's own host, whatever its pages say.
fn path_on(host: &Url, endpoint: &str) -> Result<String, Error> {
    let url = Url::parse(endpoint).map_err(|_| protocol(DISCOVERY, &"the token_endpoint is no address"))?;
    if url.origin() == host.origin() {
        return Ok(url.path().to_owned());
    }
    let other = url.host_str().unwrap_or_default();
    let message =
        format!("the workspace names a token endpoint on another host, {other}: no credentials are sent there");
    Err(protocol(DISCOVERY, &message))
}

/// Grant `client_credentials`. Harmless when repeated: each answer is a token of its own.
pub(super) async fn by_secret(client: &Client, path: &str, id: &str, secret: &SecretString) -> Result<Held, Error> {
    let call = call(path).form(&[("grant_type", "client_credentials"), ("scope", "all-apis")]);
    fetch(client, &call, &Authorization::basic(id, secret)).await
}

/// Grant `token-exchange`: a token of somebody whom the service principal trusts. Harmless when repeated; each time with a
/// new one.
pub(super) async fn by_trust(
    client: &Client,
    path: &str,
    id: Option<&str>,
    identity: &dyn Identity,
) -> Result<Held, Error> {
    let subject = identity.token().await?;
    let mut form = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", subject.expose_secret()),
        ("scope", "all-apis"),
    ];
    form.extend(id.map(|id| ("client_id", id)));
    let call = call(path).form(&form).conceal(std::slice::from_ref(&subject));
    fetch(client, &call, &Authorization::none()).await.map_err(|error| error.with_hint(&identity.describe()))
}

fn call(path: &str) -> Call {
    Call::new(TOKEN, Family::Identity, Method::POST, path, Once::Harmless)
}

async fn fetch(client: &Client, call: &Call, authorization: &Authorization) -> Result<Held, Error> {
    let reply = client.exchange(call, None, authorization).await?;
    let answer = TokenAnswer::read(TOKEN, &reply.body)?;
    Ok(Held::new(Authorization::bearer(&answer.access_token), answer.life(), Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://adb-1.2.azuredatabricks.net/oidc/v1/token", Some("/oidc/v1/token"))]
    #[case("https://adb-1.2.azuredatabricks.net:443/oidc/accounts/1/v1/token", Some("/oidc/accounts/1/v1/token"))]
    #[case("https://ADB-1.2.azuredatabricks.net/token", Some("/token"))]
    #[case("http://adb-1.2.azuredatabricks.net/oidc/v1/token", None)]
    #[case("https://adb-1.2.azuredatabricks.net:8443/oidc/v1/token", None)]
    #[case("https://adb-1.2.azuredatabricks.net.evil.example/oidc/v1/token", None)]
    #[case("https://adb-1.2.azuredatabricks.net@evil.example/oidc/v1/token", None)]
    #[case("/oidc/v1/token", None)]
    fn the_endpoint_is_on_the_host(#[case] endpoint: &str, #[case] path: Option<&str>) {
        let host = Url::parse("https://adb-1.2.azuredatabricks.net").expect("an address");
        assert_eq!(path_on(&host, endpoint).ok().as_deref(), path);
    }
}
