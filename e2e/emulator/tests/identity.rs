//! Who may come in otherwise than with a token of the file: workloads by federation, service principals of Azure.

mod support;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use support::api::{Api, api};

const SUBJECT: &str = "system:serviceaccount:data:brickline";
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";
const MANAGEMENT: &str = "https://management.core.windows.net//.default";
const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";

/// Somebody who signs tokens.
struct Issuer(EncodingKey);

impl Issuer {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self(EncodingKey::from_ec_der(&key.serialize_der()))
    }

    fn keys(&self) -> String {
        let mut key = Jwk::from_encoding_key(&self.0, Algorithm::ES256).unwrap();
        key.common.key_id = Some("one".to_owned());
        json!({ "keys": [key] }).to_string()
    }

    /// A token that is fine, but for `changes`.
    fn sign(&self, changes: &Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims =
            json!({ "iss": "https://kubernetes", "aud": ["databricks"], "sub": SUBJECT, "exp": now + 600, "nbf": now });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.as_i64().map_or_else(|| value.clone(), |seconds| (now + seconds).into());
        }
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &self.0).unwrap()
    }
}

async fn trust(api: &Api, issuer: &Issuer, client: Option<&str>) {
    let mut policy = json!({ "issuer": "https://kubernetes", "audiences": ["databricks"], "jwks_json": issuer.keys() });
    let mut entry = json!({});
    if let Some(client) = client {
        entry["client_id"] = client.into();
        policy["subject"] = SUBJECT.into();
    }
    entry["oidc_policy"] = policy;
    let (status, answer) = api.call(reqwest::Method::PUT, "/emulator/federation", Some(&json!([entry]))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn post(api: &Api, path: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let answer = api.http.post(format!("{}{path}", api.emulator.url)).form(form).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn exchange(api: &Api, token: &str, client: Option<&str>) -> (StatusCode, Value) {
    let mut form = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", token),
        ("scope", "all-apis"),
    ];
    form.extend(client.map(|client| ("client_id", client)));
    post(api, "/oidc/v1/token", &form).await
}

async fn me(api: &Api, answer: &Value, headers: &[(&str, &str)]) -> (StatusCode, Value) {
    let token = answer["access_token"].as_str().unwrap();
    let mut request = api.http.get(format!("{}/api/2.0/preview/scim/v2/Me", api.emulator.url)).bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[rstest]
#[tokio::test]
async fn a_workload_gets_a_token_for_its_own(api: Api) {
    let issuer = Issuer::new();
    trust(&api, &issuer, Some("app-9")).await;
    let (status, answer) = exchange(&api, &issuer.sign(&json!({})), Some("app-9")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer["expires_in"].as_i64().unwrap() <= 600, "it doesn't outlive the other token");
    assert_eq!(me(&api, &answer, &[]).await.1["userName"], "app-9");
    trust(&api, &issuer, None).await;
    let (_, answer) = exchange(&api, &issuer.sign(&json!({ "sub": "ana@example.com" })), None).await;
    assert_eq!(me(&api, &answer, &[]).await.1["userName"], "ana@example.com", "a policy for everybody");
}

#[rstest]
#[case::audience(json!({ "aud": "other" }), "app-9", "InvalidAudience")]
#[case::issuer(json!({ "iss": "https://other" }), "app-9", "InvalidIssuer")]
#[case::subject(json!({ "sub": "system:serviceaccount:other:brickline" }), "app-9", "not that of the federation policy")]
#[case::expired(json!({ "exp": -60 }), "app-9", "ExpiredSignature")]
#[case::early(json!({ "nbf": 60 }), "app-9", "ImmatureSignature")]
#[case::client(json!({}), "app-8", "no federation policy")]
#[tokio::test]
async fn what_the_policy_does_not_say_is_refused(
    api: Api,
    #[case] changes: Value,
    #[case] client: &str,
    #[case] reason: &str,
) {
    let issuer = Issuer::new();
    trust(&api, &issuer, Some("app-9")).await;
    let (status, answer) = exchange(&api, &issuer.sign(&changes), Some(client)).await;
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")), "{answer}");
    assert!(answer["error_description"].as_str().unwrap().contains(reason), "{answer}");
}

#[rstest]
#[tokio::test]
async fn only_the_issuers_signature_counts(api: Api) {
    let issuer = Issuer::new();
    trust(&api, &issuer, Some("app-9")).await;
    let forged = exchange(&api, &Issuer::new().sign(&json!({})), Some("app-9")).await;
    assert_eq!(forged.0, StatusCode::BAD_REQUEST, "{}", forged.1);
    let shared = encode(&Header::new(Algorithm::HS256), &json!({ "sub": SUBJECT }), &EncodingKey::from_secret(b"x"));
    for token in [shared.unwrap().as_str(), "no token", ""] {
        assert_eq!(exchange(&api, token, Some("app-9")).await.0, StatusCode::BAD_REQUEST);
    }
    let wrong = json!([{ "client_id": "a", "oidc_policy": { "issuer": "i", "audiences": ["a"], "subject": "s", "jwks_json": "{" } }]);
    assert_eq!(api.call(reqwest::Method::PUT, "/emulator/federation", Some(&wrong)).await.0, StatusCode::BAD_REQUEST);
}

async fn azure(api: &Api, client: &str, secret: &str, scope: &str) -> (StatusCode, Value) {
    let form =
        [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret), ("scope", scope)];
    post(api, "/tenant-1/oauth2/v2.0/token", &form).await
}

#[rstest]
#[tokio::test]
async fn a_member_from_azure_needs_one_token(api: Api) {
    let (status, answer) = azure(&api, "az-member", "secret-of-az-member", DATABRICKS).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(me(&api, &answer, &[]).await.1["userName"], "az-member");
    // The older endpoint, as the SDKs ask it.
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "az-member"),
        ("client_secret", "secret-of-az-member"),
        ("resource", "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"),
    ];
    let (_, answer) = post(&api, "/tenant-1/oauth2/token", &form).await;
    assert!(answer["expires_in"].is_string() && answer["expires_on"].is_string(), "{answer}");
    assert_eq!(me(&api, &answer, &[]).await.0, StatusCode::OK);
    let issuer = Issuer::new();
    trust(&api, &issuer, Some("az-member")).await;
    let token = issuer.sign(&json!({}));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "az-member"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &token),
        ("scope", DATABRICKS),
    ];
    let (_, answer) = post(&api, "/tenant-1/oauth2/v2.0/token", &form).await;
    assert_eq!(me(&api, &answer, &[]).await.0, StatusCode::OK, "{answer}");
}

