//! A round before its commit: which objects it still holds, which rows it keeps, which files it has
//! written. A rebase changes as little of it as it can.
//!
//! [`overlaps`] has what others brought too, [`spots`] the rows, [`files`] what is written.

mod overlaps;

mod spots;

mod files;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::ObjectStore;
use uuid::Uuid;

use super::manifest::TableAdds;
use super::winners::Winners;
use super::{ledger_of, table_of};
use crate::data_file::DataFile;
use crate::error::{Error, Result};
use crate::input::{Content, Counts, ObjectRow, RejectRow, RoundInput, RoundPart, RoundReceipt};
use crate::ledger::ObjectIds;
use crate::log::Addition;
use crate::snapshot::StoreSnapshot;
use crate::spec::TableSpec;

/// Tables of the store's own.
const VARIANTS: &str = "variants";
const REJECTS: &str = "rejects";
const OBJECTS: &str = "objects";

/// Objects that fit in a round: the width of an ordinal in an object's id.
const OBJECTS_MAX: usize = 1 << 23;

/// Rows that belong together: a part of the round, a table, a month.
type Spot = (usize, &'static str, Option<String>);

/// A round before its commit.
pub(super) struct Draft<'a> {
    objects: &'a Arc<dyn ObjectStore>,
    tables: &'a [TableSpec],
    content: &'a dyn Content,
    now: DateTime<Utc>,
    parts: Vec<RoundPart>,
    sources: Vec<Source>,
    keys: Vec<String>,
    rejects: Vec<RejectRow>,
    /// By table, the time before which rows are left out.
    cutoffs: BTreeMap<&'static str, i64>,
    ids: Option<ObjectIds>,
    written: BTreeMap<Spot, Written>,
    bytes_written: u64,
}

/// A source object and what is left of it in the round.
struct Source {
    row: ObjectRow,
    /// Records that whoever read it left out.
    deselected: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Its rows and its ledger row.
    Here,
    /// Its ledger row: somebody else brought the same bytes under another key.
    Copy,
    /// Nothing: somebody else brought this very object.
    Known,
}

/// What was written for one spot.
struct Written {
    /// Which rows were kept.
    digest: u64,
    files: Vec<DataFile>,
    variants: Vec<DataFile>,
    counts: Vec<Counts>,
    /// Ordinals of the objects of rows that were left out, one for each.
    left_out: Vec<u32>,
    /// Whether somebody else's files may change what is kept.
    stale: bool,
}

