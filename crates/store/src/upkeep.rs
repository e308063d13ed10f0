//! Upkeep: what keeps a lake small and fast for years, and changes no row of it.
//!
//! ```text
//! recover      a round that was left unfinished is completed                    round::recover
//! compact      small files of a month become few, disjoint in time              plan, fold
//! checkpoint   so that opening a table reads few commits                        one token in all tables
//! clean up     commits that nobody can ask for any more                         log::clean_up
//! vacuum       files that no state since the grace period shows                 vacuum
//! ```
//!
//! Every step may be cut off anywhere, by a kill or by another writer: what a fold has written is
//! seen by nobody before its commit, and that commit is made on a state in which its inputs live.

mod fold;
mod input;
mod memory;
mod merge;
mod plan;
mod read;
#[cfg(test)]
mod simulation;
mod sizes;
#[cfg(test)]
mod tests;
mod times;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;

pub(crate) use self::fold::{Kept, fold};
pub(crate) use self::plan::Group;
use self::plan::Piece;
use crate::error::{Error, Result};
use crate::expire::tombstone;
use crate::lake::remove_file;
use crate::layout;
use crate::rewrite::{altered, live, not_as_written};
use crate::round::{By, StoreWriter, due_checkpoint};
use crate::snapshot::{LiveFile, ScalarStat, TableSnapshot};
use crate::spec::TableSpec;
use crate::vacuum::{Orphan, listed};

/// Folds make files that may be folded in turn; so often a table is looked at.
const PASSES_MAX: usize = 8;
/// Commits younger than this stay, however short the grace is.
const LOG_KEPT: TimeDelta = TimeDelta::days(7);
/// So long every checkpoint stays. Who reads an older state for longer finds another one.
const CHECKPOINTS_KEPT: TimeDelta = TimeDelta::days(1);

/// How upkeep is done.
#[derive(Debug, Clone, Copy)]
pub struct UpkeepOptions {
    /// How long a file stays that nothing needs any more: longer than the longest round, fold and
    /// query. A week unless said otherwise.
    pub grace: TimeDelta,
    /// Bytes a fold may have in memory, about.
    pub memory_bytes: usize,
}

impl Default for UpkeepOptions {
    fn default() -> UpkeepOptions {
        UpkeepOptions { grace: TimeDelta::days(7), memory_bytes: 512 << 20 }
    }
}

/// What upkeep did, or would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpkeepReport {
    /// Table by table.
    pub tables: Vec<TableUpkeep>,
    /// Manifests of rounds that are over, removed.
    pub manifests_removed: u64,
}

/// What upkeep did, or would do, with one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableUpkeep {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Live files before.
    pub files_before: u64,
    /// Live files after; of what would be done, about.
    pub files_after: u64,
    /// Bytes of live files before.
    pub bytes_before: u64,
    /// Bytes of live files after; of what would be done, as before.
    pub bytes_after: u64,
    /// Files that were folded into others.
    pub files_folded: u64,
    /// Files they were folded into; of what would be done, about.
    pub files_written: u64,
    /// Rows that were copied.
    pub rows_rewritten: u64,
    /// The version that was checkpointed.
    pub checkpoint: Option<u64>,
    /// Commits and checkpoints removed from its log.
    pub log_files_removed: u64,
    /// Files removed that nothing needed any more.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
    /// What could not be done, and why. What is told here is as it was before.
    pub problems: Vec<String>,
}

impl UpkeepReport {
    /// Whether everything could be done.
    pub fn is_clean(&self) -> bool {
        self.tables.iter().all(|table| table.problems.is_empty())
    }
}

impl StoreWriter {
    /// Does what is due. Other writers, readers and upkeep elsewhere may go on meanwhile; dropped at
    /// any moment, it leaves the store consistent.
    ///
    /// # Errors
    /// When the logs cannot be read or an unfinished round cannot be completed. What concerns one
    /// table stands in the report.
    pub async fn upkeep(
        &self,
        options: &UpkeepOptions,
        now: DateTime<Utc>,
    ) -> Result<UpkeepReport> {
        let began = Instant::now();
        let pin = self.publisher().pin(Some(&self.pinned())).await?;
        let mut report = UpkeepReport::default();
        for table in pin.tables() {
            report.tables.push(self.compact(table, options, (now, began)).await?);
        }
        // What was planned is of when it began; what was replaced, of when it was.
        let now = later(now, began);
        // All tables at one token again: what is removed from a log must be behind all of them.
        let pin = self.publisher().pin(Some(&pin)).await?;
        for (table, told) in pin.tables().iter().zip(&mut report.tables) {
            if let Err(error) = keep_log_short(table, self.in_bucket(), options, now, told).await {
                told.problems.push(error.spelled_out());
            }
        }
        self.vacuum(options, now, &mut report, true).await?;
        for table in pin.tables() {
            tombstone::remove_dead(self.objects(), table, now - options.grace).await?;
        }
        Ok(report)
    }

