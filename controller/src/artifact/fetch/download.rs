//! The request for an artifact. It only reads, so it may be repeated.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use http::header::{ACCEPT_ENCODING, LOCATION};
use reqwest::{Response, StatusCode};
use url::Url;

use super::fault::Fault;
use super::{Remote, host_of};
use crate::hosts;

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// Asks for the file, there and where its host sends on to. Credentials go to the first host alone, and with them no
/// redirect is followed.
pub(super) async fn open(remote: &Remote<'_>) -> Result<Response, Fault> {
    let mut url = remote.url.clone();
    for _ in 0..=REDIRECTS {
        let host = host_of(&url);
        if !hosts::is_allowed(&url, remote.hosts) {
            return Err(Fault::NotListed { host });
        }
        let response = ask(remote, &url, &host).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        if !status.is_redirection() {
            return Err(Fault::of(host, status, remote.proof.is_some()));
        }
        if remote.proof.is_some() {
            return Err(Fault::Moved { host, status: status.as_u16() });
        }
        url = next(&url, &response).ok_or(Fault::Lost { host, status: status.as_u16() })?;
    }
    Err(Fault::TooFar { host: remote.host(), redirects: REDIRECTS })
}

async fn ask(remote: &Remote<'_>, url: &Url, host: &str) -> Result<Response, Fault> {
    // The digest is that of the file, not of what a host makes of it on the way.
    let request = remote.http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
    let request = match &remote.proof {
        None => request,
        Some(proof) => proof.sign(request).ok_or(Fault::NotAToken)?,
    };
    let answered = tokio::time::timeout(remote.patience, request.send()).await;
    let late = |_| Fault::Silent { host: host.to_owned(), after: remote.patience };
    answered.map_err(late)?.map_err(|error| Fault::Unreachable { host: host.to_owned(), cause: cause(error) })
}

/// Where a redirect leads; none if that is no address, has credentials in it, or leads from `https` to `http`.
fn next(from: &Url, response: &Response) -> Option<Url> {
    let to = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    let is_plain = to.username().is_empty() && to.password().is_none();
    (is_plain && (to.scheme() == "https" || to.scheme() == from.scheme())).then_some(to)
}

/// The body, part by part. A host that falls silent ends it with an error.
pub(super) fn body(response: Response, patience: Duration) -> impl Stream<Item = Result<Bytes, String>> + Send {
    stream::unfold(Some(response), move |response| async move {
        let mut response = response?;
        match tokio::time::timeout(patience, response.chunk()).await {
            Ok(Ok(part)) => part.map(|part| (Ok(part), Some(response))),
            Ok(Err(error)) => Some((Err(cause(error)), None)),
            Err(_) => Some((Err(format!("nothing came for {patience:?}")), None)),
        }
    })
}

/// Why a connection broke, without the address, in which secrets may stand.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
