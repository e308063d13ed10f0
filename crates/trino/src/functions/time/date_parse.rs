//! `date_parse(text, pattern)`.

use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::{clock, mysql_pattern};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, invalid, returns};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "date_parse(text, pattern)",
        doc: "The timestamp(3) that the text spells by a MySQL pattern; parts that the pattern \
              does not name are those of 1970-01-01 00:00. Text that does not fit is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let timestamp =
        |_args: &ReturnFieldArgs| returns(DataType::Timestamp(TimeUnit::Millisecond, None));
    Scalar::new("date_parse", &[Takes::Text, Takes::Text], timestamp, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row)?, patterns.get(row)?) else {
            return Ok(None);
        };
        mysql_pattern::parse(pattern, text).map(|at| Some(clock::micros(at))).or_else(invalid)
    })
}
