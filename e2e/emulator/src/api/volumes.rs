//! Files and folders in Unity Catalog volumes, and the volumes themselves.

use crate::{
    api::{Context, arguments::Arguments, gate::Who, workspace::Overwrite},
    state::{Refusal, SafePath, Tree},
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    io::Write,
    time::{Duration, UNIX_EPOCH},
};

/// The limit of one upload.
const MAX_UPLOAD: u64 = 5 * 1024 * 1024 * 1024;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/fs/files/{*path}", put(upload).get(download).head(probe).delete(remove))
        .route("/fs/directories/{*path}", put(make).get(list).head(probe_folder).delete(remove_folder))
        .route("/unity-catalog/volumes", get(list_volumes).post(create_volume))
        .route("/unity-catalog/volumes/{name}", get(get_volume))
}

/// A path within a volume that exists.
fn parse(tree: &Tree, path: &str) -> Result<SafePath, Refusal> {
    let text = format!("/{}", path.trim_start_matches('/'));
    let path = SafePath::volume(&text)?;
    let mut parts = path.as_str().splitn(5, '/').skip(1);
    let name = [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default).join("/");
    let volume = SafePath::volume(&format!("/Volumes/{name}"))?;
    match tree.find(&volume)? {
        Some(_) => Ok(path),
        None => Err(Refusal::NotFound(format!("Volume '{}' does not exist.", name.replace('/', ".")))),
    }
}

fn shown(path: &SafePath) -> String {
    format!("/Volumes{}", path.as_str())
}

