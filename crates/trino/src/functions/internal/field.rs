//! `$field(value, 'name')`: what `value.name` means, by the type of `value`.
//!
//! A field of a row, its name in any case; or a key of a map or of a value taken out of one, as
//! typed. The analyzer turns the first into DataFusion's own field access and the second into a
//! path walk; the function itself runs only inside lambdas.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, constant_text, is_text};
use crate::json_path::{JsonPath, Step};
use crate::names::nearest;
use crate::rewrite::internal::FIELD;
use crate::type_names::trino_type;
use crate::{json, map};

pub(super) fn udf() -> ScalarUDF {
    Scalar::new(FIELD, &[Takes::Any, Takes::Text], returns, invoke).udf()
}

/// Returns the place of a row's field, its name in any case.
pub(crate) fn position(fields: &Fields, name: &str) -> Option<usize> {
    position_of_name(fields.iter().map(|field| field.name().as_str()), name)
}

/// Returns the place of a name: spelled alike, else in any case.
pub(crate) fn position_of_name<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    name: &str,
) -> Option<usize> {
    let folded = name.to_lowercase();
    let exact = names.clone().position(|known| known == name);
    exact.or_else(|| names.clone().position(|known| known.to_lowercase() == folded))
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let (value, name) = (&args.arg_fields[0], constant_text(args, 1).unwrap_or_default());
    match value.data_type() {
        _ if map::holds_json(value) => {
            Ok(Arc::new(map::payload(Field::new("", DataType::Utf8, true))))
        }
        DataType::Struct(fields) => match position(fields, name) {
            Some(at) => Ok(Arc::new(fields[at].as_ref().clone().with_name("").with_nullable(true))),
            None => no_field(name, fields),
        },
        DataType::Null => Ok(Arc::new(Field::new("", DataType::Null, true))),
        // The mark may only be lost for now (`coalesce(m1, m2).k`); the analyzer puts it back, and
        // refuses what never had one.
        data_type if is_text(data_type) => {
            Ok(Arc::new(map::payload(Field::new("", DataType::Utf8, true))))
        }
        DataType::List(_) => plan_err!(
            "{} has no field `{name}`; choose an element first, such as `element_at(…, 1).{name}`",
            trino_type(value)
        ),
        _ => plan_err!("{} has no field `{name}`", trino_type(value)),
    }
}

/// Returns the error for a field of text that is no map's.
pub(crate) fn no_field_of_text<T>(name: &str) -> Result<T> {
    plan_err!(
        "a varchar has no field `{name}`; to read JSON text use `json_extract_scalar(…, '$.{name}')`"
    )
}

fn no_field<T>(name: &str, fields: &Fields) -> Result<T> {
    match nearest(name, fields.iter().map(|field| field.name().as_str())) {
        Some(near) => plan_err!("the row has no field `{name}`; did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            plan_err!("the row has no field `{name}`; it has {}", names.join(", "))
        }
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let name = rows.text(1)?;
    let Some(name) = name.constant() else { return exec_err!("a field's name is a literal") };
    let value = rows.array(0)?;
    match value.data_type() {
        DataType::Struct(fields) => {
            let Some(at) = position(fields, name) else { return no_field(name, fields) };
            let row = value.as_struct();
            let column = row.column(at);
            let nulls = NullBuffer::union(row.nulls(), column.nulls());
            let column = column.to_data().into_builder().nulls(nulls).build()?;
            let array: ArrayRef = datafusion::arrow::array::make_array(column);
            rows.finish(array)
        }
        DataType::Null => rows.finish(value),
        _ => {
            let path = JsonPath { steps: vec![Step::Member(name.to_owned())] };
            let text = rows.text(0)?;
            rows.texts(|row| {
                let value = text.get(row)?.and_then(|json| path.walk(json));
                Ok(value.and_then(|value| json::text(&value).map(|text| text.into_owned())))
            })
        }
    }
}
