//! Secrets are the workspace's credentials that a build's steps may have. What tells of the build does not tell them: a
//! guard against accidents, since code that has a credential can write it in many ways.

use std::borrow::Cow;
use std::path::Path;
use std::{env, fs};

use brickline_artifact::layout::WORKSPACE_SECRETS;

/// Shorter values are words that mean something else elsewhere, and no credentials of Databricks.
const MIN_BYTES: usize = 8;
/// The longest value that is known, in bytes: more than any token has.
const MAX_BYTES: usize = 8 * 1024;
/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";
/// The variable that names a file with a token.
const TOKEN_FILE: &str = "DATABRICKS_OIDC_TOKEN_FILEPATH";

/// Values that nobody is told, the longest first.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Those of this container: of its variables, and of the token's file as it is now.
    pub fn of_environment() -> Self {
        let variables = WORKSPACE_SECRETS.iter().filter_map(|name| env::var(name).ok());
        let file = env::var_os(TOKEN_FILE).and_then(|path| fs::read_to_string(Path::new(&path)).ok());
        Self::new(variables.chain(file))
    }

    fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.add(value.trim()));
        all
    }

    /// The value as it is, and as a report has it.
    fn add(&mut self, value: &str) {
        let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        for form in [value.to_owned(), escaped] {
            if (MIN_BYTES..=MAX_BYTES).contains(&form.len()) && !self.0.contains(&form) {
                self.0.push(form);
            }
        }
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Those of both: a token is renewed while a build runs.
    pub fn and(mut self, others: &Self) -> Self {
        others.0.iter().for_each(|value| self.add(value));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much of a text's end may be the beginning of a secret, in bytes.
    pub fn overhang(&self) -> usize {
        self.0.first().map_or(0, |longest| longest.len() - 1)
    }

    /// A text without them.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, value| {
            if text.contains(value.as_str()) { Cow::Owned(text.replace(value.as_str(), REDACTED)) } else { text }
        })
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    pub fn secrets(values: &[&str]) -> Secrets {
        Secrets::new(values.iter().map(|value| (*value).to_owned()))
    }

    #[rstest]
    #[case(&["dapi0123456789"], "token dapi0123456789!", "token [redacted]!")]
    #[case(&["dapi0123456789\n"], "dapi0123456789dapi0123456789", "[redacted][redacted]")]
    #[case(&["dapi0123", "dapi01234567"], "dapi01234567 dapi0123", "[redacted] [redacted]")]
    #[case(&["a<b&c\"d>efgh"], "message=\"a&lt;b&amp;c&quot;d&gt;efgh\"", "message=\"[redacted]\"")]
    #[case(&["short", ""], "a short word", "a short word")]
    #[case(&[], "dapi0123456789", "dapi0123456789")]
    fn values_are_not_told(#[case] values: &[&str], #[case] text: &str, #[case] expected: &str) {
        assert_eq!(secrets(values).masked(text), expected);
    }

    #[test]
    fn a_renewed_token_is_known_beside_the_old_one() {
        let both = secrets(&["token-before"]).and(&secrets(&["token-after"]));
        assert_eq!(both.masked("token-before token-after"), "[redacted] [redacted]");
    }

    proptest! {
        #[test]
        fn whatever_stands_around_it(before in ".{0,40}", after in ".{0,40}", value in "[A-Za-z0-9_.~+/=-]{8,60}") {
            let text = format!("{before}{value}{after}");
            prop_assert!(!secrets(&[&value]).masked(&text).contains(&value));
        }
    }
}
