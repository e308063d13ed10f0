//! The manifest of a round: what its commits add, written before the first of them, so that anybody
//! can complete a round whose ingester died.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lake::check_format;
use crate::layout;
use crate::log::Addition;

/// A round that is about to be committed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// Its number: one more than the token it was planned on.
    pub(crate) number: i64,
    /// Its identity, in the `commitInfo` of each of its commits.
    pub(crate) round: Uuid,
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// What each table gets, in the order of commits: the main table first, the ledger last.
    pub(crate) tables: Vec<TableAdds>,
    /// The last round of every table once this one is complete: what its last commit tells.
    pub(crate) tokens: BTreeMap<String, i64>,
}

/// What a table gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableAdds {
    /// Its name.
    pub(crate) table: String,
    /// Its new files.
    pub(crate) adds: Vec<Addition>,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u64,
    number: i64,
    round: Uuid,
    at_micros: i64,
    tables: Vec<TableAdds>,
    #[serde(default)]
    tokens: BTreeMap<String, i64>,
}

impl Manifest {
    /// The bytes of its file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let file = File {
            format: layout::FORMAT,
            number: self.number,
            round: self.round,
            at_micros: self.at.timestamp_micros(),
            tables: self.tables.clone(),
            tokens: self.tokens.clone(),
        };
        serde_json::to_vec(&file).map_err(|error| Error::corrupt("a manifest", error))
    }

    /// Reads its file; `what` names it in errors.
    pub(crate) fn parse(what: &str, bytes: &[u8]) -> Result<Manifest> {
        check_format(what, bytes)?;
        let damaged = |reason: String| Error::corrupt(format!("`{what}`"), reason);
        let file: File = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        let at = DateTime::from_timestamp_micros(file.at_micros);
        let at = at.ok_or_else(|| damaged("its time is out of range".to_string()))?;
        let File { number, round, tables, tokens, .. } = file;
        Ok(Manifest { number, round, at, tables, tokens })
    }
}
