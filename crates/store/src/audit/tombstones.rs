//! What has left a table: what its log says against what was written down.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::TableAudit;
use super::finding::OfTable;
use super::logs::AuditedLog;
use crate::error::Result;
use crate::expire::{Expired, Tombstone, TombstoneFile, expired, tombstone};
use crate::lake::get;
use crate::layout;
use crate::log::{Addition, Entry, TableLog, parse_statistics};

/// A commit that took rows out, as the log has it.
pub(super) struct Removal {
    commit: Option<Uuid>,
    at: Option<DateTime<Utc>>,
    /// Rows that had left the table after it.
    rows: i64,
    /// The latest cut-off after it, microseconds since 1970.
    before: Option<i64>,
    /// The files it removed, and what their own commits say of them.
    files: BTreeMap<String, Option<Addition>>,
}

impl Removal {
    /// What `entry` took out, `live` being the files before it; none when it took out no rows.
    pub fn of(log: &TableLog, entry: &Entry, live: &BTreeMap<String, Addition>) -> Option<Removal> {
        let rows = *entry.tokens.get(&log.expired_rows())?;
        let before = entry.tokens.get(&log.expired_before()).copied();
        let files = entry.removed.iter().map(|path| (path.clone(), live.get(path).cloned()));
        Some(Removal { commit: entry.round, at: entry.at, rows, before, files: files.collect() })
    }
}

/// Looks at the tombstones of a table.
pub(super) async fn audit(table: &TableAudit, findings: &mut OfTable<'_>) -> Result<()> {
    let log = table.log.log();
    let Some(state) = table.log.state() else { return Ok(()) };
    let (mut told, mut seen, before) = (0, BTreeSet::new(), findings.damages);
    // Listed after the log was read: they are written before their commits.
    for (path, version, commit) in tombstone::listed(log).await? {
        if version > state.version() {
            continue;
        }
        let removal = table.log.removals.get(&version);
        // Behind the log that is left only those are that stand: upkeep sees to it.
        let stands = match removal {
            Some(removal) => removal.commit == Some(commit),
            None => version < table.log.first,
        };
        if !stands {
            findings.note(&path, "it is of a removal that never happened; upkeep removes it");
            continue;
        }
        let Some(bytes) = get(log.objects(), &path).await? else { continue };
        seen.insert(version);
        match Tombstone::parse(&path, &bytes) {
            Ok(tombstone) => {
                told += tombstone.rows;
                if let Some(what) = fault(&table.log, version, &tombstone) {
                    findings.damage(&path, what);
                }
            }
            Err(error) => findings.damage(&path, error.spelled_out()),
        }
    }
    for (version, removal) in &table.log.removals {
        if let Some(commit) = removal.commit.filter(|_| !seen.contains(version)) {
            let path = layout::tombstone(log.folder(), log.name(), *version, commit);
            findings.damage(&path, "it is missing: nothing else says what left then");
        }
    }
    let folder = layout::tombstones(log.folder());
    match expired(log, state).await {
        Ok(Expired { rows, .. }) if findings.damages == before && rows != told => {
            let what = format!("{rows} rows have left the table, and {told} of them are told of");
            findings.damage(&folder, what);
        }
        Err(error) if findings.damages == before => findings.damage(&folder, error.spelled_out()),
        Ok(_) | Err(_) => {}
    }
    Ok(())
}

/// What is wrong with a tombstone, by itself and by what the log says.
fn fault(log: &AuditedLog, version: u64, tombstone: &Tombstone) -> Option<String> {
    if tombstone.table != log.log().name() || tombstone.version != version {
        let Tombstone { table, version, .. } = tombstone;
        return Some(format!("it is of version {version} of table `{table}`"));
    }
    let of_files: u64 = tombstone.files.iter().map(|file| file.expired).sum();
    if of_files != tombstone.rows {
        let rows = tombstone.rows;
        return Some(format!("it tells of {rows} rows, and of {of_files} in its files"));
    }
    let before = tombstone.before.timestamp_micros();
    let contradicts = |file: &&TombstoneFile| {
        file.expired == 0
            || file.expired > file.rows
            || file.first > file.last
            || file.last >= before
    };
    if let Some(file) = tombstone.files.iter().find(contradicts) {
        return Some(format!("what it says of `{}` cannot be", file.path));
    }
    let removal = log.removals.get(&version)?;
    let earlier = log.removals.range(..version).next_back().map(|(_, removal)| removal);
    let rows_before = match earlier {
        Some(earlier) => Some(earlier.rows),
        None => (log.first == 0).then_some(0),
    };
    let rows = i64::try_from(tombstone.rows).unwrap_or(i64::MAX);
    if let Some(left) = rows_before.map(|before| removal.rows - before).filter(|left| *left != rows)
    {
        return Some(format!("it tells of {rows} rows, and its commit took out {left}"));
    }
    let latest = earlier.and_then(|earlier| earlier.before).max(Some(before));
    if removal.before != latest && (earlier.is_some() || log.first == 0) {
        return Some("its cut-off is not that of its commit".to_string());
    }
    let millis = |at: DateTime<Utc>| at.timestamp_millis();
    if removal.at.map(millis) != Some(millis(tombstone.at)) {
        return Some("its time is not that of its commit".to_string());
    }
    fault_of_files(log, removal, tombstone)
}

/// The files that rows left, against those that the commit removed.
fn fault_of_files(log: &AuditedLog, removal: &Removal, tombstone: &Tombstone) -> Option<String> {
    let told: BTreeSet<&String> = tombstone.files.iter().map(|file| &file.path).collect();
    if told.len() != tombstone.files.len() || !told.into_iter().eq(removal.files.keys()) {
        return Some("its files are not those that its commit removed".to_string());
    }
    let differs = |file: &&TombstoneFile| {
        let Some(Some(add)) = removal.files.get(&file.path) else { return false };
        let rows = log.schema().and_then(|schema| parse_statistics(schema, &add.stats).ok());
        let rows = rows.map_or(file.rows, |(rows, _)| rows);
        (add.size, &add.checksum, rows) != (file.size, &file.xxh3, file.rows)
    };
    let file = tombstone.files.iter().find(differs)?;
    Some(format!("it says of `{}` what the log does not", file.path))
}
