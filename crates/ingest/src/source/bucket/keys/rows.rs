//! Inventories in Parquet:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html>. Columns as in
//! CSV, spelled `last_modified_date`; keys as they are, not URL-encoded.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::super::Bucket;
use super::super::walk::Met;
use super::Entry;

/// Calls `met` with what each row tells of, until it returns false; whether it never did.
pub(super) fn list(
    file: impl ChunkReader + 'static,
    bucket: &Bucket,
    wrong: &dyn Fn(String) -> Met,
    met: &mut dyn FnMut(Met) -> bool,
) -> bool {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|reader| reader.build());
    let batches = match reader {
        Ok(batches) => batches,
        Err(error) => return met(wrong(error.to_string())),
    };
    for batch in batches {
        let columns = batch.map_err(|error| error.to_string());
        let columns = match columns.and_then(|batch| Columns::of(&batch)) {
            Ok(columns) => columns,
            Err(reason) => return met(wrong(reason)),
        };
        for row in 0..columns.key.len() {
            let found = match columns.entry(row).and_then(|entry| entry.met(bucket)) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(reason) => wrong(format!("{reason}, in row {row} of a batch")),
            };
            if !met(found) {
                return false;
            }
        }
    }
    true
}

/// The columns of a batch; of those that an inventory may lack, none.
struct Columns {
    key: StringArray,
    bucket: Option<StringArray>,
    size: Option<arrow::array::Int64Array>,
    modified_at: Option<arrow::array::TimestampMicrosecondArray>,
    etag: Option<StringArray>,
    is_latest: Option<BooleanArray>,
    is_delete_marker: Option<BooleanArray>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Columns, String> {
        let column = |name: &str, kind: DataType| {
            let found = batch.column_by_name(name).map(|column| cast(column, &kind));
            found.transpose().map_err(|error| format!("its column `{name}`: {error}"))
        };
        let text = |name| {
            Ok::<_, String>(column(name, DataType::Utf8)?.map(|of| of.as_string::<i32>().clone()))
        };
        let flag = |name| {
            Ok::<_, String>(column(name, DataType::Boolean)?.map(|of| of.as_boolean().clone()))
        };
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(Columns {
            key: text("key")?.ok_or("the inventory has no column `key`")?,
            bucket: text("bucket")?,
            size: column("size", DataType::Int64)?.map(|of| of.as_primitive::<Int64Type>().clone()),
            modified_at: column("last_modified_date", time)?
                .map(|of| of.as_primitive::<TimestampMicrosecondType>().clone()),
            etag: text("e_tag")?,
            is_latest: flag("is_latest")?,
            is_delete_marker: flag("is_delete_marker")?,
        })
    }

    fn entry(&self, row: usize) -> Result<Entry<'_>, String> {
        fn text(column: &Option<StringArray>, row: usize) -> Option<&str> {
            column.as_ref().filter(|of| of.is_valid(row)).map(|of| of.value(row))
        }
        let flag = |column: &Option<BooleanArray>| {
            column.as_ref().filter(|of| of.is_valid(row)).map(|of| of.value(row))
        };
        if self.key.is_null(row) {
            return Err("it has no key".to_owned());
        }
        let size = self.size.as_ref().filter(|of| of.is_valid(row)).map(|of| of.value(row));
        let at = self.modified_at.as_ref().filter(|of| of.is_valid(row)).map(|of| of.value(row));
        Ok(Entry {
            bucket: text(&self.bucket, row),
            key: self.key.value(row).to_owned(),
            size: size.and_then(|size| u64::try_from(size).ok()),
            modified_at: at.and_then(DateTime::from_timestamp_micros),
            etag: text(&self.etag, row),
            is_gone: flag(&self.is_latest) == Some(false)
                || flag(&self.is_delete_marker) == Some(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::super::super::lister::Stored;
    use super::*;
    use crate::report::FaultKind;
    use crate::source::Found;

    fn file(columns: Vec<(&str, ArrayRef)>) -> Bytes {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes.into()
    }

    fn listed(bytes: Bytes) -> Vec<String> {
        let bucket = Bucket::nowhere("trail", "logs");
        let wrong = |reason: String| {
            let (object, kind) = ("inventory".to_owned(), FaultKind::Unreadable);
            Met::Found(Found::Fault { object, kind, reason })
        };
        let mut all = Vec::new();
        list(bytes, &bucket, &wrong, &mut |met| {
            all.push(match met {
                Met::Object(Stored { key, size, modified_at, etag, .. }) => {
                    format!("{key} {size} {etag:?} {modified_at}")
                }
                Met::Key(key) => format!("{key} ?"),
                Met::Found(Found::Fault { reason, .. }) => reason,
                Met::Found(_) => "found".to_owned(),
            });
            true
        });
        all
    }

    #[test]
    fn a_row_of_an_inventory_names_an_object() {
        let keys = ["logs/a+b.gz", "other/a.gz", "logs/old.gz", "logs/gone.gz"];
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("bucket", Arc::new(StringArray::from(vec!["trail"; 4]))),
            ("key", Arc::new(StringArray::from(keys.to_vec()))),
            ("is_latest", Arc::new(BooleanArray::from(vec![true, true, false, true]))),
            ("is_delete_marker", Arc::new(BooleanArray::from(vec![false, false, false, true]))),
            ("size", Arc::new(Int64Array::from(vec![Some(12), Some(1), Some(1), None]))),
            ("last_modified_date", Arc::new(TimestampMillisecondArray::from(vec![1_000; 4]))),
            ("e_tag", Arc::new(StringArray::from(vec!["abc"; 4]))),
        ];
        let expected = r#"logs/a+b.gz 12 Some("\"abc\"") 1970-01-01 00:00:01 UTC"#;
        assert_eq!(listed(file(columns)), [expected]);
        let few: ArrayRef = Arc::new(StringArray::from(vec![Some("logs/a.gz"), None]));
        let told = listed(file(vec![("key", few.clone())]));
        assert_eq!(told, ["logs/a.gz ?", "it has no key, in row 1 of a batch"]);
        assert!(listed(file(vec![("name", few)]))[0].contains("no column `key`"));
        assert!(listed(Bytes::from("no parquet"))[0].contains("Parquet"));
    }
}
