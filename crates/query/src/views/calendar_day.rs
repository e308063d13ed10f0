//! `calendarday`: the day of an event as the number YYYYMMDD, a partition column of Lake's.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Days, NaiveDate};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Returns the day of `time`. Compared with a literal it becomes a range of `time`, which prunes.
pub(super) fn calendar_day(time: Expr) -> Expr {
    ScalarUDF::from(CalendarDay { signature: Signature::any(1, Volatility::Immutable) })
        .call(vec![time])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CalendarDay {
    signature: Signature,
}

const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl ScalarUDFImpl for CalendarDay {
    fn name(&self) -> &str {
        "calendar_day"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let times = ColumnarValue::values_to_arrays(&args.args)?;
        let times = cast(&times[0], &MICROS)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let days: Int64Array = times.iter().map(|time| time.and_then(day_of)).collect();
        Ok(ColumnarValue::Array(Arc::new(days)))
    }

    fn preimage(&self, args: &[Expr], lit: &Expr, _: &SimplifyContext) -> Result<PreimageResult> {
        let (Some(time), Expr::Literal(ScalarValue::Int64(Some(day)), _)) = (args.first(), lit)
        else {
            return Ok(PreimageResult::None);
        };
        let Some((first, next)) = range_of(*day) else { return Ok(PreimageResult::None) };
        let scalar = |micros| ScalarValue::TimestampMicrosecond(Some(micros), None);
        let interval = Box::new(Interval::try_new(scalar(first), scalar(next))?);
        Ok(PreimageResult::Range { expr: time.clone(), interval })
    }
}

fn day_of(micros: i64) -> Option<i64> {
    let day = DateTime::from_timestamp_micros(micros)?.date_naive();
    Some(i64::from(day.year()) * 10_000 + i64::from(day.month() * 100 + day.day()))
}

fn range_of(day: i64) -> Option<(i64, i64)> {
    let part = |divisor, modulus| u32::try_from(day / divisor % modulus).ok();
    let first =
        NaiveDate::from_ymd_opt(i32::try_from(day / 10_000).ok()?, part(100, 100)?, part(1, 100)?)?;
    let micros = |day: NaiveDate| Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    Some((micros(first)?, micros(first.checked_add_days(Days::new(1))?)?))
}
