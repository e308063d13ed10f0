//! Bodies that are made while they are sent: the client's pace is the query's pace, and an answer
//! that breaks off never looks whole, because the connection breaks off with it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::formats::{Encoder, Sink};
use crate::queries::Running;

/// What has been written and not yet sent.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// Returns a sink that fills this buffer.
    pub(super) fn sink(&self) -> Sink {
        Box::new(self.clone())
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

/// Writes the end of an answer, for formats that say more than rows.
pub(super) type Trailer = fn(&Running) -> String;

/// An answer on its way to a client.
pub(super) struct Sending {
    pub(super) running: Running,
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) buffer: Buffer,
    /// The first rows, which were asked for before the head of the response was sent.
    pub(super) first: Option<RecordBatch>,
    pub(super) trailer: Option<Trailer>,
}

impl Sending {
    /// Returns the body. A client has `patience` for each piece of it: one that stops reading must not
    /// hold its turn for ever.
    pub(super) fn into_body(self, patience: Duration) -> Body {
        let (pieces, taken) = mpsc::channel(1);
        tokio::spawn(self.send(pieces, patience));
        Body::from_stream(stream::unfold(taken, |mut taken| async move {
            let piece = taken.recv().await?;
            Some((piece, taken))
        }))
    }

    /// Sends piece after piece. When the client goes away the query is dropped, which cancels it.
    async fn send(mut self, pieces: mpsc::Sender<io::Result<Bytes>>, patience: Duration) {
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
                    self.running.finished(0).await;
                    let _ = pieces.send(Ok(bytes)).await;
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
                if let Some(trailer) = self.trailer {
                    let text = trailer(&self.running);
                    self.buffer.write_all(text.as_bytes()).map_err(Error::state)?;
                }
                Ok(false)
            }
        }
    }
}

/// Gives a piece to the client; false when it went away. A query that waits for its client can be
/// cancelled too.
async fn give(
    pieces: &mpsc::Sender<io::Result<Bytes>>,
    piece: Bytes,
    patience: Duration,
    cancelled: &CancellationToken,
) -> Result<bool> {
    tokio::select! {
        biased;
        given = pieces.send(Ok(piece)) => Ok(given.is_ok()),
        () = cancelled.cancelled() => Err(Error::Cancelled),
        () = tokio::time::sleep(patience) => Err(Error::ClientGone { limit: patience }),
    }
}
