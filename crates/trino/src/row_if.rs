//! `row_if(present, 'name', value, …)`: a row that is NULL when the object is absent, and whose
//! fields are the bare columns.
//!
//! Views make their rows with it. The analyzer takes such rows apart wherever it can, so the
//! function itself runs only for rows that reach the answer (or an operator that needs them
//! whole).

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarUDF, lit};

use crate::functions::support::{Rows, Scalar, Takes, constant_text};

/// The function's name in plans.
pub const NAME: &str = "row_if";

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(udf()));

/// Returns `row_if(present, fields…)`: NULL where `present` is not true, else a row of `fields`.
/// A field's value must itself be NULL where `present` is not true: `row.field` becomes `field`.
pub fn row_if(present: Expr, fields: Vec<(String, Expr)>) -> Expr {
    let fields = fields.into_iter().flat_map(|(name, value)| [lit(name), value]);
    let args = std::iter::once(present).chain(fields).collect();
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&FUNCTION), args))
}

/// Returns the parts of a `row_if` call: whether it is present, and its fields.
pub(crate) fn parts(expr: &Expr) -> Option<(&Expr, Vec<(&str, &Expr)>)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    if call.func.name() != NAME {
        return None;
    }
    let (present, rest) = call.args.split_first()?;
    let fields = rest.chunks_exact(2).map(|pair| match &pair[0] {
        Expr::Literal(ScalarValue::Utf8(Some(name)), _) => Some((name.as_str(), &pair[1])),
        _ => None,
    });
    Some((present, fields.collect::<Option<_>>()?))
}

pub(crate) fn udf() -> ScalarUDF {
    Scalar::new(NAME, &[Takes::Boolean], returns, invoke).variadic(Takes::Any).udf()
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let width = args.arg_fields.len() / 2;
    let fields = (0..width).map(|at| {
        let Some(name) = constant_text(args, 1 + 2 * at) else {
            return plan_err!("`{NAME}` needs literal names");
        };
        let value = args.arg_fields[2 + 2 * at].as_ref().clone();
        Ok(value.with_name(name).with_nullable(true))
    });
    let fields: Fields = fields.collect::<Result<Vec<Field>>>()?.into();
    Ok(Arc::new(Field::new("", DataType::Struct(fields), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::Struct(fields) = rows.args.return_field.data_type() else {
        return exec_err!("`{NAME}` makes rows");
    };
    let present = rows.full_array(0)?;
    let present = present.as_boolean();
    let nulls: NullBuffer =
        present.iter().map(|present| present.unwrap_or(false)).collect::<Vec<bool>>().into();
    let columns = (0..fields.len()).map(|at| rows.full_array(2 + 2 * at));
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    if columns.is_empty() {
        return rows.finish(Arc::new(StructArray::new_empty_fields(present.len(), Some(nulls))));
    }
    rows.finish(Arc::new(StructArray::try_new(fields.clone(), columns, Some(nulls))?))
}