    /// What [`StoreWriter::upkeep`] would do now. Changes nothing but that it completes a round that
    /// was left unfinished.
    ///
    /// # Errors
    /// As [`StoreWriter::upkeep`].
    pub async fn upkeep_due(
        &self,
        options: &UpkeepOptions,
        now: DateTime<Utc>,
    ) -> Result<UpkeepReport> {
        let pin = self.publisher().pin(Some(&self.pinned())).await?;
        let mut report = UpkeepReport::default();
        for table in pin.tables() {
            let mut told = TableUpkeep::of(table).await?;
            for group in self.groups_due(table, now).await? {
                let (folded, files) = (group.inputs.len() as u64, group.files());
                told.files_folded += folded;
                told.files_written += files;
                told.rows_rewritten += group.rows();
                told.files_after = (told.files_after + files).saturating_sub(folded);
            }
            told.checkpoint = due_checkpoint(table, self.in_bucket(), By::Upkeep).await?;
            told.log_files_removed = expired(table, options, now).await?.len() as u64;
            report.tables.push(told);
        }
        self.vacuum(options, now, &mut report, false).await?;
        Ok(report)
    }

    /// How many files of the main table [`StoreWriter::upkeep`] would fold now, as a number of files
    /// and the number that they would become.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn folds_due(&self, now: DateTime<Utc>) -> Result<(u64, u64)> {
        let pin = self.publisher().pin(Some(&self.pinned())).await?;
        let (mut files, mut folded) = (0, 0);
        if let Some(table) = pin.tables().first() {
            for group in self.groups_due(table, now).await? {
                files += group.inputs.len() as u64;
                folded += group.files();
            }
        }
        Ok((files, folded))
    }

    /// What of a table would be folded now.
    async fn groups_due(&self, table: &TableSnapshot, now: DateTime<Utc>) -> Result<Vec<Group>> {
        let added = added_at(table, now).await?;
        let pieces = pieces(self.spec_of(table)?, table, &added, now).await?;
        Ok(plan::plan(pieces, self.folds_max(), now))
    }

    /// How often folds may rewrite a row of this store.
    fn folds_max(&self) -> u32 {
        plan::folds_max(self.info().settings.retention_days.is_some())
    }

    /// Folds what is due of one table.
    async fn compact(
        &self,
        table: &TableSnapshot,
        options: &UpkeepOptions,
        (now, began): (DateTime<Utc>, Instant),
    ) -> Result<TableUpkeep> {
        let spec = self.spec_of(table)?;
        let mut told = TableUpkeep::of(table).await?;
        let mut table = table.clone();
        let added = added_at(&table, now).await?;
        // What failed once is left alone: the rest of the table need not wait for it.
        let mut failed: HashSet<Path> = HashSet::new();
        for _ in 0..PASSES_MAX {
            let mut pieces = pieces(spec, &table, &added, now).await?;
            pieces.retain(|piece| !failed.contains(&piece.path));
            let groups = plan::plan(pieces, self.folds_max(), now);
            if groups.is_empty() {
                break;
            }
            let checksums = table.log().checksums(table.state()).await?;
            for group in groups {
                let folded = async {
                    let inputs = live(&table, &group.paths()).await?;
                    let altered = altered(&table, &inputs, &checksums).await?;
                    if !altered.is_empty() {
                        return Ok(Err(altered));
                    }
                    self.fold(&table, spec, &group, &inputs, options, (now, began)).await.map(Ok)
                };
                match folded.await {
                    Ok(Ok(files)) => {
                        told.files_folded += group.inputs.len() as u64;
                        told.files_written += files;
                        told.rows_rewritten += group.rows();
                    }
                    // The others are planned again without them.
                    Ok(Err(altered)) => {
                        told.problems
                            .extend(altered.iter().map(|path| not_as_written(path).spelled_out()));
                        failed.extend(altered);
                    }
                    // Somebody else has folded them, or vacuum began: planned again.
                    Err(Error::NotLive { .. }) => {}
                    Err(error) => {
                        told.problems.push(error.spelled_out());
                        failed.extend(group.inputs.into_iter().map(|piece| piece.path));
                    }
                }
                let state = table.log().advance(table.state()).await?;
                table = TableSnapshot::new(table.log().clone(), state);
            }
        }
        let files = table.files().await?;
        told.files_after = files.len() as u64;
        told.bytes_after = files.iter().map(|file| file.size).sum();
        Ok(told)
    }

    /// Puts other files in the place of a group's; returns how many.
    async fn fold(
        &self,
        table: &TableSnapshot,
        spec: &TableSpec,
        group: &Group,
        inputs: &[LiveFile],
        options: &UpkeepOptions,
        (now, began): (DateTime<Utc>, Instant),
    ) -> Result<u64> {
        let (objects, folder) = (self.objects(), table.prefix());
        let written =
            fold(objects, folder, spec, group, inputs, options.memory_bytes, &Kept::All).await?;
        let version = self.replace(table, inputs, &written, later(now, began)).await?;
        tracing::info!(
            table = table.name(),
            month = group.partition.as_deref().unwrap_or_default(),
            files = inputs.len(),
            into = written.len(),
            rows = group.rows(),
            version,
            "folded"
        );
        Ok(written.len() as u64)
    }

    /// Removes what no state since the grace period shows; with `really` unset counts it.
    async fn vacuum(
        &self,
        options: &UpkeepOptions,
        now: DateTime<Utc>,
        report: &mut UpkeepReport,
        really: bool,
    ) -> Result<()> {
        let before = now - options.grace;
        let mut orphans = self.orphans(before, now).await?;
        if really && !orphans.is_empty() {
            match self.fence_all(&orphans, now).await {
                // A full disk takes no commit. What a commit has removed nobody can publish again: it
                // goes first, and makes the space.
                Err(error) if error.is_full() => {
                    let removed = self.removed_by_commits().await?;
                    orphans.retain(|orphan| removed.contains(&orphan.path));
                    self.remove_all(orphans, report, really).await;
                    orphans = self.orphans(before, now).await?;
                    if let Err(error) = self.fence_all(&orphans, now).await {
                        let told = report.tables.first_mut();
                        told.into_iter().for_each(|told| told.problems.push(error.spelled_out()));
                        return Ok(());
                    }
                }
                fenced => fenced?,
            }
            let still: HashSet<Path> =
                self.orphans(before, now).await?.into_iter().map(|orphan| orphan.path).collect();
            orphans.retain(|orphan| still.contains(&orphan.path));
        }
        self.remove_all(orphans, report, really).await;
        Ok(())
    }

    /// Commits that vacuum begins to the main table and to those with orphans: whoever has written a
    /// file and not published it yet must not do so once it is gone.
    async fn fence_all(&self, orphans: &[Orphan], now: DateTime<Utc>) -> Result<()> {
        let pin = self.publisher().pin(Some(&self.pinned())).await?;
        for (place, table) in pin.tables().iter().enumerate() {
            let here = |orphan: &Orphan| layout::relative(table.prefix(), &orphan.path).is_some();
            if place == 0 || orphans.iter().any(here) {
                self.fence(table, now).await?;
            }
        }
        Ok(())
    }

    /// The files that commits which still stand have removed.
    async fn removed_by_commits(&self) -> Result<HashSet<Path>> {
        let pin = self.publisher().pin(Some(&self.pinned())).await?;
        let mut removed = HashSet::new();
        for table in pin.tables() {
            for version in (1..=table.version()).rev() {
                let Some(entry) = table.log().read_commit(version).await? else { break };
                let of = |path: &String| layout::absolute(table.prefix(), path);
                removed.extend(entry.removed.iter().map(of));
            }
        }
        Ok(removed)
    }

    async fn remove_all(&self, orphans: Vec<Orphan>, report: &mut UpkeepReport, really: bool) {
        for orphan in orphans {
            let table = self.tables().iter().position(|table| {
                let folder = self.publisher().table_folder(table.name);
                layout::relative(&folder, &orphan.path).is_some()
            });
            let mut told = table.and_then(|table| report.tables.get_mut(table));
            if really && let Err(error) = remove_file(self.objects(), &orphan.path).await {
                match told {
                    Some(told) => told.problems.push(error.spelled_out()),
                    None => tracing::warn!(%error, "a manifest is left"),
                }
                continue;
            }
            match &mut told {
                Some(told) => {
                    told.files_removed += 1;
                    told.bytes_removed += orphan.size;
                }
                None => report.manifests_removed += 1,
            }
        }
    }
}

