//! Bodies that are made while they are sent: the client's pace is the query's pace, and an answer
//! that breaks off never looks whole, because the connection breaks off with it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::formats::{Encoder, Sink};
use crate::queries::{Running, Way};

/// Bytes of an answer that is sent whole, at most. It keeps its turn until it is sent, so the server
/// holds as many such answers as it runs queries at once.
const WHOLE_MAX: usize = 16 << 20;

/// What has been written and not yet sent.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// Returns a sink that fills this buffer.
    pub(super) fn sink(&self) -> Sink {
        Box::new(self.clone())
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An answer that waits whole for its client to take it.
struct Whole {
    bytes: Bytes,
    _way: Way,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Writes the end of an answer, for formats that say more than rows.
pub(super) type Tail = fn(&Running) -> String;

/// Says what is told behind an answer.
pub(super) type Trailers = fn(&Running) -> HeaderMap;

/// Bytes of an answer or what is told behind them, or that it is whole.
type Piece = io::Result<Option<Frame<Bytes>>>;

/// An answer on its way to a client.
pub(super) struct Sending {
    pub(super) running: Running,
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) buffer: Buffer,
    /// The first rows, which were asked for before the head of the response was sent.
    pub(super) first: Option<RecordBatch>,
    pub(super) tail: Option<Tail>,
    pub(super) trailers: Option<Trailers>,
}

impl Sending {
    /// Returns the body. A client has `patience` for each piece of it: one that stops reading must not
    /// hold its turn for ever.
    pub(super) fn into_body(self, patience: Duration) -> Body {
        let (pieces, taken) = mpsc::channel(1);
        tokio::spawn(self.send(pieces, patience));
        body_of(taken)
    }

    /// Returns the whole answer, for a client that would not see that it broke off.
    ///
    /// # Errors
    /// What the query failed with, and [`Error::Request`] for an answer that is too large to be held.
    pub(super) async fn into_whole(mut self) -> Result<Bytes> {
        let failure = loop {
            match self.step().await {
                Ok(true) if self.buffer.len() <= WHOLE_MAX => {}
                Ok(true) => {
                    break Error::request(format!(
                        "an answer of more than {} MiB in this format needs HTTP/1.1: in HTTP/1.0 \
                         one that breaks off looks whole (nginx: `proxy_http_version 1.1`)",
                        WHOLE_MAX >> 20
                    ));
                }
                Ok(false) => {
                    let whole = Whole { bytes: self.buffer.take(), _way: self.running.way() };
                    self.running.finished(0).await;
                    return Ok(Bytes::from_owner(whole));
                }
                Err(error) => break error,
            }
        };
        self.running.failed(&failure).await;
        Err(failure)
    }

    /// Sends piece after piece. When the client goes away the query is dropped, which cancels it.
    async fn send(mut self, pieces: mpsc::Sender<Piece>, patience: Duration) {
        let cancelled = self.running.cancellation();
        loop {
            let step = tokio::select! {
                () = pieces.closed() => return,
                step = self.step() => step,
            };
            let bytes = self.buffer.take();
            let failure = match step {
                Ok(true) if bytes.is_empty() => continue,
                Ok(true) => match give(&pieces, bytes, patience, &cancelled).await {
                    Ok(true) => continue,
                    Ok(false) => return,
                    Err(error) => error,
                },
                Ok(false) => {
                    let told = self.trailers.map(|trailers| trailers(&self.running));
                    self.running.finished(0).await;
                    let told = told.map(|told| Some(Frame::trailers(told)));
                    for piece in [Some(Frame::data(bytes))].into_iter().chain(told).chain([None]) {
                        let _ = pieces.send(Ok(piece)).await;
                    }
                    return;
                }
                Err(error) => error,
            };
            let broken = io::Error::other(failure.to_string());
            self.running.failed(&failure).await;
            // The client may have stopped reading; its place is free already.
            let _ = tokio::time::timeout(patience, pieces.send(Err(broken))).await;
            return;
        }
    }

    /// Writes the next rows into the buffer; false after the last.
    async fn step(&mut self) -> Result<bool> {
        let batch = match self.first.take() {
            Some(batch) => Some(batch),
            None => self.running.next().await?,
        };
        match batch {
            Some(batch) => {
                self.encoder.write(&batch)?;
                Ok(true)
            }
            None => {
                self.encoder.finish()?;
                if let Some(tail) = self.tail {
                    let text = tail(&self.running);
                    self.buffer.write_all(text.as_bytes()).map_err(Error::state)?;
                }
                Ok(false)
            }
        }
    }
}

/// Returns the body that pieces come to. Where they end before it is whole, because what makes them
/// came to a fault, the body breaks off.
fn body_of(taken: mpsc::Receiver<Piece>) -> Body {
    Body::new(StreamBody::new(stream::unfold(Some(taken), |taken| async move {
        let mut taken = taken?;
        match taken.recv().await {
            Some(Ok(Some(frame))) => Some((Ok(frame), Some(taken))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(io::Error::other("the answer broke off")), None)),
        }
    })))
}

/// Gives a piece to the client; false when it went away. A query that waits for its client can be
/// cancelled too.
async fn give(
    pieces: &mpsc::Sender<Piece>,
    piece: Bytes,
    patience: Duration,
    cancelled: &CancellationToken,
) -> Result<bool> {
    tokio::select! {
        biased;
        given = pieces.send(Ok(Some(Frame::data(piece)))) => Ok(given.is_ok()),
        () = cancelled.cancelled() => Err(Error::Cancelled),
        () = tokio::time::sleep(patience) => Err(Error::ClientGone { limit: patience }),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_whole_only_where_that_is_said() {
        let broken = Err(io::Error::other("a limit"));
        for (last, whole) in [(Some(Ok(None)), true), (Some(broken), false), (None, false)] {
            let (pieces, taken) = mpsc::channel(2);
            pieces.send(Ok(Some(Frame::data(Bytes::from_static(b"rows"))))).await.unwrap();
            if let Some(last) = last {
                pieces.send(last).await.unwrap();
            }
            drop(pieces);
            let collected = body_of(taken).collect().await;
            assert_eq!(collected.is_ok_and(|body| body.to_bytes() == "rows"), whole);
        }
    }
}
