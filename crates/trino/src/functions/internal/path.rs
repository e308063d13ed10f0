//! `$path(text, step, …)`: one early-exit walk from a map's text to a value inside it, as text.
//!
//! `m.a.b[0]`, `element_at(m, 'a')` and `m['a']` all become one call.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes};
use crate::json_path::{JsonPath, Step};
use crate::{json, map};

const NAME: &str = "$path";

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(udf()));

pub(super) fn udf() -> ScalarUDF {
    Scalar::new(NAME, &[Takes::Text], returns, invoke).variadic(Takes::Any).udf()
}

/// Returns the walk from `value` by `step`; a walk that starts where another ended is one walk.
pub(crate) fn path_of(value: Expr, step: ScalarValue) -> Expr {
    let step = Expr::Literal(step, None);
    let mut args = match value {
        Expr::ScalarFunction(call) if call.func.name() == NAME => call.args,
        other => vec![other],
    };
    args.push(step);
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&FUNCTION), args))
}

/// Returns whether the expression is a walk.
pub(crate) fn is_path(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.name() == NAME)
}

fn returns(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    Ok(Arc::new(map::payload(Field::new("", DataType::Utf8, true))))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let steps = (1..rows.width()).map(|at| match &rows.args.args[at] {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(index))) => Ok(Step::Element(*index)),
        ColumnarValue::Scalar(value) => match value.try_as_str() {
            Some(Some(name)) => Ok(Step::Member(name.to_owned())),
            _ => plan_err!("a step is a name or an index"),
        },
        ColumnarValue::Array(_) => plan_err!("a step is a literal"),
    });
    let path = JsonPath { steps: steps.collect::<Result<_>>()? };
    let text = rows.text(0)?;
    rows.texts(|row| {
        let Some(json) = text.get(row)? else { return Ok(None) };
        Ok(path.walk(json).and_then(|value| json::text(&value).map(|text| text.into_owned())))
    })
}
