//! What is told of a CLI's output.

use proptest::prelude::*;
use rstest::rstest;

use super::super::words::{LOG, lines, masked, tail};

const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

#[rstest]
#[case("Error: no such target\n", "Error: no such target")]
#[case("\n\n  a\n\nb  \n", "a; b")]
#[case("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "2; 3; 4; 5; 6; 7; 8; 9")]
#[case("", "")]
fn a_message_has_the_last_lines(#[case] said: &str, #[case] expected: &str) {
    assert_eq!(tail(said), expected);
}

#[rstest]
#[case("token dapi0123456789abcdef0123456789abcdef-2!", "token [redacted]!")]
#[case(JWT, "[redacted]")]
#[case("DATABRICKS_CLIENT_SECRET=dose0123456789abcdef0123456789abcdef", "DATABRICKS_CLIENT_SECRET=[redacted]")]
#[case("job dapi-nightly of eyJ", "job dapi-nightly of eyJ")]
fn what_looks_like_a_token_is_not_told(#[case] said: &str, #[case] expected: &str) {
    assert_eq!(masked(said), expected);
    assert_eq!((tail(said), lines(said)), (expected.to_owned(), vec![expected.to_owned()]));
}

#[test]
fn of_a_long_log_the_end_is_told() {
    let log: Vec<String> = (0..40_000).map(|number| format!("line {number}")).collect();
    let log = log.join("\n");
    let told = lines(&log);
    assert_eq!((told[0].as_str(), told.last().unwrap().as_str()), ("what came before is left out", "line 39999"));
    assert!(told[1].starts_with("line "), "no line is cut in half: {}", told[1]);
}

proptest! {
    #[test]
    fn whatever_was_said_is_told_within_bounds(said in "(.{0,40}\n){0,40}") {
        prop_assert!(tail(&said).chars().count() <= 1_001);
        prop_assert!(lines(&said).iter().map(String::len).sum::<usize>() <= 2 * LOG);
        let leaked = tail(&[&said, JWT, "\n"].concat());
        prop_assert!(!leaked.contains(JWT));
    }
}
