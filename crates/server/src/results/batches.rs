//! How are rows put into batches? A page reads whole batches, so that none may have many rows or
//! many bytes; and as not all have the same number of rows, the file tells at its end how many each
//! has.
//!
//! A column of text shares its bytes with what it was read from. So a row counts with the bytes
//! that are its own, and a batch is written with bytes of its own: what else is held is not in the
//! file.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use traillake_query::{own_rows, row_bytes};

use super::BATCH_ROWS;

/// Bytes of a batch of a kept answer, unless it is a single row that has more.
const BATCH_BYTES: usize = 8 << 20;

/// The name under which a file tells how many rows its batches have: `1000,1000,37`.
pub(super) const ROWS: &str = "traillake.rows_of_batches";

/// A file of Arrow IPC that is written in batches of so many rows or bytes, whichever come first.
pub(super) struct Batches<W: Write> {
    writer: FileWriter<W>,
    /// Rows that do not fill a batch yet, with bytes of their own.
    parts: Vec<RecordBatch>,
    /// How many rows those are.
    rows: usize,
    /// The bytes that those have.
    bytes: usize,
    /// The rows of the batches that are written, as the file will tell them.
    told: String,
}

impl<W: Write> Batches<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(sink: W, schema: &Schema) -> Result<Batches<W>, ArrowError> {
        let writer = FileWriter::try_new(sink, schema)?;
        Ok(Batches { writer, parts: Vec::new(), rows: 0, bytes: 0, told: String::new() })
    }

    /// Takes the rows of `batch`, and writes the batches that they fill.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let widths = row_bytes(batch);
        let mut start = 0;
        while start < batch.num_rows() {
            let (rows, bytes) = self.fitting(&widths[start..]);
            if rows > 0 {
                self.parts.push(own_rows(batch, start..start + rows)?);
                self.rows += rows;
                self.bytes += bytes;
                start += rows;
            }
            if start < batch.num_rows() || self.rows == BATCH_ROWS {
                self.write()?;
            }
        }
        Ok(())
    }

    /// How many of the next rows still go into the batch that waits, and their bytes. Into an empty
    /// one at least one goes.
    fn fitting(&self, widths: &[usize]) -> (usize, usize) {
        let (mut rows, mut bytes) = (0, 0);
        for width in widths {
            let fits = self.bytes + bytes + width <= BATCH_BYTES || self.rows + rows == 0;
            if !fits || self.rows + rows == BATCH_ROWS {
                break;
            }
            (rows, bytes) = (rows + 1, bytes + width);
        }
        (rows, bytes)
    }

    /// Writes what is left, and the end of the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> Result<(), ArrowError> {
        self.write()?;
        self.writer.write_metadata(ROWS, self.told);
        self.writer.finish()
    }

    /// Writes the rows that wait as a batch, if there are any.
    fn write(&mut self) -> Result<(), ArrowError> {
        let Some(first) = self.parts.first() else { return Ok(()) };
        let batch = concat_batches(&first.schema(), &self.parts)?;
        self.writer.write(&batch)?;
        let comma = if self.told.is_empty() { "" } else { "," };
        self.told += &format!("{comma}{}", self.rows);
        self.parts.clear();
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;

    use arrow::array::{
        Array, ArrayRef, GenericListArray, Int64Array, MapArray, StringArray, StringViewArray,
        StructArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Field, SchemaRef};
    use arrow::ipc::reader::FileReader;

    use super::*;

    /// Rows of the columns below, which make three batches by their bytes.
    const COUNT: usize = 2_000;
    /// Bytes of a text.
    const WIDTH: usize = 12_000;

    /// Columns whose rows have the same texts, within types that hold them in different ways.
    fn columns() -> Vec<ArrayRef> {
        let texts: Vec<String> = (0..COUNT).map(|n| format!("{n:>WIDTH$}")).collect();
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(&texts));
        let field = Field::new("text", DataType::Utf8View, true);
        let offsets = OffsetBuffer::<i32>::from_lengths(std::iter::repeat_n(1, COUNT));
        let list =
            GenericListArray::new(Arc::new(field.clone()), offsets.clone(), views.clone(), None);
        let members = StructArray::from(vec![(Arc::new(field.clone()), views.clone())]);
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..COUNT as i64));
        let key = Arc::new(Field::new("key", DataType::Int64, false));
        let entries = StructArray::from(vec![(key, keys), (Arc::new(field), views.clone())]);
        let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        let map = MapArray::new(entry, offsets, entries, None, false);
        let plain = StringArray::from_iter_values(&texts);
        vec![views, Arc::new(list), Arc::new(members), Arc::new(map), Arc::new(plain)]
    }

    fn alone(column: ArrayRef) -> RecordBatch {
        let field = Field::new("column", column.data_type().clone(), true);
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
    }

    /// Writes the rows as they arrive in batches of so many; returns the bytes of the file.
    fn written(all: &RecordBatch, arriving: &[usize]) -> Vec<u8> {
        let mut file: Vec<u8> = Vec::new();
        let mut batches = Batches::begin(&mut file, &all.schema()).unwrap();
        let mut start = 0;
        for rows in arriving {
            batches.push(&all.slice(start, *rows)).unwrap();
            start += rows;
        }
        assert_eq!(start, all.num_rows());
        batches.finish().unwrap();
        file
    }

    /// The batches of a file, whose rows must be those that it tells.
    fn read(file: &[u8]) -> (SchemaRef, Vec<RecordBatch>) {
        let reader = FileReader::try_new(Cursor::new(file), None).unwrap();
        let (schema, told) = (reader.schema(), reader.custom_metadata()[ROWS].clone());
        let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
        let rows: Vec<String> = batches.iter().map(|batch| batch.num_rows().to_string()).collect();
        assert_eq!(told, rows.join(","));
        (schema, batches)
    }

    fn bytes(batch: &RecordBatch) -> usize {
        row_bytes(batch).into_iter().sum()
    }

    #[test]
    fn wide_rows_make_batches_of_few_that_hold_nothing_else() {
        for column in columns() {
            let all = alone(column);
            let file = written(&all, &[1, 1_299, 400, 300]);
            let (schema, batches) = read(&file);
            let kind = schema.field(0).data_type();
            assert!(concat_batches(&schema, &batches).unwrap() == all, "{kind}");
            assert_eq!(batches.len(), 3, "{kind}");
            for batch in &batches {
                assert!(bytes(batch) <= BATCH_BYTES, "{kind}: {}", bytes(batch));
            }
            for full in &batches[..2] {
                assert!(bytes(full) > BATCH_BYTES - 2 * WIDTH, "{kind}: {}", bytes(full));
            }
            assert!(file.len() < COUNT * WIDTH * 11 / 10, "{kind}: {}", file.len());
        }
    }

    #[test]
    fn batches_end_at_whichever_comes_first() {
        let narrow = Int64Array::from_iter_values(0..2_345);
        let tiny = |count| vec![10_usize; count];
        let mixed = [tiny(5), vec![9 << 20], vec![3 << 20; 3], tiny(1_000)].concat();
        let mixed = StringViewArray::from_iter_values(mixed.iter().map(|width| "x".repeat(*width)));
        let none = Int64Array::from_iter_values([]);
        for (column, arriving, expected) in [
            (Arc::new(narrow) as ArrayRef, vec![999, 2, 1_344], vec![1_000, 1_000, 345]),
            (Arc::new(mixed) as ArrayRef, vec![1_009], vec![5, 1, 2, 1_000, 1]),
            (Arc::new(none) as ArrayRef, vec![], vec![]),
        ] {
            let (_, batches) = read(&written(&alone(column), &arriving));
            let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
            assert_eq!(rows, expected);
        }
    }
}
