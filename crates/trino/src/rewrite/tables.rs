//! Names of tables: handed to the engine, which knows what exists.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, Query, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};

use super::flow;
use crate::{SqlError, TableName};

pub(crate) fn resolve(
    statement: &mut Statement,
    resolve: impl FnMut(&TableName) -> Result<Option<Vec<String>>, SqlError>,
) -> Result<(), SqlError> {
    let mut resolver = Resolver { resolve, ctes: Vec::new() };
    match statement.visit(&mut resolver) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Resolver<F> {
    resolve: F,
    /// WITH names in scope, one set a query.
    ctes: Vec<HashSet<String>>,
}

impl<F> VisitorMut for Resolver<F>
where
    F: FnMut(&TableName) -> Result<Option<Vec<String>>, SqlError>,
{
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.push(tables.map(|table| table.alias.name.value.clone()).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let is_cte = |part: &String| self.ctes.iter().any(|names| names.contains(part));
        let table = table_name(name);
        if table.parts.len() == 1 && table.parts.iter().any(is_cte) {
            return ControlFlow::Continue(());
        }
        flow((self.resolve)(&table).map(|resolved| {
            if let Some(parts) = resolved {
                replace(name, alias, &table, parts);
            }
        }))
    }
}

fn table_name(name: &ObjectName) -> TableName {
    let idents: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    let start = idents.first().map(|ident| ident.span.start);
    let end = idents.last().map(|ident| ident.span.end);
    let (line, column) = start.map_or((0, 0), |at| (at.line as usize, at.column as usize));
    let length = end.map_or(1, |at| (at.column as usize).saturating_sub(column).max(1));
    let parts = idents.into_iter().map(|ident| ident.value.clone()).collect();
    TableName { parts, line, column, length }
}

/// The typed name stays usable as a qualifier (`SELECT cloudtrail_logs.eventName`).
fn replace(
    name: &mut ObjectName,
    alias: &mut Option<TableAlias>,
    typed: &TableName,
    parts: Vec<String>,
) {
    if let (None, Some(last)) = (&alias, typed.parts.last())
        && parts.last() != Some(last)
    {
        *alias = Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', last),
            columns: Vec::new(),
            at: None,
        });
    }
    let idents: Vec<Ident> = parts.into_iter().map(|part| Ident::with_quote('"', part)).collect();
    *name = ObjectName::from(idents);
}
