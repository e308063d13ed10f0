//! The moments at which a condition on the time may change its truth.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use traillake_trino::functions::unit_micros;

use super::{Range, evaluate};
use crate::views::time_text::{TimeForm, write, written};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The seconds whose text sorts like them: the years 0000 to 9999. Records spell years with four
/// digits, so no event lies outside.
const SPELLED: (i64, i64) = (-62_167_219_200, 253_402_300_799);

/// The characters of `2026-03-11T02:33:15`, before a fraction.
const TO_THE_SECOND: usize = 19;

/// The characters of `2026-03-11`.
const TO_THE_DAY: usize = 10;

/// Functions of a moment that give the same for every moment of a day.
const OF_A_DAY: &[&str] = &[
    "date",
    "year",
    "quarter",
    "month",
    "week",
    "year_of_week",
    "day",
    "day_of_week",
    "day_of_year",
    "last_day_of_month",
    "calendar_day",
];

/// Units of `date_trunc` and `extract` that a day has one value of.
const UNITS_OF_A_DAY: &[&str] =
    &["day", "week", "month", "quarter", "year", "dow", "doy", "isodow", "isoyear"];

/// Codes of `date_format` that a day has one value of.
const CODES_OF_A_DAY: &str = "abcdejMmvWxYy";

/// Where conditions on one time column may change.
pub(super) struct Breaks<'a> {
    time: &'a Column,
    moments: BTreeSet<i64>,
    /// At any midnight.
    days: bool,
    /// Some part is more than a comparison of the bare column.
    written: bool,
}

