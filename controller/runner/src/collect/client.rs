//! The client speaks the upload protocol: TLS by the plan's authority alone, the token read anew at every try.
//!
//! Every request is harmless when repeated: a sealed part answers 409 and a log takes bytes only at its length.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use brickline_artifact::Digest;
use brickline_artifact::upload::{LogState, OFFSET_PARAMETER, Part, Refusal, SHA256_HEADER, address};
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::Run;

/// The first pause between tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often 401 is tried: the token may just have been renewed, or the reviewer be starting.
const TOKEN_TRIES: u32 = 4;
/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// The controller's upload endpoint.
pub struct Client<'a> {
    agent: Agent,
    run: &'a Run,
}

/// Why a part wasn't taken.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The controller said no.
    #[error("the controller answered {status}: {message}")]
    Refused {
        /// The status code.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Nobody answered until the deadline.
    #[error("the controller could not be reached until the deadline: {0}")]
    Unreachable(String),
    /// The container's own files.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What the controller says of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum LogAnswer {
    /// It holds so many bytes.
    Length(u64),
    /// It takes no more.
    Ended,
}

/// One try's end.
enum Try {
    Answer(StatusCode, Vec<u8>),
    Lost(String),
}

impl<'a> Client<'a> {
    pub fn new(run: &'a Run) -> io::Result<Self> {
        let items = parse_pem(run.plan.upload.ca_pem.as_bytes());
        let certificates = items.filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let authorities: Vec<_> = certificates.collect();
        if authorities.is_empty() {
            return Err(io::Error::other("the plan's upload.caPem holds no certificate"));
        }
        Ok(Self { agent: agent(RootCerts::from(authorities)), run })
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

    /// The kubelet renews the token's file; the one of the start may have expired.
    fn bearer(&self) -> io::Result<String> {
        let token = fs::read_to_string(&self.run.place.token)?;
        Ok(format!("Bearer {}", token.trim()))
    }
}

fn agent(authorities: RootCerts) -> Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder().root_certs(authorities).unversioned_rustls_crypto_provider(provider).build();
    let config = Agent::config_builder().tls_config(tls).https_only(true).proxy(None).max_redirects(0);
    let config = config.http_status_as_error(false).timeout_connect(Some(Duration::from_secs(10)));
    config.timeout_recv_response(Some(Duration::from_mins(1))).user_agent("brickline-runner").build().into()
}

/// Tries until an answer that isn't worth another try, or the deadline. Without insisting, once.
fn repeat(
    deadline: Instant,
    insist: bool,
    mut attempt: impl FnMut() -> io::Result<Try>,
) -> Result<(StatusCode, Vec<u8>), Fault> {
    let (mut pause, mut unauthorized) = (FIRST_PAUSE, 0);
    loop {
        let said = match attempt()? {
            Try::Answer(status, answer) => {
                unauthorized += u32::from(status == StatusCode::UNAUTHORIZED);
                if !is_passing(status, unauthorized) {
                    return Ok((status, answer));
                }
                refused(status, &answer).to_string()
            }
            Try::Lost(error) => error,
        };
        if !insist || Instant::now() + pause >= deadline {
            return Err(Fault::Unreachable(said));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether another try may end differently.
fn is_passing(status: StatusCode, unauthorized: u32) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => true,
        StatusCode::UNAUTHORIZED => unauthorized < TOKEN_TRIES,
        status => status.is_server_error(),
    }
}

fn outcome(result: Result<Response<Body>, ureq::Error>) -> Try {
    match result {
        Ok(mut response) => {
            let status = response.status();
            let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
            Try::Answer(status, answer.unwrap_or_default())
        }
        Err(error) => Try::Lost(error.to_string()),
    }
}

fn refused(status: StatusCode, answer: &[u8]) -> Fault {
    let words = serde_json::from_slice::<Refusal>(answer).map(|refusal| refusal.message);
    let message = words.unwrap_or_else(|_| status.canonical_reason().unwrap_or("no reason").to_owned());
    Fault::Refused { status: status.as_u16(), message }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))
}
