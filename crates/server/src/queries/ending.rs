//! How does a query end? However it does, that is remembered.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use traillake_query::{ErrorKind, Statistics};
use uuid::Uuid;

use super::Queries;
use crate::error::Error;
use crate::formats::Error as FormatError;
use crate::state::{Outcome, QueryStatus};

/// What a query told until it ended.
#[derive(Default)]
pub(super) struct Told {
    pub(super) rows: u64,
    pub(super) statistics: Statistics,
    pub(super) snapshots: Value,
    pub(super) warnings: Vec<String>,
}

/// Sees to it that the end of a query is remembered, also when its asker went away.
pub(super) struct Ending {
    pub(super) queries: Arc<Queries>,
    pub(super) id: Uuid,
    pub(super) protocol: &'static str,
    pub(super) began: tokio::time::Instant,
    pub(super) open: bool,
}

impl Ending {
    /// Remembers the end, also when whoever waits for this goes away.
    pub(super) async fn end(&mut self, outcome: Outcome) {
        self.open = false;
        let (queries, id) = (Arc::clone(&self.queries), self.id);
        queries.metrics.query_ended(self.protocol, outcome.status, self.began.elapsed(), &outcome);
        let remembered = tokio::spawn(async move {
            if let Err(error) = queries.state.ended(id, outcome).await {
                tracing::warn!("the end of query {id} is not remembered: {error}");
            }
            queries.live().remove(&id);
        });
        let _ = remembered.await;
    }

    /// There is nothing to be remembered.
    pub(super) fn never_was(&mut self) {
        self.open = false;
        self.queries.live().remove(&self.id);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Not open: where the runtime itself ends, the task below is dropped at once, and must not
        // ask for another.
        let mut ending = Ending { queries: Arc::clone(&self.queries), open: false, ..*self };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            ending.queries.live().remove(&ending.id);
            return;
        };
        runtime.spawn(async move {
            let now = ending.queries.options.now();
            ending.end(outcome_of(&Error::Cancelled, Told::default(), now)).await;
        });
    }
}

pub(super) fn outcome_of(error: &Error, told: Told, now: DateTime<Utc>) -> Outcome {
    use traillake_query::Error as QueryError;
    let status = match error {
        Error::Cancelled => QueryStatus::Cancelled,
        Error::Query(QueryError::Time { .. }) => QueryStatus::TimedOut,
        _ => QueryStatus::Failed,
    };
    Outcome {
        status,
        ended_at: now,
        error: Some(error.message()),
        error_kind: Some(kind_of(error)),
        rows: told.rows,
        result_bytes: 0,
        statistics: told.statistics,
        snapshots: if told.snapshots.is_null() { json!([]) } else { told.snapshots },
        warnings: told.warnings,
    }
}

/// The word for who has to do something about an error.
pub(crate) fn kind_of(error: &Error) -> &'static str {
    match error {
        Error::Query(error) => match error.kind() {
            ErrorKind::Statement => "statement",
            ErrorKind::Limit => "limit",
            ErrorKind::Lake => "lake",
            _ => "fault",
        },
        Error::Cancelled => "cancelled",
        Error::Unknown { .. } => "credentials",
        Error::NotFound { .. }
        | Error::Inactive(_)
        | Error::Request { .. }
        | Error::Forbidden { .. } => "statement",
        Error::Format(FormatError::NoType { .. }) => "statement",
        Error::Busy { .. }
        | Error::Full { .. }
        | Error::TooLarge { .. }
        | Error::ClientGone { .. } => "limit",
        Error::Lake(_) => "lake",
        _ => "fault",
    }
}
