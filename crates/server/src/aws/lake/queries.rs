//! Queries that were started: how far they are, and the end of one that is not wanted any more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::pages::Pages;
use super::request::invalid;
use super::{Call, fault, stores};
use crate::aws::seconds;
use crate::aws::{Answered, Fault};
use crate::error::Error;
use crate::outbox::Parcel;
use crate::state::{QueryRecord, QueryStatus, Started};

/// Queries of a page.
const PAGE: usize = 1_000;
/// The most characters that AWS's shape has for an error.
const ERROR_MAX: usize = 1_000;
/// How long a cancelled query may take to end before it is said to run still.
const CANCELLED_WITHIN: Duration = Duration::from_secs(2);

/// DescribeQuery: by its id, or the last one of an alias.
pub(super) async fn describe_query(call: Call<'_>) -> Answered {
    let request = &call.request;
    stores::check(&call).await?;
    let id = request.text("QueryId", 36..=36)?;
    let alias = request.text("QueryAlias", 1..=256)?;
    if request.text("RefreshId", 10..=20)?.is_some() {
        return Err(invalid("`RefreshId` means nothing here: there are no dashboards"));
    }
    let user = &call.identity.user;
    let record = match (id, alias) {
        (Some(id), None) => call.server.queries.record(user, id).await.map_err(fault)?,
        (None, Some(alias)) => {
            let last =
                call.server.queries.state().last_of_alias(user, alias).await.map_err(fault)?;
            last.ok_or_else(|| fault(Error::not_found("query of the alias", alias)))?
        }
        _ => return Err(invalid("give either a `QueryId` or a `QueryAlias`")),
    };
    let now = call.server.options.now();
    let mut answer = json!({
        "QueryId": record.id,
        "QueryString": record.sql,
        "QueryStatus": record.status.word(),
        "QueryStatistics": {
            "EventsMatched": record.rows_matched,
            "EventsScanned": record.rows_read,
            "BytesScanned": record.bytes_read,
            "ExecutionTimeInMillis": took_millis(&record, now),
            "CreationTime": seconds(record.submitted_at),
        },
    });
    if let Some(message) = error_message(&record) {
        answer["ErrorMessage"] = message.into();
    }
    if let Some(parcel) = Parcel::of(&record.details) {
        let known = call.server.queries.state().delivery(record.id).await.map_err(fault)?;
        answer["DeliveryStatus"] = known.unwrap_or_else(|| undelivered(&record).to_owned()).into();
        answer["DeliveryS3Uri"] = parcel.uri.into();
    }
    Ok(answer)
}

/// CloudTrail Lake's word for an answer that was not put yet where it is wanted.
fn undelivered(record: &QueryRecord) -> &'static str {
    match record.status {
        QueryStatus::Queued | QueryStatus::Running => "PENDING",
        QueryStatus::Finished if record.result_bytes > 0 => "PENDING",
        QueryStatus::Cancelled => "CANCELLED",
        // There is no answer, or none any more.
        QueryStatus::Finished | QueryStatus::Failed | QueryStatus::TimedOut => "FAILED",
    }
}

/// Milliseconds that a query ran, so far or in the end.
fn took_millis(record: &QueryRecord, now: DateTime<Utc>) -> i32 {
    let Some(started) = record.started_at else { return 0 };
    let took = record.ended_at.unwrap_or(now).signed_duration_since(started);
    i32::try_from(took.num_milliseconds().max(0)).unwrap_or(i32::MAX)
}

/// Why a query gave nothing, if so, as long as the shape allows.
pub(super) fn error_message(record: &QueryRecord) -> Option<String> {
    let message = record.error.as_deref()?;
    Some(match message.char_indices().nth(ERROR_MAX) {
        None => message.to_owned(),
        Some(_) => message.chars().take(ERROR_MAX - 1).chain(['…']).collect(),
    })
}

/// CancelQuery: the status is the one after it.
pub(super) async fn cancel_query(call: Call<'_>) -> Answered {
    stores::check(&call).await?;
    let id = call.request.required("QueryId", 36..=36)?;
    let (queries, user) = (&call.server.queries, &call.identity.user);
    let mut record = queries.cancel(user, id).await.map_err(fault)?;
    if record.status.is_over() {
        let message = format!("the query is over: it is {}", record.status.word());
        return Err(Fault::new("InactiveQueryException", message));
    }
    let deadline = tokio::time::Instant::now() + CANCELLED_WITHIN;
    while !record.status.is_over() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
        record = queries.record(user, id).await.map_err(fault)?;
    }
    Ok(json!({"QueryId": record.id, "QueryStatus": record.status.word()}))
}

/// ListQueries: those that StartQuery began on a store, newest first.
pub(super) async fn list_queries(call: Call<'_>) -> Answered {
    let request = &call.request;
    let store = stores::find(&call, request.required("EventDataStore", 1..=256)?).await?;
    let size = request.page_size("MaxResults", PAGE)?;
    let range = request.time_range("InvalidDateRangeException")?;
    let word = request.text("QueryStatus", 1..=20)?;
    let status = word.map(|word| {
        QueryStatus::of_word(word).ok_or_else(|| {
            let message = format!("`{word}` is no status of a query");
            Fault::new("InvalidQueryStatusException", message)
        })
    });
    let status = status.transpose()?;
    let pages = Pages::of(&call, json!(["ListQueries", store.id, word, range.0, range.1]));
    let wanted = Started {
        user: call.identity.user.clone(),
        store: store.name,
        status,
        range,
        after: pages.begin(&call)?,
        limit: size + 1,
    };
    let mut found = call.server.queries.state().started_queries(wanted).await.map_err(fault)?;
    let more = found.len() > size;
    found.truncate(size);
    let queries: Vec<Value> = found.iter().map(listed).collect();
    let mut answer = json!({ "Queries": queries });
    if let Some(last) = found.last().filter(|_| more) {
        answer["NextToken"] = pages.token(&(last.submitted_at.timestamp_micros(), last.id)).into();
    }
    Ok(answer)
}

fn listed(record: &QueryRecord) -> Value {
    json!({
        "QueryId": record.id,
        "QueryStatus": record.status.word(),
        "CreationTime": seconds(record.submitted_at),
    })
}
