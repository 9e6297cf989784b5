//! Pages in every encoding met, and what their cells printed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rstest::rstest;
use serde_json::json;

use super::super::export::{ExportError, read};
use super::page;

const MODEL: &str = r#"{"commands":[{"position":2,"results":null},{"position":1.5,"commandTitle":"früh","results":{"type":"ansi","data":"100%25 + 1\u001b[0m"}}]}"#;

fn quote(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[rstest]
#[case(format!("__DATABRICKS_NOTEBOOK_MODEL = '{}'", BASE64_STANDARD.encode(quote(MODEL))))]
#[case(format!("__DATABRICKS_NOTEBOOK_MODEL = '{}'", quote(&BASE64_STANDARD.encode(quote(MODEL)))))]
#[case(format!("__DATABRICKS_NOTEBOOK_MODEL=\"{}\";", BASE64_STANDARD.encode(MODEL)))]
#[case(format!("__DATABRICKS_NOTEBOOK_MODEL = '{}'", BASE64_STANDARD.encode(quote(MODEL)).trim_end_matches('=')))]
#[case(format!("__DATABRICKS_NOTEBOOK_MODEL = {MODEL};</script>"))]
fn every_encoding_is_read(#[case] page: String) {
    let export = read(&page).expect("an export");
    let cells: Vec<_> =
        export.cells.iter().map(|cell| (cell.number, cell.title.as_str(), cell.text.as_str())).collect();
    assert_eq!(cells, [(1, "früh", "100%25 + 1"), (2, "", "")]);
}

#[rstest]
#[case("", ExportError::NoNotebook)]
#[case("<html>__DATABRICKS_NOTEBOOK_MODEL</html>", ExportError::NoNotebook)]
#[case("__DATABRICKS_NOTEBOOK_MODEL = 7", ExportError::NoNotebook)]
fn other_pages_hold_no_notebook(#[case] page: &str, #[case] error: ExportError) {
    assert_eq!(read(page), Err(error));
}

#[rstest]
#[case("__DATABRICKS_NOTEBOOK_MODEL = '!!'")]
#[case("__DATABRICKS_NOTEBOOK_MODEL = 'bm9uZQ=='")]
#[case("__DATABRICKS_NOTEBOOK_MODEL = {\"commands\": [")]
fn a_broken_notebook_is_an_error(#[case] page: &str) {
    assert!(matches!(read(page), Err(ExportError::Encoding(_))), "{:?}", read(page));
}

#[test]
fn every_kind_of_result_is_read_and_unknown_ones_are_skipped() {
    let streams = json!([{"type": "ansi", "data": "FAI"}, {"type": "ansi", "data": "LED\n"}]);
    let html = "<div class=\"ansiout\">Ran 1 test<br>in <b>0.1s</b>&#39;</div>";
    let error =
        json!({"type": "error", "summary": "<span class='ansi-red'>NameError</span>: x", "data": "\u{1b}[31mtrace"});
    let commands = json!([
        {"position": 1, "results": {"type": "listResults", "data": streams}},
        {"position": 2, "results": {"type": "html", "data": html}},
        {"position": 3, "results": {"type": "table", "data": [["FAILED"]], "schema": []}},
        {"position": 4, "state": "error", "results": {"type": "listResults", "data": [{"type": "text", "data": ["a\n", "b"]}, error]}},
        {"position": 5, "results": {"type": "mimeBundle", "data": {"text/plain": "<Figure>", "image/png": "x"}}},
        {"position": 6, "results": {"type": "hologram", "data": {"x": 1}}},
        {"position": 7, "results": [1, "x", null], "errorSummary": "Command skipped"},
        {"position": "first", "state": "finished"},
    ]);
    insta::assert_json_snapshot!(read(&page(&commands)).expect("an export"));
}

#[test]
fn results_within_results_end_somewhere() {
    let mut results = json!({"type": "ansi", "data": "deep"});
    for _ in 0..60 {
        results = json!({"type": "listResults", "data": [results]});
    }
    let export = read(&page(&json!([{"position": 1, "results": results}]))).expect("an export");
    assert_eq!(export.cells[0].text, "");
}
