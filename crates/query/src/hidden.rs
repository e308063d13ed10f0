//! `*` does not show every column of a record table: the hidden ones are taken out of it.
//!
//! Views carry a hidden column only when the statement mentions it. If the statement has a `*` too,
//! that is narrowed here, in the syntax tree, after tables got their full names.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, ExceptSelectItem, Ident, JoinConstraint, JoinOperator, ObjectName, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};

use crate::resolve::CATALOG;
use crate::views;

/// Takes the columns `hidden` out of every `*` over a record table.
pub(crate) fn exclude(statement: &mut Statement, hidden: &[&str]) {
    if hidden.is_empty() {
        return;
    }
    let mut statement = statement;
    loop {
        match statement {
            Statement::Explain(explain) => statement = &mut explain.statement,
            Statement::Statement(tree) => {
                let _ = tree.visit(&mut Excluder { hidden });
                return;
            }
            _ => return,
        }
    }
}

struct Excluder<'a> {
    hidden: &'a [&'a str],
}

impl VisitorMut for Excluder<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let sources = sources(select, self.hidden);
        let Some(first) = sources.iter().find(|source| !source.hidden.is_empty()) else {
            return ControlFlow::Continue(());
        };
        let together = sources.len() == 1 || select.from.iter().any(shares_columns);
        let wildcard = |item: &SelectItem| {
            matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
        };
        if select.projection.iter().any(wildcard) {
            select.projection.iter_mut().for_each(|item| self.restore_name(item));
        }
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) => match one_by_one(&sources) {
                    Some(all) if !together => items.extend(all),
                    _ => items.push(SelectItem::Wildcard(except(options, first))),
                },
                SelectItem::QualifiedWildcard(kind, options) => {
                    let options = match source_of(&kind, &sources) {
                        Some(source) => except(options, source),
                        None => options,
                    };
                    items.push(SelectItem::QualifiedWildcard(kind, options));
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        ControlFlow::Continue(())
    }
}

impl Excluder<'_> {
    /// The parser makes names beside a `*` unique, since `*` may bring them too. It never brings a
    /// hidden column, which keeps its own name then.
    fn restore_name(&self, item: &mut SelectItem) {
        let SelectItem::ExprWithAlias { expr, alias } = item else { return };
        let column = match expr {
            ast::Expr::Identifier(column) => Some(&column.value),
            ast::Expr::CompoundIdentifier(parts) => parts.last().map(|column| &column.value),
            _ => None,
        };
        let made_unique = |column: &&String| {
            alias.value.trim_end_matches(|c: char| c.is_ascii_digit()) == format!("{column}\u{1}")
        };
        if let Some(column) = column.filter(made_unique)
            && self.hidden.contains(&column.as_str())
        {
            alias.value.clone_from(column);
        }
    }
}

/// `*` without the hidden columns of `source`.
fn except(mut options: WildcardAdditionalOptions, source: &Source) -> WildcardAdditionalOptions {
    let mut names: Vec<Ident> = options.opt_except.take().map_or_else(Vec::new, |except| {
        std::iter::once(except.first_element).chain(except.additional_elements).collect()
    });
    for name in &source.hidden {
        if !names.iter().any(|known| known.value == *name) {
            names.push(Ident::with_quote('"', name));
        }
    }
    let mut names = names.into_iter();
    options.opt_except = names.next().map(|first_element| ExceptSelectItem {
        first_element,
        additional_elements: names.collect(),
    });
    options
}

/// `a.*, b.*` in place of `*`; none when a source has no name.
fn one_by_one(sources: &[Source]) -> Option<Vec<SelectItem>> {
    let items = sources.iter().map(|source| {
        let name = ObjectName::from(vec![Ident::with_quote('"', source.name.clone()?)]);
        let options = except(WildcardAdditionalOptions::default(), source);
        let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
        Some(SelectItem::QualifiedWildcard(kind, options))
    });
    items.collect()
}

/// Whether a join makes one column of two: `*` alone knows which.
fn shares_columns(table: &TableWithJoins) -> bool {
    table.joins.iter().any(|join| {
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => constraint,
            _ => return false,
        };
        matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
    })
}

/// A table of FROM.
pub(crate) struct Source {
    /// What columns can be qualified with.
    pub(crate) name: Option<String>,
    /// Columns of it that the statement mentions and `*` does not show.
    pub(crate) hidden: Vec<String>,
}

/// Returns the tables of a FROM, joined ones too, with those of the columns `hidden` that each has.
pub(crate) fn sources(select: &Select, hidden: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for table in &select.from {
        add_source(&table.relation, hidden, &mut sources);
        table.joins.iter().for_each(|join| add_source(&join.relation, hidden, &mut sources));
    }
    sources
}

fn add_source(factor: &TableFactor, hidden: &[&str], sources: &mut Vec<Source>) {
    if let TableFactor::NestedJoin { table_with_joins, alias: None } = factor {
        let joined = &table_with_joins.joins;
        add_source(&table_with_joins.relation, hidden, sources);
        joined.iter().for_each(|join| add_source(&join.relation, hidden, sources));
        return;
    }
    let alias = match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.as_ref().map(|alias| alias.name.value.clone()),
        _ => None,
    };
    let source = match factor {
        TableFactor::Table { name, .. } => {
            let parts = parts(name);
            let last = parts.last().map(|last| last.to_string());
            let known = match parts.as_slice() {
                [CATALOG, _, table] => views::on_demand(table),
                _ => Vec::new(),
            };
            let hidden = known.into_iter().filter(|name| hidden.contains(name));
            Source { name: alias.or(last), hidden: hidden.map(str::to_string).collect() }
        }
        _ => Source { name: alias, hidden: Vec::new() },
    };
    sources.push(source);
}

fn parts(name: &ast::ObjectName) -> Vec<&str> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect()
}

fn source_of<'a>(
    kind: &SelectItemQualifiedWildcardKind,
    sources: &'a [Source],
) -> Option<&'a Source> {
    let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else { return None };
    let last = parts(name).last().map(|last| last.to_string());
    sources.iter().find(|source| source.name == last)
}
