//! `concat(x, …), x || y`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::as_text;
use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{
    Rows, Scalar, Takes, is_binary, is_text, same_as, varbinary, varchar,
};
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "concat(x, …), x || y",
        doc: "The texts (or arrays, or binaries) one after another; NULL when any is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("concat", &[Takes::Any], joined, invoke).variadic(Takes::Any).udf()
}

fn joined(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let types = || args.arg_fields.iter().map(|field| field.data_type());
    if let Some(at) = types().position(|data_type| matches!(data_type, DataType::List(_))) {
        return array(args, at);
    }
    let all_are = |is_one: fn(&DataType) -> bool| {
        types().all(|data_type| is_one(data_type) || data_type.is_null())
    };
    match () {
        () if all_are(DataType::is_null) || types().any(is_text) && !types().any(is_binary) => {
            varchar(args)
        }
        () if all_are(is_binary) => varbinary(args),
        () => {
            let names = args.arg_fields.iter().map(|field| trino_type(field));
            let names = names.collect::<Vec<_>>().join(", ");
            plan_err!("`concat` takes varchars, arrays or varbinaries, not ({names})")
        }
    }
}

/// The type of arrays, and of single elements beside them.
fn array(args: &ReturnFieldArgs, first: usize) -> Result<FieldRef> {
    let field = same_as(args, first);
    let DataType::List(element) = field.data_type() else { return Ok(field) };
    let common = args.arg_fields.iter().try_fold(DataType::Null, |common, field| {
        match field.data_type() {
            DataType::List(element) => lists::common_type(&common, element.data_type()),
            single => lists::common_type(&common, single),
        }
    })?;
    let element = element.as_ref().clone().with_data_type(common);
    Ok(Arc::new(field.as_ref().clone().with_data_type(DataType::List(Arc::new(element)))))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    if matches!(rows.args.return_field.data_type(), DataType::List(_)) {
        return lists::concatenated(rows);
    }
    if *rows.args.return_field.data_type() == DataType::Binary {
        let columns = (0..rows.width()).map(|at| rows.binary(at)).collect::<Result<Vec<_>>>()?;
        return rows.binaries(|row| {
            let parts: Option<Vec<&[u8]>> = columns.iter().map(|column| column.get(row)).collect();
            Ok(parts.map(|parts| parts.concat()))
        });
    }
    let columns = (0..rows.width())
        .map(|at| Ok((rows.full_array(at)?, rows.field(at))))
        .collect::<Result<Vec<_>>>()?;
    rows.texts(|row| {
        let mut joined = String::new();
        for (column, field) in &columns {
            match as_text::value(column, field, row)? {
                Some(text) => joined.push_str(&text),
                None => return Ok(None),
            }
        }
        Ok(Some(joined))
    })
}
