//! An address: where a repository lives, read from any form of its clone URL.
//!
//! Forges name one repository in several ways: `https://`, `ssh://`, `git@host:path`, with and without `.git`, with
//! default ports spelled out. An address keeps what they have in common.

use url::{Host, Url};

/// Where a repository lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `http`, `https`, `ssh` or `git`.
    scheme: String,
    /// In lower case.
    host: String,
    /// None: the scheme's own.
    port: Option<u16>,
    /// Without slashes at its ends and without `.git`.
    path: String,
}

impl Address {
    /// Reads a clone URL; none if it is not one. User names and passwords in it are dropped.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = Url::parse(&with_scheme(url.trim())?).ok()?;
        // Of an `ssh://` URL the host is kept as it stands; here it gets the one form of `https://`, IDNA included.
        let host = Host::parse(url.host_str()?).ok()?.to_string().trim_end_matches('.').to_owned();
        let path = url.path().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        let known = matches!(url.scheme(), "http" | "https" | "ssh" | "git");
        if !known || host.is_empty() || path.is_empty() || url.query().is_some() || url.fragment().is_some() {
            return None;
        }
        let port = url.port().filter(|port| Some(*port) != default_port(url.scheme()));
        Some(Self { scheme: url.scheme().to_owned(), host, port, path: path.to_owned() })
    }

    /// The one spelling of this address: host, port if it is not the scheme's own, and path.
    pub(crate) fn canonical(&self) -> String {
        format!("{}/{}", self.authority(), self.path)
    }

    /// Whether both are the same repository. Forges don't tell names apart that differ only in case.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.canonical().eq_ignore_ascii_case(&other.canonical())
    }

    /// The host, without the port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The scheme, host and port of the forge's web server. For an SSH address that is HTTPS on the same host.
    pub(crate) fn origin(&self) -> String {
        match self.scheme.as_str() {
            "http" | "https" => format!("{}://{}", self.scheme, self.authority()),
            _ => format!("https://{}", self.host),
        }
    }

    /// What stands before owner and name (a forge below a folder of its host), owner, and name.
    pub(crate) fn owner_and_name(&self) -> Option<(&str, &str, &str)> {
        let (rest, name) = self.path.rsplit_once('/')?;
        let (prefix, owner) = rest.rsplit_once('/').unwrap_or(("", rest));
        (!owner.is_empty() && !name.is_empty()).then_some((prefix, owner, name))
    }

    fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "ssh" => Some(22),
        "git" => Some(9418),
        _ => None,
    }
}

