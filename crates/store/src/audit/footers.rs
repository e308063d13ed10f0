//! The log against the footers: rows, columns, statistics; and the slices of a file against each
//! other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use futures::StreamExt;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::finding::{Faults, OfTable};
use super::{TableAudit, each, guarded};
use crate::data_file::{self, OpenFile};
use crate::snapshot::{ColumnStats, LiveFile, ScalarStat};
use crate::spec::TableSpec;

/// Characters in which bounds of text must agree: both the log's and the footer's are cut, and
/// rounded up where they end.
const TEXT_CHARS: usize = 15;

/// A row group, by what its footer says.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Its file, by its place among the table's.
    pub file: usize,
    /// Its number in the file.
    pub number: usize,
    /// Its rows.
    pub rows: u64,
    /// Its first and last time; none where the footer does not say.
    pub times: Option<(i64, i64)>,
}

/// Reads the footers of a table's files, and their row groups. A file whose footer cannot be read is
/// no longer looked at.
pub(super) async fn audit(
    objects: &Arc<dyn ObjectStore>,
    table: &mut TableAudit,
    findings: &mut OfTable<'_>,
) {
    let files = std::mem::take(&mut table.log.files);
    let shared = &*table;
    let mut looks = each(&files, |_, (file, _)| async move {
        let mut faults = Faults::default();
        let read = guarded(&file.path, async {
            let open = data_file::open(objects, file).await?;
            Ok(footer(shared, file, &open, &mut faults))
        });
        let groups = match read.await {
            Ok(groups) => Some(groups),
            Err(error) => {
                faults.add(
                    "footer",
                    None,
                    format!("its footer cannot be read: {}", error.spelled_out()),
                );
                None
            }
        };
        (faults, groups)
    });
    let (mut readable, mut groups) = (Vec::new(), Vec::new());
    for file in &files {
        let Some((faults, of_file)) = looks.next().await else { break };
        findings.all(&file.0.path, faults);
        let Some(of_file) = of_file else { continue };
        let number = readable.len();
        groups.extend(of_file.into_iter().map(|group| Group { file: number, ..group }));
        readable.push(file.clone());
    }
    drop(looks);
    table.log.is_torn |= readable.len() < files.len();
    table.log.files = readable;
    table.groups = groups;
}

fn footer(table: &TableAudit, file: &LiveFile, open: &OpenFile, faults: &mut Faults) -> Vec<Group> {
    let rows: i64 = open.metadata().row_groups().iter().map(|group| group.num_rows()).sum();
    if u64::try_from(rows) != Ok(file.rows) {
        let what = format!("it holds {rows} rows, the log says {}", file.rows);
        faults.add("rows", None, what);
    }
    columns(table, open, faults);
    for stats in file.stats.iter() {
        if let Some(what) = statistics(stats, open) {
            faults.add("statistics", None, what);
        }
    }
    let times = table.spec.as_ref().and_then(|spec| times(spec, open));
    let groups = open.metadata().row_groups().iter().enumerate();
    let groups: Vec<Group> = groups
        .map(|(group, meta)| Group {
            file: 0,
            number: group,
            rows: u64::try_from(meta.num_rows()).unwrap_or_default(),
            times: times.as_ref().and_then(|times| times.get(group).copied().flatten()),
        })
        .collect();
    slices(file, &groups, faults);
    groups
}

/// Every column of a file must be the table's, and of its type.
fn columns(table: &TableAudit, open: &OpenFile, faults: &mut Faults) {
    let Some(schema) = table.log.schema() else { return };
    for field in open.schema().fields() {
        let known = schema.field_with_name(field.name()).ok();
        if known.is_none_or(|known| !crate::round::same_type(known.data_type(), field.data_type()))
        {
            faults.add("column", None, format!("its column `{}` is not the table's", field.name()));
        }
    }
    let partition = table.log.state().and_then(|state| state.partition_column());
    for field in table.spec.iter().flat_map(|spec| spec.schema.fields()) {
        let is_there = open.schema().field_with_name(field.name()).is_ok();
        let is_needed = !field.is_nullable() && Some(field.name().as_str()) != partition;
        if !is_there && is_needed {
            faults.add("column", None, format!("it has no column `{}`", field.name()));
        }
    }
}

/// First and last time of each row group.
fn times(spec: &TableSpec, open: &OpenFile) -> Option<Vec<Option<(i64, i64)>>> {
    let (mins, maxes) = bounds(spec.time_column?, open)?;
    let at = |bounds: &ArrayRef, group: usize| {
        let bounds = bounds.as_primitive_opt::<TimestampMicrosecondType>()?;
        bounds.is_valid(group).then(|| bounds.value(group))
    };
    let of = |group| at(&mins, group).zip(at(&maxes, group));
    Some((0..open.metadata().num_row_groups()).map(of).collect())
}

