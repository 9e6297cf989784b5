//! Askpass is this binary again, started by git with its question: it answers from the credential's files.
//!
//! It answers for the plan's own host only. A submodule, a redirect or an LFS endpoint elsewhere gets nothing.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use brickline_artifact::layout::credential;
use url::{Origin, Url};

/// The credential's folder.
const FOLDER_ENV: &str = "BRICKLINE_ASKPASS_FOLDER";
/// The only address whose origin is answered for.
const URL_ENV: &str = "BRICKLINE_ASKPASS_URL";
/// The user name that goes with a token if none is given; forges look at the token alone.
const TOKEN_USER: &str = "x-access-token";

/// The variables that make git ask this binary.
pub fn environment(folder: &Path, url: &str) -> io::Result<Vec<(String, String)>> {
    let program = env::current_exe()?.to_string_lossy().into_owned();
    Ok(vec![
        ("GIT_ASKPASS".into(), program.clone()),
        ("SSH_ASKPASS".into(), program),
        (FOLDER_ENV.into(), folder.to_string_lossy().into_owned()),
        (URL_ENV.into(), url.into()),
    ])
}

/// Answers git's question on standard output, if this process was started to do so.
pub fn answer() -> Option<ExitCode> {
    let folder = PathBuf::from(env::var_os(FOLDER_ENV)?);
    let url = env::var(URL_ENV).ok()?;
    let question = env::args().nth(1).unwrap_or_default();
    Some(match reply(&question, &url, |name| fs::read_to_string(folder.join(name)).ok()) {
        Some(reply) => {
            println!("{reply}");
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    })
}

fn reply(question: &str, url: &str, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let asked = question.split('\'').nth(1)?;
    if origin(asked)? != origin(url)? {
        return None;
    }
    let read = |name| read(name).map(|text| text.trim_end_matches(['\n', '\r']).to_owned());
    if question.starts_with("Username") {
        return read(credential::USERNAME).or_else(|| read(credential::TOKEN).map(|_| TOKEN_USER.to_owned()));
    }
    question.starts_with("Password").then(|| read(credential::TOKEN).or_else(|| read(credential::PASSWORD)))?
}

fn origin(url: &str) -> Option<Origin> {
    Url::parse(url).ok().map(|url| url.origin()).filter(Origin::is_tuple)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn token(name: &str) -> Option<String> {
        (name == "token").then(|| "t0ken\n".to_owned())
    }

    fn password(name: &str) -> Option<String> {
        match name {
            "username" => Some("ana".into()),
            "password" => Some("s'cret".into()),
            _ => None,
        }
    }

    #[test]
    fn the_plans_host_is_answered() {
        let url = "https://git.example.com/data/d.git";
        assert_eq!(reply("Username for 'https://git.example.com': ", url, token).as_deref(), Some(TOKEN_USER));
        assert_eq!(reply("Password for 'https://x@git.example.com': ", url, token).as_deref(), Some("t0ken"));
        assert_eq!(reply("Username for 'https://git.example.com': ", url, password).as_deref(), Some("ana"));
        assert_eq!(reply("Password for 'https://ana@git.example.com': ", url, password).as_deref(), Some("s'cret"));
    }

    #[rstest]
    #[case("Password for 'https://evil.example.com': ")]
    #[case("Password for 'http://git.example.com': ")]
    #[case("Password for 'https://git.example.com:8443': ")]
    #[case("Password for 'https://git.example.com@evil.example.com': ")]
    #[case("Enter passphrase for key '/x/identity': ")]
    #[case("Something else")]
    #[case("")]
    fn nobody_else_is(#[case] question: &str) {
        assert_eq!(reply(question, "https://git.example.com/data/d.git", token), None);
    }
}
