//! DBFS.

use crate::{
    api::{
        Context,
        arguments::{Arguments, decode, encode, flag, maybe_number, number},
        workspace::{Delete, PathArgument, is_multipart},
    },
    state::{
        Refusal, SafePath, Tree,
        streams::{place, refuse_existing},
        tree::Entry,
    },
};
use axum::{
    Json, Router,
    extract::{FromRequest, Multipart, Request, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{io::Write, time::Instant};

/// The limit of one block, decoded; also of one read and of a file put in one piece.
const MAX_BLOCK: usize = 1024 * 1024;
/// The limit of a form upload.
const MAX_UPLOAD: u64 = 2 * 1024 * 1024 * 1024;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/dbfs/put", post(put))
        .route("/dbfs/create", post(create))
        .route("/dbfs/add-block", post(add_block))
        .route("/dbfs/close", post(close))
        .route("/dbfs/get-status", get(get_status))
        .route("/dbfs/list", get(list))
        .route("/dbfs/read", get(read))
        .route("/dbfs/mkdirs", post(mkdirs))
        .route("/dbfs/delete", post(delete))
}

#[derive(Deserialize)]
struct Put {
    path: String,
    #[serde(default)]
    contents: String,
    #[serde(default, deserialize_with = "flag")]
    overwrite: bool,
}

async fn put(State(context): State<Context>, request: Request) -> Result<Json<Value>, Refusal> {
    let tree = &context.workspace.dbfs;
    let (put, file) = if is_multipart(&request) {
        read_multipart(tree, request).await?
    } else {
        let read = Arguments::<Put>::from_request(request, &()).await;
        let Arguments(put) = read.map_err(|refusal| match refusal {
            Refusal::BodyTooLarge(_) => Refusal::BlockTooLarge(MAX_BLOCK),
            other => other,
        })?;
        let mut file = tree.stage()?;
        file.write_all(&block(&put.contents)?)?;
        (put, file)
    };
    let path = SafePath::dbfs(&put.path)?;
    refuse_existing(tree, &path, put.overwrite)?;
    place(tree, file, &path, put.overwrite)?;
    Ok(Json(json!({})))
}

fn block(text: &str) -> Result<Vec<u8>, Refusal> {
    let block = decode(text)?;
    if block.len() > MAX_BLOCK { Err(Refusal::BlockTooLarge(MAX_BLOCK)) } else { Ok(block) }
}

async fn read_multipart(tree: &Tree, request: Request) -> Result<(Put, tempfile::NamedTempFile), Refusal> {
    let malformed = |error: &dyn std::error::Error| Refusal::Malformed(error.to_string());
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| malformed(&error))?;
    let (mut values, mut file, mut size) = (serde_json::Map::new(), tree.stage()?, 0_u64);
    while let Some(mut field) = form.next_field().await.map_err(|error| malformed(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        // Some call it `contents`, the old command line calls it `file`.
        if name != "contents" && field.file_name().is_none() {
            values.insert(name, field.text().await.map_err(|error| malformed(&error))?.into());
            continue;
        }
        while let Some(part) = field.chunk().await.map_err(|error| malformed(&error))? {
            size += part.len() as u64;
            if size > MAX_UPLOAD {
                return Err(Refusal::QuotaExceeded("the file is too large".to_owned()));
            }
            file.write_all(&part)?;
        }
    }
    let put = Put::deserialize(Value::Object(values)).map_err(|error| malformed(&error))?;
    Ok((put, file))
}

#[derive(Deserialize)]
struct Create {
    path: String,
    #[serde(default, deserialize_with = "flag")]
    overwrite: bool,
}

async fn create(State(context): State<Context>, Arguments(create): Arguments<Create>) -> Result<Json<Value>, Refusal> {
    let workspace = &context.workspace;
    let handle =
        workspace.streams.create(&workspace.dbfs, SafePath::dbfs(&create.path)?, create.overwrite, Instant::now())?;
    Ok(Json(json!({ "handle": handle })))
}

#[derive(Deserialize)]
struct Block {
    #[serde(deserialize_with = "number")]
    handle: i64,
    #[serde(default)]
    data: String,
}

async fn add_block(State(context): State<Context>, Arguments(part): Arguments<Block>) -> Result<Json<Value>, Refusal> {
    context.workspace.streams.add(part.handle, &block(&part.data)?, Instant::now())?;
    Ok(Json(json!({})))
}

async fn close(State(context): State<Context>, Arguments(part): Arguments<Block>) -> Result<Json<Value>, Refusal> {
    context.workspace.streams.close(&context.workspace.dbfs, part.handle, Instant::now())?;
    Ok(Json(json!({})))
}

fn show(path: &str, entry: &Entry) -> Value {
    json!({
        "path": path,
        "is_dir": entry.is_dir,
        "file_size": entry.size,
        "modification_time": entry.modified,
    })
}

async fn get_status(
    State(context): State<Context>,
    Arguments(PathArgument { path }): Arguments<PathArgument>,
) -> Result<Json<Value>, Refusal> {
    let path = SafePath::dbfs(&path)?;
    Ok(Json(show(path.as_str(), &context.workspace.dbfs.status(&path)?)))
}

async fn list(
    State(context): State<Context>,
    Arguments(PathArgument { path }): Arguments<PathArgument>,
) -> Result<Json<Value>, Refusal> {
    let (path, tree) = (SafePath::dbfs(&path)?, &context.workspace.dbfs);
    let entries = tree.list(&path)?;
    let is_dir = tree.status(&path)?.is_dir;
    let full = |entry: &Entry| {
        let folder = path.as_str().trim_end_matches('/');
        if is_dir { format!("{folder}/{}", entry.name) } else { folder.to_owned() }
    };
    let files: Vec<_> = entries.iter().map(|entry| show(&full(entry), entry)).collect();
    Ok(Json(if files.is_empty() { json!({}) } else { json!({ "files": files }) }))
}

#[derive(Deserialize)]
struct Read {
    path: String,
    #[serde(default, deserialize_with = "number")]
    offset: u64,
    #[serde(default, deserialize_with = "maybe_number")]
    length: Option<u64>,
}

async fn read(State(context): State<Context>, Arguments(read): Arguments<Read>) -> Result<Json<Value>, Refusal> {
    let length = read.length.unwrap_or(MAX_BLOCK as u64 / 2);
    if length > MAX_BLOCK as u64 {
        return Err(Refusal::Invalid(format!("The maximum read length is {MAX_BLOCK} bytes")));
    }
    let bytes = context.workspace.dbfs.read(&SafePath::dbfs(&read.path)?, read.offset, length)?;
    Ok(Json(json!({ "bytes_read": bytes.len(), "data": encode(&bytes) })))
}

async fn mkdirs(
    State(context): State<Context>,
    Arguments(PathArgument { path }): Arguments<PathArgument>,
) -> Result<Json<Value>, Refusal> {
    context.workspace.dbfs.mkdirs(&SafePath::dbfs(&path)?)?;
    Ok(Json(json!({})))
}

/// Deleting what isn't there is no error, as at the real service.
async fn delete(State(context): State<Context>, Arguments(delete): Arguments<Delete>) -> Result<Json<Value>, Refusal> {
    let path = SafePath::dbfs(&delete.path)?;
    if path.parent().is_none() {
        return Err(Refusal::Invalid("The root of DBFS can't be deleted.".to_owned()));
    }
    if context.workspace.dbfs.find(&path)?.is_some() {
        context.workspace.dbfs.delete(&path, delete.recursive)?;
    }
    Ok(Json(json!({})))
}
