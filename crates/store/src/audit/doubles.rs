//! No row twice, over all files of a table: of records one row an identity, of a plain table no two
//! rows that are alike in two files. (In one file two may be: an object can hold a digest file twice.)
//!
//! Rows of one identity have one time, and rows that are alike are of one object. So row groups whose
//! times (or objects) overlap, directly or through others, are looked at together, and no others: in
//! a compacted table that is one at a time. Hashes of the keys of such a cluster are held, up to
//! [`HELD_MAX`]; a larger one is gone through several times, each time for one share of the hashes.

use std::sync::Arc;

use object_store::ObjectStore;

use super::finding::{ALIKE_MAX, Faults, OfTable};
use super::footers::Group;
use super::keys::{Key, id_of};
use super::{HELD_MAX, TableAudit, guarded};

/// A row: hash of its key, its row group by place in the cluster, its number there.
type Held = (u128, u32, u32);

/// Looks for rows that are there twice.
pub(super) async fn audit(
    objects: &Arc<dyn ObjectStore>,
    table: &TableAudit,
    findings: &mut OfTable<'_>,
) {
    let Some(key) = table.spec.as_ref().and_then(Key::of) else { return };
    let mut groups = Vec::with_capacity(table.groups.len());
    for group in &table.groups {
        let Some((file, _)) = table.log.files.get(group.file) else { continue };
        groups.push((key.range(objects, file, group).await, group));
    }
    for cluster in clusters(groups) {
        let rows: u64 = cluster.iter().map(|group| group.rows).sum();
        let shares = rows / HELD_MAX as u64 + 1;
        for share in 0..shares {
            let mut held: Vec<Held> = Vec::new();
            for (place, group) in cluster.iter().enumerate() {
                let Some((file, _)) = table.log.files.get(group.file) else { continue };
                let is_of = |hash: u128| (hash >> 64) as u64 % shares == share;
                let read = key.hashes(objects, file, group, |hash, row| {
                    if is_of(hash) {
                        held.push((hash, place as u32, row));
                    }
                });
                // What cannot be read was told where all rows are read, unless that went well.
                if let Err(error) = guarded(&file.path, read).await
                    && !findings.is_damaged(&file.path)
                {
                    findings.damage(&file.path, error.spelled_out());
                }
            }
            held.sort_unstable();
            tell(objects, table, key, &cluster, &held, findings).await;
        }
    }
}

/// Row groups that overlap, each with its range, in their order. Those without a known range overlap
/// all.
fn clusters(mut groups: Vec<(Option<(i64, i64)>, &Group)>) -> Vec<Vec<&Group>> {
    let bounds = |range: Option<(i64, i64)>| range.unwrap_or((i64::MIN, i64::MAX));
    groups.sort_by_key(|(range, _)| bounds(*range));
    let mut clusters: Vec<Vec<&Group>> = Vec::new();
    let mut end = i64::MIN;
    for (range, group) in groups {
        let (first, last) = bounds(range);
        match clusters.last_mut().filter(|_| first <= end) {
            Some(cluster) => cluster.push(group),
            None => clusters.push(vec![group]),
        }
        end = end.max(last);
    }
    clusters
}

/// Names the rows whose keys are those of a row before.
async fn tell(
    objects: &Arc<dyn ObjectStore>,
    table: &TableAudit,
    key: Key,
    cluster: &[&Group],
    held: &[Held],
    findings: &mut OfTable<'_>,
) {
    let mut faults: Vec<(usize, Faults)> = Vec::new();
    let mut ids = 0;
    for pair in held.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (Some(one), Some(other)) =
            (cluster.get(pair[0].1 as usize), cluster.get(pair[1].1 as usize))
        else {
            continue;
        };
        if !key.is_of_record() && one.file == other.file {
            continue;
        }
        let Some((first, _)) = table.log.files.get(one.file) else { continue };
        let Some((file, _)) = table.log.files.get(other.file) else { continue };
        let earlier = format!("row {} in row group {} of `{}`", pair[0].2, one.number, first.path);
        let (kind, what) = match key {
            Key::Row(_) => ("rows", format!("it is {earlier}, once more")),
            Key::Identity(identity) => {
                // Only the first few are told, so only of those the id is looked up.
                let id = match ids < ALIKE_MAX {
                    true => id_of(objects, file, other, &identity, pair[1].2).await,
                    false => Ok(String::new()),
                };
                ids += 1;
                let id = id.unwrap_or_else(|error| error.spelled_out());
                ("identity", format!("its identity ({id}) is that of {earlier}"))
            }
        };
        let place = Some(format!("row group {}, row {}", other.number, pair[1].2));
        let of_file = faults.iter().position(|(file, _)| *file == other.file);
        let of_file = of_file.unwrap_or_else(|| {
            faults.push((other.file, Faults::default()));
            faults.len() - 1
        });
        faults[of_file].1.add(kind, place, what);
    }
    for (number, faults) in faults {
        if let Some((file, _)) = table.log.files.get(number) {
            findings.all(&file.path, faults);
        }
    }
}
