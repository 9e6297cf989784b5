//! What people are told of what the CLI said: pure.

use std::sync::LazyLock;

use regex::Regex;

/// How much of a container's last words a message holds, in characters.
const TAIL: usize = 1_000;
/// How many lines of them.
const LINES: usize = 8;
/// How much of a log is told, in bytes.
pub(super) const LOG: usize = 128 * 1024;

/// What looks like a token: those of Databricks, and signed ones. A script of the bundle may print anything.
static TOKENS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(dapi|dose|dkea)[0-9a-f]{32}(-[0-9]+)?|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*").ok());

/// The last lines in one, without tokens.
pub(super) fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    let text = masked(&lines.get(from..).unwrap_or_default().join("; "));
    let long = text.chars().count().saturating_sub(TAIL);
    if long == 0 { text } else { format!("…{}", text.chars().skip(long).collect::<String>()) }
}

/// A text without what looks like a token.
pub(super) fn masked(text: &str) -> String {
    TOKENS.as_ref().map_or_else(String::new, |tokens| tokens.replace_all(text, "[redacted]").into_owned())
}

/// The lines of a log for the phase's own, the last ones if it is too long.
pub(super) fn lines(log: &str) -> Vec<String> {
    let mut from = log.len().saturating_sub(LOG);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    let kept = log.get(from..).unwrap_or_default();
    let kept = if from == 0 { kept } else { kept.split_once('\n').map_or("", |(_, rest)| rest) };
    let left_out = (from > 0).then(|| "what came before is left out".to_owned());
    let told = kept.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(masked);
    left_out.into_iter().chain(told).collect()
}
