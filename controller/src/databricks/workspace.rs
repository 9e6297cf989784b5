//! The workspace tree: notebooks, files and folders. API page: "Workspace" (`/api/2.0/workspace`).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::limits::Family;
use super::reply::Answer;
use super::storage::{encode_path, parent};
use super::transport::{Call, protocol};
use super::upload::{Upload, Wrap};
use super::{Client, Error, Once};

/// A notebook's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Language {
    /// Python.
    Python,
    /// SQL.
    Sql,
    /// Scala.
    Scala,
    /// R.
    R,
}

/// How a notebook's content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Format {
    /// Source code with cell marks; the path is taken as it is, suffix included.
    Source,
    /// A Jupyter notebook.
    Jupyter,
    /// A file, whatever is in it; the path is taken as it is.
    Raw,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Source => "SOURCE",
            Self::Jupyter => "JUPYTER",
            Self::Raw => "RAW",
        }
    }
}

/// An object of the workspace tree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ObjectInfo {
    /// The object's id.
    #[serde(default, deserialize_with = "super::tolerant::integer")]
    pub object_id: Option<i64>,
    /// What it is.
    #[serde(default)]
    pub object_type: ObjectType,
    /// Where it is.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub path: String,
    /// A notebook's language.
    #[serde(default)]
    pub language: Option<Language>,
    /// A file's size in bytes.
    #[serde(default, deserialize_with = "super::tolerant::size")]
    pub size: Option<u64>,
    /// A file's last change, in milliseconds since 1970.
    #[serde(default, deserialize_with = "super::tolerant::integer")]
    pub modified_at: Option<i64>,
}

/// What an object of the workspace tree is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "lowercase")]
pub enum ObjectType {
    /// A notebook.
    Notebook,
    /// A folder.
    Directory,
    /// A file.
    File,
    /// A Git folder.
    Repo,
    /// A library kept in the workspace.
    Library,
    /// A word this client doesn't know.
    #[default]
    #[serde(other)]
    Unknown,
}

const IMPORT: &str = "workspace/import";

/// The content follows as its last field.
#[derive(Serialize)]
struct ImportBody<'a> {
    path: &'a str,
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    overwrite: bool,
}

impl ImportBody<'_> {
    /// All of the JSON up to the content, which is sent as it is read.
    fn head(&self) -> Result<Wrap, Error> {
        let whole = serde_json::to_string(self).map_err(|error| protocol(IMPORT, &error))?;
        let open = whole.strip_suffix('}').unwrap_or(&whole);
        Ok(Wrap::Json(format!("{open},\"content\":\"").into()))
    }
}

#[derive(Deserialize)]
struct Exported {
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    objects: Vec<ObjectInfo>,
}

#[derive(Serialize)]
struct PathBody<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recursive: Option<bool>,
}

impl Client {
    /// `POST workspace/import`, replacing what is there: a notebook, or a file that is to stay one ([`Format::Raw`]), of
    /// at most 10 MB. If the folder is missing it is made and the import sent again. Harmless when repeated: it overwrites.
    ///
    /// # Errors
    /// `Conflict` if something of another kind is in its place; `Invalid` above 10 MB; `Source` if it can't be read; the
    /// general ones.
    pub async fn import(
        &self,
        path: &str,
        format: Format,
        language: Option<Language>,
        upload: &Upload,
    ) -> Result<(), Error> {
        let head = ImportBody { path, format, language, overwrite: true }.head()?;
        let call = Call::new(IMPORT, Family::Import, Method::POST, "/api/2.0/workspace/import", Once::Harmless);
        match self.send_file(call.clone(), &head, upload).await {
            Err(error) if error.is_not_found() => {
                self.make_folders(parent(path)).await?;
                self.send_file(call, &head, upload).await
            }
            done => done,
        }
    }

