//! Notebooks, workspace files and folders.

use crate::{
    api::{
        Context,
        arguments::{Arguments, decode, encode, flag},
    },
    jupyter,
    state::{
        Refusal, SafePath,
        objects::{Kind, Language, Object},
    },
};
use axum::{
    Json, Router,
    body::Body,
    extract::{FromRequest, Multipart, Path, Query, Request, State},
    http::{Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;

/// The limit of the import and export endpoints.
const MAX_IMPORT: usize = 10 * 1024 * 1024;
/// The limit of a workspace file.
const MAX_FILE: usize = 500 * 1024 * 1024;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/workspace/import", post(import))
        .route("/workspace/export", get(export))
        .route("/workspace/get-status", get(get_status))
        .route("/workspace/list", get(list))
        .route("/workspace/mkdirs", post(mkdirs))
        .route("/workspace/delete", post(delete))
        .route("/workspace-files/import-file/{*path}", post(import_file))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Format {
    #[default]
    Source,
    Html,
    Jupyter,
    Dbc,
    RMarkdown,
    Auto,
    Raw,
}

#[derive(Default, Deserialize)]
struct Import {
    path: String,
    #[serde(default)]
    format: Format,
    language: Option<Language>,
    #[serde(default, deserialize_with = "flag")]
    overwrite: bool,
    #[serde(default)]
    content: String,
}

async fn import(State(context): State<Context>, request: Request) -> Result<Json<Value>, Refusal> {
    let (import, bytes) = if is_multipart(&request) {
        read_multipart(request).await?
    } else {
        let read = Arguments::<Import>::from_request(request, &()).await;
        let Arguments(import) = read.map_err(|refusal| match refusal {
            Refusal::BodyTooLarge(_) => Refusal::NotebookTooLarge(MAX_IMPORT),
            other => other,
        })?;
        let bytes = decode(&import.content)?;
        (import, bytes)
    };
    if bytes.len() > MAX_IMPORT {
        return Err(Refusal::NotebookTooLarge(MAX_IMPORT));
    }
    let path = SafePath::workspace(&import.path)?;
    let (path, kind, bytes) = understand(&path, &import, bytes)?;
    context.workspace.objects.write(&path, kind, &bytes, import.overwrite)?;
    Ok(Json(json!({})))
}

/// Whether the request is a form with files.
pub(crate) fn is_multipart(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

async fn read_multipart(request: Request) -> Result<(Import, Vec<u8>), Refusal> {
    let malformed = |error: &dyn std::error::Error| Refusal::Malformed(error.to_string());
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| malformed(&error))?;
    let (mut values, mut bytes) = (serde_json::Map::new(), Vec::new());
    while let Some(mut field) = form.next_field().await.map_err(|error| malformed(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "content" {
            while let Some(part) = field.chunk().await.map_err(|error| malformed(&error))? {
                if bytes.len() + part.len() > MAX_IMPORT {
                    return Err(Refusal::NotebookTooLarge(MAX_IMPORT));
                }
                bytes.extend_from_slice(&part);
            }
        } else {
            values.insert(name, field.text().await.map_err(|error| malformed(&error))?.into());
        }
    }
    let import = Import::deserialize(Value::Object(values)).map_err(|error| malformed(&error))?;
    Ok((import, bytes))
}

/// What an import makes of its content, and where: AUTO cuts a notebook's suffix, SOURCE keeps the path as it is.
fn understand(path: &SafePath, import: &Import, bytes: Vec<u8>) -> Result<(SafePath, Kind, Vec<u8>), Refusal> {
    let file = || Kind::File { size: bytes.len() as u64 };
    match import.format {
        Format::Source => {
            let language = import.language.ok_or_else(|| {
                Refusal::Invalid("The language of the notebook must be given with format SOURCE.".to_owned())
            })?;
            Ok((path.clone(), Kind::Notebook { language }, bytes))
        }
        Format::Jupyter => {
            let source = jupyter::to_source(&bytes).map_err(|error| Refusal::Invalid(error.to_string()))?;
            Ok((path.clone(), Kind::Notebook { language: Language::Python }, source))
        }
        Format::Raw => Ok((path.clone(), file(), bytes)),
        Format::Auto => match recognise(path, &bytes) {
            Some(Found::Source(language)) => Ok((path.without_suffix(), Kind::Notebook { language }, bytes)),
            Some(Found::Jupyter(source)) => {
                Ok((path.without_suffix(), Kind::Notebook { language: Language::Python }, source))
            }
            None => Ok((path.clone(), file(), bytes)),
        },
        Format::Dbc => Err(Refusal::Unsupported("The format DBC")),
        Format::Html => Err(Refusal::Unsupported("Importing the format HTML")),
        Format::RMarkdown => Err(Refusal::Unsupported("The format R_MARKDOWN")),
    }
}

enum Found {
    Source(Language),
    Jupyter(Vec<u8>),
}

/// A file is a notebook if its suffix names a language and its first line says so, or if it is a Jupyter notebook.
fn recognise(path: &SafePath, bytes: &[u8]) -> Option<Found> {
    if path.name().rsplit_once('.').is_some_and(|(_, suffix)| suffix == "ipynb") {
        return jupyter::to_source(bytes).ok().map(Found::Jupyter);
    }
    let language = Language::of_suffix(path.name())?;
    let first = bytes.split(|byte| *byte == b'\n').next()?;
    (first.trim_ascii() == language.header().as_bytes()).then_some(Found::Source(language))
}

#[derive(Deserialize)]
struct Export {
    path: String,
    #[serde(default)]
    format: Format,
    #[serde(default, deserialize_with = "flag")]
    direct_download: bool,
}

async fn export(State(context): State<Context>, Arguments(export): Arguments<Export>) -> Result<Response, Refusal> {
    let path = SafePath::workspace(&export.path)?;
    let objects = &context.workspace.objects;
    if matches!(objects.status(&path)?.kind, Kind::File { size } if size > MAX_IMPORT as u64) {
        return Err(Refusal::NotebookTooLarge(MAX_IMPORT));
    }
    let (object, bytes) = objects.read(&path)?;
    let (bytes, file_type) = match (object.kind, export.format) {
        (Kind::Notebook { language }, Format::Source | Format::Auto | Format::Raw) => {
            (with_header(language, bytes), language.to_string().to_lowercase())
        }
        (Kind::Notebook { .. }, _) => return Err(Refusal::Unsupported("Exporting a notebook in this format")),
        (_, Format::Dbc | Format::Html | Format::Jupyter | Format::RMarkdown) => {
            return Err(Refusal::Unsupported("Exporting a file in this format"));
        }
        (_, _) => (bytes, "file".to_owned()),
    };
    if bytes.len() > MAX_IMPORT {
        return Err(Refusal::NotebookTooLarge(MAX_IMPORT));
    }
    if export.direct_download {
        return Ok(Body::from(bytes).into_response());
    }
    Ok(Json(json!({ "content": encode(&bytes), "file_type": file_type })).into_response())
}

/// An exported notebook always begins with its header, also if what was imported did not.
fn with_header(language: Language, bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(language.header().as_bytes()) {
        return bytes;
    }
    [language.header().as_bytes(), b"\n", &bytes].concat()
}

#[derive(Deserialize)]
pub(crate) struct PathArgument {
    pub(crate) path: String,
}

async fn get_status(
    State(context): State<Context>,
    Arguments(PathArgument { path }): Arguments<PathArgument>,
) -> Result<Json<Value>, Refusal> {
    let path = SafePath::workspace(&path)?;
    let object = context.workspace.objects.status(&path)?;
    Ok(Json(show(path.as_str(), &object)))
}

/// An object as the API shows it; times only for files, as the real service does.
fn show(path: &str, object: &Object) -> Value {
    let id = object.id;
    let mut shown = json!({ "path": path, "object_id": id, "resource_id": id.to_string() });
    match object.kind {
        Kind::Notebook { language } => {
            shown["object_type"] = "NOTEBOOK".into();
            shown["language"] = language.to_string().into();
        }
        Kind::Directory => shown["object_type"] = "DIRECTORY".into(),
        Kind::File { size } => {
            shown["object_type"] = "FILE".into();
            shown["created_at"] = object.created_at.into();
            shown["modified_at"] = object.modified_at.into();
            shown["size"] = size.into();
        }
    }
    shown
}

async fn list(
    State(context): State<Context>,
    Arguments(PathArgument { path }): Arguments<PathArgument>,
) -> Result<Json<Value>, Refusal> {
    let found = context.workspace.objects.list(&SafePath::workspace(&path)?)?;
    if found.is_empty() {
        // An empty folder has no list at all.
        return Ok(Json(json!({})));
    }
    let objects: Vec<_> = found.iter().map(|(path, object)| show(path, object)).collect();
    Ok(Json(json!({ "objects": objects })))
}

async fn mkdirs(
    State(context): State<Context>,
    Arguments(PathArgument { path }): Arguments<PathArgument>,
) -> Result<Json<Value>, Refusal> {
    context.workspace.objects.mkdirs(&SafePath::workspace(&path)?)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub(crate) struct Delete {
    pub(crate) path: String,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) recursive: bool,
}

async fn delete(State(context): State<Context>, Arguments(delete): Arguments<Delete>) -> Result<Json<Value>, Refusal> {
    context.workspace.objects.delete(&SafePath::workspace(&delete.path)?, delete.recursive)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub(crate) struct Overwrite {
    #[serde(default, deserialize_with = "flag")]
    pub(crate) overwrite: bool,
}

/// This endpoint says no code with it.
fn in_the_way(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::NotebookExists(path) => Refusal::NotebookInTheWay(path),
        other => other,
    }
}

/// Not a documented endpoint, but the one that Databricks' own CLI uses: the body is the file.
async fn import_file(
    State(context): State<Context>,
    Path(path): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let query: Query<Overwrite> = Query::try_from_uri(&uri).map_err(|error| Refusal::Malformed(error.to_string()))?;
    let path = SafePath::workspace(&format!("/{}", path.trim_start_matches('/')))?;
    let objects = &context.workspace.objects;
    // To the disk as it comes: a file may be larger than the memory.
    let (mut file, mut size, mut data) = (context.workspace.dbfs.stage()?, 0, body.into_data_stream());
    while let Some(part) = data.next().await {
        let part = part.map_err(|error| Refusal::Malformed(error.to_string()))?;
        size += part.len();
        if size > MAX_FILE {
            return Err(Refusal::NotebookTooLarge(MAX_FILE));
        }
        file.write_all(&part)?;
    }
    if size > MAX_IMPORT {
        objects.place(&path, Kind::File { size: size as u64 }, file, query.overwrite).map_err(in_the_way)?;
        return Ok(Json(json!({})));
    }
    let import = Import { format: Format::Auto, ..Import::default() };
    let (path, kind, bytes) = understand(&path, &import, std::fs::read(file.path())?)?;
    objects.write(&path, kind, &bytes, query.overwrite).map_err(in_the_way)?;
    Ok(Json(json!({})))
}
