//! Tokens: who may use the workspace. They come from a file or the environment, never from the command line, and are
//! kept as digests only.

use anyhow::{Context, ensure};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;

/// Whom a line without a name belongs to.
const DEFAULT_USER: &str = "admin@example.com";
/// Tokens given out and not yet expired.
const MAX_ISSUED: usize = 10_000;

/// Someone whose token is valid.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user's name, or a service principal's application id.
    pub(crate) name: String,
    pub(crate) standing: Standing,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A user or service principal of the workspace.
    #[default]
    Member,
    /// A service principal of Azure that the workspace doesn't know; it needs a token for Azure's management beside.
    Guest,
    /// That other token: by itself it opens nothing here.
    Management,
}

/// What an Azure token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Workspace,
    Management,
}

/// What a request brought to prove who it is.
pub(crate) enum Credential {
    Token(SecretString),
    Client { id: String, secret: SecretString },
}

struct Entry {
    digest: [u8; 32],
    name: String,
    expires: Option<Instant>,
    standing: Standing,
}

/// A service principal of an Azure tenant.
struct AzureClient {
    tenant: String,
    entry: Entry,
}

/// All tokens and OAuth clients.
pub(crate) struct Tokens {
    fixed: Vec<Entry>,
    clients: Vec<Entry>,
    azure: Vec<AzureClient>,
    issued: Mutex<Vec<Entry>>,
    /// Tokens that are no longer valid, with the status that says so.
    expired: Mutex<HashMap<[u8; 32], u16>>,
    lifetime: Duration,
}

impl Tokens {
    /// Reads the lines of a file: `TOKEN`, `USER TOKEN`, `oauth CLIENT SECRET` or `azure TENANT CLIENT SECRET [guest]`;
    /// `#` begins a comment.
    pub(crate) fn parse(text: &str, lifetime: Duration) -> anyhow::Result<Self> {
        let mut tokens = Self {
            fixed: Vec::new(),
            clients: Vec::new(),
            azure: Vec::new(),
            issued: Mutex::default(),
            expired: Mutex::default(),
            lifetime,
        };
        for (number, line) in text.lines().enumerate() {
            let words: Vec<_> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
            match words.as_slice() {
                [] => {}
                [token] => tokens.fixed.push(entry(token, DEFAULT_USER)),
                [user, token] => tokens.fixed.push(entry(token, user)),
                ["oauth", client, secret] => tokens.clients.push(entry(secret, client)),
                ["azure", tenant, client, secret] => tokens.azure.push(azure(tenant, client, secret, Standing::Member)),
                ["azure", tenant, client, secret, "guest"] => {
                    tokens.azure.push(azure(tenant, client, secret, Standing::Guest));
                }
                // The line itself may hold a secret.
                _ => {
                    anyhow::bail!(
                        "line {} of the tokens is none of TOKEN, USER TOKEN, oauth CLIENT SECRET, \
                         azure TENANT CLIENT SECRET [guest]",
                        number + 1
                    )
                }
            }
        }
        let none = tokens.fixed.is_empty() && tokens.clients.is_empty() && tokens.azure.is_empty();
        ensure!(!none, "there is no token");
        Ok(tokens)
    }

