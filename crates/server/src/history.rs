//! `system.queries`: what a user has asked, as a table; for an administrator, what everybody has. It
//! tells of queries, and gives nobody their answers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use traillake_query::SystemTable;

use crate::state::{Listing, QueryRecord, State};

/// Queries that are read at once.
const PAGE: u64 = 1_000;

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

    /// All of them, a page at a time: how many there can be is bounded by what is kept.
    async fn rows(&self) -> Result<RecordBatch, String> {
        let mut wanted = Listing { user: self.whose.clone(), limit: PAGE, ..Listing::default() };
        let mut batches = Vec::new();
        loop {
            let page =
                self.state.listed(wanted.clone()).await.map_err(|error| error.to_string())?;
            let batch = RecordBatch::try_new(self.schema(), columns(&page.queries));
            batches.push(batch.map_err(|error| error.to_string())?);
            wanted.after = page.next();
            if wanted.after.is_none() {
                let all = concat_batches(&self.schema(), &batches);
                return all.map_err(|error| error.to_string());
            }
        }
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
