//! Digest files: what vouches for the log files of an hour.
//!
//! A row has the parsed fields and the exact inflated bytes, over whose SHA-256 the signature is
//! made. Signature, algorithm and backfill stamp are S3 metadata of the object, not in the file:
//! their columns stay null here.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use sha2::{Digest, Sha256};

use crate::json::{Members, unescape};
use crate::schema::{Column, Form, Kind, digests, time_type};
use crate::time;

/// Digests of one batch.
const ROWS_MAX: usize = 1_024;
const BYTES_MAX: usize = 16 << 20;

/// Digest files under way to rows.
#[derive(Debug, Default)]
pub(crate) struct DigestRows {
    files: Vec<(i64, Vec<u8>)>,
    bytes: usize,
}

impl DigestRows {
    /// Takes a digest file: a JSON object, white space around it included.
    pub fn push(&mut self, object: i64, content: &[u8]) {
        self.bytes += content.len();
        self.files.push((object, content.to_vec()));
    }

    /// Returns whether it is time for a batch.
    pub fn is_full(&self) -> bool {
        self.files.len() >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    /// Returns the rows as a batch, and starts anew.
    pub fn finish(&mut self) -> Option<RecordBatch> {
        let files = std::mem::take(&mut self.files);
        self.bytes = 0;
        if files.is_empty() {
            return None;
        }
        let column = |column| column_of(column, &files);
        let objects = files.iter().map(|(object, _)| *object);
        let mut arrays: Vec<ArrayRef> = Kind::Digest.columns().iter().map(column).collect();
        arrays.push(Arc::new(Int64Array::from_iter_values(objects)));
        RecordBatch::try_new(digests(), arrays).ok()
    }
}

fn column_of(column: &Column, files: &[(i64, Vec<u8>)]) -> ArrayRef {
    let contents = files.iter().map(|(_, content)| content.as_slice());
    let raws = contents.clone().map(|content| raw_of(content, column.name));
    match column.form {
        Form::Bytes if column.name == "sha256" => {
            let hashes: Vec<[u8; 32]> =
                contents.map(|content| Sha256::digest(content).into()).collect();
            Arc::new(BinaryArray::from_iter_values(hashes))
        }
        Form::Bytes => Arc::new(BinaryArray::from_iter_values(contents)),
        Form::Time => {
            let times = raws.map(|raw| time::parse(&text_of(raw?)?).map(|(at, _)| at));
            let times: TimestampMicrosecondArray = times.collect();
            Arc::new(times.with_data_type(time_type()))
        }
        Form::Json => {
            Arc::new(raws.map(|raw| raw.filter(|raw| *raw != "null")).collect::<StringArray>())
        }
        _ => Arc::new(raws.map(|raw| text_of(raw?)).collect::<StringArray>()),
    }
}

/// Returns the raw value of a field, the last if it is repeated.
fn raw_of<'a>(content: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(content).ok()?;
    Members::new(text).filter(|(key, _)| *key == name).last().map(|(_, value)| value)
}

fn text_of(raw: &str) -> Option<String> {
    let quoted = raw.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    unescape(quoted, &mut text);
    Some(text)
}
