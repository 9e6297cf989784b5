//! Git credentials: with what a user reads private repositories. Each user has at most one for each provider.

use crate::state::{Refusal, disk, ids, lock};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use std::{io, path::PathBuf, sync::Mutex};

/// As the API names them.
const PROVIDERS: [&str; 8] = [
    "gitHub",
    "gitLab",
    "bitbucketCloud",
    "gitLabEnterpriseEdition",
    "bitbucketServer",
    "azureDevOpsServices",
    "gitHubEnterprise",
    "awsCodeCommit",
];
const MAX_CREDENTIALS: usize = 1000;
const MAX_FIELD: usize = 4096;

/// The API's own name of a provider, in whatever case it was given.
pub(crate) fn provider(text: &str) -> Option<&'static str> {
    PROVIDERS.into_iter().find(|known| known.eq_ignore_ascii_case(text))
}

/// All names, as a refusal lists them.
pub(crate) fn providers() -> String {
    PROVIDERS.join(", ")
}

/// What a user has stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GitCredential {
    pub(crate) id: i64,
    /// Whose it is.
    pub(crate) owner: String,
    pub(crate) provider: String,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(serialize_with = "exposed")]
    pub(crate) token: SecretString,
}

/// Onto the disk, in a file that only this user can read.
fn exposed<S: Serializer>(token: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}

/// What a client gives; what it leaves out of a change stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    pub(crate) git_provider: Option<String>,
    pub(crate) git_username: Option<String>,
    pub(crate) git_email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) personal_access_token: Option<SecretString>,
    /// Somebody else's credentials.
    pub(crate) principal_id: Option<serde_json::Value>,
}

impl Given {
    /// Refuses what could not be handed to git line by line, and what nobody would call a name or a token.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let token = self.personal_access_token.as_ref().map(ExposeSecret::expose_secret);
        let texts = [self.git_username.as_deref(), self.git_email.as_deref(), self.name.as_deref(), token];
        if texts.into_iter().flatten().any(|text| text.len() > MAX_FIELD || text.contains(['\n', '\r', '\0'])) {
            return Err(Refusal::Invalid(
                "A field of the git credential is too long, or has several lines.".to_owned(),
            ));
        }
        if self.principal_id.is_some() {
            return Err(Refusal::Unsupported("principal_id"));
        }
        Ok(())
    }

    fn provider(&self) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.git_provider.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        provider(text).map(Some).ok_or_else(no_provider)
    }
}

fn no_provider() -> Refusal {
    let message = format!("The specified Git provider is invalid. The available Git providers are {}.", providers());
    Refusal::GitCredential("INVALID_GIT_PROVIDER", message)
}

/// All git credentials of the workspace.
pub(crate) struct GitCredentials {
    known: Mutex<Vec<GitCredential>>,
    file: PathBuf,
}

impl GitCredentials {
    /// Reads those of an earlier life.
    pub(crate) fn open(file: PathBuf) -> io::Result<Self> {
        Ok(Self { known: Mutex::new(disk::read_json(&file)?.unwrap_or_default()), file })
    }

    fn save(&self, known: &[GitCredential]) -> Result<(), Refusal> {
        Ok(disk::write_json(&self.file, &known)?)
    }

    /// Adds one.
    pub(crate) fn create(&self, owner: &str, given: Given) -> Result<GitCredential, Refusal> {
        given.check()?;
        let provider = given.provider()?.ok_or_else(no_provider)?.to_owned();
        let token = given.personal_access_token.filter(|token| !token.expose_secret().is_empty());
        let token = token.ok_or_else(|| {
            let message = "Personal access token is a required field for all Git providers.".to_owned();
            Refusal::GitCredential("TOKEN_MISSING", message)
        })?;
        let mut known = lock(&self.known);
        if known.iter().any(|one| one.owner == owner && one.provider == provider) {
            let message = format!(
                "A Git credential already exists for provider {provider}. To update your credential, use the PATCH \
                 endpoint."
            );
            return Err(Refusal::GitCredential("CREDENTIAL_ALREADY_EXISTS", message));
        }
        if known.len() >= MAX_CREDENTIALS {
            return Err(Refusal::QuotaExceeded(format!("A workspace has at most {MAX_CREDENTIALS} git credentials.")));
        }
        let new = GitCredential {
            id: ids::random(),
            owner: owner.to_owned(),
            provider,
            username: given.git_username,
            email: given.git_email,
            name: given.name,
            token,
        };
        known.push(new.clone());
        self.save(&known)?;
        Ok(new)
    }

