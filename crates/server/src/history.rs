//! `system.queries`: what a user has asked, as a table; for an administrator, what everybody has. It
//! tells of queries, and gives nobody their answers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use traillake_query::SystemTable;

use crate::state::{QueryRecord, State};

/// Queries that the table can hold. It is never a shorter one: beyond them it says so.
const QUERIES_MAX: u64 = 100_000;

/// The table.
pub(crate) struct History {
    state: State,
    /// Whose queries; none: everybody's.
    whose: Option<String>,
}

impl History {
    pub(crate) fn of(state: &State, whose: Option<String>) -> History {
        History { state: state.clone(), whose }
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}

#[async_trait]
impl SystemTable for History {
    fn name(&self) -> &'static str {
        "queries"
    }

    fn schema(&self) -> SchemaRef {
        let text = |name| Field::new(name, DataType::Utf8View, true);
        let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
        let count = |name| Field::new(name, DataType::Int64, true);
        Arc::new(Schema::new(vec![
            text("query_id"),
            text("user"),
            text("protocol"),
            text("store"),
            text("query"),
            text("status"),
            time("submitted_at"),
            time("started_at"),
            time("ended_at"),
            text("error"),
            count("row_count"),
            count("rows_read"),
            count("bytes_read"),
            count("requests"),
        ]))
    }

    async fn rows(&self) -> Result<RecordBatch, String> {
        let found =
            self.state.queries(self.whose.as_deref(), None, (None, None), 0, QUERIES_MAX + 1);
        let found = found.await;
        let found = found.map_err(|error| error.to_string())?;
        if found.len() as u64 > QUERIES_MAX {
            return Err(format!(
                "`system.queries` has more than {QUERIES_MAX} queries; `/v1/queries` lists them page \
                 by page"
            ));
        }
        RecordBatch::try_new(self.schema(), columns(&found)).map_err(|error| error.to_string())
    }
}

fn columns(found: &[QueryRecord]) -> Vec<ArrayRef> {
    let text = |of: &dyn Fn(&QueryRecord) -> Option<String>| -> ArrayRef {
        Arc::new(found.iter().map(of).collect::<StringViewArray>())
    };
    let time = |of: &dyn Fn(&QueryRecord) -> Option<chrono::DateTime<chrono::Utc>>| -> ArrayRef {
        let micros = found.iter().map(|query| of(query).map(|at| at.timestamp_micros()));
        Arc::new(micros.collect::<TimestampMicrosecondArray>())
    };
    let count = |of: &dyn Fn(&QueryRecord) -> u64| -> ArrayRef {
        let counts = found.iter().map(|query| i64::try_from(of(query)).ok());
        Arc::new(counts.collect::<Int64Array>())
    };
    vec![
        text(&|query| Some(query.id.to_string())),
        text(&|query| Some(query.user.clone())),
        text(&|query| Some(query.protocol.clone())),
        text(&|query| Some(query.store.clone())),
        text(&|query| Some(query.sql.clone())),
        text(&|query| Some(query.status.word().to_owned())),
        time(&|query| Some(query.submitted_at)),
        time(&|query| query.started_at),
        time(&|query| query.ended_at),
        text(&|query| query.error.clone()),
        count(&|query| query.rows),
        count(&|query| query.rows_read),
        count(&|query| query.bytes_read),
        count(&|query| query.requests),
    ]
}
