//! `$multiply_interval` and `$divide_interval`: an interval times or over a number, by months or by
//! milliseconds, of which a fraction is cut off
//! (<https://trino.io/docs/current/functions/datetime.html#date-and-time-operators>, and Trino's
//! IntervalDayTimeOperators and IntervalYearMonthOperators). Out of range is an error, where Trino's
//! wrap around.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, FieldRef, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, invalid, returns};

pub(super) const TIMES: &str = "$multiply_interval";
pub(super) const OVER: &str = "$divide_interval";
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const MILLIS_PER_DAY: i64 = 86_400_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

static MULTIPLY: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(times_udf()));
static DIVIDE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(over_udf()));

pub(super) fn udfs() -> [ScalarUDF; 2] {
    [times_udf(), over_udf()]
}

fn times_udf() -> ScalarUDF {
    Scalar::new(TIMES, &[Takes::Any, Takes::Any], interval, multiplied).udf()
}

fn over_udf() -> ScalarUDF {
    Scalar::new(OVER, &[Takes::Any, Takes::Number], interval, divided).udf()
}

/// Returns `interval * number`, where these types are such; `left` and `right` may be swapped.
pub(crate) fn times(left: Expr, right: Expr, types: [&DataType; 2]) -> Option<Expr> {
    let args = match types {
        [left_type, right_type] if is_interval(left_type) && is_number(right_type) => [left, right],
        [left_type, right_type] if is_number(left_type) && is_interval(right_type) => [right, left],
        _ => return None,
    };
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&MULTIPLY), Vec::from(args))))
}

/// Returns `interval / number`, where these types are such.
pub(crate) fn over(left: Expr, right: Expr, types: [&DataType; 2]) -> Option<Expr> {
    let fits = is_interval(types[0]) && is_number(types[1]);
    let call = ScalarFunction::new_udf(Arc::clone(&DIVIDE), vec![left, right]);
    fits.then_some(Expr::ScalarFunction(call))
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_null()
}

fn interval(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    returns(INTERVAL)
}

fn multiplied(rows: &Rows) -> Result<ColumnarValue> {
    if rows.field(1).data_type().is_integer() {
        let factors = rows.integer(1)?;
        return scaled(rows, |row| factors.get(row), |part, factor| Ok(part.checked_mul(factor)));
    }
    let factors = rows.number(1)?;
    scaled(
        rows,
        |row| factors.get(row),
        |part, factor| match factor.is_nan() {
            true => invalid("an interval cannot be multiplied by NaN"),
            false => Ok(whole(part as f64 * factor)),
        },
    )
}

fn divided(rows: &Rows) -> Result<ColumnarValue> {
    let divisors = rows.number(1)?;
    scaled(
        rows,
        |row| divisors.get(row),
        |part, divisor| match divisor {
            0.0 => invalid("division by zero"),
            divisor if divisor.is_nan() => invalid("an interval cannot be divided by NaN"),
            divisor => Ok(whole(part as f64 / divisor)),
        },
    )
}

/// Returns a number without its fraction; none out of range.
fn whole(number: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    (-END..END).contains(&number).then_some(number as i64)
}

/// Returns the intervals with each part, months and milliseconds, scaled by the row's number.
///
/// # Errors
/// Of `part`, and a part that is out of range.
fn scaled<N: Copy>(
    rows: &Rows,
    number: impl Fn(usize) -> Option<N>,
    part: impl Fn(i64, N) -> Result<Option<i64>>,
) -> Result<ColumnarValue> {
    let array = cast(&rows.full_array(0)?, &INTERVAL)?;
    let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
    rows.primitives::<IntervalMonthDayNanoType>(|row| {
        let Some(number) = number(row).filter(|_| intervals.is_valid(row)) else { return Ok(None) };
        let value = intervals.value(row);
        let millis = i64::from(value.days) * MILLIS_PER_DAY + value.nanoseconds / NANOS_PER_MILLI;
        let (months, millis) = (part(value.months.into(), number)?, part(millis, number)?);
        match months.zip(millis).and_then(|(months, millis)| of_parts(months, millis)) {
            Some(scaled) => Ok(Some(scaled)),
            None => invalid("interval overflow"),
        }
    })
}

/// Returns months and milliseconds as an interval; none out of range.
fn of_parts(months: i64, millis: i64) -> Option<IntervalMonthDayNano> {
    let days = i32::try_from(millis / MILLIS_PER_DAY).ok()?;
    let nanos = millis % MILLIS_PER_DAY * NANOS_PER_MILLI;
    Some(IntervalMonthDayNano::new(i32::try_from(months).ok()?, days, nanos))
}
