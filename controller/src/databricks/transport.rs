//! The transport: one way for every call to Databricks, with its deadline, its bounded repetitions and its bounded answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method, Response, Url};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument;

use super::auth::Authorization;
use super::error::Error;
use super::limits::{Family, Place};
use super::reply::{Answer, Reply, bounded};
use super::{Client, Once};

/// Largest JSON answer read into memory; only run exports and listings come near it.
const MAX_ANSWER: usize = 64 << 20;
/// Largest part of an error answer that is read.
const MAX_FAULT: usize = 64 << 10;

/// One call, ready to be sent as often as its [`Once`] allows.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    family: Family,
    once: Once,
    method: Method,
    /// Another machine than the workspace's.
    at: Option<Url>,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<(&'static str, Bytes)>,
    promised: Answer,
    /// The bytes that the call moves, if it moves a file.
    transfer: Option<u64>,
    /// What the answer may repeat but nobody may read.
    secrets: Vec<SecretString>,
}

impl Call {
    /// A reading call: harmless when repeated.
    pub(super) fn get(operation: &'static str, family: Family, path: impl Into<String>) -> Self {
        Self::new(operation, family, Method::GET, path, Once::Harmless)
    }

    /// A call that changes something.
    pub(super) fn new(
        operation: &'static str,
        family: Family,
        method: Method,
        path: impl Into<String>,
        once: Once,
    ) -> Self {
        let (path, query, body, secrets) = (path.into(), Vec::new(), None, Vec::new());
        let (at, promised, transfer) = (None, Answer::Json, None);
        Self { operation, family, once, method, at, path, query, body, promised, transfer, secrets }
    }

    /// The call goes to another machine: where tokens are made.
    pub(super) fn at(mut self, host: Url) -> Self {
        self.at = Some(host);
        self
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Sets a JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| protocol(self.operation, &error))?;
        self.body = Some(("application/json", bytes.into()));
        Ok(self)
    }

    pub(super) fn body(mut self, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        self.body = Some((content_type, bytes.into()));
        self
    }

    /// Sets a form as the body.
    pub(super) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body("application/x-www-form-urlencoded", form)
    }

    /// The answer is a file, not JSON.
    pub(super) fn promises(mut self, answer: Answer) -> Self {
        self.promised = answer;
        self
    }

    /// Looks at the beginning of an answer whose rest is read by the caller.
    pub(super) fn accept(&self, response: &Response, beginning: &Bytes) -> Result<(), Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, body: beginning.clone() }.check(self.operation, self.promised).map(drop)
    }

    /// Takes these out of the answer, should it repeat them.
    pub(super) fn conceal(mut self, secrets: &[SecretString]) -> Self {
        self.secrets.extend_from_slice(secrets);
        self
    }

    /// The call moves a file of so many bytes, as far as that is known, and may take longer.
    pub(super) fn transfer(mut self, size: u64) -> Self {
        self.transfer = Some(size);
        self
    }
}

/// A body that is read while it is sent, each time from its beginning.
pub(super) struct Stream<'a> {
    /// Its content type.
    pub(super) kind: &'static str,
    /// Bytes.
    pub(super) length: u64,
    pub(super) open: &'a (dyn Fn() -> Body + Send + Sync),
}

