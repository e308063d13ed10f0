//! `sequence(start, stop[, step])` of bigints, of dates and of timestamps.

use std::sync::Arc;

use chrono::Months;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};
use crate::functions::time::clock::{micros, moment};
use crate::type_names::trino_type;

/// Trino's own bound on the elements of one array made by `repeat` and `sequence`.
const COUNT_MAX: usize = 10_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "sequence(start, stop), sequence(start, stop, step)",
        doc: "The bigints, dates or timestamps from `start` to `stop`, both included, at most \
              10,000; downwards when `stop` is the smaller and no step is given. The step of dates \
              and timestamps is an interval (of dates, a day when none is given).",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Any, Takes::Any];
    Scalar::new("sequence", &takes, list, invoke).optional(&[Takes::Any]).udf()
}

fn list(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let step = args.arg_fields.get(2);
    let of_interval =
        step.is_none_or(|step| matches!(step.data_type(), DataType::Interval(_) | DataType::Null));
    let of_number =
        step.is_none_or(|step| step.data_type().is_integer() || step.data_type().is_null());
    let element = match args.arg_fields[0].data_type() {
        data_type if (data_type.is_integer() || data_type.is_null()) && of_number => {
            DataType::Int64
        }
        DataType::Date32 if of_interval || of_number => DataType::Date32,
        data_type @ DataType::Timestamp(..) if of_interval && step.is_some() => data_type.clone(),
        _ => {
            let given: Vec<String> =
                args.arg_fields.iter().map(|field| trino_type(field)).collect();
            return plan_err!(
                "`sequence` takes bigints, or dates or timestamps with an interval as step, not ({})",
                given.join(", ")
            );
        }
    };
    let element = Field::new("item", element, true);
    Ok(Arc::new(Field::new("", DataType::List(Arc::new(element)), true)))
}

/// Arrays of numbers under construction.
#[derive(Default)]
struct Made {
    values: Vec<i64>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl Made {
    fn push(&mut self, values: Option<Vec<i64>>) -> Result<()> {
        self.valid.push(values.is_some());
        let values = values.unwrap_or_default();
        self.lengths.push(values.len());
        self.values.extend(values);
        lists::check_total(self.values.len())
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let times = !rows.field(0).data_type().is_integer() && !rows.field(0).data_type().is_null();
    let made = if times { of_times(rows)? } else { of_numbers(rows)? };
    let DataType::List(element) = rows.args.return_field.data_type() else {
        return exec_err!("`sequence` makes an array");
    };
    let values: ArrayRef = match element.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from(made.values)),
        other => {
            let array = TimestampMicrosecondArray::from(made.values);
            match other {
                DataType::Timestamp(_, Some(_)) => Arc::new(array.with_timezone("UTC")),
                _ => Arc::new(array),
            }
        }
    };
    let nulls = Some(NullBuffer::from(made.valid));
    rows.finish(lists::made(rows, made.lengths, values, nulls)?)
}

fn of_numbers(rows: &Rows) -> Result<Made> {
    let (starts, stops) = (rows.integer(0)?, rows.integer(1)?);
    let steps = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let mut made = Made::default();
    for row in 0..rows.count() {
        let (start, stop) = (starts.get(row), stops.get(row));
        let natural = if start > stop { -1 } else { 1 };
        let step = steps.as_ref().map_or(Some(natural), |steps| steps.get(row));
        let (Some(start), Some(stop), Some(step)) = (start, stop, step) else {
            made.push(None)?;
            continue;
        };
        check_direction(start, stop, step.signum())?;
        let count = (i128::from(stop) - i128::from(start)) / i128::from(step) + 1;
        if count > COUNT_MAX as i128 {
            return too_many();
        }
        made.push(Some((0..count as i64).map(|at| start + at * step).collect()))?;
    }
    Ok(made)
}

/// Dates and timestamps as microseconds; months are added to the start, so that the 31st comes
/// back after a shorter month.
fn of_times(rows: &Rows) -> Result<Made> {
    let (starts, stops) = (rows.micros(0)?, rows.micros(1)?);
    let steps = match rows.width() {
        2 => None,
        _ if rows.field(2).data_type().is_integer() => None,
        _ => Some(cast(&rows.full_array(2)?, &DataType::Interval(IntervalUnit::MonthDayNano))?),
    };
    let steps = steps.as_ref().map(|steps| steps.as_primitive::<IntervalMonthDayNanoType>());
    let days = match rows.width() > 2 && steps.is_none() {
        true => Some(rows.integer(2)?),
        false => None,
    };
    let mut made = Made::default();
    for row in 0..rows.count() {
        let (start, stop) = (starts.get(row), stops.get(row));
        let of_days =
            |days: i64| i32::try_from(days).ok().map(|days| (0, i64::from(days) * MICROS_PER_DAY));
        let step = match (steps, &days) {
            (Some(steps), _) => steps.is_valid(row).then(|| parts(steps.value(row))),
            (None, Some(days)) => days.get(row).and_then(of_days),
            (None, None) => of_days(if start > stop { -1 } else { 1 }),
        };
        let (Some(start), Some(stop), Some((months, span))) = (start, stop, step) else {
            made.push(None)?;
            continue;
        };
        let direction = if months == 0 { span.signum() } else { months.signum() };
        check_direction(start, stop, direction)?;
        let mut values = Vec::new();
        for at in 0.. {
            let value = moved(start, months * at, span.saturating_mul(at))?;
            if (direction > 0 && value > stop) || (direction < 0 && value < stop) {
                break;
            }
            if values.len() == COUNT_MAX {
                return too_many();
            }
            values.push(value);
        }
        made.push(Some(values))?;
    }
    Ok(made)
}

/// Months, and microseconds.
fn parts(interval: IntervalMonthDayNano) -> (i64, i64) {
    let days = i64::from(interval.days) * MICROS_PER_DAY;
    (i64::from(interval.months), days + interval.nanoseconds / 1000)
}

fn moved(start: i64, months: i64, span: i64) -> Result<i64> {
    let out_of_range = || exec_datafusion_err!("timestamp out of range");
    let start = match months {
        0 => start,
        _ => {
            let count = u32::try_from(months.unsigned_abs()).map_err(|_| out_of_range())?;
            let (at, count) = (moment(start)?, Months::new(count));
            let moved = match months > 0 {
                true => at.checked_add_months(count),
                false => at.checked_sub_months(count),
            };
            micros(moved.ok_or_else(out_of_range)?)
        }
    };
    start.checked_add(span).ok_or_else(out_of_range)
}

fn check_direction(start: i64, stop: i64, direction: i64) -> Result<()> {
    if direction == 0 || (direction > 0 && start > stop) || (direction < 0 && start < stop) {
        return exec_err!(
            "sequence stop value should be greater than or equal to start value if step is greater \
             than zero otherwise stop should be less than or equal to start"
        );
    }
    Ok(())
}

fn too_many<T>() -> Result<T> {
    exec_err!("result of sequence function must not have more than {COUNT_MAX} entries")
}
