//! A token: what a webhook is signed with. A pipeline's Secret holds the current one, and while rotating the previous.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::{ExposeSecret, SecretSlice};

/// Keys of the Secret, the current token first.
const KEYS: [&str; 2] = ["token", "previous-token"];

/// The tokens that a delivery may be signed with.
pub(super) struct Tokens(Vec<SecretSlice<u8>>);

impl Tokens {
    /// Whether one of them fits.
    pub(super) fn any(&self, fits: impl Fn(&[u8]) -> bool) -> bool {
        self.0.iter().any(|token| fits(token.expose_secret()))
    }
}

/// Why there are no tokens. None of these repeats what a Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// The Secret doesn't exist.
    #[error("the webhook's Secret doesn't exist")]
    Missing,
    /// The controller may not read it.
    #[error(
        "the webhook's Secret can't be read: create a RoleBinding to the ClusterRole brickline-tenant in its namespace"
    )]
    Forbidden,
    /// The key `token` is missing or empty.
    #[error("the webhook's Secret has no key `token`, or an empty one")]
    Empty,
    /// The API server did not answer as it should.
    #[error("the webhook's Secret can't be read: the API server failed")]
    Unreachable,
}

/// Loads the tokens from the Secret called `name`.
pub(super) async fn load(client: &kube::Client, namespace: &str, name: &str) -> Result<Tokens, TokenError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(Some(secret)) => read(&secret),
        Ok(None) => Err(TokenError::Missing),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Err(TokenError::Forbidden),
        Err(_) => Err(TokenError::Unreachable),
    }
}

/// Anybody can sign with an empty token, so an empty one is none.
fn read(secret: &Secret) -> Result<Tokens, TokenError> {
    let data = secret.data.as_ref().ok_or(TokenError::Empty)?;
    let token = |key: &str| data.get(key).map(|value| without_line_end(&value.0)).filter(|token| !token.is_empty());
    let [current, previous] = KEYS.map(token);
    let current = current.ok_or(TokenError::Empty)?;
    Ok(Tokens(std::iter::once(current).chain(previous).map(|token| token.to_vec().into()).collect()))
}

/// Without the line end that `kubectl create secret --from-file` brings along.
fn without_line_end(token: &[u8]) -> &[u8] {
    let token = token.strip_suffix(b"\n").unwrap_or(token);
    token.strip_suffix(b"\r").unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use rstest::rstest;

    fn secret(pairs: &[(&str, &str)]) -> Secret {
        let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        Secret { data: Some(data.collect()), ..Secret::default() }
    }

    #[rstest]
    #[case(&[])]
    #[case(&[("token", "")])]
    #[case(&[("token", "\r\n")])]
    #[case(&[("previous-token", "old")])]
    fn an_empty_token_is_none(#[case] pairs: &[(&str, &str)]) {
        assert_eq!(read(&secret(pairs)).err(), Some(TokenError::Empty));
    }

    #[test]
    fn both_tokens_fit_while_rotating() {
        let tokens = read(&secret(&[("token", "new\n"), ("previous-token", "old")])).unwrap();
        assert!(tokens.any(|token| token == b"new") && tokens.any(|token| token == b"old"));
        let tokens = read(&secret(&[("token", "new"), ("previous-token", "")])).unwrap();
        assert!(!tokens.any(<[u8]>::is_empty));
    }
}
