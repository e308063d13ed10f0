//! Commits that replace files: compaction and retention stand on this.

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use uuid::Uuid;

use crate::data_file;
use crate::error::{Error, Result};
use crate::history;
use crate::log::{Addition, Commit, CommitResult};
use crate::round::StoreWriter;
use crate::snapshot::{LiveFile, TableSnapshot};

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
        let adds = self.write_rewritten(table, rows).await?;
        let removes: Vec<Addition> =
            removed.iter().map(|file| table.log().removal(file)).collect::<Result<_>>()?;
        self.publish_rewrite(table, &adds, &removes, now).await
    }

    async fn write_rewritten(
        &self,
        table: &TableSnapshot,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<Addition>> {
        let spec =
            self.tables().iter().find(|spec| spec.name == table.name()).ok_or_else(|| {
                Error::Input { reason: format!("there is no table `{}`", table.name()) }
            })?;
        let mut adds = Vec::new();
        for (month, rows) in data_file::by_month(spec, rows)? {
            let file =
                data_file::write(self.objects(), table.prefix(), spec, month.as_deref(), rows);
            adds.push(table.log().addition(&file.await?)?);
        }
        Ok(adds)
    }

    async fn publish_rewrite(
        &self,
        table: &TableSnapshot,
        adds: &[Addition],
        removes: &[Addition],
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let log = table.log();
        let application = log.rewrites();
        // Clocks of several machines differ; the times of commits only grow.
        let last = history::committed_at(log, table.state()).await?;
        let at = last.map_or(now, |last| last.max(now));
        let rewrite = Uuid::new_v4();
        let mut on = table.state().clone();
        loop {
            let token = i64::try_from(on.version()).unwrap_or(i64::MAX).saturating_add(1);
            let commit = Commit {
                operation: "OPTIMIZE",
                round: rewrite,
                at,
                tokens: &[(application.clone(), token)],
                tables: None,
                adds,
                removes,
                data_change: false,
            };
            match log.commit(&on, &commit).await {
                CommitResult::Committed(version) => return Ok(version),
                CommitResult::Failed(error) => return Err(error),
                CommitResult::Conflict => {
                    let state = log.advance(&on).await?;
                    for version in table.version() + 1..=state.version() {
                        let entry = log.read_commit(version).await?.unwrap_or_default();
                        if entry.tokens.contains_key(&application) {
                            return Err(not_live(table, removes));
                        }
                    }
                    let files = log.files(&state).await?;
                    let lives = |path: &str| {
                        files.iter().any(|file| {
                            crate::layout::relative(log.folder(), &file.path).as_deref()
                                == Some(path)
                        })
                    };
                    if !removes.iter().all(|file| lives(&file.path)) {
                        return Err(not_live(table, removes));
                    }
                    on = state;
                }
            }
        }
    }
}

/// The inputs as the snapshot shows them; refused when one is not in it, or twice.
async fn live(table: &TableSnapshot, inputs: &[Path]) -> Result<Vec<LiveFile>> {
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
