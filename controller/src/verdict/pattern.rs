//! A pattern is a regular expression written in this program, as against one that comes from outside.

use regex::Regex;

/// Compiles a constant pattern; every one is compiled by the tests of its reader.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern is valid")
}
