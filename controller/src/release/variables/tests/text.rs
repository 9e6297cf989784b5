//! The parts of one string.

use rstest::rstest;

use super::super::text::{Part, fill, names, parts};
use Part::{Escape, Name, Open, Text};

#[rstest]
#[case("plain", &[Text("plain")])]
#[case("a$(b)c", &[Text("a"), Name("b"), Text("c")])]
#[case("$(params.x)$(y)", &[Text(""), Name("params.x"), Text(""), Name("y"), Text("")])]
#[case("$$(b)", &[Text(""), Escape, Text("b)")])]
#[case("$$$(b)", &[Text("$"), Escape, Text("b)")])]
#[case("$(git rev-parse HEAD)", &[Text(""), Open, Text("git rev-parse HEAD)")])]
#[case("$(", &[Text(""), Open, Text("")])]
#[case("$()", &[Text(""), Open, Text(")")])]
#[case("$(a $(b))", &[Text(""), Open, Text("a "), Name("b"), Text(")")])]
#[case("$5 (b)", &[Text("$5 (b)")])]
fn a_string_has_parts(#[case] text: &str, #[case] expected: &[Part]) {
    assert_eq!(parts(text), expected);
}

#[rstest]
#[case("/Shared/$(team)/x", "/Shared/sales/x")]
#[case("$(team)$(team)", "salessales")]
#[case("$$(team)", "$(team)")]
#[case("$(other) $(a b)", "$(other) $(a b)")]
#[case("$(nested)", "$(team)")]
fn a_string_is_filled_once(#[case] text: &str, #[case] expected: &str) {
    let value = |name: &str| match name {
        "team" => Some("sales"),
        "nested" => Some("$(team)"),
        _ => None,
    };
    assert_eq!(fill(text, value), expected);
}

#[test]
fn escapes_are_no_names() {
    assert_eq!(names("$(a) $$(b) $(c d) $(e)"), ["a", "e"]);
}
