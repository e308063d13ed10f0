//! Starting a query: a statement of one's own, or a sample query by its name.

use serde_json::json;
use traillake_query::{Parameters, Value};

use super::request::invalid;
use super::{Call, PROTOCOL, fault, stores};
use crate::aws::{Answered, Fault};
use crate::outbox::Parcel;
use crate::queries::Asked;

/// Values of one statement.
const PARAMETERS_MAX: usize = 10;

/// StartQuery. The statement is planned before its id is given, so that what is wrong with it is
/// said at once, as Lake does.
pub(super) async fn start_query(call: Call<'_>) -> Answered {
    let request = &call.request;
    request.text("EventDataStoreOwnerAccountId", 12..=16)?;
    let delivery = request.text("DeliveryS3Uri", 0..=1_024)?.filter(|uri| !uri.is_empty());
    if delivery.is_some_and(|uri| !call.server.queries.outbox().takes(uri)) {
        let message = "`DeliveryS3Uri` is under no place that this server's configuration lists; \
                       GetQueryResults returns the answer";
        return Err(Fault::new("OperationNotPermittedException", message));
    }
    let statement = request.text("QueryStatement", 1..=10_000)?;
    let alias = request.text("QueryAlias", 1..=256)?;
    let values = request.texts("QueryParameters", 1..=1_024)?;
    if values.len() > PARAMETERS_MAX {
        return Err(invalid(format!("`QueryParameters` has more than {PARAMETERS_MAX} values")));
    }
    let (sql, parameters) = match (statement, alias) {
        (Some(sql), _) => (sql.to_owned(), positional(&values)),
        (None, Some(alias)) => of_sample(&call, alias, &values)?,
        (None, None) => {
            let message = "give a `QueryStatement`, or the name of a sample query as `QueryAlias`";
            return Err(invalid(message));
        }
    };
    let store = stores::of_session(&call).await?;
    let parcel = match delivery {
        Some(uri) => {
            let account = stores::account_of(&call, &store).await?;
            Some(Parcel { uri: uri.to_owned(), account })
        }
        None => None,
    };
    let mut asked = Asked {
        store,
        identity: call.identity,
        protocol: PROTOCOL,
        sql,
        parameters,
        client_token: None,
        details: json!(null),
        schema: None,
        timeout: None,
        rows_max: None,
    };
    let queries = &call.server.queries;
    let read = queries.check(&asked).await.map_err(fault)?;
    asked.details = json!({
        "operation": "StartQuery",
        "alias": alias,
        "parameters": values,
        "stores": read,
    });
    if let Some(parcel) = parcel {
        asked.details[Parcel::MEMBER] = json!(parcel);
    }
    let id = queries.keep(asked, None).await.map_err(fault)?;
    Ok(json!({ "QueryId": id }))
}

/// The values of `?`, in their order. Text reads as a number, a time or a boolean where it meets
/// one.
fn positional(values: &[&str]) -> Parameters {
    let positional = values.iter().map(|value| Value::Text((*value).to_owned())).collect();
    Parameters { positional, ..Parameters::default() }
}

/// The statement of a sample query, with values for its parameters in their order; those that are
/// not given have their defaults.
fn of_sample(call: &Call<'_>, alias: &str, values: &[&str]) -> Result<(String, Parameters), Fault> {
    let options = &call.server.options;
    let sample = options.samples.all.iter().find(|sample| sample.name == alias);
    let sample = sample.ok_or_else(|| {
        invalid(format!("there is no sample query `{alias}`; SearchSampleQueries finds them"))
    })?;
    let (given, known) = (values.len(), sample.parameters.len());
    if given > known {
        return Err(invalid(format!("`{alias}` takes {known} parameters, {given} are given")));
    }
    let bound = (options.samples.read_values)(alias, values, options.now()).map_err(invalid)?;
    Ok((sample.sql.clone(), bound))
}
