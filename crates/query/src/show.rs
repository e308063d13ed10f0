//! `SHOW` and `DESCRIBE`: answered from the directory, with Trino's columns and type names.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, Scalar, StringArray};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::comparison::{ilike, like};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::ast::{
    ObjectName, ShowStatementFilter, ShowStatementFilterPosition, ShowStatementOptions, Statement,
};
use traillake_trino::type_names::trino_type;
use traillake_trino::{Kind, SqlError, TableName};

use crate::directory::{Directory, Table};
use crate::resolve::{CATALOG, Resolver};

type Result<T> = std::result::Result<T, SqlError>;

/// Returns the rows that a `SHOW` or `DESCRIBE` statement asks for.
///
/// # Errors
/// An unknown table or schema; a `SHOW` of something that does not exist here.
pub(crate) fn answer(
    statement: &Statement,
    directory: &Directory,
    resolver: &Resolver<'_>,
) -> Result<RecordBatch> {
    let (rows, options) = match statement {
        Statement::ShowCatalogs { show_options, .. } => {
            (texts(&[("Catalog", vec![CATALOG.to_string()])]), Some(show_options))
        }
        Statement::ShowSchemas { show_options, .. }
        | Statement::ShowDatabases { show_options, .. } => {
            let schemas = directory.schemas().map(str::to_string).collect();
            (texts(&[("Schema", schemas)]), Some(show_options))
        }
        Statement::ShowTables { show_options, .. } => {
            (tables(show_options, directory, resolver)?, Some(show_options))
        }
        Statement::ShowColumns { show_options, .. } => {
            let table = parent(show_options).ok_or_else(|| missing("SHOW COLUMNS FROM table"))?;
            (columns(table_named(table, directory, resolver)?), Some(show_options))
        }
        Statement::ExplainTable { table_name, .. } => {
            (columns(table_named(table_name, directory, resolver)?), None)
        }
        Statement::ShowFunctions { filter } => {
            let mut names: Vec<String> = traillake_trino::functions::names().collect();
            names.sort();
            return filtered(texts(&[("Function", names)])?, filter.as_ref());
        }
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            return Err(missing(&words.join(" ")));
        }
    };
    let filter = options.and_then(|options| match options.filter_position.as_ref()? {
        ShowStatementFilterPosition::Infix(filter)
        | ShowStatementFilterPosition::Suffix(filter) => Some(filter),
    });
    filtered(rows?, filter)
}

fn missing(what: &str) -> SqlError {
    SqlError::new(Kind::Unsupported, format!("`{what}` is not supported")).with_hint(
        "there are SHOW CATALOGS, SCHEMAS, TABLES [FROM schema], COLUMNS FROM table and FUNCTIONS",
    )
}

fn parent(options: &ShowStatementOptions) -> Option<&ObjectName> {
    options.show_in.as_ref()?.parent_name.as_ref()
}

fn tables(
    options: &ShowStatementOptions,
    directory: &Directory,
    resolver: &Resolver<'_>,
) -> Result<Result<RecordBatch>> {
    let schema = match parent(options).map(parts) {
        None => resolver.schema.unwrap_or(resolver.store).to_string(),
        Some(parts) => {
            let last = parts.last().cloned().unwrap_or_default();
            let known = directory.schemas().find(|schema| schema.eq_ignore_ascii_case(&last));
            let known = known.ok_or_else(|| {
                SqlError::new(Kind::UnknownName, format!("there is no schema `{last}`"))
                    .with_hint("`SHOW SCHEMAS` lists them")
            });
            known?.to_string()
        }
    };
    let names = directory.tables().filter(|table| table.schema == schema);
    Ok(texts(&[("Table", names.map(|table| table.name.clone()).collect())]))
}

fn table_named<'a>(
    name: &ObjectName,
    directory: &'a Directory,
    resolver: &Resolver<'_>,
) -> Result<&'a Table> {
    let name = TableName { parts: parts(name), line: 0, column: 0, length: 0 };
    directory_entry(&name, directory, resolver)
}

/// Returns what the directory says about a table, by any of its names.
///
/// # Errors
/// When there is no such table.
pub(crate) fn directory_entry<'a>(
    name: &TableName,
    directory: &'a Directory,
    resolver: &Resolver<'_>,
) -> Result<&'a Table> {
    let (found, _) = resolver.resolve(name)?;
    directory.table(&found.schema, &found.table).ok_or_else(|| {
        SqlError::new(Kind::UnknownName, format!("there is no table `{}`", name.parts.join(".")))
    })
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.clone()).collect()
}

/// Trino's columns of DESCRIBE.
fn columns(table: &Table) -> Result<RecordBatch> {
    let shown = table.columns.fields().iter();
    let hidden = table.hidden_columns.fields().iter();
    let all = || shown.clone().chain(hidden.clone());
    let extra = shown.clone().map(|_| "").chain(hidden.clone().map(|_| "hidden"));
    texts(&[
        ("Column", all().map(|field| field.name().clone()).collect()),
        ("Type", all().map(|field| trino_type(field)).collect()),
        ("Extra", extra.map(str::to_string).collect()),
        ("Comment", all().map(|_| String::new()).collect()),
    ])
}

fn texts(columns: &[(&str, Vec<String>)]) -> Result<RecordBatch> {
    let fields = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, false));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns
        .iter()
        .map(|(_, values)| Arc::new(StringArray::from_iter_values(values)) as ArrayRef);
    RecordBatch::try_new(schema, arrays.collect()).map_err(fault)
}

fn filtered(rows: RecordBatch, filter: Option<&ShowStatementFilter>) -> Result<RecordBatch> {
    let (pattern, any_case) = match filter {
        None => return Ok(rows),
        Some(ShowStatementFilter::Like(pattern) | ShowStatementFilter::NoKeyword(pattern)) => {
            (pattern, false)
        }
        Some(ShowStatementFilter::ILike(pattern)) => (pattern, true),
        Some(ShowStatementFilter::Where(_)) => return Err(missing("SHOW … WHERE")),
    };
    let pattern = Scalar::new(StringArray::from(vec![pattern.as_str()]));
    let names = rows.column(0);
    let matching: BooleanArray = match any_case {
        true => ilike(names, &pattern),
        false => like(names, &pattern),
    }
    .map_err(fault)?;
    filter_record_batch(&rows, &matching).map_err(fault)
}

fn fault(error: arrow::error::ArrowError) -> SqlError {
    SqlError::new(Kind::Semantic, error.to_string())
}