impl Breaks<'_> {
    /// Returns no moments yet.
    pub(super) fn new(time: &Column) -> Breaks<'_> {
        Breaks { time, moments: BTreeSet::new(), days: false, written: false }
    }

    /// Whether all that was added prunes as it is.
    pub(super) fn is_plain(&self) -> bool {
        !self.written
    }

    /// Adds the moments at which `expr` may change; returns false when they cannot be told.
    pub(super) fn add(&mut self, expr: &Expr) -> bool {
        if expr.column_refs().is_empty() {
            return !expr.is_volatile();
        }
        if is_of_a_day(expr) {
            (self.days, self.written) = (true, true);
            return true;
        }
        let told = match expr {
            Expr::Column(_) => Some(false),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
                self.compared(left, &[right]).or_else(|| self.compared(right, &[left]))
            }
            Expr::Between(Between { expr, low, high, .. }) => self.compared(expr, &[low, high]),
            Expr::InList(list) => self.compared(&list.expr, &list.list.iter().collect::<Vec<_>>()),
            Expr::Like(like) if !like.case_insensitive && like.escape_char.is_none() => {
                Leaf::of(&like.expr).and_then(|leaf| self.begins(leaf, &like.pattern))
            }
            _ => None,
        };
        told.unwrap_or_else(|| self.add_parts(expr))
    }

    /// A function of what changes at few moments changes at no others.
    fn add_parts(&mut self, expr: &Expr) -> bool {
        if expr.is_volatile() || written(expr).is_some() {
            return false;
        }
        let mut told = true;
        let walked = expr.apply_children(|part| {
            told &= self.add(part);
            Ok(if told { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        });
        told && walked.is_ok()
    }

    /// A comparison of the time with constants; none when it is another one.
    fn compared(&mut self, value: &Expr, others: &[&Expr]) -> Option<bool> {
        let leaf = Leaf::of(value)?;
        let constants = others.iter().map(|other| constant(other));
        let constants = constants.collect::<Option<Vec<ScalarValue>>>()?;
        self.written |= leaf != Leaf::Moment(1);
        Some(constants.iter().all(|constant| constant.is_null() || self.at(leaf, constant)))
    }

    fn at(&mut self, leaf: Leaf, constant: &ScalarValue) -> bool {
        match leaf {
            Leaf::Text(length) => match constant.try_as_str().flatten() {
                Some(text) => self.at_text(text, length),
                None => false,
            },
            Leaf::Moment(unit) => match micros(constant) {
                Some(at) => {
                    self.moments.extend([at, at.saturating_add(unit)]);
                    true
                }
                None => false,
            },
            Leaf::Units { from, length, step } => {
                self.at_units(from, length, step, constant).is_some()
            }
        }
    }

    /// `date_diff(…)` is compared with a number. Units are counted towards zero, so that a number
    /// of them begins or ends with that many, or with one more or one less.
    fn at_units(&mut self, from: i64, length: i64, step: i64, count: &ScalarValue) -> Option<()> {
        let ScalarValue::Int64(Some(count)) = count else { return None };
        for count in [count.checked_sub(1)?, *count, count.checked_add(1)?] {
            let at = count.checked_mul(length)?.checked_add(from)?;
            let next_step = |at: i64| Some(at.checked_add(step - 1)?.div_euclid(step) * step);
            self.moments.extend([next_step(at)?, next_step(at.checked_add(1)?)?]);
        }
        Some(())
    }

    /// `eventtime LIKE '2026-03-1%'`.
    fn begins(&mut self, leaf: Leaf, pattern: &Expr) -> Option<bool> {
        let pattern = constant(pattern)?;
        let begin = pattern.try_as_str().flatten()?.strip_suffix('%')?;
        let fits = !begin.contains(['%', '_', '\\']) && begin.len() <= TO_THE_SECOND;
        let Leaf::Text(length) = leaf else { return None };
        self.written = true;
        Some(fits && self.at_text(begin, length))
    }

    /// Text of `length` characters from the beginning is compared with `text`.
    fn at_text(&mut self, text: &str, length: usize) -> bool {
        let end = length.min(TO_THE_SECOND).min(text.len());
        let (Some(to_second), Some(rest)) = (text.get(..end), text.get(end..)) else {
            return false;
        };
        if length > TO_THE_SECOND && rest.starts_with('.') {
            // Which fractions of that second come before it is not told by its ends.
            return false;
        }
        let first = first_second(|spelled| spelled >= to_second);
        let next = first_second(|spelled| spelled > to_second && !spelled.starts_with(to_second));
        if let Some(first) = first {
            self.moments.extend([first, first + 1, first + SECOND]);
        }
        self.moments.extend(next);
        true
    }

    /// Returns the ranges in which all `conditions` hold. Where the truth hangs on days, only those
    /// of `months` are asked, and what lies between them is taken as it comes.
    pub(super) fn ranges(&self, conditions: &[Expr], months: &[(i64, i64)]) -> Option<Vec<Range>> {
        let starts = self.starts(months);
        let asked: Vec<Option<i64>> = starts
            .iter()
            .enumerate()
            .map(|(at, start)| representative(*start, starts.get(at + 1).copied().flatten()))
            .chain([None])
            .collect();
        let values: ArrayRef = Arc::new(TimestampMicrosecondArray::from(asked));
        let mut holds = vec![true; values.len()];
        for condition in conditions {
            let truth = evaluate::truth(condition, self.time, Arc::clone(&values))?;
            holds.iter_mut().zip(truth).for_each(|(all, one)| *all &= one);
        }
        if holds.pop() == Some(true) {
            return None; // it holds without a time
        }
        let mut ranges: Vec<Range> = Vec::new();
        let mut open = false;
        for (start, holds) in starts.iter().zip(holds) {
            match (open, holds) {
                (false, true) => ranges.push((*start, None)),
                (true, false) => {
                    if let Some(range) = ranges.last_mut() {
                        range.1 = *start;
                    }
                }
                _ => {}
            }
            open = holds;
        }
        Some(ranges)
    }

    /// Where the stretches begin in which nothing changes, in order; none is the beginning of time.
    fn starts(&self, months: &[(i64, i64)]) -> Vec<Option<i64>> {
        if !self.days {
            let moments = self.moments.iter().copied().map(Some);
            return std::iter::once(None).chain(moments).collect();
        }
        let mut starts = BTreeSet::new();
        for &(first, next) in months {
            starts.extend((first..next).step_by(DAY as usize));
            starts.extend(self.moments.range(first..next));
        }
        starts.into_iter().map(Some).collect()
    }
}

/// A moment of the stretch: a whole second where there is one, since functions may refuse others.
fn representative(start: Option<i64>, end: Option<i64>) -> Option<i64> {
    let Some(start) = start else {
        return Some(end.map_or(0, |end| (end - 1).div_euclid(SECOND) * SECOND));
    };
    let second = (start + SECOND - 1).div_euclid(SECOND) * SECOND;
    Some(if end.is_none_or(|end| second < end) { second } else { start })
}

/// What a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    /// The time written, so many characters of it.
    Text(usize),
    /// The time itself, in units of so many microseconds.
    Moment(i64),
    /// How many units of a length lie between a moment and the time, which has steps of its own, all
    /// in microseconds; the length is negative where the time comes first.
    Units { from: i64, length: i64, step: i64 },
}

impl Leaf {
    fn of(expr: &Expr) -> Option<Leaf> {
        match expr {
            Expr::Alias(alias) => Leaf::of(&alias.expr),
            Expr::Column(_) => Some(Leaf::Moment(1)),
            Expr::Cast(cast) => match (cast.expr.as_ref(), cast.field.data_type()) {
                (Expr::Column(_), DataType::Timestamp(unit, _)) => Some(Leaf::Moment(match unit {
                    TimeUnit::Second => SECOND,
                    TimeUnit::Millisecond => 1_000,
                    TimeUnit::Microsecond | TimeUnit::Nanosecond => 1,
                })),
                _ => None,
            },
            Expr::ScalarFunction(call) if call.func.name() == "substr" => {
                beginning(call).map(Leaf::Text)
            }
            Expr::ScalarFunction(call) if call.func.name() == "date_diff" => units(call),
            expr => {
                let (_, form) = written(expr)?;
                (form == TimeForm::Whole).then_some(Leaf::Text(usize::MAX))
            }
        }
    }
}

