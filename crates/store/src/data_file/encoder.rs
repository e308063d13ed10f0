//! The bytes of a file, slice by slice.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::column;
use super::slices::Position;
use crate::error::{Error, Result};
use crate::spec::TableSpec;

/// Who wrote a file, in its footer.
const CREATED_BY: &str = concat!("traillake version ", env!("CARGO_PKG_VERSION"));

/// A file being encoded. Each call gives the bytes that come next.
pub(super) struct Encoder {
    table: TableSpec,
    file: SerializedFileWriter<Vec<u8>>,
}

impl Encoder {
    /// A file of `table`; `in_order` says that all of it will be in the table's sort order, as a
    /// file of one slice is. A reader takes that claim of the first row group for the whole file.
    pub fn new(table: &TableSpec, in_order: bool) -> Result<Encoder> {
        let failed = |error| failed(table, error);
        let schema = ArrowSchemaConverter::new().convert(&table.schema).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_string())
            .set_sorting_columns(in_order.then(|| sorting_columns(table)).filter(|s| !s.is_empty()))
            .build();
        let root = schema.root_schema_ptr();
        let file = SerializedFileWriter::new(Vec::new(), root, Arc::new(properties));
        Ok(Encoder { table: table.clone(), file: file.map_err(failed)? })
    }

    /// Adds `rows` in this order as one slice.
    pub fn slice(&mut self, rows: &[RecordBatch], order: &[Position]) -> Result<Vec<u8>> {
        let chunks = column::encode_all(&self.table, rows, order)?;
        let failed = |error| failed(&self.table, error);
        let mut group = self.file.next_row_group().map_err(failed)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(std::mem::take(self.file.inner_mut()))
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.file.finish().map_err(|error| failed(&self.table, error))?;
        Ok(std::mem::take(self.file.inner_mut()))
    }
}

fn failed(table: &TableSpec, error: ParquetError) -> Error {
    Error::storage(format!("encode rows of table `{}`", table.name), error)
}

/// The table's sort order in terms of Parquet's leaf columns.
fn sorting_columns(table: &TableSpec) -> Vec<SortingColumn> {
    let mut leaf = 0;
    let mut leaves = BTreeMap::new();
    for field in table.schema.fields() {
        leaves.insert(field.name().as_str(), leaf);
        leaf += column::leaf_count(field.data_type());
    }
    let claim = |name: &&'static str| {
        let column_idx = *leaves.get(name)?;
        Some(SortingColumn { column_idx, descending: false, nulls_first: false })
    };
    table.sort.iter().map_while(claim).collect()
}