async fn upload(
    State(context): State<Context>,
    Path(path): Path<String>,
    Query(query): Query<Overwrite>,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let tree = &context.workspace.volumes;
    let path = parse(tree, &path)?;
    let parent = path.parent().and_then(|parent| tree.find(&parent).transpose()).transpose()?;
    if parent.is_none_or(|parent| !parent.is_dir) {
        return Err(Refusal::NotFound(format!("The parent directory of {} does not exist.", shown(&path))));
    }
    if tree.find(&path)?.is_some_and(|entry| entry.is_dir || !query.overwrite) {
        return Err(Refusal::FileExists(shown(&path)));
    }
    let (mut file, mut size, mut data) = (tree.stage()?, 0_u64, body.into_data_stream());
    while let Some(part) = data.next().await {
        let part = part.map_err(|error| Refusal::Malformed(error.to_string()))?;
        size += part.len() as u64;
        if size > MAX_UPLOAD {
            return Err(Refusal::QuotaExceeded("the file is too large".to_owned()));
        }
        file.write_all(&part)?;
    }
    // Another upload may have been faster.
    tree.keep(file, &path, query.overwrite).map_err(|refusal| match refusal {
        Refusal::FileExists(_) => Refusal::FileExists(shown(&path)),
        other => other,
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// The headers that tell of a file.
fn describe(tree: &Tree, path: &SafePath) -> Result<[(header::HeaderName, String); 3], Refusal> {
    let entry = tree.status(path)?;
    if entry.is_dir {
        return Err(Refusal::NotFound(format!("{} is a directory.", shown(path))));
    }
    Ok([
        (header::CONTENT_LENGTH, entry.size.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::LAST_MODIFIED, http_date(entry.modified)),
    ])
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`
fn http_date(milliseconds: u64) -> String {
    let time = jiff::Timestamp::try_from(UNIX_EPOCH + Duration::from_millis(milliseconds)).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

async fn download(State(context): State<Context>, Path(path): Path<String>) -> Result<Response, Refusal> {
    let tree = &context.workspace.volumes;
    let path = parse(tree, &path)?;
    let headers = describe(tree, &path)?;
    let file = tokio::fs::File::open(tree.locate(&path)).await?;
    Ok((headers, Body::from_stream(tokio_util::io::ReaderStream::new(file))).into_response())
}

async fn probe(State(context): State<Context>, Path(path): Path<String>) -> Result<Response, Refusal> {
    let tree = &context.workspace.volumes;
    Ok((describe(tree, &parse(tree, &path)?)?, Body::empty()).into_response())
}

async fn remove(State(context): State<Context>, Path(path): Path<String>) -> Result<StatusCode, Refusal> {
    let tree = &context.workspace.volumes;
    let path = parse(tree, &path)?;
    describe(tree, &path)?;
    tree.delete(&path, false)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn make(State(context): State<Context>, Path(path): Path<String>) -> Result<StatusCode, Refusal> {
    let tree = &context.workspace.volumes;
    tree.mkdirs(&parse(tree, &path)?)?;
    Ok(StatusCode::NO_CONTENT)
}

fn folder(tree: &Tree, path: &str) -> Result<SafePath, Refusal> {
    let path = parse(tree, path)?;
    if tree.status(&path)?.is_dir { Ok(path) } else { Err(Refusal::NotFound(format!("{} is a file.", shown(&path)))) }
}

async fn list(State(context): State<Context>, Path(path): Path<String>) -> Result<Json<Value>, Refusal> {
    let tree = &context.workspace.volumes;
    let path = folder(tree, &path)?;
    let entries = tree.list(&path)?;
    let contents = entries.iter().map(|entry| {
        let mut shown = json!({
            "path": format!("{}/{}", shown(&path), entry.name),
            "name": entry.name,
            "is_directory": entry.is_dir,
            "last_modified": entry.modified,
        });
        if !entry.is_dir {
            shown["file_size"] = entry.size.into();
        }
        shown
    });
    Ok(Json(json!({ "contents": contents.collect::<Vec<_>>() })))
}

async fn probe_folder(State(context): State<Context>, Path(path): Path<String>) -> Result<StatusCode, Refusal> {
    folder(&context.workspace.volumes, &path).map(|_| StatusCode::OK)
}

async fn remove_folder(State(context): State<Context>, Path(path): Path<String>) -> Result<StatusCode, Refusal> {
    let tree = &context.workspace.volumes;
    let path = folder(tree, &path)?;
    tree.delete(&path, false)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct NewVolume {
    catalog_name: String,
    schema_name: String,
    name: String,
    #[serde(default)]
    volume_type: Option<String>,
}

async fn create_volume(
    State(context): State<Context>,
    who: Who,
    Arguments(volume): Arguments<NewVolume>,
) -> Result<Json<Value>, Refusal> {
    if volume.volume_type.is_some_and(|kind| kind != "MANAGED") {
        return Err(Refusal::Unsupported("An external volume"));
    }
    let names = [&volume.catalog_name, &volume.schema_name, &volume.name].map(String::as_str);
    if names.iter().any(|name| name.is_empty() || name.contains('/')) {
        return Err(Refusal::Invalid("A volume needs catalog_name, schema_name and name.".to_owned()));
    }
    let path = SafePath::volume(&format!("/Volumes/{}", names.join("/")))?;
    let tree = &context.workspace.volumes;
    if tree.find(&path)?.is_some() {
        return Err(Refusal::FileExists(names.join(".")));
    }
    tree.mkdirs(&path)?;
    Ok(Json(show_volume(names, &who.name)))
}

fn show_volume(names: [&str; 3], owner: &str) -> Value {
    json!({
        "catalog_name": names[0],
        "schema_name": names[1],
        "name": names[2],
        "full_name": names.join("."),
        "volume_type": "MANAGED",
        "owner": owner,
    })
}

async fn get_volume(
    State(context): State<Context>,
    who: Who,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let parts: Vec<_> = name.split('.').collect();
    let names: [&str; 3] =
        parts.try_into().map_err(|_| Refusal::Invalid(format!("{name} is no volume's full name.")))?;
    parse(&context.workspace.volumes, &format!("Volumes/{}", names.join("/")))?;
    Ok(Json(show_volume(names, &who.name)))
}

#[derive(Deserialize)]
struct Schema {
    catalog_name: String,
    schema_name: String,
}

async fn list_volumes(
    State(context): State<Context>,
    who: Who,
    Arguments(schema): Arguments<Schema>,
) -> Result<Json<Value>, Refusal> {
    // One level above a volume, which a volume path can't name.
    let path = SafePath::workspace(&format!("/{}/{}", schema.catalog_name, schema.schema_name))?;
    let entries = context.workspace.volumes.list(&path)?;
    let names = entries.iter().map(|entry| [schema.catalog_name.as_str(), &schema.schema_name, &entry.name]);
    Ok(Json(json!({ "volumes": names.map(|names| show_volume(names, &who.name)).collect::<Vec<_>>() })))
}
