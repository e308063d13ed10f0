//! What are the rows? A page is read from the kept answer, as text.

use serde::Deserialize;
use serde_json::{Value, json};

use super::column_types::column_info;
use super::description::state;
use super::details::Details;
use super::statement::Kind;
use super::{Answered, Call, Fault, bytes, fault, invalid, pages, shown};
use crate::error::Error;
use crate::formats::{self, for_each_row};
use crate::results::{BATCH_ROWS, Page};
use crate::state::{QueryRecord, QueryStatus};

/// Bytes of text after which a page has no further row.
const PAGE_BYTES: usize = 8 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get {
    query_execution_id: String,
    next_token: Option<String>,
    max_results: Option<i64>,
    query_result_type: Option<String>,
}

/// `GetQueryResults`. The first row of the first page repeats the labels, when the statement asks
/// for rows; it counts among `MaxResults`.
pub(super) async fn get(call: &Call<'_>, asked: Get) -> Answered {
    if !matches!(asked.query_result_type.as_deref(), None | Some("DATA_ROWS")) {
        return Err(invalid("`QueryResultType` must be `DATA_ROWS`"));
    }
    let size = pages::size(asked.max_results, 1..=BATCH_ROWS)?;
    let record = call.record(&asked.query_execution_id).await?;
    check_kept(&record)?;
    let kind = Details::of(&record).kind(&record);
    let list = format!("results/{}", record.id);
    let (offset, labels) = match &asked.next_token {
        Some(token) => (pages::place::<1>(&list, token)?[0], false),
        None => (0, kind == Kind::Dml),
    };
    let rows = size - usize::from(labels);
    let page = call.server.queries.results().page(record.id, offset, rows).await;
    let page = page.map_err(|error| match error {
        Error::NotFound { .. } => gone(&record),
        error => fault(&error),
    })?;
    let (result, given) = result_set(&page, kind, labels).map_err(|error| fault(&error.into()))?;
    let end = offset.saturating_add(given);
    if given == 0 && rows > 0 && end < record.rows {
        return Err(fault(&Error::state("a kept answer has fewer rows than were given")));
    }
    let next = (end < record.rows).then(|| pages::token(&list, [end]));
    Ok(pages::with_token(json!({ "UpdateCount": 0, "ResultSet": result }), next))
}

fn check_kept(record: &QueryRecord) -> Result<(), Fault> {
    match record.status {
        QueryStatus::Queued | QueryStatus::Running => Err(invalid(format!(
            "Query has not yet finished. Current state: {}",
            state(record.status)
        ))),
        QueryStatus::Finished if record.result_bytes == 0 => Err(gone(record)),
        QueryStatus::Finished => Ok(()),
        _ => Err(invalid(format!(
            "Query did not finish successfully. Final query state: {}",
            state(record.status)
        ))),
    }
}

fn gone(record: &QueryRecord) -> Fault {
    invalid(format!("the result of query {} is not kept any more", record.id))
}

/// The page, and how many rows of the answer are on it.
fn result_set(page: &Page, kind: Kind, labels: bool) -> formats::Result<(Value, u64)> {
    if kind == Kind::Ddl {
        let rows = page.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        return Ok((json!({ "Rows": [], "ResultSetMetadata": {"ColumnInfo": []} }), rows));
    }
    let is_shown = kind == Kind::Utility;
    let schema = if is_shown { shown::schema(&page.schema)? } else { page.schema.clone() };
    let fields = schema.fields();
    let columns: Vec<Value> = fields
        .iter()
        .map(|field| column_info(field.name(), &traillake_query::type_name(field)))
        .collect();
    let mut rows = Vec::new();
    if labels {
        let names = fields.iter().map(|field| Some(field.name().clone()));
        rows.push(row(names));
    }
    let (mut given, mut length) = (0, 0);
    for batch in &page.batches {
        let batch = if is_shown { shown::rows(batch)? } else { bytes::spaced(batch)? };
        for at in 0..batch.num_rows() {
            if length >= PAGE_BYTES {
                break;
            }
            for_each_row(&batch.slice(at, 1), |cells| {
                length += cells.iter().flatten().map(String::len).sum::<usize>();
                rows.push(row(cells.into_iter()));
                Ok(())
            })?;
            given += 1;
        }
    }
    Ok((json!({ "Rows": rows, "ResultSetMetadata": {"ColumnInfo": columns} }), given))
}

/// NULL is a datum without a value.
fn row(cells: impl Iterator<Item = formats::Cell>) -> Value {
    let datum = |cell: formats::Cell| match cell {
        Some(text) => json!({ "VarCharValue": text }),
        None => json!({}),
    };
    json!({ "Data": cells.map(datum).collect::<Vec<_>>() })
}
