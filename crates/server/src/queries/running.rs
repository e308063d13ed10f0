//! A query that runs: its rows as they come, and what is to be said beside them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use traillake_query::{Answer, SnapshotName, Statistics};
use uuid::Uuid;

use super::Delivery;
use super::ending::{Ending, Told, outcome_of};
use crate::error::{Error, Result};
use crate::queue::Turn;
use crate::state::{Outcome, QueryStatus};

/// A query under way. Dropping it cancels it.
pub(crate) struct Running {
    pub(crate) schema: SchemaRef,
    pub(super) cancel: CancellationToken,
    pub(super) answer: Answer,
    pub(super) rows: u64,
    /// Whether the last rows were given.
    pub(super) over: bool,
    pub(super) ending: Ending,
    pub(super) _turn: Arc<Turn>,
}

/// What an answer holds that is on its way when its query is over: the query's turn, and a stop.
pub(crate) struct Way {
    _turn: Arc<Turn>,
    _delivery: Delivery,
}

impl Running {
    pub(crate) fn id(&self) -> Uuid {
        self.ending.id
    }

    /// Returns the next rows; none after the last. How it ended is remembered by
    /// [`Running::finished`] or [`Running::failed`].
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.over {
            return Ok(None);
        }
        let batch = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::Cancelled),
            batch = self.answer.batches.next() => batch.transpose()?,
        };
        self.over = batch.is_none();
        self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    /// Is cancelled when somebody ends the query.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The states of the stores it reads.
    pub(crate) fn snapshots(&self) -> Value {
        snapshots(&self.answer.snapshots)
    }

    /// What is to be said beside the rows; complete after the last.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.answer.notes().into_iter().map(|note| note.text).collect()
    }

    /// What was read so far.
    pub(crate) fn statistics(&self) -> Statistics {
        self.answer.statistics()
    }

    /// Rows given so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn told(&self) -> Told {
        Told {
            rows: self.rows,
            statistics: self.statistics(),
            snapshots: self.snapshots(),
            warnings: self.warnings(),
        }
    }

    /// Returns what its answer is to hold until it is sent.
    pub(crate) fn way(&self) -> Way {
        Way { _turn: Arc::clone(&self._turn), _delivery: self.ending.queries.delivery() }
    }

    /// Remembers that every row was given, or is kept in `result_bytes`.
    pub(crate) async fn finished(mut self, result_bytes: u64) {
        let Told { rows, statistics, snapshots, warnings } = self.told();
        let outcome = Outcome {
            status: QueryStatus::Finished,
            ended_at: self.ending.queries.options.now(),
            error: None,
            error_kind: None,
            rows,
            result_bytes,
            statistics,
            snapshots,
            warnings,
        };
        self.ending.end(outcome).await;
    }

    /// Remembers that it failed, and how.
    pub(crate) async fn failed(mut self, error: &Error) {
        let outcome = outcome_of(error, self.told(), self.ending.queries.options.now());
        self.ending.end(outcome).await;
    }
}

fn snapshots(names: &[SnapshotName]) -> Value {
    let name = |name: &SnapshotName| {
        json!({
            "store": name.store,
            "round": name.token,
            "committed_at": name.committed_at.map(|at| at.to_rfc3339()),
        })
    };
    names.iter().map(name).collect()
}
