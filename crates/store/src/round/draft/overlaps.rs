//! What others brought too: objects that fall away, and spots that must be looked at again.

use super::{Draft, Fate, Source, VARIANTS, Written};
use crate::data_file::DataFile;
use crate::error::Result;
use crate::input::{KnownObject, ObjectRow, ObjectState};
use crate::ledger::{self, InflatedIndex};
use crate::round::winners::Winners;
use crate::snapshot::{LiveFile, ScalarStat};
use crate::spec::TableSpec;

impl Draft<'_> {
    /// Drops what the winners' ledger holds: by key the object, by hash its rows. Whether rows went.
    pub(super) async fn drop_objects(&mut self, ledger: &[LiveFile]) -> Result<bool> {
        let here = || self.sources.iter().filter(|source| source.fate != Fate::Known);
        let keys: Vec<&str> = here().map(|source| source.row.object_key.as_str()).collect();
        let known = ledger::known(self.objects, ledger, &keys).await?;
        let standing = here().filter(|source| source.fate == Fate::Here && source.has_rows());
        let hashes: Vec<[u8; 32]> =
            standing.filter_map(|source| source.row.inflated_sha256).collect();
        let copies = InflatedIndex::default().find(self.objects, ledger, &hashes).await?;
        let mut fewer = false;
        let here = self.sources.iter_mut().filter(|source| source.fate != Fate::Known);
        for (source, known) in here.zip(known) {
            let had_rows = source.fate == Fate::Here;
            if let Some(known) = known {
                if is_same_object(&source.row, &known) {
                    source.fate = Fate::Known;
                    fewer |= had_rows;
                    continue;
                }
                if source.row.state == ObjectState::Read {
                    source.row.state = ObjectState::Changed;
                }
            }
            let original = source.row.inflated_sha256.and_then(|hash| copies.get(&hash));
            if let Some(original) = original.filter(|_| had_rows && source.has_rows()) {
                source.become_copy(original);
                fewer = true;
            }
        }
        Ok(fewer)
    }

    /// Whether files of winners may change what is kept of a spot.
    pub(super) async fn touched(
        &self,
        table: &str,
        month: &Option<String>,
        written: &Written,
        winners: &Winners<'_>,
    ) -> Result<bool> {
        let Some(spec) = self.spec(table).filter(|spec| spec.identity.is_some()) else {
            return Ok(false);
        };
        let theirs = winners.files(table).await?;
        let near = |ours: &DataFile| theirs.iter().any(|file| overlap(spec, &ours.file, file));
        if written.files.iter().any(near) {
            return Ok(true);
        }
        // A copy that differs from a stored row may equal a variant they brought.
        let theirs = match self.spec(VARIANTS) {
            Some(_) => winners.files(VARIANTS).await?,
            None => return Ok(false),
        };
        Ok(!written.variants.is_empty() && theirs.iter().any(|file| file.partition == *month))
    }
}

impl Source {
    /// Whether it may have brought rows: what a copy of it would bring again.
    fn has_rows(&self) -> bool {
        matches!(self.row.state, ObjectState::Read | ObjectState::Changed)
    }

    fn become_copy(&mut self, original: &str) {
        self.fate = Fate::Copy;
        self.deselected = 0;
        let row = &mut self.row;
        (row.records, row.rejects, row.deselected) = (0, 0, 0);
        (row.first_event_at, row.last_event_at) = (None, None);
        (row.state, row.copy_of) = (ObjectState::Copy, Some(original.to_string()));
    }
}

/// Whether the ledger knows this very object, and not an earlier or later one of its key.
fn is_same_object(row: &ObjectRow, known: &KnownObject) -> bool {
    let same_bytes = row.sha256.zip(known.sha256).is_none_or(|(ours, theirs)| ours == theirs);
    same_bytes && known.is_stamped(row.size_bytes, row.etag.as_deref(), row.modified_at)
}

/// Whether two files of a table may hold rows of one identity.
fn overlap(spec: &TableSpec, a: &LiveFile, b: &LiveFile) -> bool {
    let bounds = |file: &LiveFile| {
        let stats = file.stats(spec.time_column?)?;
        match (stats.min.as_ref()?, stats.max.as_ref()?) {
            (ScalarStat::Time(min), ScalarStat::Time(max)) => Some((*min, *max)),
            _ => None,
        }
    };
    let apart = match bounds(a).zip(bounds(b)) {
        Some((a, b)) => a.1 < b.0 || b.1 < a.0,
        None => false,
    };
    a.partition == b.partition && !apart
}
