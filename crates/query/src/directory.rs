//! Which schemas, tables and columns a session can see: for `SHOW`, `DESCRIBE`,
//! `information_schema`, the shell and did-you-mean.

use arrow::datatypes::SchemaRef;

/// A table that statements can name.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// A store, `system` or `information_schema`.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// Its visible columns; maps are marked.
    pub(crate) columns: SchemaRef,
    /// Columns that can be selected and `SELECT *` does not show.
    pub(crate) hidden_columns: SchemaRef,
}

/// All of them, by schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    tables: Vec<Table>,
}

impl Directory {
    pub(crate) fn new(tables: Vec<Table>) -> Directory {
        Directory { tables }
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    /// Schemas, each once.
    pub(crate) fn schemas(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.tables.iter().map(|table| table.schema.as_str()).filter(move |schema| {
            let new = last != Some(*schema);
            last = Some(*schema);
            new
        })
    }

    pub(crate) fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema == schema && table.name == name)
    }
}
