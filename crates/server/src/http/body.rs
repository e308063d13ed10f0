//! Bodies that are made while they are sent: the client's pace is the query's pace, and an answer
//! that breaks off never looks whole, because the connection breaks off with it.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use axum::body::Body;
use bytes::Bytes;
use futures::stream;

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
    /// Returns the body.
    pub(super) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self), |sending| async move {
            let mut sending = sending?;
            loop {
                match sending.step().await {
                    Ok(true) => {
                        let bytes = sending.buffer.take();
                        if !bytes.is_empty() {
                            return Some((Ok(bytes), Some(sending)));
                        }
                    }
                    Ok(false) => {
                        let bytes = sending.buffer.take();
                        sending.running.finished(0).await;
                        return Some((Ok(bytes), None));
                    }
                    Err(error) => {
                        let message = error.to_string();
                        sending.running.failed(&error).await;
                        return Some((Err(std::io::Error::other(message)), None));
                    }
                }
            }
        }))
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
