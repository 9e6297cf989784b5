//! A library is something to be installed on a cluster. This file knows what comes next; `work::install` does it.

use crate::state::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A library as the API writes it: exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Library {
    Whl(String),
    Jar(String),
    Egg(String),
    Requirements(String),
    Pypi(Pypi),
    Maven(serde_json::Value),
    Cran(serde_json::Value),
}

/// A package of a Python index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pypi {
    pub(crate) package: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repo: Option<String>,
}

impl Library {
    /// The normalised name of the Python distribution, which is a library's identity on a cluster. None if only its
    /// installation will tell.
    pub(crate) fn distribution(&self) -> Option<String> {
        match self {
            Self::Whl(path) => path.rsplit('/').next()?.split('-').next().map(normalise),
            Self::Pypi(pypi) => {
                let end = pypi.package.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
                Some(normalise(&pypi.package[..end.unwrap_or(pypi.package.len())]))
            }
            _ => None,
        }
    }

    /// Refuses what can't be a library at all.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let fine = match self {
            Self::Whl(path) => path.to_ascii_lowercase().ends_with(".whl"),
            Self::Requirements(path) => path.to_ascii_lowercase().ends_with(".txt"),
            Self::Pypi(pypi) => !pypi.package.trim().is_empty() && !pypi.package.starts_with('-'),
            _ => true,
        };
        if fine { Ok(()) } else { Err(Refusal::Invalid(format!("Invalid library: {}", self.label()))) }
    }

    /// Its path or name.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Whl(path) | Self::Jar(path) | Self::Egg(path) | Self::Requirements(path) => path.clone(),
            Self::Pypi(pypi) => pypi.package.clone(),
            Self::Maven(value) | Self::Cran(value) => value.to_string(),
        }
    }
}

/// PEP 503: case, `-`, `_` and `.` make no difference.
pub(crate) fn normalise(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// How far a library is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LibraryStatus {
    Pending,
    Installing,
    Installed,
    Failed,
    UninstallOnRestart,
}

impl LibraryStatus {
    /// Whether something will still happen to it without a request.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Installing)
    }
}

/// A library of a cluster with its status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Installation {
    pub(crate) library: Library,
    pub(crate) status: LibraryStatus,
    pub(crate) messages: Vec<String>,
    /// Being installed again because the cluster starts: notebooks wait for these.
    #[serde(skip)]
    pub(crate) restoring: bool,
}

/// The libraries of one cluster in the order they were asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Libraries(pub(crate) Vec<Installation>);

/// What has to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Install the library at this place of the list.
    Install(usize),
    /// It is installed in name only: the message says why.
    Settle(usize, &'static str),
}

/// The environment holds another wheel or version of that name until the cluster restarts.
pub(crate) const SHADOWED: &str =
    "A library of the same name is in use on this cluster; this one takes effect when the cluster restarts.";
/// A later entry of the list has the same name and wins.
pub(crate) const SUPERSEDED: &str = "Another library of the same name was installed later and is used instead.";

impl Libraries {
    /// Notes a wish to install. A library that is on the list already isn't added twice: a failed one is tried again,
    /// one marked for removal stays.
    pub(crate) fn request(&mut self, library: Library) {
        match self.0.iter_mut().find(|known| known.library == library) {
            Some(known) if known.status == LibraryStatus::UninstallOnRestart => {
                known.status = LibraryStatus::Installed;
            }
            Some(known) if known.status == LibraryStatus::Failed => {
                known.status = LibraryStatus::Pending;
                known.messages.clear();
            }
            Some(_) => {}
            None => self.0.push(Installation {
                library,
                status: LibraryStatus::Pending,
                messages: Vec::new(),
                restoring: false,
            }),
        }
    }

    /// Notes a wish to uninstall: it happens at the next restart. An unknown library is ignored.
    pub(crate) fn release(&mut self, library: &Library) {
        for known in self.0.iter_mut().filter(|known| known.library == *library) {
            known.status = LibraryStatus::UninstallOnRestart;
        }
    }

    /// A new environment has nothing in it: what was marked goes, the rest is installed again.
    pub(crate) fn restore(&mut self) {
        self.0.retain(|known| known.status != LibraryStatus::UninstallOnRestart);
        for known in &mut self.0 {
            known.status = LibraryStatus::Pending;
            known.messages.clear();
            known.restoring = true;
        }
    }

    /// The next step, given the distributions that the environment holds.
    pub(crate) fn next(&self, present: &BTreeSet<String>) -> Option<Step> {
        let place = self.0.iter().position(|known| known.status == LibraryStatus::Pending)?;
        let Some(name) = self.0[place].library.distribution() else { return Some(Step::Install(place)) };
        let later = |other: &Installation| {
            other.status == LibraryStatus::Pending && other.library.distribution().as_ref() == Some(&name)
        };
        if self.0[place + 1..].iter().any(later) {
            Some(Step::Settle(place, SUPERSEDED))
        } else if present.contains(&name) {
            Some(Step::Settle(place, SHADOWED))
        } else {
            Some(Step::Install(place))
        }
    }

    /// Whether the cluster is still rebuilding what it had.
    pub(crate) fn is_restoring(&self) -> bool {
        self.0.iter().any(|known| known.restoring && known.status.is_open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn whl(path: &str) -> Library {
        Library::Whl(path.to_owned())
    }

    #[rstest]
    #[case(whl("dbfs:/libs/Dbx_Demo-0.1.0-py3-none-any.whl"), "dbx-demo")]
    #[case(Library::Pypi(Pypi { package: "Great.Expectations[x]==1.2".to_owned(), repo: None }), "great-expectations")]
    fn a_library_is_known_by_its_distribution(#[case] library: Library, #[case] name: &str) {
        assert_eq!(library.distribution().as_deref(), Some(name));
    }

    #[test]
    fn a_replaced_library_waits_for_the_restart_and_then_wins() {
        let mut libraries = Libraries::default();
        let (old, new) = (whl("dbfs:/1/a-1-py3-none-any.whl"), whl("dbfs:/2/a-2-py3-none-any.whl"));
        let mut present = BTreeSet::new();
        libraries.request(old.clone());
        assert_eq!(libraries.next(&present), Some(Step::Install(0)));
        libraries.0[0].status = LibraryStatus::Installed;
        present.insert("a".to_owned());
        libraries.request(new);
        assert_eq!(libraries.next(&present), Some(Step::Settle(1, SHADOWED)));
        libraries.0[1].status = LibraryStatus::Installed;

        libraries.restore();
        present.clear();
        assert_eq!(libraries.next(&present), Some(Step::Settle(0, SUPERSEDED)));
        libraries.0[0].status = LibraryStatus::Installed;
        assert_eq!(libraries.next(&present), Some(Step::Install(1)));
    }

    #[test]
    fn uninstalling_takes_effect_at_the_restart() {
        let mut libraries = Libraries::default();
        let library = whl("dbfs:/1/a-1-py3-none-any.whl");
        libraries.request(library.clone());
        libraries.release(&library);
        assert_eq!(libraries.0[0].status, LibraryStatus::UninstallOnRestart);
        assert_eq!(libraries.next(&BTreeSet::new()), None);
        libraries.restore();
        assert!(libraries.0.is_empty());
        libraries.release(&library);
    }

    #[test]
    fn options_of_pip_are_no_packages() {
        let package = "--index-url=x".to_owned();
        assert!(Library::Pypi(Pypi { package, repo: None }).check().is_err());
        assert!(whl("dbfs:/a.egg").check().is_err());
    }
}