impl TableUpkeep {
    /// A table before anything is done.
    async fn of(table: &TableSnapshot) -> Result<TableUpkeep> {
        let files = table.files().await?;
        let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.size).sum());
        Ok(TableUpkeep {
            table: table.name().to_string(),
            rows: files.iter().map(|file| file.rows).sum(),
            files_before: count,
            files_after: count,
            bytes_before: bytes,
            bytes_after: bytes,
            ..TableUpkeep::default()
        })
    }
}

/// The time, when it was `now` at the moment `began`.
fn later(now: DateTime<Utc>, began: Instant) -> DateTime<Utc> {
    now + TimeDelta::from_std(began.elapsed()).unwrap_or_default()
}

/// Checkpoints a table that is due, and removes what the checkpoint stands for and nobody can ask
/// for.
async fn keep_log_short(
    table: &TableSnapshot,
    in_bucket: bool,
    options: &UpkeepOptions,
    now: DateTime<Utc>,
    told: &mut TableUpkeep,
) -> Result<()> {
    if let Some(version) = due_checkpoint(table, in_bucket, By::Upkeep).await? {
        match table.log().checkpoint(version).await {
            Ok(()) => told.checkpoint = Some(version),
            // What older checkpoints stand for goes all the same: a full disk needs the space.
            Err(error) => told.problems.push(error.spelled_out()),
        }
    }
    for path in expired(table, options, now).await? {
        // From the oldest on, one by one: whatever interrupts it, what is left has no gap.
        remove_file(table.object_store(), &path).await?;
        told.log_files_removed += 1;
    }
    Ok(())
}

