//! From rows back to the original bytes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, LargeBinaryArray, LargeBinaryBuilder, ListArray,
    PrimitiveArray, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use xxhash_rust::xxh3::xxh3_64;

use crate::Error;
use crate::schema::{
    Form, Kind, RAW_FIELDS, RECORD, RESOURCE_FIELDS, SHAPE, UNKNOWN_FIELDS, time_type,
};
use crate::shape::{Cells, Plan, RecordCells};

/// Returns the physical columns that [`rebuild`] reads, of any record table. A batch needs those
/// of its own table only, see [`Kind::rebuild_columns`].
pub fn rebuild_columns() -> &'static [&'static str] {
    static COLUMNS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut columns: Vec<&'static str> = Vec::new();
        for kind in [Kind::Events, Kind::Insights, Kind::Aggregated] {
            for name in kind.rebuild_columns() {
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
        }
        columns
    });
    &COLUMNS
}

/// Appends the original bytes of one row's record to `out`. For many rows [`rebuild_all`] is
/// cheaper.
///
/// # Errors
/// When a column of [`rebuild_columns`] is missing, or the row's shape cannot be read.
pub fn rebuild(rows: &RecordBatch, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    if row >= rows.num_rows() {
        return Err(Error::Row { row, rows: rows.num_rows() });
    }
    Rebuilder::new(&rows.slice(row, 1))?.write(0, out)
}

/// Returns the original bytes of every row's record.
///
/// # Errors
/// As [`rebuild`].
pub fn rebuild_all(rows: &RecordBatch) -> Result<LargeBinaryArray, Error> {
    let mut rebuilder = Rebuilder::new(rows)?;
    let mut records = LargeBinaryBuilder::with_capacity(rows.num_rows(), rows.num_rows() * 1_024);
    let mut record = Vec::new();
    for row in 0..rows.num_rows() {
        record.clear();
        rebuilder.write(row, &mut record)?;
        records.append_value(&record);
    }
    Ok(records.finish())
}

/// Rebuilds the records of one batch.
#[derive(Debug)]
pub struct Rebuilder {
    shapes: StringArray,
    raw_fields: StringArray,
    unknown_fields: StringArray,
    records: LargeBinaryArray,
    /// Cells of each kind of record, by number of column; a batch has one kind, but its shapes say
    /// which.
    tables: [Vec<CellArray>; 3],
    plans: Plans,
}

#[derive(Debug)]
enum CellArray {
    Missing,
    Text(StringArray),
    Flag(BooleanArray),
    Time(PrimitiveArray<TimestampMicrosecondType>),
    List(Box<(ListArray, [StringArray; RESOURCE_FIELDS.len()])>),
}

impl Rebuilder {
    /// Takes the columns of a batch; text may be of any Arrow string or dictionary type.
    ///
    /// # Errors
    /// When a bookkeeping column is missing, or a column has another type than its table's.
    pub fn new(rows: &RecordBatch) -> Result<Rebuilder, Error> {
        let text = |name: &'static str| {
            let column = rows.column_by_name(name);
            let column = column.ok_or(Error::Column { column: name, expected: "text" })?;
            text_array(column, name)
        };
        let column = rows.column_by_name(RECORD);
        let column = column.ok_or(Error::Column { column: RECORD, expected: "binary" })?;
        let records = cast(column, &DataType::LargeBinary)?.as_binary::<i64>().clone();
        let shapes = text(SHAPE)?;
        let mut tables = [Vec::new(), Vec::new(), Vec::new()];
        for kind in kinds_of(&shapes) {
            tables[kind as usize] = cells_of(rows, kind)?;
        }
        Ok(Rebuilder {
            shapes,
            raw_fields: text(RAW_FIELDS)?,
            unknown_fields: text(UNKNOWN_FIELDS)?,
            records,
            tables,
            plans: Plans::default(),
        })
    }

    /// Appends the original bytes of one row's record to `out`.
    ///
    /// # Errors
    /// When the row's shape cannot be read or does not fit the row.
    pub fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        if row >= self.shapes.len() {
            return Err(Error::Row { row, rows: self.shapes.len() });
        }
        if self.records.is_valid(row) {
            out.extend_from_slice(self.records.value(row));
            return Ok(());
        }
        let shape = self.shapes.value(row);
        let plan = self.plans.get(shape).map_err(|at| Error::Shape { row, at })?;
        let cells = BatchRow {
            cells: &self.tables[plan.kind as usize],
            loose: (optional(&self.raw_fields, row), optional(&self.unknown_fields, row)),
            row,
        };
        if plan.write(&cells, out) { Ok(()) } else { Err(Error::Shape { row, at: shape.len() }) }
    }
}

fn optional(array: &StringArray, row: usize) -> &str {
    if array.is_valid(row) { array.value(row) } else { "" }
}

/// Returns the kinds of record that the shapes of a batch are of.
fn kinds_of(shapes: &StringArray) -> Vec<Kind> {
    let kinds = [Kind::Events, Kind::Insights, Kind::Aggregated];
    let letters: Vec<u8> = kinds.iter().map(|kind| crate::shape::letter(*kind) as u8).collect();
    let mut found = [false; 3];
    for shape in shapes.iter().flatten() {
        for (found, letter) in found.iter_mut().zip(&letters) {
            *found |= shape.as_bytes().get(1) == Some(letter);
        }
    }
    kinds.into_iter().filter(|kind| found[*kind as usize]).collect()
}

