//! Files beside the lake that a query may join: `--lookup NAME=FILE`.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek as _};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::reader::infer_json_schema;
use traillake_query::Lookup;

use crate::failure::Problem;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Reads the table `name` from a CSV, TSV, NDJSON or Parquet file, told by its ending.
///
/// Columns of CSV and TSV are text, as account ids must be; the first line names them.
pub fn read(name: &str, path: &Path) -> anyhow::Result<Lookup> {
    let read = || -> anyhow::Result<Vec<RecordBatch>> {
        let file = File::open(path)?;
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => delimited(file, b','),
            "tsv" => delimited(file, b'\t'),
            "ndjson" | "jsonl" => lines_of_json(file),
            "parquet" => {
                let builder =
                    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)?;
                Ok(builder.with_batch_size(BATCH_ROWS).build()?.collect::<Result<_, _>>()?)
            }
            _ => anyhow::bail!("its name must end in .csv, .tsv, .ndjson, .jsonl or .parquet"),
        }
    };
    let batches = read().map_err(|error| {
        Problem::new(format!("could not read `{}` for `--lookup`", path.display())).because(error)
    })?;
    Ok(Lookup { name: name.to_owned(), batches })
}

fn delimited(file: File, delimiter: u8) -> anyhow::Result<Vec<RecordBatch>> {
    let mut input = BufReader::new(file);
    let mut header = String::new();
    input.read_line(&mut header)?;
    input.rewind()?;
    let names = header.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
    let fields: Vec<Field> = (names.split(char::from(delimiter)))
        .map(|name| Field::new(name.trim().trim_matches('"'), DataType::Utf8, true))
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let reader = arrow::csv::ReaderBuilder::new(schema.clone())
        .with_header(true)
        .with_delimiter(delimiter)
        .with_batch_size(BATCH_ROWS)
        .build_buffered(input)?;
    at_least_one(schema, reader.collect::<Result<_, _>>()?)
}

fn lines_of_json(file: File) -> anyhow::Result<Vec<RecordBatch>> {
    let mut input = BufReader::new(file);
    let (schema, _) = infer_json_schema(&mut input, None)?;
    input.rewind()?;
    let schema: SchemaRef = Arc::new(schema);
    let reader =
        arrow::json::ReaderBuilder::new(schema.clone()).with_batch_size(BATCH_ROWS).build(input)?;
    at_least_one(schema, reader.collect::<Result<_, _>>()?)
}

/// A table without rows still has its columns.
fn at_least_one(
    schema: SchemaRef,
    mut batches: Vec<RecordBatch>,
) -> anyhow::Result<Vec<RecordBatch>> {
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}
