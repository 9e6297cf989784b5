//! Verdicts on texts that real frameworks printed (`../fixtures`), and on texts nobody should print.

mod export;
mod frameworks;
mod judge;
mod properties;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// A notebook's page as Databricks writes it: base64 of URL-encoded JSON.
fn page(commands: &Value) -> String {
    let model = json!({"name": "demo", "language": "python", "commands": commands}).to_string();
    let encoded = BASE64_STANDARD.encode(utf8_percent_encode(&model, NON_ALPHANUMERIC).to_string());
    format!("<!DOCTYPE html><script>var __DATABRICKS_NOTEBOOK_MODEL = '{encoded}';\nvar x = 1;</script>")
}

/// A page with one cell that printed this.
fn printed(text: &str) -> String {
    let results = json!({"type": "listResults", "data": [{"type": "ansi", "data": text}]});
    page(&json!([{"position": 1.0, "state": "finished", "results": results}]))
}
