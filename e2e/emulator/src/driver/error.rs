//! What can go wrong with a driver.

use std::{io, process::ExitStatus, time::Duration};

/// Why a driver can't do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriverError {
    /// Nothing can be started because the user said so.
    #[error("this emulator was started with --no-drivers")]
    Off,
    /// The environment of a cluster can't be made; Python says why.
    #[error("no virtual environment could be made: {0}")]
    Environment(String),
    /// The JVM or what starts it failed; with the end of their log, which in a container nobody else may see.
    #[error("Spark did not start: {source}\n{log}")]
    Spark { log: String, source: Box<DriverError> },
    /// Something took too long.
    #[error("no end within {0:?}")]
    Late(Duration),
    /// A process ended before it had done its work.
    #[error("its process ended unexpectedly ({0})")]
    Ended(ExitStatus),
    /// A process was started without the pipes to talk to it.
    #[error("its process can't be talked to")]
    Mute,
    /// It sent something that is no message.
    #[error("its message can't be understood: {0}")]
    Message(#[from] serde_json::Error),
    /// It sent a line without end.
    #[error("its message can't be read: {0}")]
    Line(#[from] tokio_util::codec::LinesCodecError),
    /// The cluster no longer takes notebooks.
    #[error("the cluster is closed")]
    Closed(#[from] tokio::sync::AcquireError),
    /// The operating system refused something.
    #[error(transparent)]
    System(#[from] io::Error),
}
