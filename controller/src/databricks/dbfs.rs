//! DBFS: the older file store. API page: "DBFS" (`/api/2.0/dbfs`). Paths are absolute, without the `dbfs:` in front.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::TryStreamExt;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::limits::Family;
use super::transport::Call;
use super::upload::Upload;
use super::workspace::{gone_is_done, if_over};
use super::{Client, Error, Once};

/// The most bytes one block may have, counted before base64.
pub const BLOCK: usize = 1 << 20;

/// A file or folder of DBFS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DbfsInfo {
    /// Where it is.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub path: String,
    /// Whether it is a folder.
    #[serde(default)]
    pub is_dir: bool,
    /// Its size in bytes.
    #[serde(default)]
    pub file_size: u64,
    /// Its last change, in milliseconds since 1970.
    #[serde(default)]
    pub modification_time: Option<i64>,
}

/// An upload that was begun and not yet closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    #[serde(deserialize_with = "super::tolerant::required_integer")]
    handle: i64,
}

#[derive(Serialize)]
struct Put<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<String>,
    overwrite: bool,
}

#[derive(Serialize)]
struct Block {
    handle: i64,
    data: String,
}

#[derive(Serialize)]
struct Delete<'a> {
    path: &'a str,
    recursive: bool,
}

impl Client {
    /// `POST dbfs/put`: a file of at most [`BLOCK`] bytes. Harmless when repeated with `overwrite`, otherwise once by observation.
    ///
    /// # Errors
    /// `Conflict` if it exists and `overwrite` is off, `Invalid` if it is too large, the general ones.
    pub async fn dbfs_put(&self, path: &str, contents: &[u8], overwrite: bool) -> Result<(), Error> {
        let call = post("dbfs/put", "/api/2.0/dbfs/put", if_over(overwrite));
        let contents = Some(BASE64_STANDARD.encode(contents));
        self.act(call.json(&Put { path, contents, overwrite })?).await
    }

    /// `POST dbfs/create`: begins an upload. Harmless when repeated with `overwrite` (a lost handle closes by itself),
    /// otherwise once by observation.
    ///
    /// # Errors
    /// `Conflict` if it exists and `overwrite` is off, the general ones.
    pub async fn dbfs_create(&self, path: &str, overwrite: bool) -> Result<Handle, Error> {
        let call = post("dbfs/create", "/api/2.0/dbfs/create", if_over(overwrite));
        self.read(call.json(&Put { path, contents: None, overwrite })?).await
    }

    /// `POST dbfs/add-block`: appends at most [`BLOCK`] bytes. A repetition would append twice; so once by observation: a
    /// broken upload begins again, the file's size says whether it is complete.
    ///
    /// # Errors
    /// `NotFound` for a handle that was closed or forgotten, `Invalid` for too large a block, the general ones.
    pub async fn dbfs_add_block(&self, upload: Handle, data: &[u8]) -> Result<(), Error> {
        let call = post("dbfs/add-block", "/api/2.0/dbfs/add-block", Once::Observation);
        self.act(call.json(&Block { handle: upload.handle, data: BASE64_STANDARD.encode(data) })?).await
    }

    /// `POST dbfs/close`: ends an upload. Once by observation: the file has its full size when it worked.
    ///
    /// # Errors
    /// `NotFound` for a handle that was closed or forgotten, the general ones.
    pub async fn dbfs_close(&self, upload: Handle) -> Result<(), Error> {
        self.act(post("dbfs/close", "/api/2.0/dbfs/close", Once::Observation).json(&upload)?).await
    }

    /// `GET dbfs/get-status`. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, the general ones.
    pub async fn dbfs_status(&self, path: &str) -> Result<DbfsInfo, Error> {
        self.read(Call::get("dbfs/get-status", Family::Dbfs, "/api/2.0/dbfs/get-status").query("path", path)).await
    }

    /// `POST dbfs/delete`. Harmless when repeated: what is gone counts as deleted.
    ///
    /// # Errors
    /// `Unavailable` for a very large folder, which is deleted in parts; the general ones.
    pub async fn dbfs_delete(&self, path: &str, recursive: bool) -> Result<(), Error> {
        let call = post("dbfs/delete", "/api/2.0/dbfs/delete", Once::Harmless);
        gone_is_done(self.act(call.json(&Delete { path, recursive })?).await)
    }

    /// One call for a file of at most [`BLOCK`] bytes, else blocks; replaces what is there. As a whole harmless when
    /// repeated, from the beginning.
    pub(super) async fn dbfs_upload(&self, path: &str, upload: &Upload) -> Result<(), Error> {
        if upload.size() <= BLOCK as u64 {
            return self.dbfs_put(path, &upload.whole("dbfs/put").await?, true).await;
        }
        self.again(upload.size(), || self.dbfs_blocks(path, upload)).await
    }

    async fn dbfs_blocks(&self, path: &str, upload: &Upload) -> Result<(), Error> {
        let handle = self.dbfs_create(path, true).await?;
        let mut blocks = upload.blocks(BLOCK);
        let unread = |error: std::io::Error| Error::Source { operation: "dbfs/add-block", message: error.to_string() };
        while let Some(block) = blocks.try_next().await.map_err(unread)? {
            self.dbfs_add_block(handle, &block).await?;
        }
        self.dbfs_close(handle).await
    }
}

fn post(operation: &'static str, path: &str, once: Once) -> Call {
    Call::new(operation, Family::Dbfs, Method::POST, path, once)
}
