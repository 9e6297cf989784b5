//! Files of Unity Catalog volumes. API page: "Files" (`/api/2.0/fs`). Paths begin with `/Volumes/<catalog>/<schema>/<volume>`.

use reqwest::Method;
use serde::Deserialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::limits::Family;
use super::reply::Answer;
use super::storage::{encode_path, parent};
use super::transport::Call;
use super::upload::{Upload, Wrap};
use super::workspace::gone_is_done;
use super::{Client, Error, Once};

/// The most pages of one folder that are read: a thousand entries each.
const PAGES: usize = 1000;

/// A file or folder of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FileInfo {
    /// Where it is.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub path: String,
    /// Whether it is a folder.
    #[serde(default)]
    pub is_directory: bool,
    /// A file's size in bytes.
    #[serde(default, deserialize_with = "super::tolerant::size")]
    pub file_size: Option<u64>,
    /// A file's last change, in milliseconds since 1970.
    #[serde(default, deserialize_with = "super::tolerant::integer")]
    pub last_modified: Option<i64>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    contents: Vec<FileInfo>,
    #[serde(default, deserialize_with = "super::tolerant::text")]
    next_page_token: String,
}

impl Client {
    /// `PUT fs/files`: a file of at most 5 GiB. A missing folder is made and the file sent again.
    /// Harmless when repeated: it overwrites.
    ///
    /// # Errors
    /// `NotFound` if the volume doesn't exist, `Permission`, the general ones.
    pub(super) async fn put_file(&self, path: &str, upload: &Upload) -> Result<(), Error> {
        let call = files("fs/files/put", Method::PUT, path).query("overwrite", "true");
        match self.send_file(call.clone(), &Wrap::Plain, upload).await {
            Err(error) if error.is_not_found() => {
                self.make_directory(parent(path)).await?;
                self.send_file(call, &Wrap::Plain, upload).await
            }
            done => done,
        }
    }

    /// `HEAD fs/files`: a file's size in bytes. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, the general ones.
    pub async fn file_size(&self, path: &str) -> Result<u64, Error> {
        let operation = "fs/files/head";
        let reply = self.send(files(operation, Method::HEAD, path).promises(Answer::File)).await?;
        let message = "the answer has no Content-Length".to_owned();
        reply.content_length().ok_or(Error::Protocol { operation, message })
    }

    /// `GET fs/files`: copies a file into `writer` and returns its size; refuses to copy more than `most` bytes. Sent once: what
    /// was written can't be taken back.
    ///
    /// # Errors
    /// `NotFound`, `Protocol` if the file is larger, `Source` if the writer fails, the general ones.
    pub async fn download_file(
        &self,
        path: &str,
        writer: &mut (impl AsyncWrite + Unpin),
        most: u64,
        file: Answer,
    ) -> Result<u64, Error> {
        let operation = "fs/files/get";
        let call = files(operation, Method::GET, path).promises(file).transfer(most);
        let copy = self.copy_file(operation, &call, writer, most);
        let after = self.inner.timings.transfer_of(most);
        tokio::time::timeout(after, copy).await.unwrap_or(Err(Error::Timeout { operation, after }))
    }

    async fn copy_file(
        &self,
        operation: &'static str,
        call: &Call,
        writer: &mut (impl AsyncWrite + Unpin),
        most: u64,
    ) -> Result<u64, Error> {
        let (mut response, _place) = self.open(call).await?;
        let mut copied = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(operation, error))? {
            if copied == 0 {
                call.accept(&response, &chunk)?;
            }
            copied += chunk.len() as u64;
            if copied > most {
                return Err(Error::Protocol { operation, message: format!("the file is larger than {most} bytes") });
            }
            let written = writer.write_all(&chunk).await;
            written.map_err(|error| Error::Source { operation, message: error.to_string() })?;
        }
        Ok(copied)
    }

    /// `DELETE fs/files`. Harmless when repeated: a file that is gone counts as deleted.
    ///
    /// # Errors
    /// The general ones.
    pub async fn delete_file(&self, path: &str) -> Result<(), Error> {
        gone_is_done(self.act(files("fs/files/delete", Method::DELETE, path)).await)
    }

    /// `PUT fs/directories`: a folder and those above it. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound` if the volume doesn't exist, the general ones.
    pub async fn make_directory(&self, path: &str) -> Result<(), Error> {
        self.act(directories("fs/directories/put", Method::PUT, path)).await
    }

    /// `GET fs/directories`: what is directly in a folder, all pages. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, `Protocol` if it never ends, the general ones.
    pub async fn list_directory(&self, path: &str) -> Result<Vec<FileInfo>, Error> {
        let operation = "fs/directories/get";
        let (mut all, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let call = directories(operation, Method::GET, path);
            let call = if token.is_empty() { call } else { call.query("page_token", token) };
            let page: Page = self.read(call).await?;
            all.extend(page.contents);
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            token = page.next_page_token;
        }
        Err(Error::Protocol { operation, message: format!("more than {PAGES} pages") })
    }

    /// `DELETE fs/directories`: an empty folder. Harmless when repeated: a folder that is gone counts as deleted.
    ///
    /// # Errors
    /// `Invalid` if it isn't empty, the general ones.
    pub async fn delete_directory(&self, path: &str) -> Result<(), Error> {
        gone_is_done(self.act(directories("fs/directories/delete", Method::DELETE, path)).await)
    }
}

fn files(operation: &'static str, method: Method, path: &str) -> Call {
    Call::new(operation, Family::Files, method, format!("/api/2.0/fs/files{}", encode_path(path)), Once::Harmless)
}

fn directories(operation: &'static str, method: Method, path: &str) -> Call {
    let path = format!("/api/2.0/fs/directories{}", encode_path(path));
    Call::new(operation, Family::Files, method, path, Once::Harmless)
}
