//! `mentions('term')` says nothing of the event it searches: which table's that is, the FROM tells.
//! So the event becomes the first argument of the call, in the syntax tree, after tables got their
//! full names: `mentions(e."$event", 'term')`.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select,
    VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;
use traillake_trino::{Kind, SqlError};

use crate::hidden::{Source, sources};
use crate::views::WHOLE_EVENT;

/// The functions that search an event.
const SEARCHES: &[&str] = &["mentions", "mentions_any", "mentioned"];

/// Whether the function of this name searches events.
pub(crate) fn is_search(name: &str) -> bool {
    SEARCHES.contains(&name)
}

/// Whether a statement may search events. A word in a string counts too, which costs nothing.
pub(crate) fn may_search(sql: &str) -> bool {
    sql.to_lowercase().contains("mention")
}

/// Gives every search the event of its table.
///
/// # Errors
/// When no table of records is in scope, or several are and the call names none.
pub(crate) fn name_events(statement: &mut Statement) -> Result<(), SqlError> {
    let mut statement = statement;
    loop {
        match statement {
            Statement::Explain(explain) => statement = &mut explain.statement,
            Statement::Statement(tree) => {
                return match tree.visit(&mut Searches { scopes: Vec::new() }) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(error) => Err(*error),
                };
            }
            _ => return Ok(()),
        }
    }
}

struct Searches {
    /// What the queries around a place read, the innermost last. Tables stay in scope until the
    /// query ends, so that its ORDER BY sees them.
    scopes: Vec<Vec<Source>>,
}

type Flow = ControlFlow<Box<SqlError>>;

impl VisitorMut for Searches {
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, _: &mut Query) -> Flow {
        self.scopes.push(Vec::new());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> Flow {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        // Of a UNION each branch has a scope of its own: it takes the place of the one before.
        if let Some(scope) = self.scopes.last_mut() {
            *scope = sources(select, &[WHOLE_EVENT]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let name = function.name.0.last().and_then(|part| part.as_ident()).cloned();
        match name {
            Some(name) if is_search(&name.value) => match self.add_event(function, &name) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Box::new(error)),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Searches {
    fn add_event(&self, function: &mut Function, name: &Ident) -> Result<(), SqlError> {
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        let event = match list.args.as_slice() {
            [_] => {
                let table = self.only_table(name)?;
                list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(event_of(table))));
                return Ok(());
            }
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(table))), _] => {
                self.table_named(table)?
            }
            _ => {
                let message = format!("`{}` takes (term) or (table, term)", name.value);
                return Err(at(SqlError::new(Kind::Semantic, message), name.span));
            }
        };
        list.args[0] = FunctionArg::Unnamed(FunctionArgExpr::Expr(event_of(event)));
        Ok(())
    }

    /// The one table of records in the nearest query that reads any.
    fn only_table(&self, name: &Ident) -> Result<&str, SqlError> {
        let reads_events = |scope: &&Vec<Source>| scope.iter().any(has_event);
        let scope = self.scopes.iter().rev().find(reads_events);
        let mut tables = scope.into_iter().flatten().filter(|source| has_event(source));
        let (first, second) = (tables.next(), tables.next());
        let problem = match (first.and_then(|first| first.name.as_deref()), second) {
            (Some(table), None) => return Ok(table),
            (None, _) => SqlError::new(
                Kind::Semantic,
                format!("`{}` searches events, but no table of events is in FROM here", name.value),
            )
            .with_hint("use it where FROM names `events`, or select it there under a name"),
            (Some(table), Some(_)) => SqlError::new(
                Kind::Semantic,
                format!("`{}` does not say which of the tables in FROM it searches", name.value),
            )
            .with_hint(format!("name one: `{}({table}, …)`", name.value)),
        };
        Err(at(problem, name.span))
    }

    fn table_named(&self, table: &Ident) -> Result<&str, SqlError> {
        let is = |source: &&Source| {
            has_event(source)
                && source.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&table.value))
        };
        let found = self.scopes.iter().rev().find_map(|scope| scope.iter().find(is));
        found.and_then(|source| source.name.as_deref()).ok_or_else(|| {
            let message = format!("`{}` is no table of events in FROM", table.value);
            at(SqlError::new(Kind::UnknownName, message), table.span)
        })
    }
}

/// Whether the table holds records.
fn has_event(source: &Source) -> bool {
    !source.hidden.is_empty()
}

fn event_of(table: &str) -> Expr {
    let parts = [table, WHOLE_EVENT].map(|part| Ident::with_quote('"', part));
    Expr::CompoundIdentifier(parts.into())
}

fn at(error: SqlError, span: Span) -> SqlError {
    let (start, end) = (span.start, span.end);
    let length = end.column.saturating_sub(start.column) as usize;
    match start.line {
        0 => error,
        line => error.at(line as usize, start.column as usize, length),
    }
}