/// What of a table's log nobody can ask for any more, or need.
async fn expired(
    table: &TableSnapshot,
    options: &UpkeepOptions,
    now: DateTime<Utc>,
) -> Result<Vec<Path>> {
    table.log().expired(now - options.grace.max(LOG_KEPT), now - CHECKPOINTS_KEPT).await
}

/// When the live files of a table became part of it; nothing where no fold is possible.
///
/// Their commits say so. Times of commits only grow: after a clock that ran ahead once, all that follow
/// say a time to come, and by them files would be young until then. Of such a file the time it was
/// written counts. At worst it is folded a little early, which costs a rewrite and never a row.
async fn added_at(
    table: &TableSnapshot,
    now: DateTime<Utc>,
) -> Result<HashMap<Path, DateTime<Utc>>> {
    if table.files().await?.len() < 2 {
        return Ok(HashMap::new());
    }
    let mut added = table.log().added_at(table.state()).await?;
    if added.values().any(|at| *at > now) {
        for file in listed(table.object_store(), table.prefix()).await? {
            if let Some(at) = added.get_mut(&file.location).filter(|at| **at > now) {
                *at = file.last_modified;
            }
        }
    }
    Ok(added)
}

/// The live files of a table, for planning. One that `added` does not know has come since.
async fn pieces(
    spec: &TableSpec,
    table: &TableSnapshot,
    added: &HashMap<Path, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<Piece>> {
    let files = table.files().await?;
    let piece = |file: &LiveFile| Piece {
        path: file.path.clone(),
        partition: file.partition.clone(),
        size: file.size,
        rows: file.rows,
        rewrites: layout::rewrites(&file.path),
        span: span(spec, file),
        added_at: added.get(&file.path).copied().unwrap_or(now),
    };
    Ok(files.iter().map(piece).collect())
}

fn span(spec: &TableSpec, file: &LiveFile) -> Option<(i64, i64)> {
    let stats = file.stats(spec.time_column?)?;
    match (stats.min.as_ref()?, stats.max.as_ref()?) {
        (ScalarStat::Time(first), ScalarStat::Time(last)) => Some((*first, *last)),
        _ => None,
    }
}
