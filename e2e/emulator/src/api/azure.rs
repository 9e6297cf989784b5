//! Where a service principal of Azure logs in, as at `login.microsoftonline.com`: with a secret, or with a token of
//! somebody that a federation policy trusts.

use crate::{
    api::{
        Context,
        arguments::{form, read},
        identity::MAX_FORM,
    },
    state::Refusal,
    token::Audience,
};
use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The application that every Azure Databricks workspace is.
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const MANAGEMENT: [&str; 2] = ["https://management.core.windows.net", "https://management.azure.com"];
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What needs no token.
pub(crate) fn open_routes() -> Router<Context> {
    Router::new().route("/{tenant}/oauth2/v2.0/token", post(second)).route("/{tenant}/oauth2/token", post(first))
}

type Form = BTreeMap<String, String>;

/// Why a login is refused: OAuth's word and Azure's sentence.
struct Wrong(&'static str, String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let Self(error, description) = self;
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        (status, Json(json!({ "error": error, "error_description": description }))).into_response()
    }
}

async fn second(context: State<Context>, Path(tenant): Path<String>, request: Request) -> Result<Response, Refusal> {
    let form = read_form(request).await?;
    let scope = form.get("scope").and_then(|scope| scope.strip_suffix("/.default"));
    let logged_in = log_in(&context, &tenant, &form, scope);
    let answer = logged_in.map(|(token, seconds)| answer(&token, seconds.into(), json!({})));
    Ok(answer.unwrap_or_else(IntoResponse::into_response))
}

/// The older endpoint, which Databricks' SDKs use: `resource` for `scope`, and numbers as strings.
async fn first(context: State<Context>, Path(tenant): Path<String>, request: Request) -> Result<Response, Refusal> {
    let form = read_form(request).await?;
    let resource = form.get("resource").map(String::as_str);
    let answer = log_in(&context, &tenant, &form, resource).map(|(token, seconds)| {
        let end = jiff::Timestamp::now().as_second() + i64::try_from(seconds).unwrap_or_default();
        let more = json!({ "expires_on": end.to_string(), "resource": resource });
        answer(&token, seconds.to_string().into(), more)
    });
    Ok(answer.unwrap_or_else(IntoResponse::into_response))
}

/// A form that is too long is read as an empty one: nothing in it could be right.
async fn read_form(request: Request) -> Result<Form, Refusal> {
    let bytes = read(request.into_body(), MAX_FORM).await?.unwrap_or_default();
    Ok(form(&String::from_utf8_lossy(&bytes)).collect())
}

fn answer(token: &SecretString, seconds: Value, more: Value) -> Response {
    let mut body = more;
    body["token_type"] = "Bearer".into();
    body["expires_in"] = seconds;
    body["access_token"] = token.expose_secret().into();
    Json(body).into_response()
}

/// A token for what `wanted` names, with the seconds for which it is valid; or why there is none.
fn log_in(context: &Context, tenant: &str, form: &Form, wanted: Option<&str>) -> Result<(SecretString, u64), Wrong> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err(Wrong("unsupported_grant_type", "AADSTS70003: The grant type is not supported.".to_owned()));
    }
    let wanted = wanted.unwrap_or_default().trim_end_matches('/');
    let audience = match wanted {
        DATABRICKS => Audience::Workspace,
        _ if MANAGEMENT.contains(&wanted) => Audience::Management,
        _ => return Err(Wrong("invalid_scope", "AADSTS70011: The provided value for scope is not valid.".to_owned())),
    };
    let client = field("client_id");
    if !context.tokens.has_tenant(tenant) {
        return Err(Wrong("invalid_request", format!("AADSTS90002: Tenant '{tenant}' not found.")));
    }
    if !context.tokens.has_azure(tenant, client) {
        let message = format!("AADSTS700016: Application with identifier '{client}' was not found in the directory.");
        return Err(Wrong("unauthorized_client", message));
    }
    let issued = if field("client_assertion_type") == JWT_BEARER {
        let proof = context.federation.check(Some(client), field("client_assertion"));
        proof.map_err(|reason| Wrong("invalid_client", format!("AADSTS700211: {reason}.")))?;
        context.tokens.issue_azure(tenant, client, None, audience)
    } else {
        let secret = SecretString::from(field("client_secret"));
        context.tokens.issue_azure(tenant, client, Some(&secret), audience)
    };
    let (token, lifetime) =
        issued.ok_or_else(|| Wrong("invalid_client", "AADSTS7000215: Invalid client secret provided.".to_owned()))?;
    Ok((token, lifetime.as_secs()))
}
