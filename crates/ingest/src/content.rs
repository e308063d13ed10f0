//! What the store must know about records and cannot: how to rebuild and how to compare them.

use arrow::array::RecordBatch;
use traillake_cloudtrail as cloudtrail;
use traillake_store::{Comparison, Content};

/// CloudTrail records as the store sees them.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogContent;

impl Content for LogContent {
    fn record_bytes(&self, rows: &RecordBatch, row: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        cloudtrail::rebuild(rows, row, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Comparison {
        match cloudtrail::compare(a, b) {
            cloudtrail::Comparison::Same => Comparison::Same,
            cloudtrail::Comparison::Respelled => Comparison::Respelled,
            cloudtrail::Comparison::Differs { paths } => Comparison::Differs { paths },
        }
    }
}
