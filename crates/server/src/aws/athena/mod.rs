//! Athena's operations: <https://docs.aws.amazon.com/athena/latest/APIReference/>.
//!
//! In the order in which a client needs them:
//!
//! | module | the question it answers |
//! |---|---|
//! | `executions` | what was asked, and how far is it? |
//! | `details` | what is remembered of a query to be told again? |
//! | `description` | how is a query described? |
//! | `parameters` | what values stand for `?`? |
//! | `statement` | which kind of statement is it, and which file does its answer make? |
//! | `files` | how does that file read? |
//! | `results` | what are the rows? |
//! | `bytes` | how do bytes read? |
//! | `shown` | under which names do clients look for what a statement shows? |
//! | `column_types` | what does Athena call the types? |
//! | `catalogue` | which databases, tables and columns are there? |
//! | `table_pattern` | which tables does an expression mean? |
//! | `workgroups` | which workgroups, and which engine? |
//! | `statistics` | what did a query read? |
//! | `pages` | where does the next page of a list begin? |
//!
//! Nothing is written to S3: the file of a result is the server's own, and `super::objects` gives
//! it to those who ask for it where they wanted it put.

mod description;
mod details;
mod executions;
mod parameters;
mod statement;

mod bytes;
mod files;
mod results;
mod shown;

mod catalogue;
mod column_types;
mod statistics;
mod table_pattern;
mod workgroups;

mod pages;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answered, Fault};
use crate::auth::Identity;
use crate::error::Error;
use crate::http::{Inner, status_of};
use crate::state::QueryRecord;

pub(crate) use details::{file_ending, output_location};

/// The protocol's name in the record of a query.
pub(crate) const PROTOCOL: &str = "athena";

/// One request: who asks whom.
struct Call<'a> {
    server: &'a Inner,
    identity: Identity,
}

/// Does one operation.
pub(crate) async fn call(
    server: &Inner,
    identity: Identity,
    operation: &str,
    request: &Value,
) -> Answered {
    let call = Call { server, identity };
    match operation {
        "StartQueryExecution" => executions::start(&call, read(request)?).await,
        "GetQueryExecution" => executions::get(&call, read(request)?).await,
        "BatchGetQueryExecution" => executions::batch_get(&call, read(request)?).await,
        "ListQueryExecutions" => executions::list(&call, read(request)?).await,
        "StopQueryExecution" => executions::stop(&call, read(request)?).await,
        "GetQueryResults" => results::get(&call, read(request)?).await,
        "GetQueryRuntimeStatistics" => statistics::get(&call, read(request)?).await,
        "GetDataCatalog" => catalogue::get_data_catalog(read(request)?),
        "ListDataCatalogs" => catalogue::list_data_catalogs(read(request)?),
        "GetDatabase" => catalogue::get_database(&call, read(request)?).await,
        "ListDatabases" => catalogue::list_databases(&call, read(request)?).await,
        "GetTableMetadata" => catalogue::get_table(&call, read(request)?).await,
        "ListTableMetadata" => catalogue::list_tables(&call, read(request)?).await,
        "GetWorkGroup" => workgroups::get(read(request)?),
        "ListWorkGroups" => workgroups::list(read(request)?),
        "ListEngineVersions" => workgroups::list_engine_versions(read(request)?),
        _ => Err(invalid(format!("`{operation}` is not supported"))),
    }
}

/// The request of the operations that are about one query.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfQuery {
    query_execution_id: String,
}

impl Call<'_> {
    /// Returns the query of that id, if it is the asker's.
    async fn record(&self, id: &str) -> Result<QueryRecord, Fault> {
        self.server.queries.record(&self.identity.user, id).await.map_err(|error| match error {
            Error::NotFound { .. } => not_found(id),
            error => fault(&error),
        })
    }
}

fn not_found(id: &str) -> Fault {
    invalid(format!("QueryExecution {id} was not found"))
}

/// Reads a request; `null` is as good as nothing, and members that are not known are ignored.
fn read<T: DeserializeOwned>(request: &Value) -> Result<T, Fault> {
    T::deserialize(request).map_err(|error| invalid(format!("the request is malformed: {error}")))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidRequestException", message)
}

/// Checks the length of a text, in characters, as AWS's model gives it.
fn check_length(
    name: &str,
    text: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), Fault> {
    match range.contains(&text.chars().count()) {
        true => Ok(()),
        false => {
            let (least, most) = (range.start(), range.end());
            Err(invalid(format!("`{name}` must have from {least} to {most} characters")))
        }
    }
}

/// Returns an error in Athena's words.
fn fault(error: &Error) -> Fault {
    let message = error.message();
    match error {
        Error::Request { .. } | Error::NotFound { .. } | Error::Inactive(_) => invalid(message),
        Error::Busy { .. } | Error::Full { .. } => Fault::new("TooManyRequestsException", message),
        Error::Forbidden { .. } => Fault::new("AccessDeniedException", message),
        Error::Stopping => Fault {
            name: "InternalServerException",
            message,
            status: StatusCode::SERVICE_UNAVAILABLE,
        },
        error => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            // What went wrong inside is told to whoever runs the server.
            let message = match status_of(error) == status {
                true => {
                    tracing::error!("a request of an AWS client failed: {message}");
                    "the lake could not be read; the server's log says why".to_owned()
                }
                false => message,
            };
            Fault { name: "InternalServerException", message, status }
        }
    }
}
