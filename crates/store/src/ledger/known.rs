//! What the ledger knows about keys.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::data_file::{Footer, OpenFile};
use crate::error::{Error, Result};
use crate::input::{KnownObject, ObjectState};
use crate::snapshot::LiveFile;

/// Round, object id, and what that row of the ledger says.
type Row = (i64, i64, KnownObject);

/// Ledger files read at the same time.
const FILES_AT_ONCE: usize = 4;
/// Their row groups that are read at the same time in this process, on a machine with as many cores:
/// each takes some megabytes.
const ROW_GROUPS_AT_ONCE_MAX: usize = 8;

/// The turns to read one. Of a long listing nothing takes as long as to read every key of the ledger.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(cores.min(ROW_GROUPS_AT_ONCE_MAX))
});

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8_192;

/// Keys to look up, in their order.
struct Wanted(LargeStringArray);

impl Wanted {
    /// Returns them, and of each its place among `keys`.
    fn of(keys: &[&str]) -> (Wanted, Vec<usize>) {
        let mut places: Vec<usize> = (0..keys.len()).collect();
        // Whoever plans asks in this order already, which a stable sort finds out in one pass.
        places.sort_by_key(|place| keys[*place]);
        let sorted = places.iter().map(|place| keys[*place]);
        (Wanted(LargeStringArray::from_iter_values(sorted)), places)
    }

    /// The first of those in `range` that `is_before` does not hold for.
    fn first(&self, range: Range<usize>, is_before: impl Fn(&str) -> bool) -> usize {
        let (mut from, mut until) = (range.start, range.end);
        while from < until {
            let middle = from.midpoint(until);
            match is_before(self.0.value(middle)) {
                true => from = middle + 1,
                false => until = middle,
            }
        }
        from
    }

    /// Those that begin with `prefix`.
    fn with(&self, prefix: &str) -> Range<usize> {
        let start = self.first(0..self.0.len(), |key| key < prefix);
        start..self.first(start..self.0.len(), |key| key.starts_with(prefix))
    }

    /// Whether a wanted key begins with `prefix`, and its rest stands from `min` to `max`.
    fn any_between(&self, prefix: &str, min: &str, max: &str) -> bool {
        let from = [prefix, min].concat();
        let first = self.first(0..self.0.len(), |key| key < &*from);
        let key = (first < self.0.len()).then(|| self.0.value(first));
        key.and_then(|key| key.strip_prefix(prefix)).is_some_and(|rest| rest <= max)
    }
}

/// A walk along the wanted keys that begin alike, beside rows of the ledger. Those ascend in all that
/// this program writes, so the next key is nearly always where the last was, or a little further on.
struct Walk {
    range: Range<usize>,
    prefix_bytes: usize,
    next: usize,
}

impl Walk {
    fn of(prefix: &str, wanted: &Wanted) -> Walk {
        let range = wanted.with(prefix);
        Walk { next: range.start, range, prefix_bytes: prefix.len() }
    }

    /// The first place of the key with this rest, if that is wanted.
    fn find(&mut self, rest: &str, wanted: &Wanted) -> Option<usize> {
        let rest = rest.as_bytes();
        let tail = |key: &str| key.as_bytes()[self.prefix_bytes..].cmp(rest);
        if self.next > self.range.start && tail(wanted.0.value(self.next - 1)).is_ge() {
            self.next = wanted.first(self.range.clone(), |key| tail(key).is_lt());
        }
        if self.next < self.range.end && tail(wanted.0.value(self.next)).is_lt() {
            // In steps that double, and then between the last two.
            let (mut from, mut step) = (self.next + 1, 1);
            while from + step < self.range.end && tail(wanted.0.value(from + step)).is_lt() {
                from += step;
                step *= 2;
            }
            let until = self.range.end.min(from + step);
            self.next = wanted.first(from..until, |key| tail(key).is_lt());
        }
        let is_here = self.next < self.range.end && tail(wanted.0.value(self.next)).is_eq();
        is_here.then_some(self.next)
    }
}

