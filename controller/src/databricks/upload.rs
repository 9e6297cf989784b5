//! A file to send: read from its beginning each time it is sent, and never whole in memory unless it is small.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Instant;

use backon::Retryable;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::Body;

use super::transport::{Call, Stream as Streamed};
use super::{Client, Error};

/// Files up to this size are read into memory: the transport repeats what it holds. Larger ones are read again.
const WHOLE: u64 = 256 << 10;

/// How much of a file is written as base64 at a time: a multiple of three, so that the parts follow one another.
const BLOCK: usize = 192 << 10;

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

    fn body(&self, wrap: &Wrap, failure: &Failure) -> Body {
        let failure = Arc::clone(failure);
        let told = move |error: &io::Error| {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        };
        match wrap {
            Wrap::Plain => Body::wrap_stream((self.open)().inspect_err(told)),
            Wrap::Json(head) => {
                let text = self.blocks(BLOCK).inspect_err(told).map_ok(|block| BASE64_STANDARD.encode(block).into());
                let end = |text: &'static str| stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
                Body::wrap_stream(stream::iter([Ok(head.clone())]).chain(text).chain(end(Wrap::END)))
            }
        }
    }
}

/// How a file lies in a request.
pub(super) enum Wrap {
    /// As it is.
    Plain,
    /// As base64, the last text of a JSON object; all of that up to the text's own begin is here.
    Json(Bytes),
}

impl Wrap {
    const END: &str = "\"}";

    fn kind(&self) -> &'static str {
        match self {
            Self::Plain => "application/octet-stream",
            Self::Json(_) => "application/json",
        }
    }

    /// The request's length with a file of this size.
    fn length(&self, size: u64) -> u64 {
        match self {
            Self::Plain => size,
            Self::Json(head) => head.len() as u64 + size.div_ceil(3) * 4 + Self::END.len() as u64,
        }
    }

    fn whole(&self, file: Bytes) -> Bytes {
        match self {
            Self::Plain => file,
            Self::Json(head) => {
                [head.as_ref(), BASE64_STANDARD.encode(file).as_bytes(), Self::END.as_bytes()].concat().into()
            }
        }
    }
}

impl Client {
    /// Sends a file with a call that is harmless when repeated, and repeats it on a passing fault, from the beginning.
    pub(super) async fn send_file(&self, call: Call, wrap: &Wrap, upload: &Upload) -> Result<(), Error> {
        if upload.size <= WHOLE {
            let body = wrap.whole(upload.whole(call.operation).await?);
            return self.act(call.body(wrap.kind(), body)).await;
        }
        let call = call.transfer(upload.size);
        let once = || async {
            let (call, failure) = (call.clone(), Failure::default());
            let operation = call.operation;
            let open = || upload.body(wrap, &failure);
            let body = Streamed { kind: wrap.kind(), length: wrap.length(upload.size), open: &open };
            let sent = self.send_stream(call, &body).await.map(drop);
            let unread = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The connection only knows that its body broke off.
            unread.map_or(sent, |message| Err(Error::Source { operation, message }))
        };
        self.again(upload.size, once).await
    }

    /// Repeats what the transport can't repeat by itself, with the pauses that it would make, and begins nothing anew after
    /// the time that a file of this size may take.
    pub(super) async fn again<T, F: Future<Output = Result<T, Error>>>(
        &self,
        size: u64,
        once: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let (start, longest) = (Instant::now(), self.inner.timings.transfer_of(size));
        once.retry(self.pauses())
            .when(Error::is_worth_repeating)
            .adjust(|error, pause| self.pause(error, pause?, longest.saturating_sub(start.elapsed())))
            .await
    }
}
