//! `$interval_length(interval)`: a number by which intervals compare, milliseconds; a month counts as
//! the longest one, for it is only ever compared with months.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) const NAME: &str = "$interval_length";
const MILLIS_PER_DAY: i64 = 86_400_000;

static LENGTH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(udf()));

pub(super) fn udf() -> ScalarUDF {
    Scalar::new(NAME, &[Takes::Any], bigint, invoke).udf()
}

/// Returns the length of an interval.
pub(crate) fn length(interval: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&LENGTH), vec![interval]))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let array = cast(&rows.full_array(0)?, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
    rows.primitives::<Int64Type>(|row| {
        let value = intervals.value(row);
        let days = i64::from(value.months) * 31 + i64::from(value.days);
        let length = days * MILLIS_PER_DAY + value.nanoseconds / 1_000_000;
        Ok(intervals.is_valid(row).then_some(length))
    })
}
