//! Any value as JSON text: what `CAST(x AS json)` gives.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use crate::functions::support::{Texts, is_text};
use crate::functions::text::as_text;
use crate::json;
use crate::map;

/// Writes the value at `row`; NULL becomes `null`.
pub(crate) fn value(array: &ArrayRef, field: &Field, row: usize, out: &mut String) -> Result<()> {
    if array.data_type().is_null() || array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        data_type if is_text(data_type) => {
            let text = Texts::of(array)?.get(row).unwrap_or_default();
            if map::is_json(field) || map::is_map(field) {
                out.push_str(&json::compact(text));
            } else {
                json::quote(text, out);
            }
        }
        DataType::List(element) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for at in 0..items.len() {
                comma(at, out);
                value(&items, element, at, out)?;
            }
            out.push(']');
        }
        DataType::Map(entries, _) => {
            let entries_of_row = array.as_map().value(row);
            let DataType::Struct(fields) = entries.data_type() else { return Ok(()) };
            out.push('{');
            for at in 0..entries_of_row.len() {
                comma(at, out);
                let key = as_text::value(entries_of_row.column(0), &fields[0], at)?;
                json::quote(&key.unwrap_or_default(), out);
                out.push(':');
                value(entries_of_row.column(1), &fields[1], at, out)?;
            }
            out.push('}');
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            out.push('{');
            for (at, (field, column)) in fields.iter().zip(columns).enumerate() {
                comma(at, out);
                json::quote(field.name(), out);
                out.push(':');
                value(column, field, row, out)?;
            }
            out.push('}');
        }
        DataType::Boolean => {
            out.push_str(if array.as_boolean().value(row) { "true" } else { "false" });
        }
        data_type if data_type.is_integer() || is_decimal(data_type) => {
            out.push_str(&as_text::value(array, field, row)?.unwrap_or_default());
        }
        DataType::Float64 | DataType::Float32 => {
            let double =
                datafusion::arrow::compute::cast(&array.slice(row, 1), &DataType::Float64)?;
            let double =
                double.as_primitive::<datafusion::arrow::datatypes::Float64Type>().value(0);
            match double.is_finite() {
                true => out.push_str(&format!("{double:?}")),
                false => json::quote(&as_text::double(double), out),
            }
        }
        _ => json::quote(&as_text::value(array, field, row)?.unwrap_or_default(), out),
    }
    Ok(())
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    )
}

fn comma(at: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
}
