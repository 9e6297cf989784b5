//! A refusal is the reason why a request can't be done, in the terms of the API; `api::error` gives it its HTTP form.

use std::io;

/// Why a request is refused. The message is shown to the caller as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// A path, handle or object that isn't there.
    #[error("{0}")]
    NotFound(String),
    /// Something is at that path already and must not be overwritten; a notebook answers 400 for it.
    #[error("Path ({0}) already exists.")]
    NotebookExists(String),
    /// The same, where no code goes with it.
    #[error("Path ({0}) already exists.")]
    NotebookInTheWay(String),
    /// The same for a file; it answers 409.
    #[error("Path ({0}) already exists.")]
    FileExists(String),
    /// The same for a DBFS path; it answers 400.
    #[error("A file or directory already exists at the input path {0}.")]
    DbfsExists(String),
    /// A parameter with a value that can't be.
    #[error("{0}")]
    Invalid(String),
    /// A cluster or run that is in the wrong state for this.
    #[error("{0}")]
    InvalidState(String),
    /// A body that is no JSON, or of another shape.
    #[error("Could not parse request object: {0}")]
    Malformed(String),
    /// Something real Databricks can do and this emulator can't.
    #[error("{0} is not supported by this emulator")]
    Unsupported(&'static str),
    /// More than 10 MB for one notebook or workspace object.
    #[error("content exceeds the maximum size of {0} bytes")]
    NotebookTooLarge(usize),
    /// More than any request but an upload may have.
    #[error("The request is larger than {0} bytes")]
    BodyTooLarge(usize),
    /// More than 1 MiB for one block of DBFS.
    #[error("The maximum block size is {0} bytes")]
    BlockTooLarge(usize),
    /// A folder that would have to be empty.
    #[error("The folder {0} is not empty")]
    NotEmpty(String),
    /// Too many of something bounded.
    #[error("{0}")]
    QuotaExceeded(String),
    /// A git credential that can't be, or isn't there; with the API's own code for it.
    #[error("{1}")]
    GitCredential(&'static str, String),
    /// A run that can't begin at once, and isn't to wait.
    #[error("The run can't start immediately: {0}")]
    TooManyRuns(String),
    /// No credential was sent.
    #[error("Credential was not sent or was of an unsupported type for this API.")]
    NoCredential,
    /// The credential is unknown.
    #[error("Invalid access token.")]
    BadCredential,
    /// The credential is somebody's who isn't in this workspace.
    #[error("User not authorized.")]
    NotMember,
    /// The credential was valid once.
    #[error("Token is expired.")]
    Expired,
    /// The disk failed.
    #[error("the emulator's storage failed: {0}")]
    Storage(#[from] io::Error),
}

impl Refusal {
    /// `RESOURCE_DOES_NOT_EXIST` for a path.
    pub(crate) fn no_path(path: &str) -> Self {
        Self::NotFound(format!("Path ({path}) doesn't exist."))
    }
}
