//! How is a query described?

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::details::{Details, output_location};
use super::statement::deed;
use super::workgroups;
use crate::aws::seconds;
use crate::state::{QueryRecord, QueryStatus};

/// Returns Athena's `QueryExecution`.
pub(super) fn described(record: &QueryRecord) -> Value {
    let details = Details::of(record);
    let mut described = json!({
        "QueryExecutionId": record.id,
        "Query": record.sql,
        "StatementType": details.kind(record).word(),
        "SubstatementType": deed(&record.sql),
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": false}},
        "QueryExecutionContext": {},
        "Status": status(record, &details),
        "Statistics": statistics(record),
        "WorkGroup": details.work_group(),
        "EngineVersion": workgroups::engine_version(),
    });
    let context = [("Database", &details.database), ("Catalog", &details.catalog)];
    for (name, value) in context {
        if let Some(value) = value {
            described["QueryExecutionContext"][name] = json!(value);
        }
    }
    if !details.parameters.is_empty() {
        described["ExecutionParameters"] = json!(details.parameters);
    }
    match output_location(record) {
        Some(output) => described["ResultConfiguration"] = json!({ "OutputLocation": output }),
        None => described["ManagedQueryResultsConfiguration"] = json!({ "Enabled": true }),
    }
    described
}

fn status(record: &QueryRecord, details: &Details) -> Value {
    let mut status = json!({
        "State": state(record.status),
        "SubmissionDateTime": seconds(record.submitted_at),
    });
    if let Some(at) = record.ended_at {
        status["CompletionDateTime"] = json!(seconds(at));
    }
    if let Some(reason) = reason(record, details) {
        status["StateChangeReason"] = json!(reason);
    }
    if matches!(record.status, QueryStatus::Failed | QueryStatus::TimedOut) {
        status["AthenaError"] = athena_error(record);
    }
    status
}

/// Returns Athena's word for how far a query is.
pub(super) fn state(status: QueryStatus) -> &'static str {
    match status {
        QueryStatus::Queued => "QUEUED",
        QueryStatus::Running => "RUNNING",
        QueryStatus::Finished => "SUCCEEDED",
        QueryStatus::Failed | QueryStatus::TimedOut => "FAILED",
        QueryStatus::Cancelled => "CANCELLED",
    }
}

/// Why it is so; for a query that succeeded, what is to be said beside its rows.
fn reason(record: &QueryRecord, details: &Details) -> Option<String> {
    if record.status != QueryStatus::Finished {
        return record.error.clone();
    }
    let mut notes = record.warnings.clone();
    if let Some(database) = details.database.as_deref().filter(|name| !means(name, &record.store)) {
        let store = &record.store;
        notes.push(format!("there is no database `{database}` here; `{store}` was asked"));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Whether a database's name leads to a store on purpose: its name, its id or its ARN.
fn means(database: &str, store: &str) -> bool {
    let last = database.rsplit('/').next().unwrap_or(database);
    ["", "default", store].iter().any(|name| name.eq_ignore_ascii_case(database))
        || Uuid::parse_str(last).is_ok()
}

/// <https://docs.aws.amazon.com/athena/latest/ug/error-reference.html>
fn athena_error(record: &QueryRecord) -> Value {
    const SYSTEM: u8 = 1;
    const USER: u8 = 2;
    let (category, kind) = match record.error_kind.as_deref() {
        _ if record.status == QueryStatus::TimedOut => (USER, 206),
        Some("statement") => (USER, 1000),
        Some("limit") => (USER, 0),
        _ => (SYSTEM, 200),
    };
    json!({
        "ErrorCategory": category,
        "ErrorType": kind,
        "Retryable": category == SYSTEM,
        "ErrorMessage": record.error.clone().unwrap_or_default(),
    })
}

/// Times of a query, in milliseconds.
pub(super) struct Times {
    pub(super) queued: u64,
    pub(super) running: u64,
    pub(super) total: u64,
}

impl Times {
    /// Returns how long a query waited and ran.
    pub(super) fn of(record: &QueryRecord) -> Times {
        let ended = record.ended_at.unwrap_or(record.submitted_at);
        let started = record.started_at.unwrap_or(ended);
        let between = |from: DateTime<Utc>, to: DateTime<Utc>| {
            u64::try_from((to - from).num_milliseconds()).unwrap_or(0)
        };
        let total = between(record.submitted_at, ended.max(started));
        let queued = between(record.submitted_at, started);
        Times { queued, running: total - queued, total }
    }
}

fn statistics(record: &QueryRecord) -> Value {
    let times = Times::of(record);
    json!({
        "EngineExecutionTimeInMillis": times.running,
        "DataScannedInBytes": record.bytes_read,
        "TotalExecutionTimeInMillis": times.total,
        "QueryQueueTimeInMillis": times.queued,
        "ServicePreProcessingTimeInMillis": 0,
        "QueryPlanningTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
        "ResultReuseInformation": {"ReusedPreviousResult": false},
    })
}
