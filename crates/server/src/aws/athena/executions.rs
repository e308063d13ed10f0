//! What was asked, and how far is it?

use chrono::DateTime;
use serde::Deserialize;
use serde_json::json;

use super::description::described;
use super::details::Details;
use super::statement::Kind;
use super::{
    Answered, Call, OfQuery, PROTOCOL, check_length, fault, files, invalid, pages, parameters,
    workgroups,
};
use crate::aws::Fault;
use crate::engines::names;
use crate::error::Error;
use crate::queries::{self, Asked, REFUSED, STATEMENT_BYTES_MAX};
use crate::state::Listing;

/// Queries of a page of `ListQueryExecutions`, and of `BatchGetQueryExecution`.
const PAGE_MAX: usize = 50;
/// Records that are looked at together while a page is filled.
const LOOK: u64 = 200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Start {
    pub(super) query_string: String,
    client_request_token: Option<String>,
    pub(super) query_execution_context: Option<Context>,
    pub(super) result_configuration: Option<ResultConfiguration>,
    pub(super) work_group: Option<String>,
    pub(super) execution_parameters: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Context {
    pub(super) database: Option<String>,
    pub(super) catalog: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResultConfiguration {
    pub(super) output_location: Option<String>,
}

/// `StartQueryExecution`. What gets no id is told by the history.
pub(super) async fn start(call: &Call<'_>, asked: Start) -> Answered {
    let sql = asked.query_string.clone();
    let started = begin(call, asked).await;
    if let Err(fault) = &started
        && fault.name == "InvalidRequestException"
    {
        let why = Error::request(&fault.message);
        call.server.queries.refused_text(&call.identity, PROTOCOL, &sql, &why).await;
    }
    started
}

async fn begin(call: &Call<'_>, asked: Start) -> Answered {
    check_length("QueryString", &asked.query_string, 1..=STATEMENT_BYTES_MAX)?;
    queries::check_length(&asked.query_string).map_err(|error| fault(&error))?;
    if let Some(token) = &asked.client_request_token {
        check_length("ClientRequestToken", token, 32..=128)?;
    }
    let details = Details::asked(&asked)?;
    let parameters = parameters::read(&details.parameters)?;
    let store = store_of(call, details.database.as_deref()).await?;
    let kind = Kind::of(&asked.query_string);
    let asked = Asked {
        identity: call.identity.clone(),
        protocol: PROTOCOL,
        store,
        sql: asked.query_string,
        parameters,
        client_token: asked.client_request_token,
        details: json!(details),
        schema: None,
        timeout: None,
        rows_max: None,
    };
    let id = call.server.queries.keep(asked, Some(files::of(kind))).await;
    let id = id.map_err(|error| fault(&error))?;
    Ok(json!({ "QueryExecutionId": id }))
}

/// The store that a database stands for. One that is none is no error: the scripts of Athena's
/// users name databases of their own.
async fn store_of(call: &Call<'_>, database: Option<&str>) -> Result<String, Fault> {
    let (engines, own) = (call.server.queries.engines(), &call.server.options.store);
    if let Some(database) = database.filter(|name| !name.is_empty()) {
        let stores = engines.stores(&call.identity, own).await.map_err(|error| fault(&error))?;
        let found = stores
            .iter()
            .find(|info| names(info, database) || info.name.eq_ignore_ascii_case(database));
        if let Some(info) = found {
            return Ok(info.name.clone());
        }
    }
    engines.usual_store(&call.identity, own).await.map_err(|error| fault(&error))
}

/// `StopQueryExecution`. A query that is over stays as it is.
pub(super) async fn stop(call: &Call<'_>, asked: OfQuery) -> Answered {
    let id = &asked.query_execution_id;
    call.record(id).await?;
    let cancelled = call.server.queries.cancel(&call.identity.user, id).await;
    cancelled.map_err(|error| fault(&error))?;
    Ok(json!({}))
}

/// `GetQueryExecution`.
pub(super) async fn get(call: &Call<'_>, asked: OfQuery) -> Answered {
    let record = call.record(&asked.query_execution_id).await?;
    Ok(json!({ "QueryExecution": described(&record) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchGet {
    query_execution_ids: Vec<String>,
}

/// `BatchGetQueryExecution`.
pub(super) async fn batch_get(call: &Call<'_>, asked: BatchGet) -> Answered {
    let count = asked.query_execution_ids.len();
    if !(1..=PAGE_MAX).contains(&count) {
        return Err(invalid(format!("`QueryExecutionIds` must be from 1 to {PAGE_MAX}")));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for id in asked.query_execution_ids {
        match call.record(&id).await {
            Ok(record) => found.push(described(&record)),
            Err(fault) if fault.name == "InvalidRequestException" => missing.push(json!({
                "QueryExecutionId": id,
                "ErrorCode": "INVALID_INPUT",
                "ErrorMessage": fault.message,
            })),
            Err(fault) => return Err(fault),
        }
    }
    Ok(json!({ "QueryExecutions": found, "UnprocessedQueryExecutionIds": missing }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    next_token: Option<String>,
    max_results: Option<i64>,
    work_group: Option<String>,
}

/// `ListQueryExecutions`: newest first. The token holds the time of the first page too, so that
/// queries that are asked meanwhile shift nothing.
pub(super) async fn list(call: &Call<'_>, asked: List) -> Answered {
    let size = pages::size(asked.max_results.filter(|size| *size != 0), 1..=PAGE_MAX)?;
    let [until, mut offset] = match &asked.next_token {
        Some(token) => pages::place("executions", token)?,
        None => [call.server.options.now().timestamp_micros().unsigned_abs() + 1, 0],
    };
    let work_group = asked.work_group.as_deref().filter(|name| !name.is_empty());
    let work_group = work_group.unwrap_or(workgroups::PRIMARY);
    let until_time = i64::try_from(until).ok().and_then(DateTime::from_timestamp_micros);
    let mut ids = Vec::new();
    loop {
        let wanted = Listing {
            user: Some(call.identity.user.clone()),
            protocol: Some(PROTOCOL.to_owned()),
            until: until_time,
            offset: offset.min(1 << 40),
            limit: LOOK,
            ..Listing::default()
        };
        let page = call.server.queries.state().listed(wanted).await;
        let page = page.map_err(|error| fault(&error))?;
        for record in page.queries {
            if ids.len() == size {
                let next = pages::token("executions", [until, offset]);
                return Ok(json!({ "QueryExecutionIds": ids, "NextToken": next }));
            }
            offset += 1;
            let is_refused = record.details.get(REFUSED).is_some();
            if !is_refused && Details::of(&record).work_group() == work_group {
                ids.push(json!(record.id));
            }
        }
        if !page.more {
            return Ok(json!({ "QueryExecutionIds": ids }));
        }
    }
}
