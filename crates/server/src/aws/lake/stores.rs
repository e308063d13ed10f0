//! Event data stores: those of the lake that whoever asks may see.

use serde_json::{Value, json};
use traillake_store::StoreInfo;

use super::pages::Pages;
use super::{Call, fault};
use crate::aws::seconds;
use crate::aws::{Answered, Fault};
use crate::engines::names;

/// Stores of a page.
const PAGE: usize = 1_000;
/// The longest retention that AWS can name, in days. A lake keeps events until told otherwise.
const RETENTION_DAYS: u32 = 3_653;

/// ListEventDataStores: sorted by name.
pub(super) async fn list_event_data_stores(call: Call<'_>) -> Answered {
    let size = call.request.page_size("MaxResults", PAGE)?;
    let pages = Pages::of(&call, json!(["ListEventDataStores"]));
    let after: Option<String> = pages.begin(&call)?;
    let mut stores = visible(&call).await?;
    stores.sort_by(|a, b| a.name.cmp(&b.name));
    stores.retain(|store| after.as_ref().is_none_or(|after| store.name > *after));
    let more = stores.len() > size;
    stores.truncate(size);
    let described: Vec<Value> = stores.iter().map(described).collect();
    let mut answer = json!({ "EventDataStores": described });
    if let Some(last) = stores.last().filter(|_| more) {
        answer["NextToken"] = pages.token(&last.name).into();
    }
    Ok(answer)
}

/// GetEventDataStore.
pub(super) async fn get_event_data_store(call: Call<'_>) -> Answered {
    let name = call.request.required("EventDataStore", 1..=256)?;
    Ok(described(&find(&call, name).await?))
}

/// The members of AWS's shape that mean something here.
fn described(store: &StoreInfo) -> Value {
    let settings = &store.settings;
    let mut described = json!({
        "EventDataStoreArn": store.arn,
        "Name": store.name,
        "Status": settings.status(),
        "MultiRegionEnabled": true,
        "RetentionPeriod": settings.retention_days.unwrap_or(RETENTION_DAYS),
        "TerminationProtectionEnabled": settings.termination_protection,
        "CreatedTimestamp": seconds(store.created_at),
        "UpdatedTimestamp": seconds(settings.changed_at.unwrap_or(store.created_at)),
    });
    if let Some(selectors) = &settings.selectors {
        described["AdvancedEventSelectors"] = selectors.clone();
    }
    described
}

/// Returns the store with that ARN, id or name.
///
/// # Errors
/// `EventDataStoreARNInvalidException`, `EventDataStoreNotFoundException`.
pub(super) async fn find(call: &Call<'_>, name: &str) -> Result<StoreInfo, Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._/-:".contains(c);
    let no_arn = name.starts_with("arn:") && !name.contains(":eventdatastore/");
    if no_arn || !name.chars().all(allowed) {
        let message = format!("`{name}` is no ARN, id or name of an event data store");
        return Err(Fault::new("EventDataStoreARNInvalidException", message));
    }
    let found = visible(call).await?.into_iter().find(|store| names(store, name));
    found.ok_or_else(|| {
        let message = format!("there is no event data store `{name}`");
        Fault::new("EventDataStoreNotFoundException", message)
    })
}

/// Checks the store that a request names beside a query. A query's id says enough; AWS asked for it
/// in former times.
///
/// # Errors
/// As [`find`].
pub(super) async fn check(call: &Call<'_>) -> Result<(), Fault> {
    match call.request.text("EventDataStore", 1..=256)? {
        Some(name) => find(call, name).await.map(drop),
        None => Ok(()),
    }
}

/// Returns the store whose tables a statement's bare names mean: the server's own, else the first
/// that whoever asks may see.
pub(super) async fn of_session(call: &Call<'_>) -> Result<String, Fault> {
    let engines = call.server.queries.engines();
    engines.usual_store(&call.identity, &call.server.options.store).await.map_err(fault)
}

/// Returns the account that the ARN of a store names.
///
/// # Errors
/// As [`find`].
pub(super) async fn account_of(call: &Call<'_>, store: &str) -> Result<String, Fault> {
    let arn = find(call, store).await?.arn;
    Ok(arn.split(':').nth(4).unwrap_or_default().to_owned())
}

async fn visible(call: &Call<'_>) -> Result<Vec<StoreInfo>, Fault> {
    let engines = call.server.queries.engines();
    engines.stores(&call.identity, &call.server.options.store).await.map_err(fault)
}
