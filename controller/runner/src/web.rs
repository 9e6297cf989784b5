//! The web is how the runner speaks to the controller: TLS by the plan's authority alone, the token read anew at every
//! try, and tries until an answer that counts.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use brickline_artifact::upload::Refusal;
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// The first pause between tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often 401 is tried: the token may just have been renewed, or the reviewer be starting.
const TOKEN_TRIES: u32 = 4;
/// The longest answer that is read into memory, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// Why a request failed.
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

/// One try's end.
pub enum Try {
    /// An answer, whatever it says.
    Answer(StatusCode, Vec<u8>),
    /// None.
    Lost(String),
}

/// An agent that trusts these authorities and no other.
pub fn agent(ca_pem: &str) -> io::Result<Agent> {
    let certificates = parse_pem(ca_pem.as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let authorities: Vec<_> = certificates.collect();
    if authorities.is_empty() {
        return Err(io::Error::other("the plan's caPem holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = RootCerts::from(authorities);
    let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
    let config = Agent::config_builder().tls_config(tls).https_only(true).proxy(None).max_redirects(0);
    let config = config.http_status_as_error(false).timeout_connect(Some(Duration::from_secs(10)));
    Ok(config.timeout_recv_response(Some(Duration::from_mins(1))).user_agent("brickline-runner").build().into())
}

/// The kubelet renews the token's file; the one of the start may have expired.
pub fn bearer(token: &Path) -> io::Result<String> {
    let token = fs::read_to_string(token)?;
    Ok(format!("Bearer {}", token.trim()))
}

/// Tries until an answer that isn't worth another try, or the deadline. Without insisting, once.
pub fn repeat(
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

/// An answer in memory.
pub fn outcome(result: Result<Response<Body>, ureq::Error>) -> Try {
    match result {
        Ok(mut response) => {
            let status = response.status();
            let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
            Try::Answer(status, answer.unwrap_or_default())
        }
        Err(error) => Try::Lost(error.to_string()),
    }
}

/// An answer that says no.
pub fn refused(status: StatusCode, answer: &[u8]) -> Fault {
    let words = serde_json::from_slice::<Refusal>(answer).map(|refusal| refusal.message);
    let message = words.unwrap_or_else(|_| status.canonical_reason().unwrap_or("no reason").to_owned());
    Fault::Refused { status: status.as_u16(), message }
}

/// How long there is until the deadline, and a moment at least.
pub fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))
}
