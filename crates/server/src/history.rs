//! `system.queries`: what a user has asked, as a table; for an administrator, what everybody has. It
//! tells of queries, and gives nobody their answers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use chrono::DateTime;
use traillake_query::{SystemTable, Wanted};

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

    /// Returns which queries are to be read for a statement; none where it asks for those of others.
    fn listing(&self, wanted: &Wanted) -> Option<Listing> {
        let equal = |name: &str| -> Vec<String> {
            let texts = wanted.equal.iter().filter(|(column, _)| column == name);
            texts.map(|(_, text)| text.clone()).collect()
        };
        let times = |of: &[(String, i64)]| -> Vec<i64> {
            let times = of.iter().filter(|(column, _)| column == "submitted_at");
            times.map(|(_, time)| *time).collect()
        };
        let asked = equal("user");
        let user = self.whose.as_ref().or(asked.first()).cloned();
        if asked.iter().any(|name| Some(name) != user.as_ref()) {
            return None;
        }
        // A time that no calendar has bounds nothing.
        let until = times(&wanted.until).into_iter().min().map(|last| last.saturating_add(1));
        Some(Listing {
            user,
            protocol: equal("protocol").into_iter().next(),
            from: times(&wanted.from).into_iter().max().and_then(DateTime::from_timestamp_micros),
            until: until.and_then(DateTime::from_timestamp_micros),
            ..Listing::default()
        })
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
        self.rows_of(&Wanted::default()).await
    }

    fn is_narrowed(&self) -> bool {
        true
    }

    /// All that are wanted, a page at a time: how many there can be is bounded by what is kept.
    async fn rows_of(&self, wanted: &Wanted) -> Result<RecordBatch, String> {
        let Some(mut listing) = self.listing(wanted) else {
            return Ok(RecordBatch::new_empty(self.schema()));
        };
        let (mut batches, mut left) = (Vec::new(), wanted.limit.map_or(u64::MAX, |max| max as u64));
        loop {
            listing.limit = left.min(PAGE);
            let page = self.state.listed(listing.clone()).await;
            let page = page.map_err(|error| error.to_string())?;
            let batch = RecordBatch::try_new(self.schema(), columns(&page.queries));
            batches.push(batch.map_err(|error| error.to_string())?);
            left -= page.queries.len() as u64;
            listing.after = page.next().filter(|_| left > 0);
            if listing.after.is_none() {
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
