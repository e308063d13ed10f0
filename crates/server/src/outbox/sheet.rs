//! How does the file of an answer read that is put into a bucket? As comma-separated values under a
//! line of names, compressed with gzip while they come.

use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::formats::{Csv, Encoder as _, Result, Style};

/// The file, as far as it is not taken yet.
pub(super) struct Sheet {
    csv: Csv,
    gzip: Gzip,
}

impl Sheet {
    /// Begins the file of an answer with those columns.
    pub(super) fn begin(schema: &SchemaRef) -> Sheet {
        let encoder = GzEncoder::new(Vec::new(), Compression::default());
        let gzip = Gzip(Arc::new(Mutex::new(encoder)));
        let sink = Box::new(BufWriter::new(gzip.clone()));
        Sheet { csv: Csv::new(schema, Style::default(), sink), gzip }
    }

    /// Writes rows.
    ///
    /// # Errors
    /// When a value has no text.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.csv.write(batch)
    }

    /// Returns the bytes that are there since the last were taken.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.gzip.locked().get_mut())
    }

    /// Ends the file; returns its last bytes.
    ///
    /// # Errors
    /// As [`Sheet::write`].
    pub(super) fn finish(&mut self) -> Result<Vec<u8>> {
        self.csv.finish()?;
        self.gzip.locked().try_finish()?;
        Ok(self.take())
    }
}

/// Compresses into memory, from which somebody else takes what is there.
#[derive(Clone)]
struct Gzip(Arc<Mutex<GzEncoder<Vec<u8>>>>);

impl Gzip {
    fn locked(&self) -> MutexGuard<'_, GzEncoder<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Gzip {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.locked().write(bytes)
    }

    /// Nothing: a flush of gzip costs bytes, and its end writes all there is.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
