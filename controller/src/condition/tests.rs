//! What conditions answer, what they refuse, and that no text harms.

use super::*;
use proptest::prelude::*;
use rstest::rstest;

fn stages() -> BTreeMap<String, StageView> {
    let stage = |result: &str, commit: &str| StageView {
        result: result.to_owned(),
        commit: commit.to_owned(),
        artifact: "sha256:4f2c".to_owned(),
        reason: "push".to_owned(),
    };
    let qa = stage("SucceededWithIssues", "9b1c0de");
    [("dev", stage("Succeeded", "9b1c0de")), ("qa-2", qa), ("production", StageView::default())]
        .map(|(name, view)| (name.to_owned(), view))
        .into()
}

fn release() -> ReleaseView {
    ReleaseView { branch: "release/1.2".to_owned(), commit: "9b1c0de".to_owned(), reason: "push".to_owned() }
}

fn answer_to(expression: &str) -> Result<bool, String> {
    holds(expression, &stages(), &release())
}

#[rstest]
#[case("stages.dev.result == 'Succeeded'", true)]
#[case("stages.dev.result == \"Failed\"", false)]
#[case("stages['qa-2'].result in ['Succeeded', 'SucceededWithIssues']", true)]
#[case("stages['qa-2']['result'].startsWith('Succeeded') && stages.dev.commit == stages['qa-2'].commit", true)]
#[case("stages.production.result == ''", true)]
#[case("stages.production.result != '' || release.branch.matches('^release/[0-9.]+$')", true)]
#[case("!release.branch.endsWith('-rc') && release.commit == stages.dev.commit", true)]
#[case("release.reason == 'schedule' ? stages.dev.result == 'Failed' : true", true)]
#[case("size(stages.production.artifact) > 0", false)]
#[case("has(stages.dev.artifact) && stages.dev.artifact.contains('sha256')", true)]
#[case("true", true)]
#[case("stages.dev.result == 'Succeeded' // and nothing else\n", true)]
#[case("release.branch == 'größe'", false)]
fn a_condition_is_answered(#[case] expression: &str, #[case] expected: bool) {
    assert_eq!(answer_to(expression), Ok(expected));
    assert_eq!(check::<StageView>(expression, stages().keys().map(String::as_str)), Ok(()));
}

#[rstest]
#[case("", "can't be read")]
#[case("stages.dev.result = 'Succeeded'", "can't be read at line 1, column 19")]
#[case("stages.dev.result == 'Succeeded", "can't be read at line 1")]
#[case("stages.dev.result", "neither true nor false but of type string")]
#[case("size(release.branch)", "neither true nor false but of type")]
#[case("stages.test.result == 'Succeeded'", "there is no stage 'test': there is dev, production, qa-2")]
#[case("stages.qa-2.result == 'Succeeded'", "stages['my-stage']")]
#[case("stages.qa-two.result == 'Succeeded'", "stages['my-stage']")]
#[case("stages.dev.verdict == 'Succeeded'", "stage 'dev' has no 'verdict': it has result, commit, artifact, reason")]
#[case("release.author == 'ana'", "the release has no 'author': it has branch, commit, reason")]
#[case("stages.dev.result.length == 'Succeeded'", "one field is asked")]
#[case("stages.dev == 'Succeeded'", "one field is asked")]
#[case("'dev' in stages", "one field is asked")]
#[case("release == 'x'", "one field is asked")]
#[case("stages[release.branch].result == 'x'", "in [] stands the name of a stage")]
#[case("'abc'.d == 'x'", "'d' is a field of neither")]
#[case("dev.result == Succeeded", "doesn't know 'dev'")]
#[case("stages.dev.result == Succeeded", "doesn't know 'Succeeded'")]
#[case("stages.exists(name, stages[name].result == 'Failed')", "no loops")]
#[case("['a'].all(x, true)", "no loops")]
#[case("['a', 'b'].map(x, x) == ['a']", "no loops")]
#[case("['a'].filter(x, true) == ['a']", "no loops")]
#[case("['a'].exists_one(x, true)", "no loops")]
#[case("release.branch + 'x' == 'y'", "no '+'")]
#[case("-size(release.branch) < 2", "no '-'")]
#[case("release.branch.lowerAscii() == 'y'", "no 'lowerAscii'")]
#[case("run('rm') == 'y'", "no 'run'")]
#[case("{'a': 1} == {'a': 1}", "no maps")]
#[case("release.branch > 1", "can't be answered")]
#[case("release.branch.matches('(')", "can't be answered")]
fn what_can_t_be_answered_is_told(#[case] expression: &str, #[case] says: &str) {
    let said = answer_to(expression).unwrap_err();
    assert!(said.contains(says), "{said}");
    assert!(check::<StageView>(expression, stages().keys().map(String::as_str)).is_err());
}

