//! Credentials: what a forge wants to see before it does what it is asked for.

use std::collections::BTreeMap;

use brickline_crds::Reason;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use k8s_openapi::ByteString;
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};

use super::errand::Errand;
use super::fault::Fault;
use crate::secret;
use crate::trouble::Trouble;

/// What a forge wants to see.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) proof: Proof,
    /// Further certificate authorities to trust for this forge, in PEM.
    pub(super) authority: Option<String>,
}

/// How a caller proves who they are.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A user name and a password, or an access token in its place.
    Password { username: String, password: SecretString },
    /// An access token.
    Token(SecretString),
}

impl Proof {
    /// `<scheme> <token>` as a header, kept out of debug forms.
    pub(super) fn bearer(&self, scheme: &str) -> Result<HeaderValue, Fault> {
        let text = format!("{scheme} {}", self.secret().expose_secret());
        let mut value = HeaderValue::from_str(&text).map_err(|_| Fault::NotAToken)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A request with this proof, as hosts want it that are no forge; none if the token can't stand in a header.
    pub(crate) fn sign(&self, request: RequestBuilder) -> Option<RequestBuilder> {
        match self {
            Self::Password { username, password } => Some(request.basic_auth(username, Some(password.expose_secret()))),
            Self::Token(_) => Some(request.header(AUTHORIZATION, self.bearer("Bearer").ok()?)),
        }
    }

    /// The secret alone, for forges that take an access token in either form.
    pub(super) fn secret(&self) -> &SecretString {
        match self {
            Self::Password { password, .. } => password,
            Self::Token(token) => token,
        }
    }
}

/// Loads the Secret called `name`: keys `username` and `password`, or `token`; `ca.crt` for the forge's own authority.
pub(super) async fn load(
    client: &kube::Client,
    namespace: &str,
    name: &str,
    errand: Errand,
) -> Result<Credentials, Trouble> {
    let secret = secret::read(client, namespace, name, errand.credentials_field()).await?;
    read(name, &secret.data.unwrap_or_default(), errand)
}

fn read(name: &str, data: &BTreeMap<String, ByteString>, errand: Errand) -> Result<Credentials, Trouble> {
    let proof = match (text(data, "username"), hidden(data, "password"), hidden(data, "token")) {
        (Some(username), Some(password), _) => Proof::Password { username, password },
        (_, _, Some(token)) => Proof::Token(token),
        _ => {
            let (field, asked) = (errand.credentials_field(), errand.name());
            let message = format!(
                "{asked}: Secret {name} of {field} has neither username and password nor token: they are needed here, whatever the checkout uses"
            );
            return Err(Trouble::lasting(Reason::AuthenticationFailed, message));
        }
    };
    Ok(Credentials { proof, authority: text(data, "ca.crt") })
}

/// One key as text, without the line end that `--from-file` brings; none if it is missing, empty or not UTF-8.
fn text(data: &BTreeMap<String, ByteString>, key: &str) -> Option<String> {
    let text = std::str::from_utf8(&data.get(key)?.0).ok()?.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| text.to_owned())
}

fn hidden(data: &BTreeMap<String, ByteString>, key: &str) -> Option<SecretString> {
    text(data, key).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::json;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    #[test]
    fn a_password_goes_before_a_token() {
        let both =
            read("git", &data(&[("username", "bot"), ("password", "hunter2\n"), ("token", "t")]), Errand::CommitStatus)
                .unwrap();
        let Proof::Password { username, password } = both.proof else { panic!("not a password") };
        assert_eq!((username.as_str(), password.expose_secret()), ("bot", "hunter2"));
    }

    #[test]
    fn a_password_needs_a_user_name() {
        let trouble = read("git", &data(&[("password", "hunter2")]), Errand::Branches).unwrap_err();
        assert_eq!((trouble.reason, trouble.transient), (Reason::AuthenticationFailed, false));
        assert!(trouble.message.contains("Secret git of repository.credentialsRef"), "{}", trouble.message);
        assert!(!trouble.message.contains("hunter2"));
    }

    /// Asks an API server that answers with `code` and `body`.
    async fn loaded(code: u16, body: serde_json::Value) -> Result<Credentials, Trouble> {
        let service = tower::service_fn(move |request: Request<Body>| {
            assert_eq!(request.uri().path(), "/api/v1/namespaces/data/secrets/git");
            let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            async { response }
        });
        load(&kube::Client::new(service, "default"), "data", "git", Errand::CommitStatus).await
    }

    #[tokio::test]
    async fn loads_the_secret_by_name() {
        let data = json!({"token": "dG9rZW4=", "ca.crt": "cGVt"});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}, "data": data});
        let credentials = loaded(200, secret).await.unwrap();
        assert_eq!(credentials.proof.secret().expose_secret(), "token");
        assert_eq!(credentials.authority.as_deref(), Some("pem"));
    }

    #[rstest]
    #[case(403, "Forbidden", Reason::NotAuthorized, "brickline-tenant")]
    #[case(404, "NotFound", Reason::DependencyNotReady, "does not exist")]
    #[case(500, "InternalError", Reason::InternalError, "can't be read")]
    #[tokio::test]
    async fn what_is_missing_is_named(
        #[case] code: u16,
        #[case] word: &str,
        #[case] reason: Reason,
        #[case] says: &str,
    ) {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": word});
        let trouble = loaded(code, status).await.unwrap_err();
        assert_eq!((trouble.reason, trouble.transient), (reason, true));
        assert!(trouble.message.contains("data/git") && trouble.message.contains(says), "{}", trouble.message);
    }

    #[test]
    fn debug_shows_no_secret() {
        let credentials =
            read("git", &data(&[("username", "bot"), ("password", "hunter2")]), Errand::CommitStatus).unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
