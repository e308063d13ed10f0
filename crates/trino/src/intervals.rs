//! Intervals as Trino writes them
//! (<https://trino.io/docs/current/language/types.html#interval-day-to-second>).

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNanoType, IntervalUnit};

const MILLIS_PER_DAY: i128 = 86_400_000;

/// Returns the interval at `row` as text: `2 03:04:05.678` of days to seconds, `1-6` of years and
/// months. None for other types, and for NULL.
pub fn interval_text(array: &dyn Array, row: usize) -> Option<String> {
    let is_interval = matches!(array.data_type(), DataType::Interval(_) | DataType::Duration(_));
    if !is_interval || array.is_null(row) {
        return None;
    }
    let one = cast(&array.slice(row, 1), &DataType::Interval(IntervalUnit::MonthDayNano)).ok()?;
    let value = one.as_primitive::<IntervalMonthDayNanoType>().value(0);
    let millis =
        i128::from(value.days) * MILLIS_PER_DAY + i128::from(value.nanoseconds / 1_000_000);
    Some(match (value.months, millis) {
        (0, millis) => of_days(millis),
        (months, 0) => of_months(months),
        (months, millis) => format!("{} {}", of_months(months), of_days(millis)),
    })
}

fn of_days(millis: i128) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.abs();
    let (days, rest) = (millis / MILLIS_PER_DAY, millis % MILLIS_PER_DAY);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, millis) = (rest / 1_000 % 60, rest % 1_000);
    format!("{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

fn of_months(months: i32) -> String {
    let sign = if months < 0 { "-" } else { "" };
    format!("{sign}{}-{}", months.unsigned_abs() / 12, months.unsigned_abs() % 12)
}
