//! Rows under way: column builders of one table.

use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Int32Builder, Int64Builder, ListArray,
    RecordBatch, StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::error::ArrowError;

use crate::record::Value;
use crate::scanned::Scanned;
use crate::schema::{Form, Kind, resource_fields, resource_item, time_type};

/// What a row has beside the fields of its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Provenance<'a> {
    /// The record's bytes, when the other columns do not give them back.
    pub spare: Option<&'a [u8]>,
    /// Hash of the record's bytes.
    pub fingerprint: i64,
    /// The object.
    pub object: i64,
    /// Number of the record in the object.
    pub index: i32,
}

/// A column under way. Nulls are only written when a value follows or the batch ends: most of the
/// columns are null in most of the rows.
#[derive(Debug)]
enum Column {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Resources(Box<Resources>),
}

#[derive(Debug)]
struct Resources {
    /// Where each list starts, and the end of the last.
    offsets: Vec<i32>,
    lists: NullBufferBuilder,
    elements: NullBufferBuilder,
    fields: [StringBuilder; 4],
}

impl Resources {
    fn new() -> Resources {
        Resources {
            offsets: vec![0],
            lists: NullBufferBuilder::new(0),
            elements: NullBufferBuilder::new(0),
            fields: std::array::from_fn(|_| StringBuilder::new()),
        }
    }

    fn pad(&mut self, rows: usize) {
        let missing = rows - self.lists.len();
        self.lists.append_n_nulls(missing);
        let end = self.elements.len() as i32;
        self.offsets.resize(self.offsets.len() + missing, end);
    }

    fn append(&mut self, record: &Scanned<'_>) {
        for element in &record.row.elements {
            self.elements.append(element.is_object);
            for (field, value) in self.fields.iter_mut().zip(element.values) {
                field.append_option(record.row.text_of(value, record.text));
            }
        }
        self.lists.append_non_null();
        self.offsets.push(self.elements.len() as i32);
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let mut this = std::mem::replace(self, Resources::new());
        let fields = this.fields.iter_mut().map(|field| Arc::new(field.finish()) as ArrayRef);
        let elements = StructArray::try_new_with_length(
            resource_fields(),
            fields.collect(),
            this.elements.finish(),
            this.offsets.last().map_or(0, |end| *end as usize),
        )?;
        let offsets = OffsetBuffer::new(this.offsets.into());
        let item = Arc::new(resource_item());
        Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(elements), this.lists.finish())?))
    }
}

/// Makes nulls of the rows before `rows` that have no value yet.
macro_rules! pad {
    ($builder:expr, $rows:expr) => {
        if $builder.len() < $rows {
            $builder.append_nulls($rows - $builder.len());
        }
    };
}

impl Column {
    fn new(form: Form) -> Column {
        match form {
            Form::Text | Form::Json | Form::Bytes => {
                Column::Text(StringBuilder::with_capacity(0, 0))
            }
            Form::Flag => Column::Flag(BooleanBuilder::new()),
            Form::Time => {
                Column::Time(TimestampMicrosecondBuilder::new().with_data_type(time_type()))
            }
            Form::Resources => Column::Resources(Box::new(Resources::new())),
        }
    }

    /// Writes the value of row number `row`.
    #[inline]
    fn append(&mut self, row: usize, value: Value, record: &Scanned<'_>) {
        match (self, value) {
            (Column::Text(builder), _) => {
                pad!(builder, row);
                builder.append_option(record.row.text_of(value, record.text));
            }
            (Column::Flag(builder), Value::Flag(flag)) => {
                pad!(builder, row);
                builder.append_value(flag);
            }
            (Column::Time(builder), Value::Time(at)) => {
                pad!(builder, row);
                builder.append_value(at);
            }
            (Column::Resources(resources), Value::List) => {
                resources.pad(row);
                resources.append(record);
            }
            _ => {}
        }
    }

    fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Column::Text(builder) => {
                pad!(builder, rows);
                Arc::new(builder.finish())
            }
            Column::Flag(builder) => {
                pad!(builder, rows);
                Arc::new(builder.finish())
            }
            Column::Time(builder) => {
                pad!(builder, rows);
                Arc::new(builder.finish())
            }
            Column::Resources(resources) => {
                resources.pad(rows);
                resources.finish()?
            }
        })
    }
}

/// Rows of one table under way.
#[derive(Debug)]
pub(crate) struct Rows {
    kind: Kind,
    columns: Vec<Column>,
    shape: StringBuilder,
    raw_fields: StringBuilder,
    unknown_fields: StringBuilder,
    record: BinaryBuilder,
    fingerprint: Int64Builder,
    object: Int64Builder,
    index: Int32Builder,
    bytes: usize,
}

impl Rows {
    /// Returns no rows.
    pub fn new(kind: Kind) -> Rows {
        Rows {
            kind,
            columns: kind.columns().iter().map(|column| Column::new(column.form)).collect(),
            shape: StringBuilder::new(),
            raw_fields: StringBuilder::with_capacity(0, 0),
            unknown_fields: StringBuilder::with_capacity(0, 0),
            record: BinaryBuilder::with_capacity(0, 0),
            fingerprint: Int64Builder::new(),
            object: Int64Builder::new(),
            index: Int32Builder::new(),
            bytes: 0,
        }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns their bytes, approximately.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a row.
    pub fn append(&mut self, record: &Scanned<'_>, provenance: Provenance<'_>) {
        let row = self.len();
        for number in record.row.filled() {
            self.columns[*number].append(row, record.row.value(*number), record);
        }
        let some = |text: &'_ str| (!text.is_empty()).then_some(text.to_owned());
        self.shape.append_value(&record.row.shape);
        self.raw_fields.append_option(some(&record.row.raw_fields));
        self.unknown_fields.append_option(some(&record.row.unknown_fields));
        self.record.append_option(provenance.spare);
        self.fingerprint.append_value(provenance.fingerprint);
        self.object.append_value(provenance.object);
        self.index.append_value(provenance.index);
        self.bytes += record.text.len()
            + record.row.shape.len()
            + provenance.spare.map_or(0, <[u8]>::len)
            + ROW_BYTES;
    }

    /// Returns the rows as a batch, and starts anew.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.len();
        let mut arrays = self
            .columns
            .iter_mut()
            .map(|column| column.finish(rows))
            .collect::<Result<Vec<_>, _>>()?;
        arrays.push(Arc::new(self.shape.finish()));
        arrays.push(Arc::new(self.raw_fields.finish()));
        arrays.push(Arc::new(self.unknown_fields.finish()));
        arrays.push(Arc::new(self.record.finish()));
        arrays.push(Arc::new(self.fingerprint.finish()));
        arrays.push(Arc::new(self.object.finish()));
        arrays.push(Arc::new(self.index.finish()));
        self.bytes = 0;
        RecordBatch::try_new(self.kind.schema(), arrays)
    }
}

/// Offsets and fixed-size values of a row.
const ROW_BYTES: usize = 4 * 68;
