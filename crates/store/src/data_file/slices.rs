//! The order of rows in a file: which slice, and where in it.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::column::PAGE_ROWS_MAX;
use super::{column, input, not_of};
use crate::error::Result;
use crate::spec::TableSpec;

/// Rows a slice aims at. Bloom filters grow in powers of two: at 1 % this many distinct values just
/// fill 256 KiB (9.85 bits a value), while 262,144 values would need twice that.
pub(crate) const SLICE_ROWS: usize = 26 * 8192;

/// Bytes of rows a slice aims at, where rows are large: all of a column is in memory at a time.
const SLICE_BYTES: usize = 512 << 20;

/// Where a row stands: number of its batch, row in that batch.
pub(super) type Position = (usize, usize);

/// Returns the rows of each slice, in order. A slice boundary never splits equal times, so a slice
/// can be longer than [`SLICE_ROWS`] when one instant is.
pub(super) fn plan(table: &TableSpec, rows: &[RecordBatch]) -> Result<Vec<Vec<Position>>> {
    let positions = positions(rows);
    let keys = sort_keys(table, rows)?;
    let in_order = in_order(&keys);
    let aim = slice_rows(rows, positions.len());
    let mut order: Vec<u32> = (0..positions.len() as u32).collect();
    let Some(time_column) = table.time_column else {
        order.sort_unstable_by(&in_order);
        let slices = order.chunks(aim);
        return Ok(slices.map(|slice| located(slice, &positions)).collect());
    };
    let times = sort_key(table, rows, time_column)?;
    order.sort_by_key(|row| times[*row as usize]);
    let mut slices = Vec::new();
    let mut rest = order.as_mut_slice();
    while !rest.is_empty() {
        let (slice, tail) = rest.split_at_mut(slice_end(rest, &times, aim));
        slice.sort_unstable_by(&in_order);
        slices.push(located(slice, &positions));
        rest = tail;
    }
    Ok(slices)
}

/// All rows as one slice, in its order.
pub(super) fn whole(table: &TableSpec, rows: &[RecordBatch]) -> Result<Vec<Position>> {
    let positions = positions(rows);
    let keys = sort_keys(table, rows)?;
    let mut order: Vec<u32> = (0..positions.len() as u32).collect();
    order.sort_unstable_by(in_order(&keys));
    Ok(located(&order, &positions))
}

fn positions(rows: &[RecordBatch]) -> Vec<Position> {
    let batches = rows.iter().enumerate();
    batches
        .flat_map(|(number, batch)| (0..batch.num_rows()).map(move |row| (number, row)))
        .collect()
}

/// The order inside a slice. Equal rows stay in the order of arrival, so neighbours come from one
/// object.
fn in_order(keys: &[Vec<i64>]) -> impl Fn(&u32, &u32) -> Ordering {
    |a, b| {
        let (a, b) = (*a as usize, *b as usize);
        keys.iter().map(|key| key[a].cmp(&key[b])).find(|o| o.is_ne()).unwrap_or(a.cmp(&b))
    }
}

fn located(slice: &[u32], positions: &[Position]) -> Vec<Position> {
    slice.iter().map(|row| positions[*row as usize]).collect()
}

/// Rows a slice of these rows aims at.
fn slice_rows(rows: &[RecordBatch], count: usize) -> usize {
    let columns = rows.iter().flat_map(RecordBatch::columns);
    // An array that cannot say its size counts as none: the aim is then a number of rows alone.
    let bytes: usize =
        columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum();
    SLICE_ROWS.min(SLICE_BYTES / (bytes / count.max(1)).max(1)).max(PAGE_ROWS_MAX)
}

/// Length of the first slice of `rest`, which is sorted by time.
fn slice_end(rest: &[u32], times: &[i64], aim: usize) -> usize {
    let time = |place: usize| times[rest[place] as usize];
    let aim = match rest.len() {
        all if all <= aim => return all,
        // Two even slices rather than a full one and a crumb.
        all if all < 2 * aim => all.div_ceil(2),
        _ => aim,
    };
    let starts_instant = |place: &usize| time(*place - 1) != time(*place);
    let before = (1..=aim).rev().find(starts_instant);
    before.or_else(|| (aim + 1..rest.len()).find(starts_instant)).unwrap_or(rest.len())
}

/// For each sort column the place of every row's value in the order of that column.
fn sort_keys(table: &TableSpec, rows: &[RecordBatch]) -> Result<Vec<Vec<i64>>> {
    table.sort.iter().map(|name| sort_key(table, rows, name)).collect()
}

fn sort_key(table: &TableSpec, rows: &[RecordBatch], name: &str) -> Result<Vec<i64>> {
    let arrays: Vec<_> =
        rows.iter().map(|batch| column(table, batch, name)).collect::<Result<_>>()?;
    let field = table.schema.field_with_name(name).map_err(|_| not_of(table, name))?;
    if arrays.iter().any(|array| array.data_type() != field.data_type()) {
        return Err(not_of(table, name));
    }
    let last = |value: Option<i64>| value.unwrap_or(i64::MAX);
    match field.data_type() {
        DataType::Utf8 => Ok(text_ranks(&arrays)),
        DataType::Int64 => {
            Ok(arrays.iter().flat_map(|a| a.as_primitive::<Int64Type>().iter().map(last)).collect())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(arrays
            .iter()
            .flat_map(|a| a.as_primitive::<TimestampMicrosecondType>().iter().map(last))
            .collect()),
        other => Err(input(table, format!("rows cannot be sorted by `{name}` ({other})"))),
    }
}

/// The rank of each text among the distinct ones: comparing numbers is much cheaper than comparing
/// text, and columns worth sorting by have few distinct values.
fn text_ranks(arrays: &[&std::sync::Arc<dyn Array>]) -> Vec<i64> {
    let values = || arrays.iter().flat_map(|array| array.as_string::<i32>().iter());
    let mut numbers: HashMap<&str, i64> = HashMap::new();
    let mut ranks = Vec::new();
    let mut last: Option<(&str, i64)> = None;
    for value in values() {
        let number = match (value, last) {
            (None, _) => i64::MAX,
            (Some(text), Some((last_text, number))) if text == last_text => number,
            (Some(text), _) => {
                let next = numbers.len() as i64;
                *numbers.entry(text).or_insert(next)
            }
        };
        last = value.map(|text| (text, number));
        ranks.push(number);
    }
    let mut sorted: Vec<(&str, i64)> = numbers.into_iter().collect();
    sorted.sort_unstable();
    let mut rank_of = vec![0; sorted.len()];
    for (rank, (_, number)) in sorted.into_iter().enumerate() {
        rank_of[number as usize] = rank as i64;
    }
    for rank in ranks.iter_mut().filter(|rank| **rank != i64::MAX) {
        *rank = rank_of[*rank as usize];
    }
    ranks
}
