//! CloudTrail Lake's operations: AWS's clients query the lake without knowing that it is not AWS.
//!
//! Requests, answers and the names of errors are those of the CloudTrail API Reference,
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/>.
//!
//! | module | operations |
//! |---|---|
//! | `start` | StartQuery |
//! | `queries` | DescribeQuery, CancelQuery, ListQueries |
//! | `results` | GetQueryResults |
//! | `stores` | ListEventDataStores, GetEventDataStore |
//! | `lookup` | LookupEvents |
//! | `samples` | SearchSampleQueries |
//! | `keys` | ListPublicKeys |
//! | `request`, `pages` | (what a request holds; the tokens of further pages) |

mod keys;
mod lookup;
mod pages;
mod queries;
mod request;
mod results;
mod samples;
mod start;
mod stores;

use axum::http::StatusCode;
use serde_json::Value;
use traillake_query::{Error as QueryError, ErrorKind};

use self::request::Request;
use super::{Answered, Fault};
use crate::auth::Identity;
use crate::error::Error;
use crate::http::Inner;

/// The word under which these queries stand in the history.
const PROTOCOL: &str = "lake";

/// One call of an operation.
struct Call<'a> {
    server: &'a Inner,
    identity: Identity,
    request: Request<'a>,
}

/// Does one operation.
pub(crate) async fn call(
    server: &Inner,
    identity: Identity,
    operation: &str,
    request: &Value,
) -> Answered {
    let call = Call { server, identity, request: Request::new(request) };
    match operation {
        "StartQuery" => {
            let asker = call.identity.clone();
            let started = start::start_query(call).await;
            if let Err(fault) = &started {
                remember_refused(server, &asker, request, fault).await;
            }
            started
        }
        "DescribeQuery" => queries::describe_query(call).await,
        "GetQueryResults" => results::get_query_results(call).await,
        "CancelQuery" => queries::cancel_query(call).await,
        "ListQueries" => queries::list_queries(call).await,
        "ListEventDataStores" => stores::list_event_data_stores(call).await,
        "GetEventDataStore" => stores::get_event_data_store(call).await,
        "LookupEvents" => lookup::lookup_events(call).await,
        "SearchSampleQueries" => samples::search_sample_queries(&call),
        "ListPublicKeys" => keys::list_public_keys(&call),
        _ => Err(Fault::new(
            "UnsupportedOperationException",
            format!("`{operation}` is not supported here"),
        )),
    }
}

/// A statement that is wrong, or may not be asked so, gets no id; the history tells of it.
async fn remember_refused(server: &Inner, asker: &Identity, request: &Value, fault: &Fault) {
    let of_the_statement = [
        "InvalidQueryStatementException",
        "InvalidParameterException",
        "OperationNotPermittedException",
        "EventDataStoreNotFoundException",
        "InactiveEventDataStoreException",
    ];
    let alias = || {
        let alias = request["QueryAlias"].as_str()?;
        let sample = server.options.samples.all.iter().find(|sample| sample.name == alias)?;
        Some(sample.sql.as_str())
    };
    if let Some(sql) = request["QueryStatement"].as_str().or_else(alias)
        && of_the_statement.contains(&fault.name)
    {
        let why = Error::request(&fault.message);
        server.queries.refused_text(asker, PROTOCOL, sql, &why).await;
    }
}

/// Returns an error in CloudTrail's words.
fn fault(error: Error) -> Fault {
    let name = match &error {
        Error::Query(QueryError::Sql { error: wrong, .. }) if names_a_store(&wrong.message) => {
            "EventDataStoreNotFoundException"
        }
        Error::Query(QueryError::Lake(error)) | Error::Lake(error) => match error {
            traillake_store::Error::NoStore { .. } => "EventDataStoreNotFoundException",
            _ => return internal(&error),
        },
        Error::Query(wrong) => match wrong.kind() {
            ErrorKind::Statement => "InvalidQueryStatementException",
            ErrorKind::Limit => "OperationNotPermittedException",
            _ => return internal(wrong),
        },
        Error::NotFound { what: "event data store", .. } => "EventDataStoreNotFoundException",
        Error::NotFound { .. } => "QueryIdNotFoundException",
        Error::Inactive(_) => "InactiveEventDataStoreException",
        Error::Busy { .. } | Error::Full { .. } => "MaxConcurrentQueriesException",
        Error::Request { .. } => "InvalidParameterException",
        Error::Unknown { .. } | Error::Forbidden { .. } => "AccessDeniedException",
        Error::Cancelled => "OperationNotPermittedException",
        Error::Stopping => {
            // What AWS's clients take as a reason to ask again.
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let message = error.message();
            return Fault { name: "ServiceUnavailableException", message, status };
        }
        error => return internal(error),
    };
    Fault::new(name, error.message())
}

/// What went wrong is the server's own affair: it is told to whoever runs it.
fn internal(error: &dyn std::error::Error) -> Fault {
    tracing::error!("a request of an AWS client failed: {error}");
    let message = "the lake could not be read; the server's log says why".to_owned();
    Fault { name: "InternalFailure", message, status: StatusCode::INTERNAL_SERVER_ERROR }
}

/// Whether a message says that a FROM names a store, by its id or ARN, which does not exist. Lake
/// tells this apart from other faults of a statement.
fn names_a_store(message: &str) -> bool {
    let name = message.strip_prefix("there is no table `").and_then(|rest| rest.strip_suffix('`'));
    name.is_some_and(|name| {
        name.contains(":eventdatastore/") || name.len() == 36 && uuid::Uuid::parse_str(name).is_ok()
    })
}
