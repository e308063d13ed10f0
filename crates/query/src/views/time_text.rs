//! The time of an event as text, and parts of it: what Athena's tables hold instead of a timestamp.
//!
//! A condition on such text is turned into ranges of the stored time by `stored_ranges`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Timelike};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What of the time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TimeForm {
    /// `2026-03-11T02:33:15Z`, as records spell it; a fraction of a second only where there is one.
    Whole,
    /// `2026`
    Year,
    /// `03`
    Month,
    /// `11`
    Day,
    /// `2026/03/11`, as keys of log files spell it.
    Date,
}

/// Returns `time`, microseconds in UTC, written in `form`.
pub(crate) fn time_text(time: Expr, form: TimeForm) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(TimeText { form, signature }).call(vec![time])
}

/// Returns the time that `expr` writes and the form, when it is text of a time.
pub(crate) fn written(expr: &Expr) -> Option<(&Expr, TimeForm)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let text = call.func.inner().downcast_ref::<TimeText>()?;
    Some((call.args.first()?, text.form))
}

/// Writes `micros` since 1970 to `text` in `form`.
pub(crate) fn write(text: &mut String, micros: i64, form: TimeForm) -> std::fmt::Result {
    let Some(time) = DateTime::from_timestamp_micros(micros) else { return Ok(()) };
    let (year, month, day) = (time.year(), time.month(), time.day());
    match form {
        TimeForm::Year => write!(text, "{year:04}"),
        TimeForm::Month => write!(text, "{month:02}"),
        TimeForm::Day => write!(text, "{day:02}"),
        TimeForm::Date => write!(text, "{year:04}/{month:02}/{day:02}"),
        TimeForm::Whole => {
            let (hour, minute, second) = (time.hour(), time.minute(), time.second());
            write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
            match time.nanosecond() / 1_000 {
                0 => text.write_char('Z'),
                micros if micros % 1_000 == 0 => write!(text, ".{:03}Z", micros / 1_000),
                micros => write!(text, ".{micros:06}Z"),
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeText {
    form: TimeForm,
    signature: Signature,
}

const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl ScalarUDFImpl for TimeText {
    fn name(&self) -> &str {
        match self.form {
            TimeForm::Whole => "time_text",
            TimeForm::Year => "year_text",
            TimeForm::Month => "month_text",
            TimeForm::Day => "day_text",
            TimeForm::Date => "date_text",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let times = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(texts(&times[0], self.form)?))
    }
}

/// Returns the texts of `times`, timestamps, NULL where the time is.
///
/// # Errors
/// Arrow's, for an array of another type.
pub(crate) fn texts(times: &ArrayRef, form: TimeForm) -> Result<ArrayRef> {
    let times = cast(times, &MICROS)?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let mut texts = StringViewBuilder::with_capacity(times.len());
    let mut text = String::new();
    for time in times {
        text.clear();
        match time.map(|micros| write(&mut text, micros, form)) {
            // Writing to a String does not fail; a time beyond the calendar has no text.
            Some(Ok(())) if !text.is_empty() => texts.append_value(&text),
            _ => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_records_spell_it() {
        let check = |micros: i64, form: TimeForm, expected: &str| {
            let mut text = String::new();
            write(&mut text, micros, form).unwrap();
            assert_eq!(text, expected, "{micros} {form:?}");
        };
        let second = 1_773_196_395_000_000; // 2026-03-11T02:33:15Z
        check(second, TimeForm::Whole, "2026-03-11T02:33:15Z");
        check(second + 120_000, TimeForm::Whole, "2026-03-11T02:33:15.120Z");
        check(second + 7, TimeForm::Whole, "2026-03-11T02:33:15.000007Z");
        check(-1, TimeForm::Whole, "1969-12-31T23:59:59.999999Z");
        check(second, TimeForm::Year, "2026");
        check(second, TimeForm::Month, "03");
        check(second, TimeForm::Day, "11");
        check(second, TimeForm::Date, "2026/03/11");
    }
}