fn bounds(column: &str, open: &OpenFile) -> Option<(ArrayRef, ArrayRef)> {
    let groups = open.metadata().row_groups();
    let converter =
        StatisticsConverter::try_new(column, open.schema(), open.parquet_schema()).ok()?;
    Some((converter.row_group_mins(groups).ok()?, converter.row_group_maxes(groups).ok()?))
}

/// Slices follow one another in time, and all are of the file's month.
fn slices(file: &LiveFile, groups: &[Group], faults: &mut Faults) {
    let mut last: Option<i64> = None;
    for group in groups {
        let Some((first, end)) = group.times else { continue };
        let place = Some(format!("row group {}", group.number));
        if last.is_some_and(|last| last >= first) {
            faults.add("slice", place.clone(), "it begins before the one before it ends");
        }
        if first > end {
            faults.add("slice", place.clone(), "it ends before it begins");
        }
        last = Some(end);
        let months = [first, end].map(data_file::month_of);
        if let Some(month) = months.iter().find(|month| Some(*month) != file.partition.as_ref()) {
            let own = file.partition.as_deref().unwrap_or("none");
            faults.add("month", place, format!("it holds rows of {month}, its month is {own}"));
        }
    }
}

/// What the log says of a column, against the footer.
fn statistics(stats: &ColumnStats, open: &OpenFile) -> Option<String> {
    let wrong = |what: String| Some(format!("statistics of `{}`: {what}", stats.column));
    let groups = open.metadata().row_groups();
    let converter =
        StatisticsConverter::try_new(&stats.column, open.schema(), open.parquet_schema()).ok()?;
    let nulls = converter.row_group_null_counts(groups).ok();
    let counted = nulls.filter(|nulls| nulls.null_count() == 0 && !nulls.is_empty());
    let counted = counted.map(|nulls| nulls.iter().flatten().sum::<u64>());
    if let (Some(told), Some(counted)) = (stats.nulls, counted)
        && told != counted
    {
        return wrong(format!("the log counts {told} nulls, the footer {counted}"));
    }
    let (mins, maxes) = bounds(&stats.column, open)?;
    for (name, told, found) in [
        ("smallest", &stats.min, extreme(&mins, |a, b| a < b)),
        ("largest", &stats.max, extreme(&maxes, |a, b| a > b)),
    ] {
        let (Some(told), Some(found)) = (told, found) else { continue };
        if !agree(told, &found, name == "smallest") {
            return wrong(format!("the log's {name} value is {told:?}, the footer's {found:?}"));
        }
    }
    None
}

/// The first of all row groups' bounds; none where one has none.
fn extreme(
    bounds: &ArrayRef,
    is_before: impl Fn(&ScalarStat, &ScalarStat) -> bool,
) -> Option<ScalarStat> {
    let mut found: Option<ScalarStat> = None;
    for group in 0..bounds.len() {
        if bounds.is_null(group) {
            // A row group of nulls has no bounds; nor has one whose writer kept none.
            continue;
        }
        let value = match bounds.data_type() {
            DataType::Utf8 => ScalarStat::Text(bounds.as_string::<i32>().value(group).to_string()),
            DataType::Int64 => ScalarStat::Int(bounds.as_primitive::<Int64Type>().value(group)),
            DataType::Int32 => {
                ScalarStat::Int(bounds.as_primitive::<Int32Type>().value(group).into())
            }
            DataType::Timestamp(_, _) => ScalarStat::Time(
                bounds.as_primitive_opt::<TimestampMicrosecondType>()?.value(group),
            ),
            _ => return None,
        };
        found = match found {
            Some(found) if !is_before(&value, &found) => Some(found),
            _ => Some(value),
        };
    }
    found
}

/// Whether a bound of the log is that of the footer: times are rounded to milliseconds, text is cut.
fn agree(told: &ScalarStat, found: &ScalarStat, is_min: bool) -> bool {
    let start = |text: &str| text.chars().take(TEXT_CHARS).collect::<String>();
    match (told, found) {
        (ScalarStat::Time(told), ScalarStat::Time(found)) => {
            let up = i64::from(!is_min && found.rem_euclid(1000) != 0);
            *told == (found.div_euclid(1000) + up) * 1000
        }
        (ScalarStat::Text(told), ScalarStat::Text(found)) => start(told) == start(found),
        (told, found) => told == found,
    }
}