/// The units of `date_diff(unit, time, constant)`, or with the constant first; none of units whose
/// length is not always the same.
fn units(call: &ScalarFunction) -> Option<Leaf> {
    let [Expr::Literal(unit, _), first, second] = call.args.as_slice() else { return None };
    let length = unit_micros(unit.try_as_str().flatten()?)?;
    let (time, moment, length) = match constant(second) {
        Some(moment) => (first, moment, -length),
        None => (second, constant(first)?, length),
    };
    let Leaf::Moment(step) = Leaf::of(time)? else { return None };
    Some(Leaf::Units { from: micros(&moment)?, length, step })
}

/// The length of `substr(eventtime, 1, length)`, up to the second.
fn beginning(call: &ScalarFunction) -> Option<usize> {
    let [text, Expr::Literal(ScalarValue::Int64(Some(1)), _), Expr::Literal(length, _)] =
        call.args.as_slice()
    else {
        return None;
    };
    let (_, form) = written(text)?;
    let ScalarValue::Int64(Some(length)) = length else { return None };
    let length = usize::try_from(*length).ok()?;
    (form == TimeForm::Whole && length <= TO_THE_SECOND).then_some(length)
}

/// Whether `expr` has one value on each day, whatever the hour.
fn is_of_a_day(expr: &Expr) -> bool {
    if let Some((_, form)) = written(expr) {
        return form != TimeForm::Whole;
    }
    match expr {
        Expr::Cast(cast) => *cast.field.data_type() == DataType::Date32 && is_time(&cast.expr),
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
            ("substr", _) => beginning(call).is_some_and(|length| length <= TO_THE_DAY),
            ("split_part", [text, Expr::Literal(at, _), Expr::Literal(part, _)]) => {
                is_time(text)
                    && at.try_as_str() == Some(Some("T"))
                    && *part == ScalarValue::Int64(Some(1))
            }
            ("date_trunc" | "date_part", [Expr::Literal(unit, _), time]) => {
                let unit = unit.try_as_str().flatten().unwrap_or_default().to_lowercase();
                is_time(time) && UNITS_OF_A_DAY.contains(&unit.as_str())
            }
            ("date_format", [time, Expr::Literal(pattern, _)]) => {
                let pattern = pattern.try_as_str().flatten().unwrap_or("%?");
                let mut codes = pattern.split('%').skip(1).filter_map(|code| code.chars().next());
                is_time(time) && codes.all(|code| CODES_OF_A_DAY.contains(code))
            }
            ("$cast" | "$try_cast", [time, Expr::Literal(name, _)]) => {
                is_time(time) && name.try_as_str() == Some(Some("date"))
            }
            (name, [time]) => OF_A_DAY.contains(&name) && is_time(time),
            _ => false,
        },
        _ => false,
    }
}

/// Whether `expr` is the time, stored or written whole.
fn is_time(expr: &Expr) -> bool {
    matches!(Leaf::of(expr), Some(Leaf::Moment(_) | Leaf::Text(usize::MAX)))
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// The value of an expression without columns.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    if let Expr::Literal(value, _) = expr {
        return Some(value.clone());
    }
    if !expr.column_refs().is_empty() {
        return None;
    }
    let one: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]));
    let value = evaluate::values(expr, &Column::from_name(""), one)?;
    ScalarValue::try_from_array(&value, 0).ok()
}

/// A date or timestamp as microseconds.
fn micros(value: &ScalarValue) -> Option<i64> {
    let zone = match value.data_type() {
        DataType::Timestamp(_, zone) => zone,
        DataType::Date32 => None,
        _ => return None,
    };
    match value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, zone)).ok()? {
        ScalarValue::TimestampMicrosecond(micros, _) => micros,
        _ => None,
    }
}

/// The first second whose text, to the second, is at or past a point of the order of texts.
fn first_second(is_past: impl Fn(&str) -> bool) -> Option<i64> {
    let (mut low, mut high) = SPELLED;
    let mut text = String::new();
    let mut past = |second: i64| {
        text.clear();
        let written = write(&mut text, second * SECOND, TimeForm::Whole);
        written.is_ok() && text.get(..TO_THE_SECOND).is_some_and(&is_past)
    };
    if !past(high) {
        return None;
    }
    while low < high {
        let middle = low + (high - low).div_euclid(2);
        if past(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low * SECOND)
}
