//! Arrow IPC: a stream into a pipe, the file format into a file.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::json::distinct_names;
use super::{Encoder, Result, Sink, Style};

/// Writes Arrow IPC.
pub struct ArrowIpc {
    schema: SchemaRef,
    writer: Writer,
}

enum Writer {
    Stream(Box<StreamWriter<Sink>>),
    File(Box<FileWriter<Sink>>),
}

impl ArrowIpc {
    /// Returns a writer of Arrow IPC.
    pub fn new(schema: &SchemaRef, style: &Style, sink: Sink) -> Result<ArrowIpc> {
        let schema = with_distinct_names(schema);
        let writer = match style.into_file {
            true => Writer::File(Box::new(FileWriter::try_new(sink, &schema)?)),
            false => Writer::Stream(Box::new(StreamWriter::try_new(sink, &schema)?)),
        };
        Ok(ArrowIpc { schema, writer })
    }
}

impl Encoder for ArrowIpc {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())?;
        match &mut self.writer {
            Writer::Stream(writer) => writer.write(&batch)?,
            Writer::File(writer) => writer.write(&batch)?,
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        match &mut self.writer {
            Writer::Stream(writer) => {
                writer.finish()?;
                writer.flush()?;
            }
            Writer::File(writer) => {
                writer.finish()?;
                writer.flush()?;
            }
        }
        Ok(Vec::new())
    }
}

/// Returns the schema with names that readers can tell apart.
pub fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let names = distinct_names(schema.fields().iter().map(|field| field.name().as_str()));
    let fields: Vec<_> = (schema.fields().iter().zip(names))
        .map(|(field, name)| field.as_ref().clone().with_name(name))
        .collect();
    std::sync::Arc::new(Schema::new(fields))
}
