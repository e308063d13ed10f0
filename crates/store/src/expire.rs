//! Records past retention leave: whole files, and of files that reach over the cut-off, their rows.
//!
//! Each table loses what it loses in one commit, which carries two numbers on from commit to commit
//! as application transactions: how many rows have left so far (`<store>/expired`), and up to which
//! time (`<store>/expired-before`). So in every state of a table the rows ever stored are the rows
//! present and the rows expired, and a crash can never come between the two. What left is written
//! down before ([`tombstone`]). The ledger keeps every object: what has left is not read again.

mod examine;
pub(crate) mod tombstone;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::slice;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};

pub(crate) use self::examine::staying;
use self::examine::{Leaving, examine};
pub use self::tombstone::{Tombstone, TombstoneFile};
use crate::data_file::DataFile;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::log::{TableLog, TableState};
use crate::rewrite::{Replacement, altered, fence, not_as_written};
use crate::round::StoreWriter;
use crate::settings;
use crate::snapshot::{ScalarStat, StoreSnapshot, TableSnapshot};
use crate::spec::TableSpec;
use crate::store::{StoreInfo, table_names};
use crate::upkeep::{Group, Kept, fold};

/// Files looked into at the same time.
const FILES_AT_ONCE: usize = 4;

/// Rows that stay whatever their age: object and position of each record of the main table.
pub type Held = HashSet<(i64, i64)>;

/// Which records leave.
#[derive(Debug, Clone)]
pub struct Expiry {
    /// Those whose time is earlier.
    pub before: DateTime<Utc>,
    /// But not these, where a hold is in force. While one is, records of other tables than the main
    /// one stay as well, for a hold says nothing of them.
    pub held: Option<Held>,
    /// Bytes that rewriting a file may have in memory, about.
    pub memory_bytes: usize,
}

/// What leaves a table, or has left it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableExpiry {
    /// The table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Files that leave as they are.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
    /// Files of which some rows leave: they are written again.
    pub files_rewritten: u64,
    /// Time of the earliest row that leaves, microseconds since 1970.
    pub first: Option<i64>,
    /// Time of the latest one.
    pub last: Option<i64>,
}

/// What is past retention in one state of a store.
pub struct DueExpiry {
    expiry: Expiry,
    tables: Vec<(TableSnapshot, Vec<Leaving>)>,
    /// Of each file of the main table, time of its newest row and how many it has.
    newest: Vec<(i64, u64)>,
}

impl DueExpiry {
    /// What leaves, table by table.
    pub fn tables(&self) -> Vec<TableExpiry> {
        self.tables.iter().map(|(table, leaving)| told(table, leaving)).collect()
    }

    /// Time of the newest record of the main table that is not after `until`, microseconds since
    /// 1970, when most records lead up to it without a pause of more than `pause`: one that claims
    /// some other time says nothing. None else.
    pub fn newest(&self, until: DateTime<Utc>, pause: TimeDelta) -> Option<i64> {
        let all: u64 = self.newest.iter().map(|(_, rows)| rows).sum();
        let past = self.newest.iter().filter(|(newest, _)| *newest <= until.timestamp_micros());
        let mut past: Vec<(i64, u64)> = past.copied().collect();
        past.sort_unstable_by_key(|(newest, _)| Reverse(*newest));
        let (newest, _) = *past.first()?;
        let (mut before, mut leading) = (newest, 0);
        for (at, rows) in past {
            if before.saturating_sub(at) > pause.num_microseconds().unwrap_or(i64::MAX) {
                break;
            }
            (before, leading) = (at, leading + rows);
        }
        (leading > all / 2).then_some(newest)
    }

    /// How many records stay that are older, for a hold is in force.
    pub fn held(&self) -> Option<u64> {
        self.expiry.held.as_ref().map(|held| held.len() as u64)
    }
}

/// What has left a table so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Rows.
    pub rows: u64,
    /// The latest cut-off, microseconds since 1970; none before the first.
    pub before: Option<i64>,
}

impl StoreWriter {
    /// The store as it is now, for [`StoreWriter::expire`].
    ///
    /// # Errors
    /// When the logs cannot be read or an unfinished round cannot be completed.
    pub async fn latest(&self) -> Result<StoreSnapshot> {
        self.publisher().pin(Some(&self.pinned())).await
    }

    /// What is past retention in `state`.
    ///
    /// # Errors
    /// When files cannot be read.
    pub async fn expiry_due(&self, state: &StoreSnapshot, expiry: Expiry) -> Result<DueExpiry> {
        let mut tables = Vec::new();
        for table in self.expiring(state, &expiry)? {
            tables.push((table.clone(), self.leaving(table, &expiry).await?));
        }
        let newest = match self.tables().first() {
            Some(spec) => newest(crate::round::table_of(state, spec.name)?, spec).await?,
            None => Vec::new(),
        };
        Ok(DueExpiry { expiry, tables, newest })
    }

    /// Takes out what is `due` by the settings that this writer was opened with, table by table.
    /// Ingest, queries and upkeep may go on meanwhile; dropped at any moment, it leaves the store
    /// consistent.
    ///
    /// # Errors
    /// [`crate::Error::NotLive`] when files have been rewritten since it was looked at, and
    /// [`crate::Error::SettingsChanged`] when a hold may have been put in force: open the store
    /// again, and find what is held in it. When files cannot be read or written.
    pub async fn expire(&self, due: &DueExpiry, now: DateTime<Utc>) -> Result<()> {
        for (table, leaving) in due.tables.iter().filter(|(_, leaving)| !leaving.is_empty()) {
            self.take_out(table, &due.expiry, leaving, now).await?;
        }
        Ok(())
    }