fn cells_of(rows: &RecordBatch, kind: Kind) -> Result<Vec<CellArray>, Error> {
    let cell = |column: &crate::schema::Column| {
        let Some(array) = rows.column_by_name(column.name) else { return Ok(CellArray::Missing) };
        let wrong = |expected| Error::Column { column: column.name, expected };
        Ok(match column.form {
            Form::Text | Form::Json | Form::Bytes => {
                CellArray::Text(text_array(array, column.name)?)
            }
            Form::Flag => CellArray::Flag(array.as_boolean_opt().ok_or(wrong("boolean"))?.clone()),
            Form::Time => {
                let times = cast(array, &time_type())?;
                CellArray::Time(times.as_primitive_opt().ok_or(wrong("a timestamp"))?.clone())
            }
            Form::Resources => {
                let list = array.as_list_opt::<i32>().ok_or(wrong("a list"))?;
                let values = list.values().as_struct_opt().ok_or(wrong("a list of structs"))?;
                let mut fields = Vec::new();
                for name in RESOURCE_FIELDS {
                    let field = values.column_by_name(name).ok_or(wrong("a list of resources"))?;
                    fields.push(text_array(field, column.name)?);
                }
                let fields = <[StringArray; RESOURCE_FIELDS.len()]>::try_from(fields)
                    .map_err(|_| wrong("a list of resources"))?;
                CellArray::List(Box::new((list.clone(), fields)))
            }
        })
    };
    kind.columns().iter().map(cell).collect()
}

fn text_array(array: &ArrayRef, column: &'static str) -> Result<StringArray, Error> {
    let text = match array.data_type() {
        DataType::Utf8 => array.clone(),
        _ => cast(array, &DataType::Utf8)?,
    };
    Ok(text.as_string_opt::<i32>().ok_or(Error::Column { column, expected: "text" })?.clone())
}

struct BatchRow<'a> {
    cells: &'a [CellArray],
    loose: (&'a str, &'a str),
    row: usize,
}

struct BatchElement<'a>(&'a [StringArray], usize);

impl Cells for BatchRow<'_> {
    fn text(&self, number: usize) -> Option<&str> {
        match self.cells.get(number)? {
            CellArray::Text(text) if text.is_valid(self.row) => Some(text.value(self.row)),
            _ => None,
        }
    }

    fn flag(&self, number: usize) -> Option<bool> {
        match self.cells.get(number)? {
            CellArray::Flag(flags) if flags.is_valid(self.row) => Some(flags.value(self.row)),
            _ => None,
        }
    }

    fn time(&self, number: usize) -> Option<i64> {
        match self.cells.get(number)? {
            CellArray::Time(times) if times.is_valid(self.row) => Some(times.value(self.row)),
            _ => None,
        }
    }
}

impl RecordCells for BatchRow<'_> {
    type Element<'a>
        = BatchElement<'a>
    where
        Self: 'a;

    fn elements(&self, number: usize) -> Option<usize> {
        match self.cells.get(number)? {
            CellArray::List(list) if list.0.is_valid(self.row) => {
                usize::try_from(list.0.value_length(self.row)).ok()
            }
            _ => None,
        }
    }

    fn element(&self, number: usize, element: usize) -> BatchElement<'_> {
        match self.cells.get(number) {
            Some(CellArray::List(list)) => {
                let (list, fields) = &**list;
                let first = usize::try_from(list.value_offsets()[self.row]).unwrap_or_default();
                BatchElement(fields, first + element)
            }
            _ => BatchElement(&[], 0),
        }
    }

    fn loose(&self) -> (&str, &str) {
        self.loose
    }
}

impl Cells for BatchElement<'_> {
    fn text(&self, number: usize) -> Option<&str> {
        let field = self.0.get(number)?;
        (self.1 < field.len() && field.is_valid(self.1)).then(|| field.value(self.1))
    }

    fn flag(&self, _number: usize) -> Option<bool> {
        None
    }

    fn time(&self, _number: usize) -> Option<i64> {
        None
    }
}

/// Shapes made ready, kept: records share them.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    plans: HashMap<u64, (String, Arc<Plan>)>,
}

/// Shapes that are kept ready.
const PLANS_MAX: usize = 4_096;

impl Plans {
    /// Returns the plan of a shape.
    ///
    /// # Errors
    /// The offset of the first byte that does not follow the grammar.
    pub fn get(&mut self, shape: &str) -> Result<Arc<Plan>, usize> {
        let hash = xxh3_64(shape.as_bytes());
        if let Some((known, plan)) = self.plans.get(&hash)
            && known == shape
        {
            return Ok(plan.clone());
        }
        let plan = Arc::new(Plan::of(shape)?);
        if self.plans.len() >= PLANS_MAX {
            self.plans.clear();
        }
        self.plans.insert(hash, (shape.to_owned(), plan.clone()));
        Ok(plan)
    }
}