impl<'a> Draft<'a> {
    /// A round as it was planned.
    pub(super) fn new(
        objects: &'a Arc<dyn ObjectStore>,
        tables: &'a [TableSpec],
        content: &'a dyn Content,
        round: RoundInput,
        now: DateTime<Utc>,
    ) -> Result<Draft<'a>> {
        let RoundInput { parts, objects: rows, rejects, planned_at: _ } = round;
        if rows.len() > OBJECTS_MAX {
            return Err(refused(format!("{} objects are more than {OBJECTS_MAX}", rows.len())));
        }
        if let Some(reject) = rejects.iter().find(|reject| reject.object as usize >= rows.len()) {
            return Err(refused(format!("a reject names object {}, which is none", reject.object)));
        }
        let keys = rows.iter().map(|row| row.object_key.clone()).collect();
        let source = |row: ObjectRow| Source { deselected: row.deselected, row, fate: Fate::Here };
        let sources = rows.into_iter().map(source).collect();
        let (ids, written, cutoffs) = (None, BTreeMap::new(), BTreeMap::new());
        let bytes_written = 0;
        Ok(Draft {
            objects,
            tables,
            content,
            now,
            parts,
            sources,
            keys,
            rejects,
            cutoffs,
            ids,
            written,
            bytes_written,
        })
    }

    /// Whether nothing is left to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.iter().all(|source| source.fate == Fate::Known)
    }

    /// What happened, once the round is committed.
    pub(super) fn receipt(self, token: i64, version: u64, rebased: u32) -> RoundReceipt {
        let (mut objects, mut known) = (Vec::new(), Vec::new());
        for (ordinal, source) in (0u32..).zip(self.sources) {
            match source.fate {
                Fate::Known => known.push(ordinal),
                Fate::Here | Fate::Copy => objects.push(source.row),
            }
        }
        let bytes_written = self.bytes_written;
        RoundReceipt { token, version, objects, known, rebased, bytes_written }
    }

    /// Gives way to what others committed: drops objects they brought, and notes which rows must be
    /// looked at again.
    pub(super) async fn give_way(&mut self, winners: &Winners<'_>) -> Result<()> {
        if !winners.any() {
            return Ok(());
        }
        let ledger = winners.ledger().await?;
        let fewer = self.drop_objects(&ledger).await?;
        let reused = self.ids.is_some_and(|ids| ids.clash(&ledger));
        if reused {
            self.ids = None;
        }
        if fewer || reused {
            self.written.values_mut().for_each(|written| written.stale = true);
            return Ok(());
        }
        let mut stale = HashSet::new();
        for ((_, table, month), written) in &self.written {
            if !stale.contains(table) && self.touched(table, month, written, winners).await? {
                stale.insert(*table);
            }
        }
        for ((_, table, _), written) in &mut self.written {
            written.stale |= stale.contains(table);
        }
        Ok(())
    }

    /// Leaves out rows from before the time given for their table: such have left it. They count as
    /// deselected.
    pub(super) fn leave_out_before(&mut self, cutoffs: BTreeMap<&'static str, i64>) {
        for ((_, table, _), written) in &mut self.written {
            written.stale |= cutoffs.get(table) != self.cutoffs.get(table);
        }
        self.cutoffs = cutoffs;
    }

    /// Forgets what was written: vacuum may have taken it.
    pub(super) fn write_anew(&mut self) {
        self.written.clear();
    }

    /// Writes what is not written yet, on the pinned state; returns what each table gets, in the
    /// order of commits.
    pub(super) async fn write(&mut self, pin: &StoreSnapshot) -> Result<Vec<TableAdds>> {
        let ids = match self.ids {
            Some(ids) => ids,
            None => {
                let ledger = ledger_of(pin)?.files().await?;
                let random = || Uuid::new_v4().as_u64_pair().0 as u16;
                ObjectIds::claim(pin.token + 1, &ledger, random)?
            }
        };
        if self.ids != Some(ids) {
            self.written.clear();
            self.ids = Some(ids);
        }
        for part in 0..self.parts.len() {
            self.write_part(part, ids, pin).await?;
        }
        let mut files: HashMap<&str, Vec<DataFile>> = HashMap::new();
        self.add_counts();
        for ((_, table, _), written) in &self.written {
            files.entry(*table).or_default().extend(written.files.iter().cloned());
            files.entry(VARIANTS).or_default().extend(written.variants.iter().cloned());
        }
        files.insert(REJECTS, self.write_rejects(ids, pin).await?);
        files.insert(OBJECTS, self.write_ledger(ids, pin).await?);
        let mut adds = Vec::new();
        for (position, table) in self.tables.iter().enumerate() {
            let files = files.remove(table.name).unwrap_or_default();
            if position > 0 && files.is_empty() {
                continue; // only the main table is committed to for its token alone
            }
            let log = table_of(pin, table.name)?.log();
            let additions = files.iter().map(|file| log.addition(file));
            let additions = additions.collect::<Result<Vec<Addition>>>()?;
            adds.push(TableAdds { table: table.name.to_string(), adds: additions });
        }
        Ok(adds)
    }

    fn spec(&self, table: &str) -> Option<&'a TableSpec> {
        self.tables.iter().find(|spec| spec.name == table)
    }
}

fn refused(reason: String) -> Error {
    Error::Input { reason }
}
