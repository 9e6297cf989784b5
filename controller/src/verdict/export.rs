//! An export is the page Databricks makes of a finished notebook run: its cells with everything they printed.
//!
//! The page holds the notebook as `__DATABRICKS_NOTEBOOK_MODEL = '...'`, base64 of URL-encoded JSON; some pages URL-encode once
//! more around it, some leave the inner encoding out.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::markup;

/// Largest page that is read, in bytes; more than Databricks keeps of a run's outputs.
pub const MAX_PAGE: usize = 64 << 20;
/// Cells read of one notebook at most.
const MAX_CELLS: usize = 10_000;
/// How deep results lie within results at most.
const MAX_DEPTH: usize = 8;
const MARK: &str = "__DATABRICKS_NOTEBOOK_MODEL";

/// A notebook's cells, in their order, with what they printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Export {
    /// The cells.
    pub cells: Vec<Cell>,
}

/// A cell and what it printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Its place among the cells with code, from 1.
    pub number: usize,
    /// The title somebody gave it.
    pub title: String,
    /// Whether it ended with an exception.
    pub failed: bool,
    /// What it printed, without escape codes and markup.
    pub text: String,
    /// The exception that ended it; empty if none did.
    pub error: String,
}

/// Why a page can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The page is larger than [`MAX_PAGE`].
    #[error("the exported page is larger than {MAX_PAGE} bytes")]
    TooLarge,
    /// It isn't the page of a notebook.
    #[error("the exported page holds no notebook")]
    NoNotebook,
    /// The notebook in it is neither base64 nor JSON.
    #[error("the notebook in the exported page can't be decoded: {0}")]
    Encoding(String),
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    commands: Vec<Command>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Command {
    position: Value,
    #[serde(rename = "commandTitle")]
    title: Value,
    state: Value,
    results: Value,
    error_summary: Value,
    error: Value,
}

/// Reads the page.
///
/// # Errors
/// [`ExportError`] if it is too large, holds no notebook or one that can't be decoded.
pub fn read(page: &str) -> Result<Export, ExportError> {
    if page.len() > MAX_PAGE {
        return Err(ExportError::TooLarge);
    }
    let mut commands = model(page)?.commands;
    // Cells without a position go last, in the order they came.
    let position = |command: &Command| command.position.as_f64().unwrap_or(f64::MAX);
    commands.sort_by(|one, other| position(one).total_cmp(&position(other)));
    let cells = commands.iter().take(MAX_CELLS).enumerate().map(|(index, command)| cell(index + 1, command));
    Ok(Export { cells: cells.collect() })
}

fn model(page: &str) -> Result<Model, ExportError> {
    let after = page.find(MARK).map(|at| page[at + MARK.len()..].trim_start()).ok_or(ExportError::NoNotebook)?;
    let value = after.strip_prefix('=').ok_or(ExportError::NoNotebook)?.trim_start();
    if value.starts_with('{') {
        let mut plain = serde_json::Deserializer::from_str(value).into_iter::<Model>();
        return plain.next().ok_or(ExportError::NoNotebook)?.map_err(|error| ExportError::Encoding(error.to_string()));
    }
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or(ExportError::NoNotebook)?;
    let encoded = value[1..].split(quote).next().ok_or(ExportError::NoNotebook)?;
    decode(encoded)
}

fn decode(encoded: &str) -> Result<Model, ExportError> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let outer: Vec<u8> = percent_decode(encoded.trim().as_bytes()).collect();
    let inner = BASE64.decode(outer).map_err(|error| ExportError::Encoding(error.to_string()))?;
    // JSON that was not URL-encoded may hold percent signs of its own: tried first as it is.
    serde_json::from_slice(&inner)
        .or_else(|_| serde_json::from_slice(&percent_decode(&inner).collect::<Vec<u8>>()))
        .map_err(|error| ExportError::Encoding(error.to_string()))
}

fn cell(number: usize, command: &Command) -> Cell {
    let mut text = String::new();
    let mut error = plain(&command.error_summary);
    append(&command.results, 0, &mut text, &mut error);
    if error.is_empty() {
        error = plain(&command.error);
    }
    let failed = matches!(command.state.as_str(), Some("error" | "failed")) || !error.is_empty();
    Cell { number, title: command.title.as_str().unwrap_or_default().to_owned(), failed, text, error }
}

/// A text that may hold markup and escape codes.
fn plain(value: &Value) -> String {
    value.as_str().map(|text| markup::strip_ansi(&markup::to_text(text)).trim().to_owned()).unwrap_or_default()
}

/// Adds the words of a result to `text`, or to `error` if it is one. Unknown kinds say nothing.
fn append(result: &Value, depth: usize, text: &mut String, error: &mut String) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(list) = result.as_array() {
        for result in list {
            append(result, depth + 1, text, error);
        }
        return;
    }
    let data = &result["data"];
    match result["type"].as_str().unwrap_or_default() {
        "listResults" => append(data, depth + 1, text, error),
        // Pieces of one stream: a line may go on in the next piece.
        "ansi" | "text" => text.push_str(&words(data, markup::strip_ansi)),
        "html" | "htmlSandbox" => push_block(text, &markup::strip_ansi(&words(data, markup::to_text))),
        "mimeBundle" => push_block(text, &words(&data["text/plain"], markup::strip_ansi)),
        "error" => push_error(result, error),
        _ => {}
    }
}

fn words(data: &Value, read: fn(&str) -> String) -> String {
    match data {
        Value::String(text) => read(text),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).map(read).collect(),
        _ => String::new(),
    }
}

fn push_block(text: &mut String, block: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(block);
    if !block.is_empty() && !block.ends_with('\n') {
        text.push('\n');
    }
}

/// An error's summary is one line; without it the cause or the data has to do.
fn push_error(result: &Value, error: &mut String) {
    let told = ["summary", "cause", "data"].iter().map(|key| plain(&result[*key])).find(|told| !told.is_empty());
    if let Some(told) = told.filter(|_| error.is_empty()) {
        *error = told;
    }
}