/// What the ledger's `files` know about each of `keys`, in their order. Only row groups that may hold
/// one of the keys are read, and of those the other columns only where one is.
///
/// # Errors
/// [`Error::Storage`] when a file cannot be read, [`Error::Corrupt`] when it is not the ledger's.
pub(crate) async fn known(
    objects: &Arc<dyn ObjectStore>,
    files: &[LiveFile],
    keys: &[&str],
) -> Result<Vec<Option<KnownObject>>> {
    let mut answers = vec![None; keys.len()];
    if keys.is_empty() {
        return Ok(answers);
    }
    let (wanted, places) = Wanted::of(keys);
    let wanted = Arc::new(wanted);
    let mut newest: Vec<Option<Row>> = vec![None; keys.len()];
    let reads: Vec<_> = files.iter().map(|file| of_file(objects, file, &wanted)).collect();
    let mut reads = futures::stream::iter(reads).buffer_unordered(FILES_AT_ONCE);
    while let Some(found) = reads.try_next().await? {
        for (number, row) in found {
            let known = &mut newest[number];
            if known.as_ref().is_none_or(|known| (known.0, known.1) < (row.0, row.1)) {
                *known = Some(row);
            }
        }
    }
    for (number, place) in places.iter().enumerate() {
        // A key that is asked for twice is found where it stands first.
        let is_again = number > 0 && wanted.0.value(number) == wanted.0.value(number - 1);
        answers[*place] = match is_again {
            true => answers[places[number - 1]].clone(),
            false => newest[number].take().map(|(.., known)| known),
        };
    }
    Ok(answers)
}

/// The rows of one file, with the numbers of their keys. Its row groups are read as [`TURNS`] allow,
/// on whatever core is idle.
async fn of_file(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    wanted: &Arc<Wanted>,
) -> Result<Vec<(usize, Row)>> {
    let footer = Arc::new(Footer::read(objects, file).await?);
    let groups = row_groups(&footer.open(), wanted)
        .map_err(|e| Error::storage(format!("read `{}`", file.path), e))?;
    let mut reads = JoinSet::new();
    for group in groups {
        let (wanted, footer) = (wanted.clone(), footer.clone());
        reads.spawn(async move {
            let _turn = TURNS.acquire().await;
            of_row_group(&footer, group, &wanted).await
        });
    }
    let mut found = Vec::new();
    while let Some(read) = reads.join_next().await {
        let read = read.map_err(|e| Error::storage(format!("read `{}`", file.path), e))?;
        found.extend(read?);
    }
    Ok(found)
}