    /// Those of a user.
    pub(crate) fn all(&self, owner: &str) -> Vec<GitCredential> {
        lock(&self.known).iter().filter(|one| one.owner == owner).cloned().collect()
    }

    /// One of a user's.
    pub(crate) fn get(&self, owner: &str, id: i64) -> Result<GitCredential, Refusal> {
        self.all(owner).into_iter().find(|one| one.id == id).ok_or_else(unknown)
    }

    /// Changes what is given.
    pub(crate) fn update(&self, owner: &str, id: i64, given: Given) -> Result<GitCredential, Refusal> {
        given.check()?;
        let provider = given.provider()?;
        let mut known = lock(&self.known);
        let place = known.iter().position(|one| one.id == id && one.owner == owner).ok_or_else(unknown)?;
        let one = &mut known[place];
        one.provider = provider.map_or_else(|| one.provider.clone(), str::to_owned);
        one.username = given.git_username.or(one.username.take());
        one.email = given.git_email.or(one.email.take());
        one.name = given.name.or(one.name.take());
        if let Some(token) = given.personal_access_token {
            one.token = token;
        }
        let changed = one.clone();
        self.save(&known)?;
        Ok(changed)
    }

    /// Forgets one.
    pub(crate) fn remove(&self, owner: &str, id: i64) -> Result<(), Refusal> {
        let mut known = lock(&self.known);
        let place = known.iter().position(|one| one.id == id && one.owner == owner).ok_or_else(unknown)?;
        known.remove(place);
        self.save(&known)
    }

    /// What a user's runs read repositories of a provider with.
    pub(crate) fn find(&self, owner: &str, provider: &str) -> Option<GitCredential> {
        self.all(owner).into_iter().find(|one| one.provider.eq_ignore_ascii_case(provider))
    }
}

fn unknown() -> Refusal {
    Refusal::GitCredential("CREDENTIAL_NOT_FOUND", "Credential with the specified ID not found.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::os::unix::fs::PermissionsExt;

    fn given(value: Value) -> Given {
        serde_json::from_value(value).unwrap()
    }

    fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
        match result {
            Err(Refusal::GitCredential(code, _)) => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everybody_has_one_for_each_provider() {
        let folder = tempfile::tempdir().unwrap();
        let open = || GitCredentials::open(folder.path().join("git.json")).unwrap();
        let all = open();
        let one = || given(json!({ "git_provider": "GITHUB", "git_username": "ana", "personal_access_token": "t" }));
        let id = all.create("ana", one()).unwrap().id;
        assert_eq!(code(all.create("ana", one())), "CREDENTIAL_ALREADY_EXISTS");
        all.create("ben", one()).unwrap();
        assert_eq!(code(all.create("ana", given(json!({ "git_provider": "gitLab" })))), "TOKEN_MISSING");
        let svn = given(json!({ "git_provider": "svn", "personal_access_token": "t" }));
        assert_eq!(code(all.create("ana", svn)), "INVALID_GIT_PROVIDER");
        assert_eq!(code(all.get("ben", id)), "CREDENTIAL_NOT_FOUND", "each sees only their own");
        assert_eq!(code(all.remove("ben", id)), "CREDENTIAL_NOT_FOUND");
        all.update("ana", id, given(json!({ "personal_access_token": "newer" }))).unwrap();
        let again = open().find("ana", "gitHub").unwrap();
        assert_eq!((again.username.as_deref(), again.token.expose_secret()), (Some("ana"), "newer"));
        all.remove("ana", id).unwrap();
        assert!(open().find("ana", "gitHub").is_none());
    }

    #[test]
    fn tokens_are_nobody_elses_business() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("git.json");
        let all = GitCredentials::open(file.clone()).unwrap();
        let lines = given(json!({ "git_provider": "gitHub", "personal_access_token": "a\nurl=https://elsewhere" }));
        assert!(matches!(all.create("ana", lines), Err(Refusal::Invalid(_))));
        let one = all.create("ana", given(json!({ "git_provider": "gitHub", "personal_access_token": "hidden" })));
        assert!(!format!("{one:?}").contains("hidden"));
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
