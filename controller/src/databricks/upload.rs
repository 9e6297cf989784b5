//! A file to send: read from its beginning each time it is sent, and never whole in memory unless it is small.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::Body;

use super::transport::Call;
use super::{Client, Error};

/// Files up to this size are read into memory: the transport repeats what it holds. Larger ones are read again.
const WHOLE: u64 = 256 << 10;

/// Parts of a file in their order.
pub type Parts = BoxStream<'static, io::Result<Bytes>>;

/// A file to send.
pub struct Upload {
    size: u64,
    open: Box<dyn Fn() -> Parts + Send + Sync>,
}

/// Why a file could not be read while it was sent; none while it could.
type Failure = Arc<Mutex<Option<String>>>;

impl Upload {
    /// A file of `size` bytes; `open` reads it from the beginning, each time it is sent.
    pub fn new<S>(size: u64, open: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        Self { size, open: Box::new(move || open().boxed()) }
    }

    /// A file that is in memory already.
    #[must_use]
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(bytes.len() as u64, move || stream::iter([Ok(bytes.clone())]))
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All of it; refused if it is not as long as it was said to be.
    ///
    /// # Errors
    /// [`Error::Source`] if it can't be read.
    pub async fn whole(&self, operation: &'static str) -> Result<Bytes, Error> {
        let unread = |message: String| Error::Source { operation, message };
        let mut all = BytesMut::new();
        let mut parts = (self.open)();
        while let Some(part) = parts.try_next().await.map_err(|error| unread(error.to_string()))? {
            all.extend_from_slice(&part);
            if all.len() as u64 > self.size {
                break;
            }
        }
        if all.len() as u64 != self.size {
            return Err(unread(format!("{} bytes instead of {}", all.len(), self.size)));
        }
        Ok(all.freeze())
    }

    /// Its parts, as long as they come.
    pub(crate) fn parts(&self) -> Parts {
        (self.open)()
    }

    /// Its parts, no longer than `block` bytes each.
    pub(super) fn blocks(&self, block: usize) -> Parts {
        let parts = (self.open)();
        stream::try_unfold((parts, BytesMut::new()), move |(mut parts, mut held)| async move {
            while held.len() < block {
                match parts.try_next().await? {
                    Some(part) => held.extend_from_slice(&part),
                    None => break,
                }
            }
            let next = held.split_to(held.len().min(block)).freeze();
            Ok((!next.is_empty()).then_some((next, (parts, held))))
        })
        .boxed()
    }

    fn body(&self, failure: &Failure) -> Body {
        let failure = Arc::clone(failure);
        Body::wrap_stream((self.open)().inspect_err(move |error| {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }))
    }
}

impl Client {
    /// Sends a file with a call that is harmless when repeated, and repeats it on a passing fault, from the beginning.
    pub(super) async fn send_file(&self, call: impl Fn() -> Call, upload: &Upload) -> Result<(), Error> {
        if upload.size <= WHOLE {
            let call = call();
            let bytes = upload.whole(call.operation).await?;
            return self.act(call.body("application/octet-stream", bytes)).await;
        }
        let once = || async {
            let (call, failure) = (call(), Failure::default());
            let operation = call.operation;
            let sent = self.send_stream(call, upload.body(&failure)).await.map(drop);
            let unread = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The connection only knows that its body broke off.
            unread.map_or(sent, |message| Err(Error::Source { operation, message }))
        };
        self.again(once).await
    }

    /// Repeats what the transport can't repeat by itself, with the pauses that it would make.
    pub(super) async fn again<T, F: Future<Output = Result<T, Error>>>(
        &self,
        once: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let timings = self.inner.timings;
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(timings.first_pause)
            .with_max_delay(timings.longest_pause)
            .with_max_times(timings.attempts.saturating_sub(1));
        once.retry(pauses)
            .when(Error::is_worth_repeating)
            .adjust(|error, pause| pause.map(|pause| error.retry_after().map_or(pause, |asked| asked.max(pause))))
            .await
    }
}
