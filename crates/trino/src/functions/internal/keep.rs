//! `$map(text)` builds the map where an operator needs a real one; `$marked(text)` puts the mark
//! back where an expression passes the text on but loses its field (CASE, coalesce, min_by, …).

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes};
use crate::map;

static TO_MAP: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(map_udf()));
static MARKED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let invoke = |rows: &Rows| Ok(rows.args.args[0].clone());
    Arc::new(Scalar::new("$marked", &[Takes::Text], marked_type, invoke).udf())
});

pub(super) fn map_udf() -> ScalarUDF {
    Scalar::new("$map", &[Takes::Text], map_type, invoke).udf()
}

/// Returns the map that the marked text stands for.
pub(crate) fn to_map(text: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&TO_MAP), vec![text]))
}

/// Returns the same text, marked as a map.
pub(crate) fn marked_text(text: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&MARKED), vec![text]))
}

fn map_type(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("", map::arrow_type(), true)))
}

fn marked_type(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let data_type = args.arg_fields[0].data_type();
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Ok(Arc::new(map::mark(Field::new("", data_type.clone(), true))))
        }
        other => plan_err!("`{other}` is not a map's text"),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    rows.finish(map::build(&rows.array(0)?)?)
}
