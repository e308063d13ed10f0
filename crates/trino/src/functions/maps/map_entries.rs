//! `map_entries(map)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ListArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::build;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "map_entries(map)",
        doc: "The entries as an array of rows of key and value. NULL for a NULL map.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("map_entries", &[Takes::Any], array_of_rows, invoke).udf()
}

fn array_of_rows(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let map = build::map_type(&args.arg_fields[0])?;
    let (key, value) = build::fields(&map)?;
    let named = |field: &FieldRef, name| field.as_ref().clone().with_name(name).with_nullable(true);
    let row = Fields::from(vec![named(key, "key"), named(value, "value")]);
    Ok(Arc::new(Field::new("", DataType::new_list(DataType::Struct(row), true), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::List(element) = rows.args.return_field.data_type() else {
        return exec_err!("`map_entries` makes an array");
    };
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("`map_entries` makes an array of rows");
    };
    let maps = build::maps(rows, 0)?;
    let columns = vec![Arc::clone(maps.keys()), Arc::clone(maps.values())];
    let entries = Arc::new(StructArray::try_new(fields.clone(), columns, None)?);
    let nulls = maps.nulls().cloned();
    let list = ListArray::try_new(Arc::clone(element), maps.offsets().clone(), entries, nulls)?;
    rows.finish(Arc::new(list))
}