async fn of_row_group(footer: &Footer, group: usize, wanted: &Wanted) -> Result<Vec<(usize, Row)>> {
    let path = &footer.file.path;
    let failed = |e| Error::storage(format!("read `{path}`"), e);
    let foreign = || Error::corrupt(format!("`{path}`"), "not a file of the ledger");
    let columns = |names: &[&str]| {
        let file = footer.open();
        let mask = ProjectionMask::columns(file.parquet_schema(), names.iter().copied());
        file.with_row_groups(vec![group]).with_projection(mask).with_batch_size(BATCH_ROWS)
    };
    let (mut rows, mut numbers, mut first_row) = (Vec::new(), Vec::new(), 0);
    let mut walks = HashMap::new();
    let mut keys = columns(&["key_prefix", "logical_key"]).build().map_err(failed)?;
    while let Some(batch) = keys.try_next().await.map_err(failed)? {
        for (row, number) in matches(&batch, wanted, &mut walks).ok_or_else(foreign)? {
            rows.push(first_row + row);
            numbers.push(number);
        }
        first_row += batch.num_rows();
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rows = rows.into_iter().map(|row| row..row + 1);
    let selection = RowSelection::from_consecutive_ranges(rows, first_row);
    let values = ["size_bytes", "etag", "modified_at", "sha256", "state", "round", "object_id"];
    let values = columns(&values).with_row_selection(selection);
    let mut values = values.build().map_err(failed)?;
    let mut known = Vec::with_capacity(numbers.len());
    while let Some(batch) = values.try_next().await.map_err(failed)? {
        known.extend(known_rows(&batch).ok_or_else(foreign)?);
    }
    if known.len() != numbers.len() {
        return Err(foreign());
    }
    Ok(numbers.into_iter().zip(known).collect())
}

/// The rows of a batch whose keys are wanted, with the number of each key. `walks` are those of the
/// row group, by what the keys begin with.
fn matches(
    batch: &RecordBatch,
    wanted: &Wanted,
    walks: &mut HashMap<String, Walk>,
) -> Option<Vec<(usize, usize)>> {
    let (prefixes, rests) = key_columns(batch)?;
    let mut found = Vec::new();
    let mut row = 0;
    while row < batch.num_rows() {
        let prefix = prefixes.value(row);
        let alike = (row..batch.num_rows()).take_while(|row| prefixes.value(*row) == prefix);
        let alike = row..row + alike.count();
        row = alike.end;
        let walk = match walks.get_mut(prefix) {
            Some(walk) => walk,
            None => walks.entry(prefix.to_owned()).or_insert_with(|| Walk::of(prefix, wanted)),
        };
        if !walk.range.is_empty() {
            let wants = |row| walk.find(rests.value(row), wanted).map(|number| (row, number));
            found.extend(alike.filter_map(wants));
        }
    }
    Some(found)
}

fn known_rows(batch: &RecordBatch) -> Option<Vec<Row>> {
    let int = |name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let (sizes, rounds, ids) = (int("size_bytes")?, int("round")?, int("object_id")?);
    let (etags, states) = (text("etag")?, text("state")?);
    let modified = batch.column_by_name("modified_at")?;
    let modified = modified.as_primitive_opt::<TimestampMicrosecondType>()?;
    let hashes = batch.column_by_name("sha256")?.as_binary_opt::<i32>()?;
    let row = |row| {
        let known = KnownObject {
            size_bytes: sizes.value(row) as u64,
            etag: etags.is_valid(row).then(|| etags.value(row).to_string()),
            modified_at: modified
                .is_valid(row)
                .then(|| DateTime::from_timestamp_micros(modified.value(row)))
                .flatten(),
            sha256: hashes.is_valid(row).then(|| hashes.value(row).try_into().ok()).flatten(),
            state: ObjectState::parse(states.value(row))?,
        };
        Some((rounds.value(row), ids.value(row), known))
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The two halves of the keys of a batch.
pub(super) fn key_columns(batch: &RecordBatch) -> Option<(&StringArray, &StringArray)> {
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    Some((text("key_prefix")?, text("logical_key")?))
}

/// The row groups that may hold one of the keys. Statistics are bounds, possibly cut short, so a row
/// group can be left out when all its keys begin alike and the rest of no wanted key is in range.
fn row_groups(
    file: &OpenFile,
    wanted: &Wanted,
) -> Result<Vec<usize>, parquet::errors::ParquetError> {
    let groups = file.metadata().row_groups();
    let bounds = |name| -> Result<(ArrayRef, ArrayRef), parquet::errors::ParquetError> {
        let converter = StatisticsConverter::try_new(name, file.schema(), file.parquet_schema())?;
        Ok((converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?))
    };
    let (prefix_min, prefix_max) = bounds("key_prefix")?;
    let (rest_min, rest_max) = bounds("logical_key")?;
    let bound = |bounds: &'_ ArrayRef, group: usize| {
        let bounds = bounds.as_string_opt::<i32>()?;
        bounds.is_valid(group).then(|| bounds.value(group).to_string())
    };
    let may_hold = |group: &usize| {
        let same = bound(&prefix_min, *group).zip(bound(&prefix_max, *group));
        let Some((prefix, _)) = same.filter(|(min, max)| min == max) else { return true };
        let range = bound(&rest_min, *group).zip(bound(&rest_max, *group));
        let Some((min, max)) = range else { return true };
        wanted.any_between(&prefix, &min, &max)
    };
    Ok((0..groups.len()).filter(may_hold).collect())
}
