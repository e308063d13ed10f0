//! A round of ingest and its one commit point.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::input::{Content, KnownObject, RoundInput, RoundReceipt};
use crate::lake::StoreInfo;

/// A named point of a round or of recovery, where a process may die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// All data files are written and durable, none is visible.
    DataWritten,
    /// The manifest names them.
    ManifestWritten,
    /// The commit of a table is about to be tried.
    BeforeCommit(String),
    /// The commit of a table stands.
    AfterCommit(String),
    /// An unfinished round was found.
    RecoverBegin,
    /// Recovery is about to commit a table.
    RecoverBeforeCommit(String),
    /// Recovery has committed a table.
    RecoverAfterCommit(String),
    /// The unfinished round is complete.
    RecoverEnd,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::DataWritten => write!(f, "data-written"),
            Step::ManifestWritten => write!(f, "manifest-written"),
            Step::BeforeCommit(table) => write!(f, "commit-{table}:before"),
            Step::AfterCommit(table) => write!(f, "commit-{table}:after"),
            Step::RecoverBegin => write!(f, "recover:begin"),
            Step::RecoverBeforeCommit(table) => write!(f, "recover:commit-{table}:before"),
            Step::RecoverAfterCommit(table) => write!(f, "recover:commit-{table}:after"),
            Step::RecoverEnd => write!(f, "recover:end"),
        }
    }
}

/// Called at every [`Step`].
pub type StepHook = Arc<dyn Fn(&Step) + Send + Sync>;

/// A store, open for writing.
pub struct StoreWriter {
    info: StoreInfo,
}

impl StoreWriter {
    /// Who the store is.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    /// What the ledger knows about `keys` delivered in `month` (`YYYY-MM`; none: objects without a
    /// delivery time). A key that is not in the answer is new.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn known(
        &self,
        _month: Option<&str>,
        _keys: &[&str],
    ) -> Result<HashMap<String, KnownObject>> {
        Ok(HashMap::new())
    }

    /// The `object_key` of an object whose rows stand, by inflated SHA-256.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn find_inflated(&self, _hashes: &[[u8; 32]]) -> Result<HashMap<[u8; 32], String>> {
        Ok(HashMap::new())
    }

    /// Makes a round happen: drops duplicates, writes files, commits every table, rebases when
    /// another ingester wins. When it returns an error, the round either happened whole or will
    /// never have; opening the store for writing again settles which.
    ///
    /// # Errors
    /// [`Error::Input`]; when the storage fails.
    pub async fn commit_round(
        &self,
        _round: RoundInput,
        _content: &dyn Content,
        _now: DateTime<Utc>,
    ) -> Result<RoundReceipt> {
        Err(Error::Input { reason: "not yet".to_string() })
    }
}
