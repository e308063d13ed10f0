//! What no two rows of a table share, as it is read from a file.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, Rows, SortField};
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use xxhash_rust::xxh3::xxh3_128;

use super::footers::Group;
use super::guarded;
use crate::data_file;
use crate::error::{Error, Result};
use crate::keys::KeyColumns;
use crate::ledger::objects_table;
use crate::snapshot::LiveFile;
use crate::spec::{Identity, OBJECT, TableSpec};

/// Whole rows of a plain table read at once: some hold records, or digest files.
const WHOLE_ROWS: usize = 128;

/// What no two rows of a table share.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// What makes two rows the same record.
    Identity(Identity),
    /// Everything: a row of a plain table is of the object whose id is in this column, and one file
    /// has what that object brought.
    Row(&'static str),
}

impl Key {
    /// None for the ledger, whose ids are held against one another already, and for tables whose
    /// rows are of no object.
    pub fn of(table: &TableSpec) -> Option<Key> {
        if let Some(identity) = table.identity {
            return Some(Key::Identity(identity));
        }
        let is_there = |name: &&'static str| table.schema.field_with_name(name).is_ok();
        let column = [OBJECT, "object_id"].into_iter().find(is_there)?;
        (table.name != objects_table().name).then_some(Key::Row(column))
    }

    /// Whether rows are records, of which a file has no two alike either.
    pub fn is_of_record(self) -> bool {
        matches!(self, Key::Identity(_))
    }

    /// The times or objects of a row group, first and last; none where they are not known.
    pub async fn range(
        self,
        objects: &Arc<dyn ObjectStore>,
        file: &LiveFile,
        group: &Group,
    ) -> Option<(i64, i64)> {
        let Key::Row(column) = self else { return group.times };
        let (columns, mut range) = ([column], None);
        let read = each_batch(objects, file, group, Some(&columns), |batch, _| {
            let ids = batch.column_by_name(column);
            let ids = ids.and_then(|ids| ids.as_primitive_opt::<Int64Type>());
            let ids = ids.ok_or_else(|| no_keys(file))?.values();
            range = ids.iter().fold(range, |range: Option<(i64, i64)>, id| match range {
                Some((first, last)) => Some((first.min(*id), last.max(*id))),
                None => Some((*id, *id)),
            });
            Ok(())
        });
        let read = guarded(&file.path, read).await;
        read.ok().and(range)
    }

    /// Calls `take` with the hash of each row's key and the row's number.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such columns.
    pub async fn hashes(
        self,
        objects: &Arc<dyn ObjectStore>,
        file: &LiveFile,
        group: &Group,
        mut take: impl FnMut(u128, u32),
    ) -> Result<()> {
        let Key::Identity(identity) = self else {
            return each_batch(objects, file, group, None, |batch, first| {
                for (number, row) in (first..).zip(whole_rows(file, batch)?.iter()) {
                    take(xxh3_128(row.data()), number);
                }
                Ok(())
            })
            .await;
        };
        let mut buffer = Vec::new();
        let columns = columns(&identity);
        each_batch(objects, file, group, Some(&columns), |batch, first| {
            let keys = KeyColumns::of(&identity, batch).ok_or_else(|| no_keys(file))?;
            for row in 0..keys.rows() {
                take(keys.hash(row, &mut buffer), first + row as u32);
            }
            Ok(())
        })
        .await
    }
}

fn columns(identity: &Identity) -> [&'static str; 4] {
    let [id, account, time] = identity.columns;
    [id, account, time, identity.fingerprint]
}

fn no_keys(file: &LiveFile) -> Error {
    Error::corrupt(format!("`{}`", file.path), "a column of keys is missing")
}

fn whole_rows(file: &LiveFile, batch: &RecordBatch) -> Result<Rows> {
    let types = batch.columns().iter().map(|column| column.data_type().clone());
    let converter = RowConverter::new(types.map(SortField::new).collect());
    let rows = converter.and_then(|converter| converter.convert_columns(batch.columns()));
    rows.map_err(|error| {
        Error::corrupt(format!("`{}`", file.path), format!("its rows cannot be compared: {error}"))
    })
}

/// The id of a row, for people.
///
/// # Errors
/// When the file cannot be read.
pub(super) async fn id_of(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    group: &Group,
    identity: &Identity,
    row: u32,
) -> Result<String> {
    let mut found = String::new();
    each_batch(objects, file, group, Some(&columns(identity)), |batch, first| {
        let keys = KeyColumns::of(identity, batch).ok_or_else(|| no_keys(file))?;
        if let Some(row) = row.checked_sub(first).map(|row| row as usize)
            && row < keys.rows()
        {
            found = match keys.id(row) {
                Some(id) => format!("`{id}`"),
                None => "without an id".to_string(),
            };
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Reads these columns of a row group (none: all of them), and calls `take` with some rows and the
/// number of the first of them.
async fn each_batch(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    group: &Group,
    columns: Option<&[&str]>,
    mut take: impl FnMut(&RecordBatch, u32) -> Result<()>,
) -> Result<()> {
    let failed = |error| Error::storage(format!("read `{}`", file.path), error);
    let open = data_file::open(objects, file).await?.with_row_groups(vec![group.number]);
    let open = match columns {
        Some(columns) => {
            let mask = ProjectionMask::columns(open.parquet_schema(), columns.iter().copied());
            open.with_projection(mask)
        }
        None => open.with_batch_size(WHOLE_ROWS),
    };
    let mut batches = open.build().map_err(failed)?;
    let mut first = 0;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        take(&batch, first)?;
        first += batch.num_rows() as u32;
    }
    Ok(())
}