/// `git@host:path`, ssh's short form, as a URL; others as they are.
fn with_scheme(url: &str) -> Option<String> {
    if url.contains("://") {
        return Some(url.to_owned());
    }
    let host_end = url.find(']').unwrap_or(0);
    let colon = host_end + url.get(host_end..)?.find(':')?;
    let (host, path) = (url.get(..colon)?, url.get(colon + 1..)?);
    (!host.contains('/')).then(|| format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://git.example.com/data/dbxdemo.git")]
    #[case("https://GIT.example.COM/data/dbxdemo")]
    #[case("https://git.example.com:443/data/dbxdemo/")]
    #[case("http://git.example.com:80/data/dbxdemo.git")]
    #[case("https://ana:secret@git.example.com/data/dbxdemo.git")]
    #[case("ssh://git@git.example.com/data/dbxdemo.git")]
    #[case("ssh://git@git.example.com:22/data/dbxdemo.git")]
    #[case("git@git.example.com:data/dbxdemo.git")]
    #[case("git@Git.example.com:/data/dbxdemo.git")]
    #[case("git.example.com:data/dbxdemo")]
    #[case("git://git.example.com:9418/data/dbxdemo.git")]
    #[case("https://git.example.com./data/dbxdemo.git")]
    #[case("  https://git.example.com/data/dbxdemo.git ")]
    fn every_spelling_is_one_repository(#[case] url: &str) {
        assert_eq!(Address::parse(url).unwrap().canonical(), "git.example.com/data/dbxdemo");
    }

    #[rstest]
    #[case("https://git.example.com:8443/data/dbxdemo.git", "git.example.com:8443/data/dbxdemo")]
    #[case("ssh://git@git.example.com:2222/data/dbxdemo.git", "git.example.com:2222/data/dbxdemo")]
    #[case("https://git.example.com/data/other", "git.example.com/data/other")]
    #[case("https://git.example.com/gitea/data/dbxdemo.git", "git.example.com/gitea/data/dbxdemo")]
    #[case("ssh://git@[2001:db8::1]:2222/data/dbxdemo", "[2001:db8::1]:2222/data/dbxdemo")]
    #[case("git@[2001:db8::1]:data/dbxdemo", "[2001:db8::1]/data/dbxdemo")]
    fn keeps_apart_what_differs(#[case] url: &str, #[case] canonical: &str) {
        assert_eq!(Address::parse(url).unwrap().canonical(), canonical);
    }

    #[rstest]
    #[case("")]
    #[case("/srv/git/dbxdemo.git")]
    #[case("file:///srv/git/dbxdemo.git")]
    #[case("https://git.example.com/")]
    #[case("https://git.example.com/a/b?x=y")]
    #[case("git@git.example.com:a/b#c")]
    #[case("https:///data/dbxdemo.git?")]
    fn refuses_what_is_no_clone_url(#[case] url: &str) {
        assert_eq!(Address::parse(url), None);
    }

    #[test]
    fn compares_without_case() {
        let (one, two) = ("https://github.com/Data/DbxDemo", "git@github.com:data/dbxdemo.git");
        assert!(Address::parse(one).unwrap().is(&Address::parse(two).unwrap()));
    }

    #[test]
    fn the_last_two_parts_are_owner_and_name() {
        let parts = |url: &str| Address::parse(url).unwrap();
        assert_eq!(parts("https://h/o/r.git").owner_and_name(), Some(("", "o", "r")));
        assert_eq!(parts("https://h/gitea/o/r.git").owner_and_name(), Some(("gitea", "o", "r")));
        assert_eq!(parts("https://h/a/b/o/r").owner_and_name(), Some(("a/b", "o", "r")));
        assert_eq!(parts("https://h/r").owner_and_name(), None);
    }

    #[test]
    fn a_path_can_t_climb_out_of_the_repository() {
        assert_eq!(Address::parse("git@h:../../admin/users").unwrap().canonical(), "h/admin/users");
    }

    #[test]
    fn foreign_host_names_have_one_form() {
        let (one, two) = ("https://bücher.example/data/dbxdemo", "git@BÜCHER.example:data/dbxdemo.git");
        assert!(Address::parse(one).unwrap().is(&Address::parse(two).unwrap()));
    }

    proptest! {
        #[test]
        fn takes_anything(url in ".{0,200}", scheme in "(https://|ssh://|git@)?") {
            if let Some(address) = Address::parse(&format!("{scheme}{url}")) {
                prop_assert!(address.is(&address));
                prop_assert!(!address.canonical().starts_with('/') && !address.canonical().ends_with('/'));
                let _ = (address.origin(), address.owner_and_name());
            }
        }

        #[test]
        fn every_form_of_a_repository_is_the_same(host in "[a-z]{1,9}(\\.[a-z]{2,5}){0,2}", path in "[a-z0-9_-]{1,9}(/[a-z0-9_-]{1,9}){1,3}") {
            let canonical = format!("{host}/{path}");
            for url in [
                format!("https://{host}/{path}"),
                format!("http://u:p@{host}:80/{path}.git/"),
                format!("ssh://git@{host}:22/{path}.git"),
                format!("git@{host}:{path}"),
            ] {
                prop_assert_eq!(Address::parse(&url).map(|address| address.canonical()), Some(canonical.clone()));
            }
        }
    }
}