#[rstest]
#[tokio::test]
async fn a_guest_from_azure_needs_two_tokens(api: Api) {
    let (_, guest) = azure(&api, "az-guest", "secret-of-az-guest", DATABRICKS).await;
    let (_, management) = azure(&api, "az-guest", "secret-of-az-guest", MANAGEMENT).await;
    let (_, others) = azure(&api, "az-member", "secret-of-az-member", MANAGEMENT).await;
    let header = |answer: &Value| answer["access_token"].as_str().unwrap().to_owned();
    let (own, other) = (header(&management), header(&others));
    let resource = ("X-Databricks-Azure-Workspace-Resource-Id", RESOURCE);
    let name = "X-Databricks-Azure-SP-Management-Token";
    let (status, answer) = me(&api, &guest, &[]).await;
    assert_eq!((status, &answer["message"]), (StatusCode::FORBIDDEN, &json!("User not authorized.")));
    assert_eq!(me(&api, &guest, &[(name, &own)]).await.0, StatusCode::FORBIDDEN, "no workspace is named");
    assert_eq!(me(&api, &guest, &[resource, (name, &other)]).await.0, StatusCode::FORBIDDEN, "somebody else's");
    assert_eq!(me(&api, &guest, &[resource, (name, &own)]).await.1["userName"], "az-guest");
    assert_eq!(me(&api, &management, &[]).await.0, StatusCode::FORBIDDEN, "it is for Azure itself");
}

#[rstest]
#[case::secret("/tenant-1", "az-member", "wrong", DATABRICKS, "AADSTS7000215")]
#[case::client("/tenant-1", "none", "wrong", DATABRICKS, "AADSTS700016")]
#[case::tenant("/tenant-2", "az-member", "secret-of-az-member", DATABRICKS, "AADSTS90002")]
#[case::scope("/tenant-1", "az-member", "secret-of-az-member", "other/.default", "AADSTS70011")]
#[tokio::test]
async fn azure_says_what_is_wrong(
    api: Api,
    #[case] tenant: &str,
    #[case] client: &str,
    #[case] secret: &str,
    #[case] scope: &str,
    #[case] code: &str,
) {
    let form =
        [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret), ("scope", scope)];
    let (status, answer) = post(&api, &format!("{tenant}/oauth2/v2.0/token"), &form).await;
    assert!(status.is_client_error());
    assert!(answer["error_description"].as_str().unwrap().starts_with(code), "{answer}");
}
