//! Which databases, tables and columns are there? The databases are the event data stores the asker
//! may see, and `default`, which stands for the one that is meant where none is named.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use traillake_query::Engine;
use traillake_store::StoreInfo;

use super::column_types::hive_type;
use super::table_pattern::is_meant;
use super::{Answered, Call, Fault, check_length, invalid, pages};
use crate::aws::seconds;
use crate::error::Error;

const CATALOG: &str = "AwsDataCatalog";
const DEFAULT: &str = "default";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetDataCatalog {
    name: String,
}

/// `GetDataCatalog`.
pub(super) fn get_data_catalog(asked: GetDataCatalog) -> Answered {
    check_catalog(&asked.name)?;
    Ok(json!({ "DataCatalog": {
        "Name": CATALOG,
        "Type": "GLUE",
        "Description": "the event data stores of this server",
        "Parameters": {},
        "Status": "CREATE_COMPLETE",
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListDataCatalogs {
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// `ListDataCatalogs`.
pub(super) fn list_data_catalogs(asked: ListDataCatalogs) -> Answered {
    let size = pages::size(asked.max_results, 2..=50)?;
    let only = json!({ "CatalogName": CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE" });
    let token = asked.next_token.as_deref();
    let (catalogs, next) = pages::page("catalogs", vec![only], token, size)?;
    Ok(pages::with_token(json!({ "DataCatalogsSummary": catalogs }), next))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetDatabase {
    catalog_name: String,
    database_name: String,
}

/// `GetDatabase`.
pub(super) async fn get_database(call: &Call<'_>, asked: GetDatabase) -> Answered {
    check_catalog(&asked.catalog_name)?;
    let all = databases(call).await?;
    let (name, info) = database(&all, &asked.database_name)?;
    Ok(json!({ "Database": described(name, info) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListDatabases {
    catalog_name: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// `ListDatabases`.
pub(super) async fn list_databases(call: &Call<'_>, asked: ListDatabases) -> Answered {
    check_catalog(&asked.catalog_name)?;
    let size = pages::size(asked.max_results, 1..=50)?;
    let all = databases(call).await?;
    let all: Vec<Value> = all.iter().map(|(name, info)| described(name, info)).collect();
    let (found, next) = pages::page("databases", all, asked.next_token.as_deref(), size)?;
    Ok(pages::with_token(json!({ "DatabaseList": found }), next))
}

fn described(name: &str, info: &StoreInfo) -> Value {
    json!({
        "Name": name,
        "Description": format!("the event data store `{}`", info.name),
        "Parameters": {"arn": info.arn},
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTable {
    catalog_name: String,
    database_name: String,
    table_name: String,
}

/// `GetTableMetadata`.
pub(super) async fn get_table(call: &Call<'_>, asked: GetTable) -> Answered {
    check_catalog(&asked.catalog_name)?;
    let (engine, created_at) = engine(call, &asked.database_name).await?;
    let wanted = &asked.table_name;
    let table = tables(&engine).into_iter().find(|name| name.eq_ignore_ascii_case(wanted));
    let table = table.ok_or_else(|| no_entity(&format!("Table {wanted} not found.")))?;
    Ok(json!({ "TableMetadata": metadata(&engine, &table, created_at)? }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTables {
    catalog_name: String,
    database_name: String,
    expression: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// `ListTableMetadata`.
pub(super) async fn list_tables(call: &Call<'_>, asked: ListTables) -> Answered {
    check_catalog(&asked.catalog_name)?;
    let size = pages::size(asked.max_results, 1..=50)?;
    let expression = asked.expression.unwrap_or_default();
    check_length("Expression", &expression, 0..=256)?;
    let (engine, created_at) = engine(call, &asked.database_name).await?;
    let mut names = tables(&engine);
    names.retain(|name| expression.is_empty() || is_meant(&expression, name));
    names.sort();
    let (names, next) = pages::page("tables", names, asked.next_token.as_deref(), size)?;
    let found: Result<Vec<Value>, Fault> =
        names.iter().map(|name| metadata(&engine, name, created_at)).collect();
    Ok(pages::with_token(json!({ "TableMetadataList": found? }), next))
}

/// The names that engines give their store's tables are bare.
fn tables(engine: &Engine) -> Vec<String> {
    engine.tables().into_iter().filter(|name| !name.contains('.')).collect()
}

fn metadata(engine: &Engine, table: &str, created_at: DateTime<Utc>) -> Result<Value, Fault> {
    let columns = engine.columns(table).map_err(|error| metadata_fault(&error.into()))?;
    let columns: Vec<Value> = columns
        .iter()
        .map(|(name, trino)| json!({ "Name": name.to_lowercase(), "Type": hive_type(trino) }))
        .collect();
    Ok(json!({
        "Name": table,
        "CreateTime": seconds(created_at),
        "TableType": "EXTERNAL_TABLE",
        "Columns": columns,
        "PartitionKeys": [],
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
    }))
}

/// Every database with its store, in the order of their names.
async fn databases(call: &Call<'_>) -> Result<Vec<(String, StoreInfo)>, Fault> {
    let own = &call.server.options.store;
    let stores = call.server.queries.engines().stores(&call.identity, own).await;
    let stores = stores.map_err(|error| metadata_fault(&error))?;
    let mut all: Vec<(String, StoreInfo)> =
        stores.iter().map(|info| (info.name.clone(), info.clone())).collect();
    let meant = stores.iter().find(|info| info.name == *own);
    if let Some(info) = meant
        && !stores.iter().any(|info| info.name == DEFAULT)
    {
        all.push((DEFAULT.to_owned(), info.clone()));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}

fn database<'a>(
    all: &'a [(String, StoreInfo)],
    wanted: &str,
) -> Result<&'a (String, StoreInfo), Fault> {
    let found = all.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| no_entity(&format!("Database {wanted} not found.")))
}

async fn engine(call: &Call<'_>, wanted: &str) -> Result<(Engine, DateTime<Utc>), Fault> {
    let all = databases(call).await?;
    let (_, info) = database(&all, wanted)?;
    let engine = call.server.queries.engines().engine(&call.identity, &info.name).await;
    Ok((engine.map_err(|error| metadata_fault(&error))?, info.created_at))
}

fn check_catalog(name: &str) -> Result<(), Fault> {
    match name.eq_ignore_ascii_case(CATALOG) {
        true => Ok(()),
        false => Err(invalid(format!("Catalog {name} does not exist; there is {CATALOG}"))),
    }
}

fn metadata_fault(error: &Error) -> Fault {
    Fault::new("MetadataException", error.message())
}

/// In the words in which Athena passes on Glue's: clients look for the code in them.
fn no_entity(what: &str) -> Fault {
    let service = "Service: AmazonDataCatalog; Status Code: 400";
    let message = format!("{what} ({service}; Error Code: EntityNotFoundException; Proxy: null)");
    Fault::new("MetadataException", message)
}