    /// Refuses to go on when the store is set otherwise than when it was opened. Asked before every
    /// attempt at a commit, and on a state that was read before: a change that comes after this makes
    /// commits of its own ([`Lake::set_store`]), which the attempt then loses to.
    pub(crate) async fn check_settings(&self) -> Result<()> {
        let (publisher, info) = (self.publisher(), self.info());
        let listed = settings::listed(self.objects(), &publisher.layout).await?;
        let now = settings::newest(self.objects(), &info.name, info.id, &listed).await?;
        match now.number == info.settings.number {
            true => Ok(()),
            false => Err(Error::SettingsChanged { store: info.name.clone() }),
        }
    }

    /// The tables that records leave: those with a time of their own.
    fn expiring<'a>(
        &self,
        state: &'a StoreSnapshot,
        expiry: &Expiry,
    ) -> Result<Vec<&'a TableSnapshot>> {
        let mut tables = Vec::new();
        for (place, spec) in self.tables().iter().enumerate() {
            let is_bound = expiry.held.is_some() && place > 0;
            if spec.time_column.is_some() && !is_bound {
                tables.push(crate::round::table_of(state, spec.name)?);
            }
        }
        Ok(tables)
    }

    /// The files of a table that lose rows.
    async fn leaving(&self, table: &TableSnapshot, expiry: &Expiry) -> Result<Vec<Leaving>> {
        let (spec, files) = (self.spec_of(table)?, table.files().await?);
        let looks = files.iter().map(|file| examine(self.objects(), spec, file, expiry));
        let looks = looks.collect::<Vec<_>>();
        let leaving = stream::iter(looks).buffered(FILES_AT_ONCE).try_collect::<Vec<_>>().await?;
        Ok(leaving.into_iter().flatten().collect())
    }

    async fn take_out(
        &self,
        table: &TableSnapshot,
        expiry: &Expiry,
        leaving: &[Leaving],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (spec, log) = (self.spec_of(table)?, table.log());
        let checksums = log.checksums(table.state()).await?;
        let mut written = Vec::new();
        for of in leaving.iter().filter(|of| !of.is_whole()) {
            if let [path, ..] = &altered(table, slice::from_ref(&of.file), &checksums).await?[..] {
                return Err(not_as_written(path));
            }
            written.extend(self.without(table, spec, of, expiry).await?);
        }
        let removes = leaving.iter().map(|of| log.removal(&of.file)).collect::<Result<_>>()?;
        let adds = written.iter().map(|file| log.addition(file)).collect::<Result<_>>()?;
        let tombstone = Tombstone::of(table, expiry, leaving, &checksums);
        let rows: u64 = leaving.iter().map(|of| of.rows).sum();
        let version = self
            .publish(table, Replacement { adds, removes, expires: Some(tombstone) }, now)
            .await?;
        tracing::info!(table = table.name(), rows, version, "expired");
        Ok(())
    }

    /// A file, written again without the rows that leave.
    async fn without(
        &self,
        table: &TableSnapshot,
        spec: &TableSpec,
        leaving: &Leaving,
        expiry: &Expiry,
    ) -> Result<Vec<DataFile>> {
        let file = &leaving.file;
        let group = Group::alone(file);
        let kept = Kept::Without(expiry, leaving.rows);
        let (objects, inputs) = (self.objects(), slice::from_ref(file));
        fold(objects, table.prefix(), spec, &group, inputs, expiry.memory_bytes, &kept).await
    }

    /// What has left the table of a record kind so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn expired(&self, table: &str) -> Result<Expired> {
        crate::round::table_of(&self.pinned(), table)?.expired().await
    }
}

impl Lake {
    /// Ends what was begun on the tables of a store: no rewrite that was planned before this is
    /// published after it.
    pub(crate) async fn end_rewrites(&self, store: &StoreInfo, now: DateTime<Utc>) -> Result<()> {
        for name in table_names(self.objects(), self.layout(), &store.name).await? {
            let folder = self.layout().table(&store.name, &name);
            let log = TableLog::new(&name, folder, self.objects().clone(), store.id)?;
            if let Some(state) = log.load(None).await? {
                fence(&log, &Arc::new(state), "SET STORE", now).await?;
            }
        }
        Ok(())
    }
}

impl TableSnapshot {
    /// What has left the table so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn expired(&self) -> Result<Expired> {
        expired(self.log(), self.state()).await
    }
}

/// What has left a table up to a state of it.
pub(crate) async fn expired(log: &TableLog, state: &TableState) -> Result<Expired> {
    let [rows, before] = log.carried(state, [&log.expired_rows(), &log.expired_before()]).await?;
    let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default();
    Ok(Expired { rows, before })
}

/// The time of the newest row of each of a table's files, as their statistics say, and their rows.
async fn newest(table: &TableSnapshot, spec: &TableSpec) -> Result<Vec<(i64, u64)>> {
    let Some(column) = spec.time_column else { return Ok(Vec::new()) };
    let files = table.files().await?;
    let latest = files.iter().filter_map(|file| match file.stats(column)?.max {
        Some(ScalarStat::Time(micros)) => Some((micros, file.rows)),
        _ => None,
    });
    Ok(latest.collect())
}

fn told(table: &TableSnapshot, leaving: &[Leaving]) -> TableExpiry {
    let whole = leaving.iter().filter(|of| of.is_whole());
    let count = whole.clone().count() as u64;
    TableExpiry {
        table: table.name().to_string(),
        rows: leaving.iter().map(|of| of.rows).sum(),
        files_removed: count,
        bytes_removed: whole.map(|of| of.file.size).sum(),
        files_rewritten: leaving.len() as u64 - count,
        first: leaving.iter().map(|of| of.first).min(),
        last: leaving.iter().map(|of| of.last).max(),
    }
}
