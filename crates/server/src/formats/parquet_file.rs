//! Parquet, compressed with zstd.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, IntervalUnit, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::arrow_ipc::with_distinct_names;
use super::{Encoder, Error, Result, Sink};

/// The bytes of a row group in memory after which it is written out.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Writes Parquet.
pub struct ParquetFile {
    schema: SchemaRef,
    writer: Option<ArrowWriter<Sink>>,
}

impl ParquetFile {
    /// Returns a writer of Parquet.
    ///
    /// # Errors
    /// [`Error::NoType`]; when a column's type cannot be written for another reason.
    pub fn new(schema: &SchemaRef, sink: Sink) -> Result<ParquetFile> {
        if let Some(field) = schema.fields().iter().find(|field| has_interval(field.data_type())) {
            return Err(Error::NoType { column: field.name().clone() });
        }
        let schema = with_distinct_names(schema);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(format!("traillake {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties))?;
        Ok(ParquetFile { schema, writer: Some(writer) })
    }
}

/// Whether a type is an interval or holds one: Parquet's intervals have no nanoseconds, and its
/// writer would come to that only with the first row.
fn has_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(IntervalUnit::MonthDayNano) => true,
        DataType::List(field) | DataType::LargeList(field) | DataType::Map(field, _) => {
            has_interval(field.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_interval(field.data_type())),
        _ => false,
    }
}

impl Encoder for ParquetFile {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write(&RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())?)?;
        if writer.in_progress_size() > ROW_GROUP_BYTES {
            writer.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        if let Some(writer) = self.writer.take() {
            writer.into_inner()?.flush()?;
        }
        Ok(Vec::new())
    }
}
