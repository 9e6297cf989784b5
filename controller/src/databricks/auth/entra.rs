//! Microsoft Entra: the tokens of a service principal of Azure.

use std::time::Instant;

use reqwest::{Method, Url};
use secrecy::ExposeSecret;

use super::header::Authorization;
use super::token::{Held, TokenAnswer};
use super::{Azure, Proof};
use crate::databricks::limits::Family;
use crate::databricks::transport::{Call, protocol};
use crate::databricks::{Client, Error, Once};

/// The name of the call that fetches a token.
pub(in crate::databricks) const TOKEN: &str = "entra/token";
/// Azure Databricks as an application, the same in all of Microsoft's clouds.
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";

/// A cloud of Microsoft's: how its workspaces' hosts end, where one logs in, who manages its resources.
struct Cloud {
    hosts: &'static str,
    login: &'static str,
    management: &'static str,
}

const CLOUDS: [Cloud; 3] = [
    Cloud {
        hosts: ".databricks.azure.us",
        login: "https://login.microsoftonline.us",
        management: "https://management.core.usgovcloudapi.net//.default",
    },
    Cloud {
        hosts: ".databricks.azure.cn",
        login: "https://login.chinacloudapi.cn",
        management: "https://management.core.chinacloudapi.cn//.default",
    },
    Cloud {
        hosts: "",
        login: "https://login.microsoftonline.com",
        management: "https://management.core.windows.net//.default",
    },
];

fn cloud(host: &Url) -> &'static Cloud {
    let name = host.host_str().unwrap_or_default();
    let [us, china, world] = &CLOUDS;
    [us, china].into_iter().find(|cloud| name.ends_with(cloud.hosts)).unwrap_or(world)
}

/// The token for the workspace; with a resource id also the one that lets somebody in who is no member.
pub(super) async fn fetch(client: &Client, azure: &Azure) -> Result<Held, Error> {
    let cloud = cloud(client.host());
    let token = one(client, azure, cloud, DATABRICKS).await?;
    let authorization = Authorization::bearer(&token.access_token);
    let Some(resource_id) = &azure.resource_id else {
        return Ok(Held::new(authorization, token.life(), Instant::now()));
    };
    let management = one(client, azure, cloud, cloud.management).await?;
    let life = token.life().min(management.life());
    Ok(Held::new(authorization.managing(&management.access_token, resource_id), life, Instant::now()))
}

/// `POST /{tenant}/oauth2/v2.0/token`, grant `client_credentials`. Harmless when repeated.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
async fn one(client: &Client, azure: &Azure, cloud: &Cloud, scope: &str) -> Result<TokenAnswer, Error> {
    let (secret, hint) = match &azure.proof {
        Proof::Secret(secret) => (secret.clone(), None),
        Proof::Assertion(identity) => (identity.token().await?, Some(identity.describe())),
    };
    let mut form = vec![("grant_type", "client_credentials"), ("client_id", &azure.client_id), ("scope", scope)];
    match &azure.proof {
        Proof::Secret(_) => form.push(("client_secret", secret.expose_secret())),
        Proof::Assertion(_) => form.extend([
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", secret.expose_secret()),
        ]),
    }
    let path = format!("/{}/oauth2/v2.0/token", azure.tenant_id);
    let call = Call::new(TOKEN, Family::Identity, Method::POST, path, Once::Harmless)
        .at(login(azure, cloud)?)
        .form(&form)
        .conceal(std::slice::from_ref(&secret));
    let sent = client.exchange(&call, None, &Authorization::none()).await;
    let reply = sent.map_err(|error| match hint {
        Some(hint) => error.with_hint(&hint),
        None => error,
    })?;
    TokenAnswer::read(TOKEN, &reply.body)
}

fn login(azure: &Azure, cloud: &Cloud) -> Result<Url, Error> {
    match &azure.login {
        Some(login) => Ok(login.clone()),
        None => Url::parse(cloud.login).map_err(|error| protocol(TOKEN, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://adb-1.2.azuredatabricks.net", "https://login.microsoftonline.com")]
    #[case("https://adb-1.2.databricks.azure.us", "https://login.microsoftonline.us")]
    #[case("https://adb-1.2.databricks.azure.cn", "https://login.chinacloudapi.cn")]
    #[case("https://databricks.azure.us.example.com", "https://login.microsoftonline.com")]
    fn each_cloud_has_its_login(#[case] host: &str, #[case] login: &str) {
        assert_eq!(cloud(&Url::parse(host).expect("an address")).login, login);
    }
}