    /// Reads them from a file, or without one from the environment.
    pub(crate) fn load(file: Option<&Path>, variable: &str, lifetime: Duration) -> anyhow::Result<Self> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?,
            None => std::env::var(variable)
                .with_context(|| format!("no tokens: give --token-file FILE, or set {variable} to the lines of one"))?,
        };
        Self::parse(&text, lifetime)
    }

    /// All users and service principals that the workspace knows; the first of them is there even without a token.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.azure.iter().map(|client| &client.entry).filter(|entry| entry.standing == Standing::Member);
        let known = self.fixed.iter().chain(&self.clients).chain(members).map(|entry| entry.name.as_str());
        std::iter::once(DEFAULT_USER).chain(known)
    }

    /// From now on this token is refused.
    pub(crate) fn expire(&self, token: &SecretString, status: u16) {
        crate::state::lock(&self.expired).insert(digest(token.expose_secret()), status);
    }

    /// Whether it was ended early, and with what status that is said.
    pub(crate) fn is_expired(&self, token: &SecretString) -> Option<u16> {
        crate::state::lock(&self.expired).get(&digest(token.expose_secret())).copied()
    }

    /// Makes all tokens valid again that were ended early.
    pub(crate) fn restore(&self) {
        crate::state::lock(&self.expired).clear();
    }

    /// Whose token this is. Takes as long for a wrong one as for a right one.
    pub(crate) fn recognise(&self, token: &SecretString) -> Option<Caller> {
        let now = Instant::now();
        let mut issued = crate::state::lock(&self.issued);
        issued.retain(|entry| entry.expires.is_none_or(|expires| expires > now));
        find(self.fixed.iter().chain(issued.iter()), &digest(token.expose_secret()), None)
    }

    /// Gives a token to an OAuth client that knows its secret, with the token's lifetime.
    pub(crate) fn issue(&self, id: &str, secret: &SecretString) -> Option<(SecretString, Duration)> {
        let caller = find(self.clients.iter(), &digest(secret.expose_secret()), Some(id))?;
        Some(self.give(&caller.name, Standing::Member, self.lifetime))
    }

    /// Gives a token to somebody who has proven otherwise who it is; it is valid for at most `left`.
    pub(crate) fn give(&self, name: &str, standing: Standing, left: Duration) -> (SecretString, Duration) {
        let lifetime = left.min(self.lifetime);
        let token = format!("oauth-{:032x}", rand::random::<u128>());
        let mut issued = crate::state::lock(&self.issued);
        if issued.len() >= MAX_ISSUED {
            issued.remove(0);
        }
        issued.push(Entry { expires: Some(Instant::now() + lifetime), standing, ..entry(&token, name) });
        (SecretString::from(token), lifetime)
    }

    /// Whether any service principal is of this Azure tenant.
    pub(crate) fn has_tenant(&self, tenant: &str) -> bool {
        self.azure.iter().any(|client| client.tenant == tenant)
    }

    /// Whether this one is.
    pub(crate) fn has_azure(&self, tenant: &str, client: &str) -> bool {
        self.azure.iter().any(|known| known.tenant == tenant && known.entry.name == client)
    }

    /// Gives a token to a service principal of Azure that knows its secret; without one, it has proven otherwise who
    /// it is.
    pub(crate) fn issue_azure(
        &self,
        tenant: &str,
        client: &str,
        secret: Option<&SecretString>,
        audience: Audience,
    ) -> Option<(SecretString, Duration)> {
        let entry = &self.azure.iter().find(|known| known.tenant == tenant && known.entry.name == client)?.entry;
        if let Some(secret) = secret {
            find(std::iter::once(entry), &digest(secret.expose_secret()), Some(client))?;
        }
        let standing = if audience == Audience::Management { Standing::Management } else { entry.standing };
        Some(self.give(client, standing, self.lifetime))
    }
}

fn entry(secret: &str, name: &str) -> Entry {
    Entry { digest: digest(secret), name: name.to_owned(), expires: None, standing: Standing::Member }
}

fn azure(tenant: &str, client: &str, secret: &str, standing: Standing) -> AzureClient {
    AzureClient { tenant: tenant.to_owned(), entry: Entry { standing, ..entry(secret, client) } }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares with every entry, whatever is found on the way.
fn find<'a>(entries: impl Iterator<Item = &'a Entry>, digest: &[u8; 32], name: Option<&str>) -> Option<Caller> {
    let mut found = None;
    for entry in entries {
        let fits = bool::from(entry.digest.ct_eq(digest)) && name.is_none_or(|name| name == entry.name);
        if fits {
            found = Some(Caller { name: entry.name.clone(), standing: entry.standing });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Tokens {
        Tokens::parse(text, Duration::from_mins(1)).unwrap()
    }

    #[test]
    fn each_line_is_someones_token() {
        let tokens = tokens("# people\nfirst\nana@example.com second # hers\n\noauth app-1 third\n");
        let name = |token: &str| tokens.recognise(&SecretString::from(token)).map(|caller| caller.name);
        assert_eq!(name("first").as_deref(), Some(DEFAULT_USER));
        assert_eq!(name("second").as_deref(), Some("ana@example.com"));
        assert_eq!(name("third"), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn a_client_gets_a_token_for_its_secret_only() {
        let tokens = tokens("oauth app-1 s1\noauth app-2 s2");
        assert!(tokens.issue("app-1", &SecretString::from("s2")).is_none());
        let (token, _) = tokens.issue("app-1", &SecretString::from("s1")).unwrap();
        assert_eq!(tokens.recognise(&token).unwrap().name, "app-1");
    }

    #[test]
    fn issued_tokens_expire() {
        let tokens = Tokens::parse("oauth a s", Duration::ZERO).unwrap();
        let (token, _) = tokens.issue("a", &SecretString::from("s")).unwrap();
        assert!(tokens.recognise(&token).is_none());
    }

    #[test]
    fn a_bad_file_is_refused_without_showing_it() {
        assert!(Tokens::parse("# nothing", Duration::ZERO).is_err());
        let error = Tokens::parse("one two three four", Duration::ZERO).err().unwrap().to_string();
        assert!(error.contains("line 1") && !error.contains("two"), "{error}");
    }
}
