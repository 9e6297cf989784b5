//! Who is asking, and the OAuth endpoints by which a service principal gets a token.

use crate::{
    api::{
        Context,
        arguments::{form, read},
        gate::{Who, credential},
    },
    state::Refusal,
    token::{Credential, Standing},
};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;

/// How a token of somebody else is exchanged.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// A form with more has nothing to do with a token.
pub(crate) const MAX_FORM: usize = 64 * 1024;

pub(crate) fn routes() -> Router<Context> {
    Router::new().route("/preview/scim/v2/Me", get(me))
}

/// What needs no token.
pub(crate) fn open_routes() -> Router<Context> {
    Router::new()
        .route("/.well-known/databricks-config", get(config))
        .route("/oidc/.well-known/oauth-authorization-server", get(metadata))
        .route("/oidc/v1/token", post(token))
}

async fn me(who: Who) -> Json<Value> {
    Json(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "1000000000000001",
        "userName": who.name,
        "displayName": who.name,
        "active": true,
        "emails": [{ "type": "work", "value": who.name, "primary": true }],
        "groups": [{ "display": "admins", "value": "1", "type": "direct" }],
    }))
}

/// The URL under which this client knows the emulator.
fn base(context: &Context, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|_| !context.is_chosen);
    host.map_or_else(|| context.public_url.to_string(), |host| format!("http://{host}"))
}

/// What the SDKs ask for first of all.
async fn config(State(context): State<Context>, headers: HeaderMap) -> Json<Value> {
    let oidc = format!("{}/oidc", base(&context, &headers));
    Json(json!({ "oidc_endpoint": oidc, "workspace_id": context.id.to_string() }))
}

async fn metadata(State(context): State<Context>, headers: HeaderMap) -> Json<Value> {
    let base = format!("{}/oidc", base(&context, &headers));
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/v1/authorize"),
        "token_endpoint": format!("{base}/v1/token"),
        "grant_types_supported": ["client_credentials", TOKEN_EXCHANGE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
}

async fn token(State(context): State<Context>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Some(bytes) = read(body, MAX_FORM).await? else {
        return Ok(refuse("invalid_request", "The form is too long."));
    };
    let text = String::from_utf8_lossy(&bytes);
    let field = |name: &str| form(&text).find(|(key, _)| key == name).map(|(_, value)| value);
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(TOKEN_EXCHANGE) => return Ok(exchange(&context, field)),
        _ => return Ok(refuse("unsupported_grant_type", "The grant type is not supported.")),
    }
    let client = match credential(&parts.headers) {
        Some(Credential::Client { id, secret }) => Some((id, secret)),
        _ => field("client_id").zip(field("client_secret").map(SecretString::from)),
    };
    let issued = client.and_then(|(id, secret)| context.tokens.issue(&id, &secret));
    Ok(match issued {
        None => refuse("invalid_client", "The client could not be authenticated."),
        Some((token, lifetime)) => Json(grant(&token, lifetime)).into_response(),
    })
}

fn grant(token: &SecretString, lifetime: Duration) -> Value {
    json!({
        "access_token": token.expose_secret(),
        "token_type": "Bearer",
        "scope": "all-apis",
        "expires_in": lifetime.as_secs(),
    })
}

/// Workload identity federation: the token of somebody that a policy trusts, for one of this workspace.
fn exchange(context: &Context, field: impl Fn(&str) -> Option<String>) -> Response {
    if field("subject_token_type").as_deref() != Some(JWT) {
        return refuse("invalid_request", "subject_token_type must be that of a JWT.");
    }
    let (client, token) = (field("client_id"), field("subject_token").unwrap_or_default());
    match context.federation.check(client.as_deref(), &token) {
        Ok(proof) => {
            let (token, lifetime) = context.tokens.give(&proof.name, Standing::Member, proof.left);
            let mut shown = grant(&token, lifetime);
            shown["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token".into();
            Json(shown).into_response()
        }
        Err(reason) => {
            tracing::info!(reason, "a token is not exchanged");
            refuse("invalid_grant", &format!("The token exchange failed: {reason}."))
        }
    }
}

/// OAuth's own shape of an error.
fn refuse(error: &str, description: &str) -> Response {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}