#[test]
fn a_condition_is_bounded() {
    let long = format!("release.branch == '{}'", "x".repeat(LENGTH));
    assert!(answer_to(&long).unwrap_err().contains("longer than 1024 characters"));
    let fits = format!("'{}' == release.branch", "ß".repeat(LENGTH - 20));
    assert_eq!((fits.chars().count(), answer_to(&fits)), (LENGTH, Ok(false)));
    let deep = |brackets| format!("{}true{}", "(".repeat(brackets), ")".repeat(brackets));
    assert_eq!(answer_to(&deep(BRACKETS)), Ok(true));
    assert!(answer_to(&deep(BRACKETS + 1)).unwrap_err().contains("more than 32 opening brackets"));
}

/// The longest chains of everything that nests without brackets, and all brackets there may be.
#[rstest]
#[case("true", "==true")]
#[case("1", "<1")]
#[case("1", "+1")]
#[case("true", "&&true")]
#[case("true", "||true")]
#[case("true", "?true:true")]
#[case("''", " in ''")]
#[case("release", ".a")]
#[case("release", ".a()")]
#[case("", "true?")]
#[case("", "true?true:")]
#[case("", "!")]
#[case("", "-")]
#[case("", "(")]
#[case("", "[")]
#[case("", "{")]
#[case("", "{a:")]
#[case("", "-(")]
#[case("", "has(a.")]
#[case("", "'a'.matches(")]
#[case("", "[1].map(x,")]
#[case("", "'")]
#[case("", "\\")]
#[case("", "$")]
#[case("", "\u{0}")]
fn no_chain_fills_the_stack(#[case] start: &str, #[case] link: &str, #[values("", "true")] end: &str) {
    let room = LENGTH - start.len() - end.len();
    let brackets = link.matches(['(', '[', '{']).count();
    let links = (room / link.len()).min(BRACKETS.checked_div(brackets).unwrap_or(usize::MAX));
    let text = format!("{start}{}{end}", link.repeat(links));
    assert!(text.len() <= LENGTH && links > 10);
    // Whatever the answer, it is a short one.
    assert!(answer_to(&text).map_or_else(|said| said.chars().count(), |_| 0) < 500);
}

#[test]
fn the_dearest_pattern_is_bounded() {
    let text = format!("release.branch.matches('{}')", "((a{1000}){1000}){1000}".repeat(5));
    assert!(answer_to(&text).unwrap_err().contains("can't be answered"));
}

/// Pieces of conditions in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "stages",
        "release",
        ".",
        "dev",
        "result",
        "['qa-2']",
        "'Succeeded'",
        "\"",
        "'",
        "==",
        "!=",
        "&&",
        "||",
        "!",
        "?",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "in",
        "has(",
        "size(",
        ".map(x,",
        "matches(",
        "true",
        "null",
        "1",
        "-",
        "1u",
        "0x",
        "1e9",
        "b'",
        "r'",
        "\\",
        "\\u",
        "`",
        "//",
        "\n",
        " ",
        "@",
        "a",
        "ü",
        "😀",
        "*",
        "/",
        "%",
        "<",
        ">",
        "=",
        "&",
        "|",
        "in",
        "for",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_answered_or_told(text in ".{0,300}") {
        let _ = answer_to(&text);
    }

    #[test]
    fn any_pieces_are_answered_or_told(text in pieces()) {
        if let Err(said) = answer_to(&text) {
            prop_assert!(said.chars().count() < 500 && said != "the condition can't be read", "{}", said);
        }
    }

    #[test]
    fn what_was_checked_is_answered(result in "[A-Za-z]{0,20}", commit in "[0-9a-f]{0,40}", branch in ".{0,40}") {
        let mut stages = stages();
        stages.insert("dev".to_owned(), StageView { result: result.clone(), commit, ..StageView::default() });
        let release = ReleaseView { branch, ..release() };
        prop_assert_eq!(holds("stages.dev.result == 'Succeeded'", &stages, &release), Ok(result == "Succeeded"));
    }
}
