//! What an audit must know about rows and cannot: whether they give their records' bytes back.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use sha2::{Digest, Sha256};
use traillake_cloudtrail::schema::FINGERPRINT;
use traillake_cloudtrail::{Kind, Rebuilder};
use traillake_store::Proof;

/// Proves rows of CloudTrail's tables: a record is rebuilt, and the first 8 bytes of its SHA-256 must
/// be its `_fingerprint`; a digest file's content must have its `sha256`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogProof;

impl Proof for LogProof {
    fn faults(&self, table: &str, rows: &RecordBatch) -> Vec<(usize, String)> {
        match Kind::ALL.into_iter().find(|kind| kind.table() == table) {
            Some(Kind::Digest) => digests(rows),
            Some(_) => records(rows),
            None => Vec::new(),
        }
    }
}

fn records(rows: &RecordBatch) -> Vec<(usize, String)> {
    let fingerprints = rows.column_by_name(FINGERPRINT);
    let fingerprints = fingerprints.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let Some(fingerprints) = fingerprints else {
        return vec![(0, format!("there is no column `{FINGERPRINT}`"))];
    };
    let mut rebuilder = match Rebuilder::new(rows) {
        Ok(rebuilder) => rebuilder,
        Err(error) => return vec![(0, error.to_string())],
    };
    let (mut faults, mut record) = (Vec::new(), Vec::new());
    for row in 0..rows.num_rows() {
        record.clear();
        match rebuilder.write(row, &mut record) {
            Ok(()) if fingerprint(&record) == fingerprints.value(row) => {}
            Ok(()) => {
                let what = format!("{}its fingerprint is of other bytes", name_of(rows, row));
                faults.push((row, what));
            }
            Err(error) => {
                let what = format!("{}it gives no record back: {error}", name_of(rows, row));
                faults.push((row, what));
            }
        }
    }
    faults
}

/// Returns the first 8 bytes of the SHA-256 of a record's bytes, as `_fingerprint` has them (docs/format.md).
pub fn fingerprint(record: &[u8]) -> i64 {
    let hash: [u8; 32] = Sha256::digest(record).into();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_le_bytes(first)
}

/// The id of a row's event, for people.
fn name_of(rows: &RecordBatch, row: usize) -> String {
    let ids = rows.column_by_name("eventID").and_then(|ids| ids.as_string_opt::<i32>());
    match ids.filter(|ids| ids.is_valid(row)) {
        Some(ids) => format!("event `{}`: ", ids.value(row)),
        None => String::new(),
    }
}

fn digests(rows: &RecordBatch) -> Vec<(usize, String)> {
    let bytes = |name| rows.column_by_name(name)?.as_binary_opt::<i32>();
    let (Some(contents), Some(hashes)) = (bytes("content"), bytes("sha256")) else {
        return vec![(0, "there is no column `content` or `sha256`".to_owned())];
    };
    let is_false = |row: &usize| {
        contents.is_null(*row) || Sha256::digest(contents.value(*row))[..] != *hashes.value(*row)
    };
    let faults = (0..rows.num_rows()).filter(is_false);
    faults.map(|row| (row, "its content has another SHA-256".to_owned())).collect()
}
