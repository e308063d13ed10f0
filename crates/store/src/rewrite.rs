//! Commits that replace files: upkeep stands on this.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use uuid::Uuid;

use crate::data_file::{self, DataFile};
use crate::error::{Error, Result};
use crate::expire::Tombstone;
use crate::history;
use crate::lake::remove_file;
use crate::layout;
use crate::log::{Addition, Commit, CommitResult, TableLog, TableState};
use crate::round::StoreWriter;
use crate::snapshot::{LiveFile, TableSnapshot};
use crate::spec::TableSpec;

/// Files that are held against their checksums at the same time.
const FILES_AT_ONCE: usize = 4;

/// Files that stand for others.
pub(crate) struct Replacement {
    /// The new ones.
    pub adds: Vec<Addition>,
    /// Those they stand for.
    pub removes: Vec<Addition>,
    /// The rows that the new ones lack, past retention; none: they have all rows.
    pub expires: Option<Tombstone>,
}

/// Of files, those that are not byte for byte what was written, as `checksums` of the log say: what is
/// made of them would vouch for a damage, and the file that a backup may have would heal it no more.
///
/// # Errors
/// When one cannot be read.
pub(crate) async fn altered(
    table: &TableSnapshot,
    files: &[LiveFile],
    checksums: &HashMap<String, String>,
) -> Result<Vec<Path>> {
    let looks: Vec<_> = files
        .iter()
        .filter_map(|file| {
            let path = layout::relative(table.prefix(), &file.path)?;
            Some((file, checksums.get(&path)?))
        })
        .map(|(file, written)| async move {
            let found = data_file::checksum_of(table.object_store(), &file.path).await?;
            Ok::<_, Error>((found != *written).then(|| file.path.clone()))
        })
        .collect();
    let found: Vec<_> = futures::stream::iter(looks).buffered(FILES_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// What is told of a file that was [`altered`].
pub(crate) fn not_as_written(path: &Path) -> Error {
    let reason = "its bytes are not those that were written, so it stays as it is";
    Error::corrupt(format!("`{path}`"), reason)
}

impl StoreWriter {
    /// Replaces `inputs`, live files of `table`, by files with `rows`; returns the new version.
    ///
    /// The rows must be those of the inputs, in whatever order: a rewrite moves rows and changes
    /// none. It carries a token of its own (`<store>/rewrite`), so that of two rewrites planned on
    /// one state only the first is published, and it is refused when an input is not live in the
    /// very version it would be committed on: rows are never doubled.
    ///
    /// # Errors
    /// [`Error::NotLive`] when another rewrite was there first: plan again.
    pub async fn rewrite(
        &self,
        table: &TableSnapshot,
        inputs: &[Path],
        rows: Vec<RecordBatch>,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let removed = live(table, inputs).await?;
        let counted: u64 = rows.iter().map(|batch| batch.num_rows() as u64).sum();
        let expected: u64 = removed.iter().map(|file| file.rows).sum();
        if counted != expected {
            let reason = format!("{counted} rows cannot replace files of {expected} rows");
            return Err(Error::Input { reason });
        }
        let adds = self.write_rewritten(table, &removed, rows).await?;
        self.replace(table, &removed, &adds, now).await
    }

    /// Makes `written` stand for `removed`, live files of `table`; returns the new version.
    pub(crate) async fn replace(
        &self,
        table: &TableSnapshot,
        removed: &[LiveFile],
        written: &[DataFile],
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let log = table.log();
        let adds = written.iter().map(|file| log.addition(file)).collect::<Result<_>>()?;
        let removes = removed.iter().map(|file| log.removal(file)).collect::<Result<_>>()?;
        self.publish(table, Replacement { adds, removes, expires: None }, now).await
    }

    async fn write_rewritten(
        &self,
        table: &TableSnapshot,
        removed: &[LiveFile],
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<DataFile>> {
        let spec = self.spec_of(table)?;
        let months = match spec.time_column {
            Some(_) => data_file::by_month(spec, rows)?,
            // Rows do not tell their month: they stay in that of their files.
            None => {
                let month = removed.first().and_then(|file| file.partition.clone());
                if removed.iter().any(|file| file.partition != month) {
                    let reason = "files of one month are rewritten together".to_string();
                    return Err(Error::Input { reason });
                }
                BTreeMap::from([(month, rows)])
            }
        };
        let mut written = Vec::new();
        for (month, rows) in months {
            let (folder, month) = (table.prefix(), month.as_deref());
            written.push(data_file::write(self.objects(), folder, spec, month, rows).await?);
        }
        Ok(written)
    }

    /// What the table of a snapshot is made of.
    pub(crate) fn spec_of(&self, table: &TableSnapshot) -> Result<&TableSpec> {
        let found = self.tables().iter().find(|spec| spec.name == table.name());
        found
            .ok_or_else(|| Error::Input { reason: format!("there is no table `{}`", table.name()) })
    }

    /// Refuses to publish a file that vacuum took while the rewrite slept.
    async fn check_present(&self, table: &TableSnapshot, adds: &[Addition]) -> Result<()> {
        for add in adds {
            let path = layout::absolute(table.prefix(), &add.path);
            match self.objects().head(&path).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => {
                    let reason = format!("its file `{path}` is missing");
                    return Err(Error::corrupt("a rewrite", reason));
                }
                Err(error) => return Err(Error::storage(format!("read `{path}`"), error)),
            }
        }
        Ok(())
    }

    /// Commits files in place of others, planned on `table`; returns the new version.
    pub(crate) async fn publish(
        &self,
        table: &TableSnapshot,
        replacement: Replacement,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let Replacement { adds, removes, mut expires } = replacement;
        let (adds, removes) = (adds.as_slice(), removes.as_slice());
        let log = table.log();
        let application = log.rewrites();
        let rewrite = Uuid::new_v4();
        let gone: HashSet<Path> =
            removes.iter().map(|file| layout::absolute(log.folder(), &file.path)).collect();
        let mut on = table.state().clone();
        loop {
            self.check_present(table, adds).await?;
            // Clocks of several machines differ; the times of commits only grow.
            let last = history::committed_at(log, &on).await?;
            let at = last.map_or(now, |last| last.max(now));
            let token = i64::try_from(on.version()).unwrap_or(i64::MAX).saturating_add(1);
            let mut tokens = vec![(application.clone(), token)];
            let mut tombstone = None;
            if let Some(expires) = &mut expires {
                self.check_settings().await?;
                tokens.extend(expires.carried_on(log, &on).await?);
                tombstone = Some(expires.write(log, on.version() + 1, rewrite, at).await?);
            }
            let commit = Commit {
                operation: if expires.is_some() { "DELETE" } else { "OPTIMIZE" },
                round: rewrite,
                at,
                tokens: &tokens,
                tables: on.tables(),
                adds,
                removes,
                data_change: expires.is_some(),
            };
            match log.commit(&on, &commit).await {
                CommitResult::Committed(version) => return Ok(version),
                CommitResult::Failed(error) => return Err(error),
                CommitResult::Conflict => {
                    if let Some(path) = tombstone {
                        remove_file(self.objects(), &path).await?;
                    }
                    let state = log.advance(&on).await?;
                    for version in table.version() + 1..=state.version() {
                        let entry = log.read_commit(version).await?.unwrap_or_default();
                        if entry.tokens.contains_key(&application) {
                            return Err(not_live(table, removes));
                        }
                    }
                    let files = log.files(&state).await?;
                    let live = files.iter().filter(|file| gone.contains(&file.path)).count();
                    if live != removes.len() {
                        return Err(not_live(table, removes));
                    }
                    on = state;
                }
            }
        }
    }
}

impl StoreWriter {
    /// Commits to `table` that vacuum begins. What was written before that, and is not in the table
    /// by then, is published by nobody after it: a rewrite sees another that was first, a round
    /// writes anew ([`fenced`]). So no clock can make vacuum take what a commit is about to name.
    ///
    /// # Errors
    /// When the commit fails.
    pub(crate) async fn fence(&self, table: &TableSnapshot, now: DateTime<Utc>) -> Result<()> {
        fence(table.log(), table.state(), "VACUUM START", now).await
    }
}

/// Makes a commit without files: no rewrite planned on a state before it is published after it.
pub(crate) async fn fence(
    log: &TableLog,
    state: &Arc<TableState>,
    operation: &'static str,
    now: DateTime<Utc>,
) -> Result<()> {
    let (fence, application) = (Uuid::new_v4(), log.rewrites());
    let mut on = state.clone();
    loop {
        let last = history::committed_at(log, &on).await?;
        let token = i64::try_from(on.version()).unwrap_or(i64::MAX).saturating_add(1);
        let commit = Commit {
            operation,
            round: fence,
            at: last.map_or(now, |last| last.max(now)),
            tokens: &[(application.clone(), token)],
            tables: on.tables(),
            adds: &[],
            removes: &[],
            data_change: false,
        };
        match log.commit(&on, &commit).await {
            CommitResult::Committed(_) => return Ok(()),
            CommitResult::Failed(error) => return Err(error),
            CommitResult::Conflict => on = log.advance(&on).await?,
        }
    }
}

/// Whether a [`fence`] stands between two states of a table.
pub(crate) async fn fenced(before: &TableSnapshot, after: &TableSnapshot) -> Result<bool> {
    let log = after.log();
    for version in before.version() + 1..=after.version() {
        match log.read_commit(version).await? {
            // Cleaned up: nobody can tell any more.
            None => return Ok(true),
            Some(entry) if entry.tokens.contains_key(&log.rewrites()) => {
                if entry.removed.is_empty() {
                    return Ok(true);
                }
            }
            Some(_) => {}
        }
    }
    Ok(false)
}

/// The inputs as the snapshot shows them; refused when one is not in it, or twice.
pub(crate) async fn live(table: &TableSnapshot, inputs: &[Path]) -> Result<Vec<LiveFile>> {
    let files = table.files().await?;
    let mut found: Vec<LiveFile> = Vec::with_capacity(inputs.len());
    for path in inputs {
        let file = files.iter().find(|file| file.path == *path);
        match file.filter(|file| !found.contains(file)) {
            Some(file) => found.push(file.clone()),
            None => {
                let (table, count) = (table.name().to_string(), 1);
                return Err(Error::NotLive { table, count, first: path.to_string() });
            }
        }
    }
    Ok(found)
}

fn not_live(table: &TableSnapshot, removes: &[Addition]) -> Error {
    let first = removes.first().map(|file| file.path.clone()).unwrap_or_default();
    Error::NotLive { table: table.name().to_string(), count: removes.len(), first }
}
