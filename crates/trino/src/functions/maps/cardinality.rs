//! `cardinality(array)`, `cardinality(map)`.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};
use crate::type_names::trino_type;
use crate::{json, map};

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "cardinality(array), cardinality(map)",
        doc: "The number of elements or keys, as bigint; NULL for NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("cardinality", &[Takes::Any], returns, invoke).udf()
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let field = &args.arg_fields[0];
    match field.data_type() {
        _ if map::is_map(field) => bigint(args),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Map(..)
        | DataType::Null => bigint(args),
        _ => plan_err!("`cardinality` takes an array or a map, not {}", trino_type(field)),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    if map::is_map(rows.field(0)) {
        let text = rows.text(0)?;
        return rows.primitives::<Int64Type>(|row| {
            let members = text.get(row)?.and_then(json::members);
            Ok(members.map(|members| {
                let keys: std::collections::HashSet<_> = members.map(|(key, _)| key).collect();
                keys.len() as i64
            }))
        });
    }
    let value: ArrayRef = rows.full_array(0)?;
    let length = |row: usize| match value.data_type() {
        DataType::List(_) => i64::from(value.as_list::<i32>().value_length(row)),
        DataType::LargeList(_) => value.as_list::<i64>().value_length(row),
        DataType::FixedSizeList(_, length) => i64::from(*length),
        DataType::Map(..) => i64::from(value.as_map().value_length(row)),
        _ => 0,
    };
    let present = |row: usize| !value.data_type().is_null() && value.is_valid(row);
    rows.primitives::<Int64Type>(|row| Ok(present(row).then(|| length(row))))
}