    /// `GET workspace/export`: a notebook's or file's content, at most 10 MB. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, `Protocol` if the content is not base64, the general ones.
    pub async fn export_notebook(&self, path: &str, format: Format) -> Result<Vec<u8>, Error> {
        const OPERATION: &str = "workspace/export";
        let call = Call::get(OPERATION, Family::Export, "/api/2.0/workspace/export");
        let exported: Exported = self.read(call.query("path", path).query("format", format.name())).await?;
        BASE64_STANDARD.decode(exported.content).map_err(|error| protocol(OPERATION, &error))
    }

    /// `GET workspace/export` as it is: a notebook's source or a file's bytes, at most 10 MB. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, the general ones.
    pub async fn download(&self, path: &str, file: Answer) -> Result<Bytes, Error> {
        let call = Call::get("workspace/export", Family::Export, "/api/2.0/workspace/export");
        let call = call.promises(file).transfer(0);
        let reply = self.send(call.query("path", path).query("direct_download", "true")).await?;
        Ok(reply.body)
    }

    /// `GET workspace/get-status`. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, the general ones.
    pub async fn object(&self, path: &str) -> Result<ObjectInfo, Error> {
        let call = Call::get("workspace/get-status", Family::Workspace, "/api/2.0/workspace/get-status");
        self.read(call.query("path", path)).await
    }

    /// `GET workspace/list`: what is directly in a folder. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, the general ones.
    pub async fn list_folder(&self, path: &str) -> Result<Vec<ObjectInfo>, Error> {
        let call = Call::get("workspace/list", Family::Workspace, "/api/2.0/workspace/list");
        let listing: Listing = self.read(call.query("path", path)).await?;
        Ok(listing.objects)
    }

    /// `POST workspace/mkdirs`: a folder and those above it. Harmless when repeated.
    ///
    /// # Errors
    /// `Conflict` if something else has the name, the general ones.
    pub async fn make_folders(&self, path: &str) -> Result<(), Error> {
        let call =
            Call::new("workspace/mkdirs", Family::Workspace, Method::POST, "/api/2.0/workspace/mkdirs", Once::Harmless);
        self.act(call.json(&PathBody { path, recursive: None })?).await
    }

    /// `POST workspace/delete`. Harmless when repeated: an object that is gone counts as deleted.
    ///
    /// # Errors
    /// `Invalid` for a folder that isn't empty without `recursive`, the general ones.
    pub async fn delete_object(&self, path: &str, recursive: bool) -> Result<(), Error> {
        let call =
            Call::new("workspace/delete", Family::Workspace, Method::POST, "/api/2.0/workspace/delete", Once::Harmless);
        gone_is_done(self.act(call.json(&PathBody { path, recursive: Some(recursive) })?).await)
    }

    /// `POST workspace-files/import-file`: a file, up to 500 MB, which the documented import can't take. A missing
    /// folder is made and the file sent again. Harmless when repeated: it overwrites.
    ///
    /// # Errors
    /// `Conflict` if a notebook or folder is in its place, the general ones.
    pub(super) async fn import_file(&self, path: &str, upload: &Upload) -> Result<(), Error> {
        match self.send_file(import_call(path), &Wrap::Plain, upload).await {
            Err(error) if error.is_not_found() => {
                self.make_folders(parent(path)).await?;
                self.send_file(import_call(path), &Wrap::Plain, upload).await
            }
            done => done,
        }
    }
}

fn import_call(path: &str) -> Call {
    let path = format!("/api/2.0/workspace-files/import-file/{}", encode_path(path.trim_start_matches('/')));
    Call::new("workspace-files/import-file", Family::Import, Method::POST, path, Once::Harmless)
        .query("overwrite", "true")
}

/// With `overwrite` a repetition changes nothing; without, it would be told that the object exists.
pub(super) const fn if_over(overwrite: bool) -> Once {
    if overwrite { Once::Harmless } else { Once::Observation }
}

/// Deleting what is gone is success.
pub(super) fn gone_is_done(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
