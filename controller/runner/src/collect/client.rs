//! The client speaks the upload protocol.
//!
//! Every request is harmless when repeated: a sealed part answers 409 and a log takes bytes only at its length.

use std::fs::File;
use std::io::{self, Seek};
use std::time::Instant;

use brickline_artifact::Digest;
use brickline_artifact::upload::{LogState, OFFSET_PARAMETER, Part, SHA256_HEADER, address};
use ureq::Agent;
use ureq::http::StatusCode;

use crate::Run;
use crate::web::{self, Fault, Try, left, outcome, refused, repeat};

/// The controller's upload endpoint.
pub struct Client<'a> {
    agent: Agent,
    run: &'a Run,
}

/// What the controller says of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum LogAnswer {
    /// It holds so many bytes.
    Length(u64),
    /// It takes no more.
    Ended,
}

impl<'a> Client<'a> {
    pub fn new(run: &'a Run) -> io::Result<Self> {
        Ok(Self { agent: web::agent(&run.plan.upload.ca_pem)?, run })
    }

    /// Hands in a part that is in memory.
    pub fn put(&self, part: Part<'_>, body: &[u8], deadline: Instant) -> Result<(), Fault> {
        Self::seal(deadline, || {
            let request = self.agent.put(self.address(part)).header("authorization", self.bearer()?);
            Ok(outcome(
                request
                    .content_type("application/json")
                    .config()
                    .timeout_global(Some(left(deadline)))
                    .build()
                    .send(body),
            ))
        })
    }

    /// Hands in a part from a file, without holding it in memory.
    pub fn put_file(
        &self,
        part: Part<'_>,
        file: &File,
        digest: Option<Digest>,
        deadline: Instant,
    ) -> Result<(), Fault> {
        Self::seal(deadline, || {
            let mut file = file.try_clone()?;
            file.rewind()?;
            let mut request = self.agent.put(self.address(part)).header("authorization", self.bearer()?);
            if let Some(digest) = digest {
                request = request.header(SHA256_HEADER, digest.hex());
            }
            let kind = if digest.is_some() { "application/zip" } else { "application/xml" };
            Ok(outcome(request.content_type(kind).config().timeout_global(Some(left(deadline))).build().send(&file)))
        })
    }

    /// Appends to a log.
    pub fn append(
        &self,
        container: &str,
        offset: u64,
        piece: &[u8],
        deadline: Instant,
        insist: bool,
    ) -> Result<LogAnswer, Fault> {
        let address = format!("{}?{OFFSET_PARAMETER}={offset}", self.address(Part::Log { container }));
        let attempt = || {
            let request = self.agent.post(&address).header("authorization", self.bearer()?);
            Ok(outcome(
                request.content_type("text/plain").config().timeout_global(Some(left(deadline))).build().send(piece),
            ))
        };
        let (status, answer) = repeat(deadline, insist, attempt)?;
        match (status, serde_json::from_slice(&answer)) {
            (StatusCode::OK | StatusCode::CONFLICT, Ok(LogState { length })) => Ok(LogAnswer::Length(length)),
            (StatusCode::GONE | StatusCode::PAYLOAD_TOO_LARGE, _) => Ok(LogAnswer::Ended),
            _ => Err(refused(status, &answer)),
        }
    }

    /// Repeats until the part is sealed, now or before.
    fn seal(deadline: Instant, attempt: impl FnMut() -> io::Result<Try>) -> Result<(), Fault> {
        match repeat(deadline, true, attempt)? {
            (status, _) if status.is_success() || status == StatusCode::CONFLICT => Ok(()),
            (status, answer) => Err(refused(status, &answer)),
        }
    }

    fn address(&self, part: Part<'_>) -> String {
        address(&self.run.plan.upload.url, &self.run.plan.release, part)
    }

    fn bearer(&self) -> io::Result<String> {
        web::bearer(&self.run.place.token)
    }
}
