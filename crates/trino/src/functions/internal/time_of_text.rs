//! `$time_of_text(text, like)`: the timestamp that text compared with a timestamp stands for.
//!
//! CloudTrail Lake compares timestamps with text in every spelling (`eventTime > '2023-01-01'`);
//! the comparison is rewritten so that the timestamp column stays bare and prunes.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, invalid, same_as};
use crate::functions::time::read;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(udf()));

pub(super) fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Any];
    Scalar::new("$time_of_text", &takes, |args| Ok(same_as(args, 1)), invoke).udf()
}

/// Returns the text as a value of `data_type`, a date or timestamp type.
pub(crate) fn time_of_text(text: Expr, data_type: &DataType) -> Result<Expr> {
    let like = Expr::Literal(ScalarValue::try_new_null(data_type)?, None);
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&FUNCTION), vec![text, like])))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        match read::timestamp(text) {
            Some(read) => Ok(Some(read.micros)),
            None => invalid(format!("`{text}` is not a timestamp")),
        }
    })
}