impl Client {
    /// Sends a call and reads its JSON answer; an empty answer reads as `{}`.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let operation = call.operation;
        let reply = self.send(call).await?;
        let body: &[u8] = if reply.body.trim_ascii().is_empty() { b"{}" } else { &reply.body };
        serde_json::from_slice(body).map_err(|error| protocol(operation, &error))
    }

    /// Sends a call whose answer says nothing but that it worked.
    pub(super) async fn act(&self, call: Call) -> Result<(), Error> {
        self.send(call).await.map(drop)
    }

    /// Sends a call, repeating it on passing faults as far as its [`Once`] and the deadline allow.
    pub(super) async fn send(&self, call: Call) -> Result<Reply, Error> {
        let span = self.span(&call);
        let (start, deadline) = (Instant::now(), self.deadline(&call));
        let last = Mutex::new(None);
        let repeated = (|| self.attempt(&call, None))
            .retry(self.pauses())
            .when(|error: &Error| call.once != Once::Observation && error.is_worth_repeating())
            .adjust(|error: &Error, pause| self.pause(error, pause?, deadline.saturating_sub(start.elapsed())))
            .notify(|error: &Error, pause| {
                tracing::debug!(%error, ?pause, "repeating");
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            });
        let answer = tokio::time::timeout(deadline, repeated).instrument(span).await;
        answer.unwrap_or_else(|_| {
            // The error before the deadline says more than that it passed.
            let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
            Err(last.unwrap_or(Error::Timeout { operation: call.operation, after: deadline }))
        })
    }

    /// Sends a call whose body is read while it is sent; sent once, but for a token that was refused.
    pub(super) async fn send_stream(&self, call: Call, body: &Stream<'_>) -> Result<Reply, Error> {
        let (span, deadline, operation) = (self.span(&call), self.deadline(&call), call.operation);
        let sent = tokio::time::timeout(deadline, self.attempt(&call, Some(body))).instrument(span).await;
        sent.unwrap_or(Err(Error::Timeout { operation, after: deadline }))
    }

    /// Sends a call and leaves the answer's body to be read by the caller; sent once, but for a token that was refused.
    ///
    /// The place goes with the answer: it is held until the body was read.
    pub(super) async fn open(&self, call: &Call) -> Result<(Response, Option<Place>), Error> {
        let place = self.admit(call).await?;
        Ok((self.open_admitted(call).await?, place))
    }

    async fn open_admitted(&self, call: &Call) -> Result<Response, Error> {
        let credentials = &self.inner.credentials;
        let authorization = credentials.authorization(self).await?;
        let first = self.open_as(call, &authorization).await;
        if !self.is_renewable(&authorization, first.as_ref().err()).await {
            return first;
        }
        let authorization = credentials.authorization(self).await?;
        let second = self.open_as(call, &authorization).await;
        self.is_last(&authorization, second.as_ref().err()).await;
        second
    }

    async fn open_as(&self, call: &Call, authorization: &Authorization) -> Result<Response, Error> {
        let (start, after) = (Instant::now(), self.inner.timings.attempt);
        let opening = async {
            let response = self.begin(call, None, authorization).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            let reply = self.take(call, response).await?.check(call.operation, call.promised);
            reply.and(Err(protocol(call.operation, &"no file in the answer")))
        };
        let late = Err(Error::Timeout { operation: call.operation, after });
        let opened = tokio::time::timeout(after, opening).await.unwrap_or(late);
        let opened = opened.map_err(|error| authorization.redact(error));
        self.observe(call, opened.as_ref().err(), start);
        opened
    }

    async fn admit(&self, call: &Call) -> Result<Option<Place>, Error> {
        let kind = (call.family, call.transfer.is_some());
        self.inner.limits.admit(call.operation, kind, self.deadline(call)).await
    }

    /// Whether the answer refuses a token in whose place another can be fetched.
    async fn is_renewable(&self, authorization: &Authorization, error: Option<&Error>) -> bool {
        let renewable = self.inner.credentials.answered(authorization, error).await;
        if !renewable && let Some(error) = error {
            self.inner.credentials.refused(error);
        }
        renewable
    }

    /// The answer to a call with a new token: if it is refused too, no other is fetched for a while.
    async fn is_last(&self, authorization: &Authorization, error: Option<&Error>) {
        if self.inner.credentials.answered(authorization, error).await
            && let Some(error) = error
        {
            self.inner.credentials.refused(error);
        }
    }

    fn span(&self, call: &Call) -> tracing::Span {
        let host = self.inner.host.host_str().unwrap_or_default();
        tracing::debug_span!("databricks", operation = call.operation, host)
    }

    fn deadline(&self, call: &Call) -> Duration {
        call.transfer.map_or(self.inner.timings.deadline, |size| self.inner.timings.transfer_of(size))
    }

    pub(super) fn pauses(&self) -> ExponentialBuilder {
        let timings = &self.inner.timings;
        ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(timings.first_pause)
            .with_max_delay(timings.longest_pause)
            .with_max_times(timings.attempts.saturating_sub(1))
    }

    /// The pause before the next attempt; `None` if it would end after the deadline: then the caller comes again later.
    pub(super) fn pause(&self, error: &Error, own: Duration, left: Duration) -> Option<Duration> {
        let jitter = self.inner.timings.first_pause.mul_f64(rand::random::<f64>());
        let pause = error.retry_after().map_or(own, |asked| asked.max(own) + jitter);
        (pause < left).then_some(pause)
    }

    /// One attempt. A cached token that is refused although it should hold is fetched anew, once.
    async fn attempt(&self, call: &Call, stream: Option<&Stream<'_>>) -> Result<Reply, Error> {
        let credentials = &self.inner.credentials;
        let _place = self.admit(call).await?;
        let authorization = credentials.authorization(self).await?;
        let first = self.exchange(call, stream, &authorization).await;
        if !self.is_renewable(&authorization, first.as_ref().err()).await {
            return first;
        }
        let authorization = credentials.authorization(self).await?;
        let second = self.exchange(call, stream, &authorization).await;
        self.is_last(&authorization, second.as_ref().err()).await;
        second
    }

    /// Sends the request once and reads the bounded answer; observed.
    pub(super) async fn exchange(
        &self,
        call: &Call,
        stream: Option<&Stream<'_>>,
        authorization: &Authorization,
    ) -> Result<Reply, Error> {
        let start = Instant::now();
        let timings = &self.inner.timings;
        let longest = call.transfer.map_or(timings.attempt, |size| timings.transfer_of(size));
        let exchange = async {
            let response = self.begin(call, stream, authorization).await?;
            self.take(call, response).await?.without(&call.secrets).check(call.operation, call.promised)
        };
        let timed = tokio::time::timeout(longest, exchange).await;
        let outcome = timed
            .unwrap_or(Err(Error::Timeout { operation: call.operation, after: longest }))
            .map_err(|error| authorization.redact(error));
        self.observe(call, outcome.as_ref().err(), start);
        outcome
    }

    async fn begin(
        &self,
        call: &Call,
        body: Option<&Stream<'_>>,
        authorization: &Authorization,
    ) -> Result<Response, Error> {
        let sent = self.request(call, body, authorization).send().await;
        sent.map_err(|error| broken(call.operation, self.host_of(call), self.inner.timings.attempt, error))
    }

    fn request(
        &self,
        call: &Call,
        stream: Option<&Stream<'_>>,
        authorization: &Authorization,
    ) -> reqwest::RequestBuilder {
        let mut url = self.host_of(call).clone();
        url.set_path(&call.path);
        let request = self.inner.http.request(call.method.clone(), url).query(&call.query);
        let request = request.headers(authorization.headers());
        match (stream, &call.body) {
            (Some(Stream { kind, length, open }), _) => {
                request.header(CONTENT_TYPE, *kind).header(CONTENT_LENGTH, *length).body(open())
            }
            (None, Some((kind, bytes))) => request.header(CONTENT_TYPE, *kind).body(bytes.clone()),
            (None, None) => request,
        }
    }

    fn host_of<'a>(&'a self, call: &'a Call) -> &'a Url {
        call.at.as_ref().unwrap_or(&self.inner.host)
    }

    fn observe(&self, call: &Call, error: Option<&Error>, sent: Instant) {
        if call.at.is_none() {
            self.inner.limits.answered(call.family, sent, error);
        }
        let took = sent.elapsed();
        let label = error.map_or("ok", |error| error.category().label());
        tracing::debug!(outcome = label, ?took, "attempt");
        self.inner.observer.request(call.operation, label, took.as_secs_f64());
    }

    /// Reads an answer of bounded size; of an error only the beginning.
    async fn take(&self, call: &Call, mut response: Response) -> Result<Reply, Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        let most = if status.is_success() { MAX_ANSWER } else { MAX_FAULT };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(call.operation, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > most && status.is_success() {
                return Err(protocol(call.operation, &format_args!("the answer is larger than {most} bytes")));
            }
            if body.len() > most {
                break;
            }
        }
        Ok(Reply { status, headers, body: body.freeze() })
    }

    /// What became of a connection to the workspace.
    pub(super) fn broken(&self, operation: &'static str, error: reqwest::Error) -> Error {
        broken(operation, &self.inner.host, self.inner.timings.attempt, error)
    }
}

/// Tells what the connection reported, without the address, which may hold more than the machine's name.
fn broken(operation: &'static str, host: &Url, after: Duration, error: reqwest::Error) -> Error {
    if error.is_timeout() && !error.is_connect() {
        return Error::Timeout { operation, after };
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let host = host.host_str().unwrap_or_default().to_owned();
    Error::Unreachable { operation, host, message: bounded(&cause.to_string()) }
}

pub(super) fn protocol(operation: &'static str, problem: &impl std::fmt::Display) -> Error {
    Error::Protocol { operation, message: bounded(&problem.to_string()) }
}
