//! One row an identity, over all files of a table.
//!
//! Rows of one identity have one time. So row groups whose times overlap, directly or through others,
//! are looked at together, and no others: in a compacted table that is one at a time. Hashes of the
//! keys of such a cluster are held, up to [`HELD_MAX`]; a larger one is gone through several times,
//! each time for one share of the hashes.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;

use super::finding::{Faults, OfTable};
use super::footers::Group;
use super::{HELD_MAX, TableAudit, guarded};
use crate::data_file;
use crate::error::{Error, Result};
use crate::keys::KeyColumns;
use crate::snapshot::LiveFile;
use crate::spec::Identity;

/// A row: hash of its key, its row group by place in the cluster, its number there.
type Held = (u128, u32, u32);

/// Looks for rows of one identity.
pub(super) async fn audit(
    objects: &Arc<dyn ObjectStore>,
    table: &TableAudit,
    findings: &mut OfTable<'_>,
) {
    let Some(identity) = table.spec.as_ref().and_then(|spec| spec.identity) else { return };
    for cluster in clusters(&table.groups) {
        let rows: u64 = cluster.iter().map(|group| group.rows).sum();
        let shares = rows / HELD_MAX as u64 + 1;
        for share in 0..shares {
            let mut held: Vec<Held> = Vec::new();
            for (place, group) in cluster.iter().enumerate() {
                let Some((file, _)) = table.log.files.get(group.file) else { continue };
                let is_of = |hash: u128| (hash >> 64) as u64 % shares == share;
                // A row group that cannot be read was told where all rows are read.
                let read = hashes(objects, file, group, &identity, |hash, row| {
                    if is_of(hash) {
                        held.push((hash, place as u32, row));
                    }
                });
                let _ = guarded(&file.path, read).await;
            }
            held.sort_unstable();
            tell(objects, table, &identity, &cluster, &held, findings).await;
        }
    }
}

/// Row groups that overlap in time, in the order of time. Those without a known time overlap all.
fn clusters(groups: &[Group]) -> Vec<Vec<&Group>> {
    let range = |group: &Group| group.times.unwrap_or((i64::MIN, i64::MAX));
    let mut sorted: Vec<&Group> = groups.iter().collect();
    sorted.sort_by_key(|group| range(group));
    let mut clusters: Vec<Vec<&Group>> = Vec::new();
    let mut end = i64::MIN;
    for group in sorted {
        let (first, last) = range(group);
        match clusters.last_mut().filter(|_| first <= end) {
            Some(cluster) => cluster.push(group),
            None => clusters.push(vec![group]),
        }
        end = end.max(last);
    }
    clusters
}

async fn hashes(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    group: &Group,
    identity: &Identity,
    mut take: impl FnMut(u128, u32),
) -> Result<()> {
    let mut buffer = Vec::new();
    each_key(objects, file, group, identity, |keys, first| {
        for row in 0..keys.rows() {
            take(keys.hash(row, &mut buffer), first + row as u32);
        }
    })
    .await
}

async fn each_key(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    group: &Group,
    identity: &Identity,
    mut take: impl FnMut(&KeyColumns, u32),
) -> Result<()> {
    let failed = |error| Error::storage(format!("read `{}`", file.path), error);
    let open = data_file::open(objects, file).await?;
    let columns = identity.columns.into_iter().chain([identity.fingerprint]);
    let mask = ProjectionMask::columns(open.parquet_schema(), columns);
    let open = open.with_row_groups(vec![group.number]).with_projection(mask);
    let mut batches = open.build().map_err(failed)?;
    let mut first = 0;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        let none = || Error::corrupt(format!("`{}`", file.path), "a column of keys is missing");
        let keys = KeyColumns::of(identity, &batch).ok_or_else(none)?;
        take(&keys, first);
        first += keys.rows() as u32;
    }
    Ok(())
}

/// Names the rows whose keys are those of a row before.
async fn tell(
    objects: &Arc<dyn ObjectStore>,
    table: &TableAudit,
    identity: &Identity,
    cluster: &[&Group],
    held: &[Held],
    findings: &mut OfTable<'_>,
) {
    let mut faults: Vec<(usize, Faults)> = Vec::new();
    let again = held.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    for (number, pair) in again.enumerate() {
        let (Some(one), Some(other)) =
            (cluster.get(pair[0].1 as usize), cluster.get(pair[1].1 as usize))
        else {
            continue;
        };
        let Some((first, _)) = table.log.files.get(one.file) else { continue };
        let Some((file, _)) = table.log.files.get(other.file) else { continue };
        // Only the first few are told, so only of those the id is looked up.
        let id = match number < super::finding::ALIKE_MAX {
            true => id_of(objects, file, other, identity, pair[1].2).await,
            false => Ok(String::new()),
        };
        let id = id.unwrap_or_else(|error| error.spelled_out());
        let what = format!(
            "its identity ({id}) is that of row {} in row group {} of `{}`",
            pair[0].2, one.number, first.path
        );
        let place = Some(format!("row group {}, row {}", other.number, pair[1].2));
        let of_file = faults.iter().position(|(file, _)| *file == other.file);
        let of_file = of_file.unwrap_or_else(|| {
            faults.push((other.file, Faults::default()));
            faults.len() - 1
        });
        faults[of_file].1.add("identity", place, what);
    }
    for (number, faults) in faults {
        if let Some((file, _)) = table.log.files.get(number) {
            findings.all(&file.path, faults);
        }
    }
}

/// The id of a row, for people.
async fn id_of(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    group: &Group,
    identity: &Identity,
    row: u32,
) -> Result<String> {
    let mut found = String::new();
    each_key(objects, file, group, identity, |keys, first| {
        if let Some(row) = row.checked_sub(first).map(|row| row as usize)
            && row < keys.rows()
        {
            found = match keys.id(row) {
                Some(id) => format!("`{id}`"),
                None => "without an id".to_string(),
            };
        }
    })
    .await?;
    Ok(found)
}
