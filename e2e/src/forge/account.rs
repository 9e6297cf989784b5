//! An account: someone who may push to the forge, with the password and the token that prove it.

use regex::Regex;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::ForgeError;

/// A user of the forge.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    /// The name to sign in with.
    pub name: String,
    /// The password, for the forge's pages.
    pub password: SecretString,
    /// The token, for its API and for Git over HTTP.
    pub token: SecretString,
}

impl Account {
    /// Makes the first account. The server thinks up the password and the token, so neither is ever an argument.
    pub(super) const CREATE: [&str; 12] = [
        "admin",
        "user",
        "create",
        "--admin",
        "--username",
        "brickline",
        "--email",
        "brickline@forge.invalid",
        "--random-password",
        "--random-password-length=32",
        "--access-token",
        "--must-change-password=false",
    ];

    /// Reads what [`Account::CREATE`] said.
    pub(super) fn administrator(said: &str) -> Result<Self, ForgeError> {
        let find = |pattern: &str| {
            let found = Regex::new(pattern).ok().and_then(|regex| Some(regex.captures(said)?[1].to_owned()));
            // What it said is secret, so the error can't show it.
            found.map(SecretString::from).ok_or(ForgeError::Unexpected("the answer to making the first account"))
        };
        let password = find("password is '(.+)'")?;
        let token = find("token was successfully created\\.\\.\\. ([0-9a-f]{40})")?;
        Ok(Self { name: Self::CREATE[5].to_owned(), password, token })
    }

    pub(super) fn to_json(&self) -> SecretString {
        let (password, token) = (self.password.expose_secret(), self.token.expose_secret());
        json!({ "name": self.name, "password": password, "token": token }).to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_survives_its_file() {
        let token = "0123456789abcdef0123456789abcdef01234567";
        let said = format!(
            "generated random password is 'p'q'\nAccess token was successfully created... {token}\nNew user 'brickline' ..."
        );
        let account = Account::administrator(&said).unwrap();
        let again: Account = serde_json::from_str(account.to_json().expose_secret()).unwrap();
        assert_eq!(again.name, "brickline");
        assert_eq!(again.password.expose_secret(), "p'q");
        assert_eq!(again.token.expose_secret(), token);
        assert!(!format!("{account:?}").contains(token));
    }

    #[test]
    fn an_unknown_answer_is_an_error_without_secrets() {
        let error = Account::administrator("generated random password is 'secret'").unwrap_err();
        assert!(!error.to_string().contains("secret'"), "{error}");
    }
}
