//! One read-only statement: tokens, syntax tree, rewrites, headers as typed.

use datafusion::arrow::datatypes::Schema;
use datafusion::sql::parser::Statement;

use crate::{Kind, Names, Parameters, SqlError};

/// What a statement does. All of them only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// SELECT, VALUES, TABLE or WITH.
    Query,
    /// EXPLAIN of a query; with `analyze` it is run too.
    Explain {
        /// `EXPLAIN ANALYZE`.
        analyze: bool,
    },
    /// SHOW TABLES, COLUMNS, SCHEMAS, CATALOGS or FUNCTIONS.
    Show,
    /// DESCRIBE of a table.
    Describe,
}

/// A table as the statement names it; see [`Parsed::resolve_tables`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Catalog, schema and table, as many as were typed, in canonical spelling.
    pub parts: Vec<String>,
    /// Line and column of the first part, from 1.
    pub line: usize,
    /// See `line`.
    pub column: usize,
    /// Characters to underline.
    pub length: usize,
}

/// A parsed statement, ready for `SessionState::statement_to_plan`.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement in DataFusion's syntax tree.
    pub statement: Statement,
    /// What it does.
    pub kind: StatementKind,
    /// Things the user should know: accepted, but not as typed.
    pub notes: Vec<String>,
}

/// Parses one statement of CloudTrail Lake's SQL.
///
/// # Errors
/// [`SqlError`] with the place of the fault.
pub fn parse(_sql: &str, _names: &Names) -> Result<Parsed, SqlError> {
    Err(SqlError::new(Kind::Unsupported, "not yet"))
}

impl Parsed {
    /// Binds the parameters. Must be called (also with none) before the statement is planned.
    ///
    /// # Errors
    /// A parameter without a value, a value without a parameter, a value that does not fit.
    pub fn bind(&mut self, _parameters: &Parameters) -> Result<(), SqlError> {
        Ok(())
    }

    /// Calls `resolve` for every table the statement reads (not for its own WITH names); the name
    /// it returns replaces the typed one, which stays usable as a qualifier.
    ///
    /// # Errors
    /// The first error of `resolve`.
    pub fn resolve_tables(
        &mut self,
        _resolve: impl FnMut(&TableName) -> Result<Option<Vec<String>>, SqlError>,
    ) -> Result<(), SqlError> {
        Ok(())
    }

    /// Returns the headers of the answer as the user typed them; `schema` is the plan's.
    /// Trino's rules: an alias or the last part of a name, else `_colN`; duplicates are allowed.
    pub fn headers(&self, schema: &Schema) -> Vec<String> {
        schema.fields().iter().map(|field| field.name().clone()).collect()
    }
}
