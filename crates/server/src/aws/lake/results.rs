//! The answer of a query, a page at a time.
//!
//! A row is a list of objects with one member each, the column's name as it was typed and the value
//! as text: names can repeat, places tell them apart. What AWS sends for NULL it does not say, but
//! its model has no room for a null there (`QueryResultColumn` is a map of text that is not
//! sparse), and its client for Rust refuses the whole page. So NULL is the empty text.

use arrow::array::Array as _;
use serde_json::{Map, Value, json};

use super::pages::Pages;
use super::queries::error_message;
use super::{Call, fault, stores};
use crate::aws::Answered;
use crate::error::Error;
use crate::formats::push_value;
use crate::results::Page;
use crate::state::QueryStatus;

/// Rows of a page.
const PAGE: usize = 1_000;
/// Bytes of text after which a page has no further row.
const PAGE_BYTES: usize = 8 << 20;

/// GetQueryResults. A query that has not finished has a status and no rows.
pub(super) async fn get_query_results(call: Call<'_>) -> Answered {
    let request = &call.request;
    stores::check(&call).await?;
    let id = request.required("QueryId", 36..=36)?;
    let size = request.page_size("MaxQueryResults", PAGE)?;
    let record = call.server.queries.record(&call.identity.user, id).await.map_err(fault)?;
    let pages = Pages::of(&call, json!(["GetQueryResults", record.id]));
    let offset: u64 = pages.begin(&call)?.unwrap_or(0);
    let mut rows = Vec::new();
    if record.status == QueryStatus::Finished {
        if record.result_bytes == 0 {
            return Err(fault(Error::not_found("kept answer of the query", id)));
        }
        let page = call.server.queries.results().page(record.id, offset, size).await;
        rows = written(&page.map_err(fault)?).map_err(fault)?;
    }
    let next = offset + rows.len() as u64;
    if record.status == QueryStatus::Finished && rows.is_empty() && next < record.rows {
        return Err(fault(Error::state("a kept answer has fewer rows than were given")));
    }
    let mut answer = json!({
        "QueryStatus": record.status.word(),
        "QueryStatistics": {
            "ResultsCount": rows.len(),
            "TotalResultsCount": record.rows,
            "BytesScanned": record.bytes_read,
        },
    });
    if record.status == QueryStatus::Finished && next < record.rows {
        answer["NextToken"] = pages.token(&next).into();
    }
    if let Some(message) = error_message(&record) {
        answer["ErrorMessage"] = message.into();
    }
    answer["QueryResultRows"] = rows.into();
    Ok(answer)
}

/// Returns the rows, or as many of the first as a page holds.
fn written(page: &Page) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    for batch in &page.batches {
        let columns = page.schema.fields().iter().zip(batch.columns());
        // A column of nothing but NULL has no bits that say so.
        let columns: Vec<_> =
            columns.map(|(field, column)| (field.name(), column, column.logical_nulls())).collect();
        for row in 0..batch.num_rows() {
            if bytes > PAGE_BYTES {
                return Ok(rows);
            }
            let mut cells = Vec::with_capacity(columns.len());
            for (name, column, nulls) in &columns {
                let mut text = String::new();
                if !nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    push_value(column, row, &mut text)?;
                }
                bytes += text.len();
                cells.push(Value::Object(Map::from_iter([((*name).clone(), text.into())])));
            }
            rows.push(cells.into());
        }
    }
    Ok(rows)
}
