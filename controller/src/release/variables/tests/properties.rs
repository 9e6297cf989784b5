//! What holds for every string and every value.

use proptest::prelude::*;
use serde_json::json;

use super::super::text::{fill, names, parts};
use super::super::{effective, scope};
use super::*;

/// Strings full of what matters here.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "$",
        "$$",
        "(",
        ")",
        "$(",
        "$$(",
        "$(params.team)",
        "$(params.x",
        "$(pwd)",
        "$(workspace.vars.apiKey)",
        "a",
        "/",
        "é",
        " ",
        "params.",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

/// A release that uses `text` where every name may stand, and as an argument of its tests.
fn using(text: &str, team: &str) -> DatabricksRelease {
    let mut release = release(&json!({
        "build": {"tests": {"args": [text, "--team=$(params.team)"]}},
        "test": {"notebooks": [{"match": "**", "parameters": {"it": text}}]},
    }));
    release.spec.parameters = [("team".to_owned(), team.to_owned())].into();
    release
}

proptest! {
    #[test]
    fn a_string_without_names_is_untouched(text in "[^$]*") {
        prop_assert_eq!(fill(&text, |_| Some("value")), text);
    }

    #[test]
    fn names_without_value_stay_as_they_are(text in texts().prop_filter("no escape", |text| !text.contains("$$("))) {
        prop_assert_eq!(fill(&text, |_| None), text);
    }

    #[test]
    fn any_string_can_be_written(text in ".*|([$(]|[a-z])*") {
        prop_assert_eq!(fill(&text.replace("$(", "$$("), |_| Some("value")), text);
    }

    #[test]
    fn nothing_panics(text in ".*", team in ".*") {
        let _ = (parts(&text), names(&text));
        let release = using(&text, &team);
        let values = scope(&release, None, "", Some(&pipeline()), Some(&workspace())).unwrap_or_default();
        let _ = effective(&with(release, values));
    }

    #[test]
    fn no_name_in_scope_is_left(text in texts().prop_filter("no escape", |text| !text.contains("$$("))) {
        let release = using(&text, "sales");
        if let Ok(values) = scoped(&release) {
            let release = with(release, values.clone());
            let filled = effective(&release);
            for name in values.keys() {
                let name = format!("$({name})");
                prop_assert!(!filled.spec.build.tests.args[0].contains(&name), "{name} in {:?}", filled.spec.build.tests.args);
            }
        }
    }

    /// But for escapes and for values that hold `$(`: those are text once they are resolved.
    #[test]
    fn effective_is_idempotent(
        text in texts().prop_filter("no escape", |text| !text.contains("$$(")),
        team in "[a-z()/.]{1,20}",
    ) {
        let release = using(&text, &team);
        if let Ok(values) = scoped(&release) {
            let release = with(release, values);
            let once = effective(&release).into_owned();
            let twice = effective(&once).into_owned();
            prop_assert_eq!(once, twice);
        }
    }
}
