//! What every function needs: parameters with kinds, arguments by row, results of one type.

mod rows;
mod scalar;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::ReturnFieldArgs;

pub(crate) use rows::{Rows, TextColumn, Texts};
pub(crate) use scalar::{Scalar, Takes};

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(crate) fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

/// Returns what a function whose result has always this type needs.
pub(crate) fn returns(data_type: DataType) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("", data_type, true)))
}

macro_rules! always {
    ($name:ident, $type:expr) => {
        pub(crate) fn $name(_args: &ReturnFieldArgs) -> Result<FieldRef> {
            returns($type)
        }
    };
}
always!(varchar, DataType::Utf8);
always!(bigint, DataType::Int64);
always!(double, DataType::Float64);
always!(boolean, DataType::Boolean);
always!(varbinary, DataType::Binary);
always!(date, DataType::Date32);
always!(varchars, DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))));
always!(timestamp_utc, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())));

/// Returns the field of the argument at `at`, without its name.
pub(crate) fn same_as(args: &ReturnFieldArgs, at: usize) -> FieldRef {
    let field = args.arg_fields[at].as_ref().clone();
    Arc::new(field.with_name("").with_nullable(true))
}

/// Returns a constant text argument at planning time.
pub(crate) fn constant_text<'a>(args: &'a ReturnFieldArgs, at: usize) -> Option<&'a str> {
    args.scalar_arguments.get(at).copied().flatten().and_then(|value| match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
            text.as_deref()
        }
        _ => None,
    })
}

/// Returns an error for a value out of range or malformed, in the words Trino's users know.
pub(crate) fn invalid<T>(message: impl std::fmt::Display) -> Result<T> {
    Err(exec_datafusion_err!("{message}"))
}
