//! Pages of a list: by offset, or by the tokens that the page before gave.

use crate::{
    api::arguments::{maybe_number, number},
    state::Refusal,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Which page a client wants.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default, deserialize_with = "number")]
    offset: usize,
    #[serde(default, deserialize_with = "maybe_number")]
    pub(crate) limit: Option<usize>,
    #[serde(default)]
    page_token: Option<String>,
}

impl Wanted {
    /// Where it begins.
    fn start(&self) -> Result<usize, Refusal> {
        token(self.page_token.as_deref()).map(|start| start.unwrap_or(self.offset))
    }

    /// The entries of the page, and an answer that lacks nothing but them.
    pub(crate) fn cut<'a, T>(&self, all: &'a [T], limit: usize) -> Result<(&'a [T], Value), Refusal> {
        let start = self.start()?.min(all.len());
        let end = start.saturating_add(limit).min(all.len());
        let mut answer = json!({ "has_more": end < all.len() });
        if end < all.len() {
            answer["next_page_token"] = end.to_string().into();
        }
        if start > 0 {
            answer["prev_page_token"] = start.saturating_sub(limit).to_string().into();
        }
        Ok((&all[start..end], answer))
    }
}

/// A run or job, and which page of its tasks.
#[derive(Debug, Deserialize)]
pub(crate) struct Of<T> {
    #[serde(flatten)]
    pub(crate) which: T,
    #[serde(default)]
    pub(crate) page_token: Option<String>,
}

/// Tasks of one run or job in one answer.
const MAX_TASKS: usize = 100;

/// Leaves of the tasks what belongs to the page that begins at a token, and says where the next one does.
pub(crate) fn tasks(shown: &mut Value, wanted: Option<&str>) -> Result<Option<String>, Refusal> {
    let start = token(wanted)?.unwrap_or(0);
    let Some(all) = shown.get_mut("tasks").and_then(Value::as_array_mut) else { return Ok(None) };
    let end = start.saturating_add(MAX_TASKS);
    let next = (end < all.len()).then(|| end.to_string());
    *all = std::mem::take(all).into_iter().skip(start).take(MAX_TASKS).collect();
    Ok(next)
}

/// What a token stands for: the number of entries before its page.
pub(crate) fn token(text: Option<&str>) -> Result<Option<usize>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Refusal::Invalid(format!("Invalid page_token '{text}'.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::first(json!({}), json!([[0, 1, 2], true, "3", null]))]
    #[case::middle(json!({ "page_token": "3" }), json!([[3, 4, 5], true, "6", "0"]))]
    #[case::last(json!({ "page_token": "6" }), json!([[6], false, null, "3"]))]
    #[case::by_offset(json!({ "offset": "5" }), json!([[5, 6], false, null, "2"]))]
    #[case::behind_the_end(json!({ "offset": 70 }), json!([[], false, null, "4"]))]
    fn pages_follow_each_other(#[case] wanted: Value, #[case] want: Value) {
        let wanted: Wanted = serde_json::from_value(wanted).unwrap();
        let all: Vec<_> = (0..7).collect();
        let (page, answer) = wanted.cut(&all, 3).unwrap();
        assert_eq!(json!([page, answer["has_more"], answer["next_page_token"], answer["prev_page_token"]]), want);
    }

    #[test]
    fn a_token_is_one_that_was_given() {
        assert!(token(Some("x")).is_err());
    }
}
