//! Statistics of a file for the log: what lets a reader leave the file alone.
//!
//! Delta, "Per-file Statistics" (PROTOCOL.md): `minValues` and `maxValues` are bounds, not
//! necessarily values of the file. Times stand with milliseconds, so a bound between two of them
//! goes outwards. Long text is cut to a prefix; an upper bound gets a character behind it that is
//! larger than the one cut off.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::column;
use crate::error::Result;
use crate::snapshot::{ColumnStats, ScalarStat};
use crate::spec::TableSpec;

/// Characters of text that statistics keep, as Delta's own writers do.
const PREFIX_CHARS_MAX: usize = 32;

/// The statistics of the columns the table wants some of.
pub(crate) fn of(table: &TableSpec, rows: &[RecordBatch]) -> Result<Vec<ColumnStats>> {
    let of_column = |name: &str| {
        let arrays: Vec<&ArrayRef> =
            rows.iter().map(|batch| column(table, batch, name)).collect::<Result<_>>()?;
        let nulls = arrays.iter().map(|array| array.null_count() as u64).sum();
        let (min, max) = bounds(&arrays);
        Ok(ColumnStats { column: name.into(), min, max, nulls: Some(nulls) })
    };
    table.stats_columns().into_iter().map(of_column).collect()
}

/// The statistics of rows that stand in two places, each with its number of rows: those that
/// [`of`] would give for all of them.
pub(crate) fn merge(
    (a_rows, a): (u64, Vec<ColumnStats>),
    (b_rows, b): (u64, Vec<ColumnStats>),
) -> Vec<ColumnStats> {
    let with = |(a, b): (ColumnStats, ColumnStats)| {
        let nulls = a.nulls.zip(b.nulls).map(|(a, b)| a + b);
        // Without a value there is nothing to bound; else no bound means that none could be said.
        match (a.nulls == Some(a_rows), b.nulls == Some(b_rows)) {
            (true, _) => ColumnStats { nulls, ..b },
            (_, true) => ColumnStats { nulls, ..a },
            _ => ColumnStats {
                min: a.min.zip(b.min).map(|(a, b)| if b < a { b } else { a }),
                max: a.max.zip(b.max).map(|(a, b)| if b > a { b } else { a }),
                nulls,
                column: a.column,
            },
        }
    };
    a.into_iter().zip(b).map(with).collect()
}

/// Bounds of a column. Booleans have none: Delta readers use only their null count.
fn bounds(arrays: &[&ArrayRef]) -> (Option<ScalarStat>, Option<ScalarStat>) {
    let Some(first) = arrays.first() else { return (None, None) };
    match first.data_type() {
        DataType::Utf8 => {
            let of = |bound: fn(&arrow::array::StringArray) -> Option<&str>| {
                move |array: &&'_ ArrayRef| bound(array.as_string()).map(str::to_string)
            };
            let min = arrays.iter().filter_map(of(compute::min_string)).min();
            let max = arrays.iter().filter_map(of(compute::max_string)).max();
            (min.map(|min| ScalarStat::Text(prefix(&min).to_string())), max.and_then(text_above))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            type Time = TimestampMicrosecondType;
            let min = arrays.iter().filter_map(|a| compute::min(a.as_primitive::<Time>())).min();
            let max = arrays.iter().filter_map(|a| compute::max(a.as_primitive::<Time>())).max();
            (min.and_then(millis_below), max.and_then(millis_above))
        }
        DataType::Int64 => {
            let min = arrays.iter().filter_map(|a| compute::min(a.as_primitive::<Int64Type>()));
            let max = arrays.iter().filter_map(|a| compute::max(a.as_primitive::<Int64Type>()));
            (min.min().map(ScalarStat::Int), max.max().map(ScalarStat::Int))
        }
        DataType::Int32 => {
            let min = arrays.iter().filter_map(|a| compute::min(a.as_primitive::<Int32Type>()));
            let max = arrays.iter().filter_map(|a| compute::max(a.as_primitive::<Int32Type>()));
            let int = |value| ScalarStat::Int(i64::from(value));
            (min.min().map(int), max.max().map(int))
        }
        _ => (None, None),
    }
}

fn prefix(text: &str) -> &str {
    text.char_indices().nth(PREFIX_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

/// A short text that is not smaller than `text`; none when there is no such text.
fn text_above(text: String) -> Option<ScalarStat> {
    let kept = prefix(&text);
    let bound = match text[kept.len()..].chars().next() {
        None => text,
        Some(cut) if cut < '\u{7f}' => format!("{kept}\u{7f}"),
        Some(char::MAX) => return None,
        Some(_) => format!("{kept}{}", char::MAX),
    };
    Some(ScalarStat::Text(bound))
}

fn millis_below(micros: i64) -> Option<ScalarStat> {
    micros.div_euclid(1000).checked_mul(1000).map(ScalarStat::Time)
}

fn millis_above(micros: i64) -> Option<ScalarStat> {
    let up = i64::from(micros.rem_euclid(1000) != 0);
    (micros.div_euclid(1000) + up).checked_mul(1000).map(ScalarStat::Time)
}

/// The statistics as the JSON of an `add` action. A bound that JSON cannot spell is left out.
pub(crate) fn to_delta_json(rows: u64, columns: &[ColumnStats]) -> String {
    let bounds = |bound: fn(&ColumnStats) -> &Option<ScalarStat>| -> Map<String, Value> {
        let of = |stats: &ColumnStats| {
            Some((stats.column.to_string(), to_json(bound(stats).as_ref()?)?))
        };
        columns.iter().filter_map(of).collect()
    };
    let nulls: Map<String, Value> = columns
        .iter()
        .filter_map(|stats| Some((stats.column.to_string(), stats.nulls?.into())))
        .collect();
    json!({
        "numRecords": rows,
        "minValues": bounds(|stats| &stats.min),
        "maxValues": bounds(|stats| &stats.max),
        "nullCount": nulls,
    })
    .to_string()
}

fn to_json(value: &ScalarStat) -> Option<Value> {
    Some(match value {
        // Readers parse four digits of a year; other years have no bound, which is always sound.
        ScalarStat::Time(micros) => DateTime::from_timestamp_micros(*micros)
            .map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
            .filter(|text| text.len() == "2021-07-29T00:00:00.000Z".len())?
            .into(),
        ScalarStat::Text(text) => text.as_str().into(),
        ScalarStat::Bool(value) => (*value).into(),
        ScalarStat::Int(value) => (*value).into(),
    })
}
